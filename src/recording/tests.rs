use proptest::prelude::*;

use super::*;
use crate::core::engine::Config;
use crate::core::engine::{Conventions, Rollover, WitnessMode};
use crate::core::event::Edges;
use crate::core::time::{Date, Instant, Span};

const HEADER: &str =
    "gnss2shm-recording 1 program=0.1.0 part=1 width=auto delay=auto holdover=60000000000 trust-zda=no\n";

fn read(text: &[u8]) -> (Vec<Item>, Result<(), Damage>, bool) {
    let (mut reader, mut items) = (Reader::default(), Vec::new());
    let result = reader.push(text, |item| items.push(item));
    (items, result, reader.breaks_off())
}

fn tick(ns: i64) -> Item {
    Item::Event(Event::Tick { raw: Instant::from_nanos(ns) })
}

fn header(text: &str) -> Header {
    match read(text.as_bytes()).0.first() {
        Some(Item::Header(header)) => header.clone(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn comments_blank_lines_and_a_last_line_cut_off_mean_nothing() {
    let text = format!("# receiver: none\n\n{HEADER}# legend\n1 tick\n\nlost 7\n2 tick\n3 ti");
    let (items, result, breaks_off) = read(text.as_bytes());
    assert_eq!(items[1..], [tick(1), Item::Lost(7), tick(2)]);
    assert_eq!((result, breaks_off), (Ok(()), true));
}

#[test]
fn damage_is_named_with_its_line_and_ends_the_reading() {
    for (text, says) in [
        ("1 tick\n", "line 1: this is not a recording"),
        ("# fine\nGIF89a\n", "line 2: this is not a recording"),
        (
            "gnss2shm-recording 2 program=9.0.0 color=red\n",
            "line 1: the recording has format 2; this program reads 1 to 1",
        ),
        ("gnss2shm-recording 0\n", "line 1: the recording has format 0; this program reads 1 to 1"),
        ("gnss2shm-recording\n", "line 1: the format version is missing"),
        ("gnss2shm-recording 1 color=red\n", "line 1: `color=red` is not a setting"),
        ("gnss2shm-recording 1 part=0\n", "line 1: `part=0` is not a setting"),
        ("gnss2shm-recording 1 width=1ms\n", "line 1: `width=1ms` is not a setting"),
        ("gnss2shm-recording 1 trust-zda=maybe\n", "line 1: `trust-zda=maybe` is not a setting"),
        ("gnss2shm-recording 1 date-floor=2026-02-30\n", "line 1: `date-floor=2026-02-30` is not a setting"),
        ("gnss2shm-recording 1 width=1 width=1\n", "line 1: `width=1` is not a setting"),
        ("gnss2shm-recording 1 width\n", "line 1: `width` is not a setting"),
        ("gnss2shm-recording 1\n1 tick\n2 tack\n3 tick\n", "line 3: `tack` is not a keyword"),
        ("gnss2shm-recording 1\n1 tick\n\0\0\0\0\n", "line 3: `\\x00"),
        ("gnss2shm-recording 1\nlost x\n", "line 2: `x` is not a number of lost events"),
    ] {
        let (items, result, _) = read(text.as_bytes());
        let said = result.expect_err(text).to_string();
        assert!(said.contains(says), "{text:?}: {said}");
        assert!(!items.contains(&tick(3)));
    }
}

#[test]
fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
    let mut reader = Reader::default();
    reader.push(HEADER.as_bytes(), |_| {}).unwrap();
    let piece = [b'1'; 4_096];
    let refused = (0..1_000).find_map(|_| reader.push(&piece, |_| {}).err());
    assert_eq!(refused.map(|damage| damage.to_string()), Some(format!("line 2: longer than {LINE_MAX} bytes")));
    assert!(reader.partial.capacity() <= 2 * LINE_MAX, "{}", reader.partial.capacity());
    let whole = format!("{HEADER}{}\n", "1".repeat(LINE_MAX + 1));
    assert!(read(whole.as_bytes()).1.unwrap_err().to_string().starts_with("line 2: longer"));
    let foreign = read(&vec![0; LINE_MAX + 1]).1.unwrap_err().to_string();
    assert!(foreign.starts_with("line 1: this is not a recording"), "{foreign}");
}

#[test]
fn every_setting_comes_back_and_one_that_is_not_named_stands_as_it_did_before_it_could_be() {
    let config = Config {
        width: Some(Span::from_nanos(1)),
        edges: Some(Edges::Both),
        delay: Some(Span::from_nanos(-2)),
        holdover: Span::ZERO,
        trust_zda: true,
        sawtooth: true,
        rollover: Rollover::Correct,
        witness: WitnessMode::Off,
        conventions: Conventions::Confirm,
        offset: Span::from_nanos(-250),
        date_floor: Date::new(2031, 2, 28).unwrap(),
        date_ceiling: Date::new(2099, 12, 1).unwrap(),
    };
    let given = Header { part: 3, ..Header::new(config) };
    assert_eq!(header(&format!("{given}\n")), given);
    // The range of dates accepted before headers contained it, independent of this release's.
    let days = [(2026, 11, 1), (2046, 6, 17)].map(|(year, month, day)| Date::new(year, month, day).unwrap());
    let unsaid = Config { date_floor: days[0], date_ceiling: days[1], ..Config::default() };
    assert_eq!(header("gnss2shm-recording 1\n").config, unsaid);
    assert_eq!(header(HEADER), Header { program: "0.1.0".into(), part: 1, config: unsaid });
}

#[test]
fn only_the_next_part_with_the_same_settings_continues() {
    let first = Header::new(Config::default());
    let next = Header { part: 2, ..first.clone() };
    assert!(next.continues(&first) && !first.continues(&next) && !first.continues(&first));
    assert!(!Header { part: 3, ..first.clone() }.continues(&first));
    assert!(!Header { part: 2, ..Header::new(Config { trust_zda: true, ..Config::default() }) }.continues(&first));
}

proptest! {
    #[test]
    fn no_bytes_panic_the_reader(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..10)) {
        let mut reader = Reader::default();
        for piece in &pieces {
            let _ = reader.push(piece, |_| {});
        }
    }

    #[test]
    fn no_bytes_after_a_header_panic_the_reader(text in "([0-9-]{0,20} )?(bytes|edge|cross|source|tick|lost)?[ -~\n]{0,80}", cut in any::<usize>()) {
        let text = format!("{HEADER}{text}\n");
        let (first, second) = text.as_bytes().split_at(cut % text.len());
        let mut reader = Reader::default();
        let mut items = Vec::new();
        let _ = reader.push(first, |item| items.push(item)).and_then(|()| reader.push(second, |item| items.push(item)));
        // The result does not depend on how the text is cut into pieces.
        prop_assert_eq!(items, read(text.as_bytes()).0);
    }
}
