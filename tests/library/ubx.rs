//! A u-blox receiver on a mixed line: its binary frames between sentences, and its reports about UTC and its pulse.

use crate::library::common::sentence;
use crate::library::simulated::scenario::{Fault, FaultKind, LeapShape, Scenario, SimSentence};
use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::World;
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Bytes, Edge, Event, Leap, Reason, Sample, State, Verdict};
use gnss2shm::core::nmea::{Found, Framer};
use gnss2shm::core::time::{Date, Instant, Span, UtcSecond};
use proptest::prelude::*;

/// An independent encoder, from the interface description.
fn frame(class: u8, id: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xB5, 0x62, class, id];
    frame.extend((payload.len() as u16).to_le_bytes());
    frame.extend(payload);
    let (mut a, mut b) = (0_u32, 0_u32);
    for &byte in &frame[2..] {
        (a, b) = (a + u32::from(byte), b + a + u32::from(byte));
    }
    frame.extend([a as u8, b as u8]);
    frame
}

/// `leap_seconds` as in the sentence: with a D where they are the firmware's.
fn pubx(leap_seconds: &str) -> Vec<u8> {
    sentence(&format!("PUBX,04,120000.00,201126,475200.00,2445,{leap_seconds},1930035,-2660.664,21,"))
}

fn time_utc(utc: UtcSecond, knows_utc: bool) -> Vec<u8> {
    let ((year, month, day), sod) = (utc.date().ymd(), utc.second_of_day());
    let mut payload = vec![0; 20];
    payload[4] = 25;
    payload[8..12].copy_from_slice(&(-213_i32).to_le_bytes());
    payload[12..14].copy_from_slice(&(year as u16).to_le_bytes());
    let of_day = [month, day, (sod / 3_600) as u8, (sod / 60 % 60) as u8, (sod % 60) as u8];
    payload[14..19].copy_from_slice(&of_day);
    payload[19] = if knows_utc { 0x37 } else { 0x33 };
    frame(0x01, 0x21, &payload)
}

/// Of u-blox 8, with a fix; while seconds are ambiguous, the accuracy is one of seconds.
fn pvt(utc: UtcSecond, is_resolved: bool) -> Vec<u8> {
    let ((year, month, day), sod) = (utc.date().ymd(), utc.second_of_day());
    let mut payload = vec![0; 92];
    payload[4..6].copy_from_slice(&(year as u16).to_le_bytes());
    payload[6..11].copy_from_slice(&[month, day, (sod / 3_600) as u8, (sod / 60 % 60) as u8, (sod % 60) as u8]);
    let (valid, accuracy) = if is_resolved { (0b111, 25_u32) } else { (0b011, u32::MAX) };
    payload[11] = valid;
    payload[12..16].copy_from_slice(&accuracy.to_le_bytes());
    payload[16..20].copy_from_slice(&(-213_i32).to_le_bytes());
    payload[20..22].copy_from_slice(&[3, 1]);
    frame(0x01, 0x07, &payload)
}

/// `source` of the leap seconds: 0 is the firmware, 2 is GPS. An inserted second is announced for the end of 2026,
/// the fifth day of GPS's week 2451 (0x0993).
fn time_ls(source: u8, announces: bool) -> Vec<u8> {
    let mut payload = vec![0; 24];
    payload[8..12].copy_from_slice(&[source, 18, 2, u8::from(announces)]);
    payload[12..16].copy_from_slice(&43_200_i32.to_le_bytes());
    payload[16..20].copy_from_slice(&[0x93, 0x09, 5, 0]);
    payload[23] = 3;
    frame(0x01, 0x26, &payload)
}

/// For the pulse of that second of the week; `flags` and `reference` as in the message.
fn tim_tp(second_of_week: i64, picos: i64, flags: u8, reference: u8) -> Vec<u8> {
    let mut payload = vec![0; 16];
    payload[..4].copy_from_slice(&(second_of_week as u32 * 1_000).to_le_bytes());
    payload[8..12].copy_from_slice(&(picos as i32).to_le_bytes());
    payload[14..].copy_from_slice(&[flags, reference]);
    frame(0x0D, 0x01, &payload)
}

