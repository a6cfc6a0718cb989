//! Replayed recordings: the verdicts of each are known line by line.
//!
//! tests/replay/NAME.rec is a recording, tests/replay/NAME.chk what `gnss2shm replay --verdicts` prints of it. If
//! verdicts change on purpose, `GNSS2SHM_BLESS=1 cargo test --lib replay` rewrites every NAME.chk and fails once;
//! review the changes before committing. through-a-pty.rec keeps its original header, from before headers contained
//! dates and offset.

mod make;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::text::{self, Word};
use gnss2shm::core::event::{Reason, SourceChange, State, Verdict};
use gnss2shm::core::time::Span;
use gnss2shm::recording::{self, Header, Item, Reader};
use proptest::prelude::*;

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay").join(name)
}

fn replay(args: &[&str], input: &[u8]) -> Output {
    crate::library::common::run_with_input(&[&["replay"], args].concat(), input)
}

fn recordings() -> Vec<PathBuf> {
    let files = fs::read_dir(path("")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "rec")).collect();
    found.sort();
    assert!(found.len() >= 7, "{found:?}");
    found
}

fn verdicts(recording: &[u8]) -> Vec<Verdict> {
    let (mut engine, mut said) = (Engine::new(Config::default()), Vec::new());
    let result = Reader::default().push(recording, |item| match item {
        Item::Header(header) => engine = Engine::new(header.config),
        Item::Event(event) => said.extend(engine.handle(&event)),
        Item::Lost(events) => panic!("{events} lost"),
    });
    result.unwrap();
    said
}

#[test]
fn every_recording_gives_the_verdicts_that_are_known() {
    let bless = std::env::var_os("GNSS2SHM_BLESS").is_some();
    for recording in recordings() {
        let output = replay(&["--verdicts", recording.to_str().unwrap()], b"");
        assert!(output.status.success() && output.stderr.is_empty(), "{}: {output:?}", recording.display());
        let (got, known) = (String::from_utf8(output.stdout).unwrap(), recording.with_extension("chk"));
        if bless {
            fs::write(known, got).unwrap();
            continue;
        }
        let want = fs::read_to_string(&known).unwrap_or_else(|error| panic!("{}: {error}", known.display()));
        let differs = got.lines().zip(want.lines()).enumerate().find(|(_, (got, want))| got != want);
        assert!(differs.is_none() && got.len() == want.len(), "{}: {differs:#?}", known.display());
    }
    assert!(!bless, "the known verdicts are written anew: look at what changed, and run this without GNSS2SHM_BLESS");
}

#[test]
fn every_recording_says_what_it_is_of_and_is_small() {
    for recording in recordings() {
        let text = fs::read_to_string(&recording).unwrap();
        for (line, key) in text.lines().zip(["# receiver: ", "# nic: ", "# kernel: ", "# fault: "]) {
            assert!(line.starts_with(key), "{}: {line}", recording.display());
        }
        assert!(text.len() < 150_000, "{}: {} bytes", recording.display(), text.len());
        assert!(text.ends_with('\n'));
    }
}

#[test]
fn recordings_show_the_faults_that_they_are_named_for() {
    let of = |name: &str| verdicts(&fs::read(path(name)).unwrap());
    let goes_to = |said: &[Verdict], state: State| {
        said.iter().any(|verdict| matches!(verdict, Verdict::StateChanged { to, .. } if *to == state))
    };
    for (name, state) in [
        ("clean-both-edges.rec", State::Locked),
        ("one-edge.rec", State::Locked),
        ("lost-edges-and-glitches.rec", State::Locked),
        ("through-a-pty.rec", State::Locked),
        ("no-fix-in-the-middle.rec", State::Refusing(Reason::NoFix)),
        ("sentences-lost.rec", State::Coasting),
        ("half-second-pulse.rec", State::Refusing(Reason::AmbiguousWidth)),
    ] {
        let said = of(name);
        assert!(goes_to(&said, state), "{name}: {said:?}");
        for sample in said.iter().filter_map(|v| if let Verdict::Sample(sample) = v { Some(sample) } else { None }) {
            let off = (sample.offset() + make::SYS_AHEAD).abs();
            assert!(off <= sample.error && off < Span::from_micros(1), "{name}: {sample:?}");
        }
    }
    assert!(!of("half-second-pulse.rec").iter().any(|verdict| matches!(verdict, Verdict::Sample(_))));
}