/// A finding: a sentence's text or a frame, with the offset of its first byte.
fn found(reads: &[Vec<u8>], pause_before_last: Span) -> Vec<(i64, Vec<u8>)> {
    let (mut framer, mut found, mut place) = (Framer::default(), Vec::new(), 0);
    for (n, data) in (1..).zip(reads) {
        place += data.len() as i64;
        let pause = if n == reads.len() { pause_before_last } else { Span::ZERO };
        let read_at = Instant::from_nanos(place) + pause;
        framer.push_all(&Bytes { read_at, byte_time: Span::from_nanos(1), data: data.clone().into() }, |item| {
            found.push(match item {
                Found::Line(line) if line.read.is_ok() => (line.first_byte.nanos(), line.text.as_bytes().to_vec()),
                Found::Line(_) => return,
                Found::Frame(frame, bytes) => (frame.first_byte.nanos(), bytes.to_vec()),
            });
        });
    }
    found
}

fn chunks(bytes: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let (mut rest, mut chunks) = (bytes, Vec::new());
    for &size in sizes.iter().cycle() {
        if rest.is_empty() {
            return chunks;
        }
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk.to_vec());
        rest = after;
    }
    chunks
}

fn any_sentence() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0..60).prop_map(|s| sentence(&format!("GNRMC,1200{s:02}.00,A,1,N,2,E,0,0,201126,,,A"))),
        Just(pubx("18")),
        Just(sentence("GPGSV,1,1,00")),
    ]
}

/// Payloads of anything, of sentences, and of what begins a frame.
fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..30),
        any_sentence(),
        Just(b"\xB5\x62\x01\x07\x5C\x00".to_vec()),
        Just(b"\xB5\x62".to_vec()),
        Just(b"$".to_vec()),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), any::<u8>(), any_payload()).prop_map(|(class, id, payload)| frame(class, id, &payload))
}

proptest! {
    #[test]
    fn sentences_and_frames_come_out_as_they_went_in(
        messages in proptest::collection::vec(prop_oneof![any_sentence(), any_frame()], 0..12),
        sizes in proptest::collection::vec(1_usize..90, 1..20),
    ) {
        let mut place = 0;
        let want: Vec<_> = messages.iter().map(|message| {
            let at = place;
            place += message.len() as i64;
            (at, message.strip_suffix(b"\r\n").filter(|text| text[0] == b'$').unwrap_or(message).to_vec())
        }).collect();
        prop_assert_eq!(found(&chunks(&messages.concat(), &sizes), Span::ZERO), want);
    }

    /// After any damage to a frame, even to its length, the sentences around it are found, and no others. If the frame
    /// seems to extend beyond them, the gap after the burst ends it.
    #[test]
    fn a_damaged_frame_costs_no_sentence(
        before in any_sentence(),
        payload in proptest::collection::vec(any::<u8>().prop_filter("no sentence", |&byte| byte != b'$'), 0..60),
        after in proptest::collection::vec(any_sentence(), 1..4),
        (at, flip, lost) in (any::<usize>(), 1_u8.., 0_usize..4),
        sizes in proptest::collection::vec(1_usize..90, 1..20),
    ) {
        let mut damaged = frame(0x02, 0x15, &payload);
        let at = at % damaged.len();
        damaged[at] ^= flip;
        prop_assume!(damaged[at] != b'$');
        damaged.drain(at..(at + lost).min(damaged.len()));
        let messages = [vec![before.clone()], vec![damaged], after.clone()].concat();
        let mut reads = chunks(&messages.concat(), &sizes);
        reads.push(b"\n".to_vec());
        let got: Vec<_> = found(&reads, Span::from_millis(600)).into_iter().map(|(_, text)| text).collect();
        // One in 65536 still has the right checksum.
        prop_assume!(got.iter().all(|message| message[0] == b'$'));
        let text = |line: &Vec<u8>| line.strip_suffix(b"\r\n").unwrap().to_vec();
        prop_assert_eq!(got, [before].iter().chain(&after).map(text).collect::<Vec<_>>());
    }
}

#[test]
fn a_false_header_holds_no_more_back_than_the_longest_frame() {
    let rmc = sentence("GNRMC,120000.00,A,1,N,2,E,0,0,201126,,,A");
    let stream = [b"\xB5\x62\x02\x15\x00\x10".to_vec(), rmc.repeat(200)].concat();
    let mut framer = Framer::default();
    let (mut sentences, mut first_at) = (0, None);
    for (n, &byte) in (1..).zip(&stream) {
        let (read_at, byte_time) = (Instant::from_nanos(n), Span::from_nanos(1));
        framer.push(&Bytes { read_at, byte_time, data: [byte].into() }, |_| {
            sentences += 1;
            first_at.get_or_insert(n);
        });
    }
    assert_eq!((sentences, first_at), (200, Some(4_096 + 8)));
}

/// The result of a run.
struct Outcome {
    samples: Vec<Sample>,
    /// Numbers of the seconds of the samples that are wrong.
    wrong: Vec<i64>,
    /// Each state once as it is entered, and the second in which it is.
    states: Vec<(i64, State)>,
}

impl Outcome {
    fn numbers(&self, first: UtcSecond) -> Vec<i64> {
        self.samples.iter().map(|sample| sample.label.posix() - first.posix()).collect()
    }
}

fn first_second() -> UtcSecond {
    UtcSecond::from_civil(Date::new(2026, 11, 20).unwrap(), 86_390)
}

/// Runs the engine through a world. `sent` is the receiver's additional output, 100 ms after the pulse of that second;
/// `early` is how early that pulse is.
fn play(
    config: Config,
    scenario: &Scenario,
    (first, seconds): (UtcSecond, i64),
    sent: impl Fn(i64) -> Vec<u8>,
    early: impl Fn(i64) -> Span,
) -> Outcome {
    let mut timeline = Timeline::new(World::new(scenario.clone(), first, Instant::from_parts(1_000, 0)));
    let mut engine = Engine::new(config);
    let mut outcome = Outcome { samples: Vec::new(), wrong: Vec::new(), states: Vec::new() };
    let start = timeline.world().pulse_number(0);
    let mut extra = None;
    loop {
        let mut event = timeline.next_event();
        let mut events = Vec::new();
        let number = |raw: Instant<_>| (raw - start + Span::from_millis(10)).div_rem(Span::SECOND).0;
        let raw = match &mut event {
            Event::Tick { raw } => *raw,
            Event::Bytes(Bytes { read_at, .. }) => *read_at,
            Event::Edge(Edge { phc, read_at }) => {
                *phc = *phc - early(number(*read_at));
                *read_at
            }
            Event::CrossTs(cross) => cross.raw,
            Event::Report(_) | Event::Witness(_) | Event::LeapTable { .. } | Event::Source { .. } => start,
        };
        let second = number(raw);
        if second >= seconds {
            return outcome;
        }
        if let Event::Tick { raw } = event {
            extra = Some((raw, sent(number(raw))));
        }
        if let Some((pulse, data)) = extra.take_if(|(pulse, _)| raw - *pulse >= Span::from_millis(200)) {
            let byte_time = timeline.world().byte_time();
            let read_at = pulse + Span::from_millis(100) + byte_time.times(data.len() as i64);
            events.push(Event::Bytes(Bytes { read_at, byte_time, data: data.into() }));
        }
        events.push(event);
        for verdict in events.iter().flat_map(|event| engine.handle(event)) {
            match verdict {
                Verdict::Sample(sample) => {
                    if timeline.error(&sample).is_none_or(|error| error.abs() > Span::from_micros(10)) {
                        outcome.wrong.push(second);
                    }
                    outcome.samples.push(sample);
                }
                Verdict::StateChanged { to, .. } => outcome.states.push((second, to)),
                _ => {}
            }
        }
    }
}