#[test]
fn bursts_across_the_pulse_and_third_edges_beside_lost_ones_give_no_wrong_sample() {
    for name in [
        "two-heads-before-the-pulse.rec",
        "binary-head-before-the-pulse.rec",
        "head-290-ms-before-the-rest.rec",
        "gga-before-the-pulse-rmc-long-after.rec",
        "five-a-second-without-silence.rec",
        "third-edge-while-the-pulse-is-lost.rec",
        "third-edge-four-times.rec",
    ] {
        for verdict in verdicts(&fs::read(path(name)).unwrap()) {
            let Verdict::Sample(sample) = verdict else { continue };
            // The pulse is back to one pair of edges, and the system clock of these worlds is right to 1 ms.
            assert!(
                name.starts_with("third-edge-four") && sample.offset().abs() < Span::from_millis(1),
                "{name}: {sample:?}"
            );
        }
    }
}

/// A twin that starts anywhere in a recording has the same samples. Recordings are short, so twins do not get the usual
/// twenty seconds.
#[test]
fn a_twin_that_starts_late_agrees_on_every_recording() {
    for recording in recordings() {
        let (mut config, mut events) = (Config::default(), Vec::new());
        let result = Reader::default().push(&fs::read(&recording).unwrap(), |item| match item {
            Item::Header(header) => config = header.config,
            Item::Event(event) => events.push(event),
            Item::Lost(events) => panic!("{events} lost"),
        });
        result.unwrap();
        let [began, ended] = [events[0].head().0, events.last().unwrap().head().0];
        let first = crate::library::twins::samples(config, &events, began);
        let mut both = 0;
        for start in (370..(ended - began).nanos() / 1_000_000).step_by(730) {
            let compared =
                crate::library::twins::compare(config, &events, &first, began + Span::from_millis(start), Span::ZERO);
            assert!(compared.differ.is_empty(), "{}, {start} ms: {:?}", recording.display(), compared.differ);
            both += compared.both;
        }
        assert!(both > 10 || first.is_empty(), "{}: {both} samples compared", recording.display());
    }
}

#[test]
fn a_recording_may_come_from_a_pipe_and_gives_the_same_lines_every_time() {
    for recording in recordings() {
        let text = fs::read(&recording).unwrap();
        let from_file = replay(&["--verdicts", recording.to_str().unwrap()], b"");
        for _ in 0..3 {
            assert_eq!(replay(&["--verdicts", "-"], &text).stdout, from_file.stdout, "{}", recording.display());
        }
    }
}

#[test]
fn quiet_prints_the_summary_and_by_default_rejections_are_only_counted() {
    let recording = path("clean-both-edges.rec");
    let said = |flags: &[&str]| {
        let output = replay(&[&[recording.to_str().unwrap()], flags].concat(), b"");
        String::from_utf8(output.stdout).unwrap()
    };
    let (all, usual, quiet) = (said(&["--verdicts"]), said(&[]), said(&["--quiet"]));
    assert!(all.contains(" rejected not-yet: "));
    assert!(!usual.contains(" rejected not-yet: ") && usual.contains(" sample ") && usual.contains("rejected "));
    assert!(!quiet.contains(" sample ") && usual.ends_with(&quiet) && all.ends_with(&quiet), "{quiet}");
}

#[test]
fn parts_of_one_run_replayed_together_give_what_the_whole_gives() {
    let whole = fs::read_to_string(path("clean-both-edges.rec")).unwrap();
    let mut items = Vec::new();
    Reader::default().push(whole.as_bytes(), |item| items.push(item)).unwrap();
    let Item::Header(first) = items[0].clone() else { panic!("{:?}", items[0]) };
    let lines: Vec<&str> = whole.lines().filter(|line| !line.starts_with(['#', 'g'])).collect();
    let (before, after) = lines.split_at(lines.len() / 2);
    let file = |part: i64, lines: &[&str]| {
        let header = Header { part, ..first.clone() };
        format!("{header}\n{}\n", lines.join("\n"))
    };
    let want = replay(&["--quiet", "-"], whole.as_bytes()).stdout;
    let together = file(1, before) + &file(2, after);
    assert_eq!(replay(&["--quiet", "-"], together.as_bytes()).stdout, want);
    // Alone, or after a part other than the previous one, a part is fed to a new engine.
    let apart = replay(&["--quiet", "-"], (file(1, before) + &file(3, after)).as_bytes()).stdout;
    assert_ne!(apart, want);
    assert!(replay(&["--quiet", "-"], file(2, after).as_bytes()).status.success());
}