fn on_time(_: i64) -> Span {
    Span::ZERO
}

/// A receiver after a cold start: until this second, it counts one leap second too few.
fn stale_until(second: i64) -> Scenario {
    let stale = Fault { from: 0, until: second, kind: FaultKind::WrongSecond(1) };
    Scenario { faults: vec![stale], ..Scenario::default() }
}

/// Messages of a receiver that knows UTC or not.
type Said = fn(UtcSecond, bool) -> Vec<u8>;
const SAYINGS: [(&str, Said); 4] = [
    ("PUBX,04", |_, knows| pubx(if knows { "18" } else { "17D" })),
    ("NAV-TIMEUTC", |utc, knows| time_utc(utc.plus(i64::from(!knows)), knows)),
    ("NAV-PVT", |utc, knows| pvt(utc.plus(i64::from(!knows)), knows)),
    ("NAV-TIMELS", |_, knows| time_ls(if knows { 2 } else { 0 }, false)),
];

#[test]
fn a_cold_start_with_a_stale_leap_second_count_gives_wrong_samples_only_to_who_does_not_listen() {
    let span = (first_second(), 90);
    let deaf = play(Config::default(), &stale_until(60), span, |_| vec![], on_time);
    assert!(deaf.wrong.len() > 40, "the world is as bad as it is meant to be: {} wrong", deaf.wrong.len());
    for (name, said) in SAYINGS {
        let sent = |n| said(first_second().plus(n), n >= 60);
        let outcome = play(Config::default(), &stale_until(60), span, sent, on_time);
        assert_eq!(outcome.wrong, Vec::<i64>::new(), "{name}");
        let numbers = outcome.numbers(first_second());
        assert!(matches!(numbers[..], [61..=64, ..]) && numbers.len() >= 26, "{name}: {numbers:?}");
        let waits = outcome.states.iter().any(|(_, state)| *state == State::Searching(Reason::UtcUnknown));
        assert!(waits, "{name}: {:?}", outcome.states);
    }
}

#[test]
fn a_message_that_comes_seldom_or_stops_is_believed_until_every_satellite_has_told() {
    let span = (first_second(), 900);
    for every in [10, 60] {
        let sent = |n| if n % every == 0 { pubx(if n >= 180 { "18" } else { "17D" }) } else { vec![] };
        let outcome = play(Config::default(), &stale_until(175), span, sent, on_time);
        assert_eq!(outcome.wrong, Vec::<i64>::new(), "every {every} s");
        assert!(matches!(outcome.numbers(first_second())[..], [180..=185, ..]), "every {every} s");
    }
    let sent = |n| if n < 30 { pubx("17D") } else { vec![] };
    let outcome = play(Config::default(), &stale_until(750), span, sent, on_time);
    assert_eq!(outcome.wrong, Vec::<i64>::new());
    assert!(matches!(outcome.numbers(first_second())[..], [810..=815, ..]), "{:?}", outcome.states);
}

#[test]
fn a_label_found_before_utc_was_said_to_be_unknown_is_forgotten() {
    let sent = |n| if n >= 20 { pubx(if n >= 60 { "18" } else { "17D" }) } else { vec![] };
    let outcome = play(Config::default(), &stale_until(60), (first_second(), 90), sent, on_time);
    assert!(outcome.wrong.iter().all(|&second| second <= 20), "{:?}", outcome.wrong);
    let numbers = outcome.numbers(first_second());
    assert!(numbers.iter().filter(|&&n| n > 21).all(|&n| n > 60) && numbers.last() >= Some(&88), "{numbers:?}");
}

#[test]
fn nav_timeutc_or_nav_pvt_alone_is_enough_and_binary_frames_without_them_are_named() {
    let scenario = Scenario { sentences: vec![], ..Scenario::default() };
    let span = (first_second(), 40);
    for message in [time_utc, pvt] {
        let outcome = play(Config::default(), &scenario, span, |n| message(first_second().plus(n), true), on_time);
        assert!(outcome.wrong.is_empty() && outcome.samples.len() >= 30, "{:?}", outcome.states);
    }
    let other = play(Config::default(), &scenario, span, |_| tim_tp(1, 0, 3, 15), on_time);
    let last = other.states.last().map(|(_, state)| *state);
    assert_eq!((other.samples.len(), last), (0, Some(State::Searching(Reason::BinaryProtocol))));
}

/// ntpsec/gpsd:test/daemon/u-blox-m8t-time.log: source 1 in 30 frames, then 255 in 121, validUTC in all.
#[test]
fn leap_seconds_whose_source_is_not_named_any_more_are_no_doubt() {
    let sent = |n| [time_utc(first_second().plus(n), true), time_ls(if n < 10 { 1 } else { 255 }, false)].concat();
    let scenario = Scenario { sentences: vec![], ..Scenario::default() };
    let outcome = play(Config::default(), &scenario, (first_second(), 60), sent, on_time);
    assert!(outcome.wrong.is_empty() && outcome.numbers(first_second()).last() >= Some(&58), "{:?}", outcome.states);
}

/// They do not show that the leap seconds were received from satellites: an earlier doubt remains.
#[test]
fn leap_seconds_whose_source_is_not_named_take_no_doubt_away() {
    let sent = |n| time_ls(if n < 10 { 0 } else { 255 }, false);
    let outcome = play(Config::default(), &stale_until(60), (first_second(), 55), sent, on_time);
    assert_eq!(outcome.samples.len(), 0, "{:?}", outcome.states);
}

/// A removed antenna shows as no fix, and the seconds counted by pulses remain valid.
#[test]
fn nav_pvt_without_a_fix_says_nothing_of_utc() {
    let sent = |n| {
        let mut frame_ = pvt(first_second().plus(n), n < 30)[6..98].to_vec();
        frame_[21] = u8::from(n < 30);
        frame(0x01, 0x07, &frame_)
    };
    let scenario = Scenario { sentences: vec![], ..Scenario::default() };
    let outcome = play(Config::default(), &scenario, (first_second(), 40), sent, on_time);
    assert!(outcome.wrong.is_empty(), "{:?}", outcome.states);
    let after: Vec<_> = outcome.states.iter().filter(|(second, _)| *second >= 30).map(|(_, state)| *state).collect();
    assert_eq!(after, [State::Refusing(Reason::NoFix)]);
}

#[test]
fn a_leap_second_that_the_receiver_announces_is_passed_on() {
    let span = (UtcSecond::from_civil(Date::new(2026, 12, 31).unwrap(), 43_200), 30);
    for (announces, leap) in [(false, Leap::None), (true, Leap::Insert)] {
        let outcome = play(Config::default(), &Scenario::default(), span, |_| time_ls(2, announces), on_time);
        assert!(outcome.wrong.is_empty() && outcome.samples.len() >= 20);
        assert!(outcome.samples.iter().all(|sample| sample.leap == leap), "{announces}");
    }
}

#[test]
fn an_inserted_second_that_the_receiver_announces_yields_no_wrong_sample() {
    let first = UtcSecond::from_civil(Date::new(2026, 12, 31).unwrap(), 86_370);
    for shape in [LeapShape::Sixty, LeapShape::Doubled59, LeapShape::Doubled00] {
        let scenario = Scenario { leap: Some((29, shape)), ..Scenario::default() };
        let outcome = play(Config::default(), &scenario, (first, 60), |n| time_ls(2, n < 30), on_time);
        assert_eq!(outcome.wrong, Vec::<i64>::new(), "{shape:?}");
        let after = outcome.samples.iter().filter(|sample| sample.label > first.plus(30)).count();
        assert!(after >= 15, "{shape:?}: {after} after it");
    }
}

/// The quantization error of that second's pulse.
fn picos(n: i64) -> i64 {
    (n * 7_919).rem_euclid(21_000) - 10_500
}

/// How early it is because of that.
fn quantised(n: i64) -> Span {
    Span::from_nanos(picos(n) / 1_000)
}