/// The recording determines the accepted dates: another release has another floor.
#[test]
fn the_dates_that_the_header_names_decide_and_not_those_of_this_release() {
    let recording = fs::read_to_string(path("clean-both-edges.rec")).unwrap();
    let header = recording.lines().find(|line| line.starts_with(recording::MAGIC)).unwrap();
    let of = |days: &str| {
        let (before, _) = header.split_once(" date-floor=").unwrap();
        verdicts(recording.replace(header, &format!("{before}{days}")).as_bytes())
    };
    let known = verdicts(recording.as_bytes());
    assert_eq!(of(" date-floor=2035-05-17 date-ceiling=2035-05-18"), known);
    for (days, reason) in [
        (" date-floor=2035-05-18 date-ceiling=2036-01-01", Reason::DateTooEarly),
        (" date-floor=2020-01-01 date-ceiling=2035-05-17", Reason::DateTooLate),
    ] {
        let said = of(days);
        assert!(said.contains(&Verdict::Rejected(reason)), "{days}");
        assert!(!said.iter().any(|verdict| matches!(verdict, Verdict::Sample(_))), "{days}");
    }
}

#[test]
fn what_is_no_recording_is_refused_with_its_line_and_a_sysexits_code() {
    let good = fs::read_to_string(path("clean-both-edges.rec")).unwrap();
    let count = good.lines().count();
    for (input, code, says) in [
        (String::new(), 65, "standard input has no header: not a recording"),
        ("# receiver: none\n".into(), 65, "standard input has no header: not a recording"),
        ("# receiver: no".into(), 65, "standard input ends before its header"),
        ("gnss2shm-rec".into(), 65, "standard input ends before its header"),
        ("hello\n".into(), 65, "standard input: line 1: this is not a recording"),
        ("gnss2shm-recording 7\n".into(), 65, "line 1: the recording has format 7"),
        ("\0".repeat(300_000), 65, "line 1: this is not a recording"),
    ] {
        let output = replay(&["-"], input.as_bytes());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.contains(says)), (Some(code), true), "{says}: {said}");
        assert!(output.stdout.is_empty(), "{says}: what is not a recording has no summary");
    }
    // Damaged in the middle: earlier events count, and both streams name the line.
    for (rest, says) in [("12 jump\n12 tick\n", "`jump` is not a keyword"), (&"1".repeat(300_000), "longer than")] {
        let output = replay(&["--quiet", "-"], format!("{good}{rest}").as_bytes());
        let [summary, said] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        let line = count + 1;
        assert_eq!(output.status.code(), Some(65));
        assert!(said.contains(&format!("line {line}: ")) && said.contains(says), "{said}");
        let ends = format!("the recording is damaged: line {line} and all later ones are not included\n");
        assert!(summary.contains("samples ") && summary.ends_with(&ends), "{summary}");
    }
    // Nothing but a header: a run that ended before its first event.
    let output = replay(&["--quiet", "-"], b"gnss2shm-recording 1\n");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"events 0\nsamples 0\n"[..]));
    assert_eq!(replay(&["/nonexistent.rec"], b"").status.code(), Some(66));
    // Missing events make the rest doubtful.
    let gap = replay(&["--quiet", "-"], format!("{good}lost 12\n").as_bytes());
    let [summary, said] = [gap.stdout, gap.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(summary.contains("12 events are missing in the recording"), "{summary}");
    assert_eq!((gap.status.code(), &*said), (Some(65), "gnss2shm: standard input: 12 events are missing\n"));
    // Cut off within a line: earlier events count.
    let cut = replay(&["--quiet", "-"], &good.as_bytes()[..good.len() - 5]);
    assert!(cut.status.success() && String::from_utf8(cut.stdout).unwrap().contains("in the middle of a line"));
}