#[test]
fn a_pulse_is_corrected_by_what_was_announced_for_it_and_by_nothing_else() {
    let sentences = vec![SimSentence::Rmc];
    let scenario = Scenario { noise: Span::ZERO, sentences, ..Scenario::default() };
    let span = (first_second(), 60);
    let week_second = |n: i64| (first_second().posix() + n + 4 * 86_400) % (7 * 86_400);
    let sawtooth = Config { sawtooth: true, ..Config::default() };
    let run = |config, sent: &dyn Fn(i64) -> Vec<u8>| play(config, &scenario, span, sent, quantised).samples;
    let next = |n: i64| tim_tp(week_second(n + 1), picos(n + 1), 0b11, 15);
    let ideal = play(Config::default(), &scenario, span, |_| vec![], on_time).samples;
    let raw = run(Config::default(), &next);
    assert!(ideal.len() > 50 && raw.len() == ideal.len());
    let apart = |a: &[Sample], b: &[Sample]| {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a.at - b.at).nanos().abs()).max().unwrap()
    };
    assert!(apart(&raw, &ideal) >= 9, "the pulses are as uneven as they are meant to be");
    let gps = |n: i64| tim_tp(week_second(n + 1) + 18, picos(n + 1), 0b10, 0);
    for (name, is_used, sent) in [
        ("UTC", true, &next as &dyn Fn(i64) -> Vec<u8>),
        ("GPS, with the leap seconds", true, &|n| [pubx("18"), gps(n)].concat()),
        ("GPS, without the leap seconds", false, &gps),
        ("GPS, with the leap seconds in binary", true, &|n| [time_ls(2, false), gps(n)].concat()),
        ("the last of two for a pulse", true, &|n| [tim_tp(week_second(n + 1), 10_000, 3, 15), next(n)].concat()),
        ("the pulse before", false, &|n| tim_tp(week_second(n), picos(n), 0b11, 15)),
        ("the pulse after the next", false, &|n| tim_tp(week_second(n + 2), picos(n + 2), 0b11, 15)),
        ("not valid", false, &|n| tim_tp(week_second(n + 1), picos(n + 1), 0b1_0011, 15)),
        ("another time", false, &|n| tim_tp(week_second(n + 1), picos(n + 1), 0b10, 1)),
    ] {
        let got = run(sawtooth, sent);
        let (from_ideal, from_raw) = (apart(&got, &ideal), apart(&got, &raw));
        assert!(if is_used { from_ideal <= 2 } else { from_raw == 0 }, "{name}: {from_ideal} {from_raw}");
        assert!(got.iter().zip(&raw).all(|(got, raw)| got.error == raw.error), "{name}: the bound stays");
    }
}

#[test]
fn decode_prints_a_line_for_each_message_about_time() {
    let at = first_second();
    let messages = [
        sentence("GNRMC,120000.00,A,1,N,2,E,0,0,201126,,,A"),
        pubx("18D"),
        time_utc(at, true),
        time_utc(at, false),
        time_ls(2, true),
        tim_tp(475_201, -7_654, 0b11, 15),
        frame(0x0A, 0x09, b"$GNRMC,120000.00,A,1,N,2,E,0,0,201126,,,A*51\r\n"),
    ];
    let output = crate::library::common::run_with_input(&["decode"], &messages.concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let words = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    let want = [
        "GNRMC 2026-11-20T12:00:00Z valid",
        "PUBX,04 2026-11-20T12:00:00Z UTC not known yet: leap seconds are the firmware's default (18)",
        "NAV-TIMEUTC 2026-11-20T23:59:50Z valid",
        "NAV-TIMEUTC 2026-11-20T23:59:50Z UTC not known yet: leap seconds are the firmware's default",
        "NAV-TIMELS leap seconds known (18); one more after 2026-12-31",
        "TIM-TP correction of the next pulse: second 475201 of UTC's week, -8 ns",
    ];
    assert_eq!(text.lines().map(words).collect::<Vec<_>>(), want, "{text}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("\n5 frames of u-blox's binary protocol\n"), "{said}");
}