#[test]
fn the_manual_page_names_every_word_that_a_recording_can_have() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("files/usr/share/man/man5/gnss2shm-recording.5"));
    let page = page.unwrap().replace("\\-", "-");
    // Macros for bold words: a word is defined there, not merely mentioned.
    let defining =
        page.lines().filter(|line| [".B ", ".BR ", ".BI ", ".IB "].iter().any(|bold| line.starts_with(bold)));
    let defined: Vec<&str> = defining.flat_map(|line| line.split([' ', '"'])).collect();
    let bold = |word: &str| defined.contains(&word);
    let header = Header::new(Config::default()).to_string();
    let settings = header.split(' ').skip(2).map(|setting| setting.split('=').next().unwrap().to_owned());
    let mut words: Vec<String> = settings.collect();
    words.extend([recording::MAGIC, recording::LOST].map(Into::into));
    for keyword in ["bytes", "report", "edge", "cross", "source", "witness", "leap-table", "tick"] {
        let known = text::parse(format!("1 {keyword} x").as_bytes()).unwrap_err().to_string();
        assert!(!known.contains("keyword"), "{known}");
        words.push(keyword.into());
    }
    words.extend(SourceChange::ALL.iter().map(|change| change.word().into()));
    for word in words {
        assert!(bold(&word), "{word} is not in the manual page");
    }
}

/// `cargo test --release --lib replay -- --ignored replay_is_fast --nocapture`
#[test]
#[ignore = "measures: a day of events; in a release build alone is its limit meant"]
fn replay_is_fast_and_takes_no_more_memory_for_more_events() {
    let (mut peaks, mut rates) = (Vec::new(), Vec::new());
    for hours in [1, 24] {
        let file = std::env::temp_dir().join(format!("gnss2shm-replay-{}.rec", std::process::id()));
        let events = make::long(&file, hours);
        let began = std::time::Instant::now();
        let mut replay = Command::new(crate::library::common::program());
        let mut child =
            crate::library::common::start(replay.args(["replay", file.to_str().unwrap()]).stdout(Stdio::null()));
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            peak = high.and_then(|kb| kb.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let (took, size) = (began.elapsed(), fs::metadata(&file).unwrap().len());
        fs::remove_file(&file).unwrap();
        let rate = events as u128 * 1_000_000_000 / took.as_nanos();
        println!("{hours} h: {events} events, {size} bytes, {took:?}, {rate} events/s, at most {peak} kB");
        peaks.push(peak);
        rates.push(rate);
    }
    // An hour replays so fast that the process's start matters.
    assert!(cfg!(debug_assertions) || rates[1] > 1_000_000, "{rates:?} events/s");
    assert!(peaks[1] < peaks[0] + 1_000, "{peaks:?} kB");
}

/// Events of a hostile recording: any times, in any order.
fn any_line() -> impl Strategy<Value = String> {
    let time = || prop_oneof![any::<i64>(), (0..20_000_000_000_i64), Just(i64::MIN), Just(i64::MAX)];
    let sentence = "(\\$G[PN](RMC|GGA|ZDA),[0-9.,AVNSE]{0,50}\\*[0-9A-F]{2}|[ -!#-\\[\\]-~]{0,40})";
    prop_oneof![
        (time(), time()).prop_map(|(raw, phc)| format!("{raw} edge {phc}")),
        (time(), time(), time(), time())
            .prop_map(|(raw, phc, sys, window)| format!("{raw} cross {phc} {sys} {window}")),
        (time(), time(), sentence).prop_map(|(raw, byte, data)| format!("{raw} bytes {byte} \"{data}\\r\\n\"")),
        (time(), proptest::sample::select(SourceChange::ALL))
            .prop_map(|(raw, change)| format!("{raw} source {}", change.word())),
        (time(), time()).prop_map(|(raw, error)| format!("{raw} witness {error}")),
        time().prop_map(|raw| format!("{raw} leap-table 2035-06-30 insert")),
        time().prop_map(|raw| format!("{raw} tick")),
    ]
}

proptest! {
    #[test]
    fn no_recording_panics_the_engine(lines in proptest::collection::vec(any_line(), 0..60)) {
        let mut engine = Engine::new(Config::default());
        for line in lines {
            let event = text::parse(line.as_bytes());
            prop_assert!(event.is_ok(), "{}: {:?}", line, event);
            engine.handle(&event.unwrap());
        }
    }
}
