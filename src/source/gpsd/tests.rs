use super::*;
use crate::core::event::{Report, Says};

const NOON: i64 = 1_795_176_000;
const GREETING: &str = r#"{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}"#;
const DEVICES: &str = r#"{"class":"DEVICES","devices":[{"path":"/dev/ttyS1","activated":"2026-11-20T12:00:00.000Z","bps":9600},{"path":"/dev/pps0","driver":"PPS"}]}"#;

fn hear(session: &mut Session<'_>, ms: i64, line: &str) -> Vec<Act> {
    session.line(line.as_bytes(), Instant::default() + Span::from_millis(ms));
    std::mem::take(&mut session.acts)
}

fn second(session: &mut Session<'_>, device: &str, ms: i64) -> Vec<Act> {
    let (sec, s) = (NOON + ms / 1_000, ms / 1_000);
    let toff = format!(
        r#"{{"class":"TOFF","device":"{device}","real_sec":{sec}, "real_nsec":0,"clock_sec":{sec},"clock_nsec":300000000}}"#
    );
    let tpv = format!(r#"{{"class":"TPV","device":"{device}","mode":3,"time":"2026-11-20T12:00:{s:02}.000Z"}}"#);
    let mut acts = hear(session, ms, &toff);
    acts.extend(hear(session, ms + 100, &tpv));
    acts
}

fn is_report(act: &Act) -> bool {
    matches!(act, Act::Tell(Event::Report(Report { says: Says::Second { .. }, .. })))
}

/// gpsd sends its greeting, and lists its devices on request.
fn begun() -> Session<'static> {
    let mut session = Session::new(None, Instant::default());
    session.tick(Instant::default());
    assert!(matches!(&hear(&mut session, 0, GREETING)[..], [Act::Ask(ask)] if ask == ASK_DEVICES));
    assert!(matches!(&hear(&mut session, 1, DEVICES)[..], [Act::Ask(ask)] if ask.contains("/dev/ttyS1")));
    assert!(matches!(&hear(&mut session, 2, DEVICES)[..], [Act::Opened(path)] if path == "/dev/ttyS1"));
    session
}

#[test]
fn seconds_of_the_device_that_was_asked_for_count_and_no_others() {
    let mut session = begun();
    assert!(second(&mut session, "/dev/ttyACM7", 1_300).is_empty());
    assert!(second(&mut session, "/dev/ttyS1", 2_300).iter().any(is_report));
    assert!(second(&mut session, "/dev/ttyACM7", 3_300).is_empty());
    assert!(second(&mut session, "/dev/ttyS1", 4_300).iter().any(is_report));
}

#[test]
fn what_lists_no_devices_is_no_gpsd_whatever_else_it_says() {
    let mut session = Session::new(None, Instant::default());
    for second in 0..7 {
        let now = Instant::default() + Span::from_secs(second);
        session.tick(now);
        session.line(b"SSH-2.0-OpenSSH_9.2p1", now);
        session.line(GREETING.as_bytes(), now);
        let acts = std::mem::take(&mut session.acts);
        let is_gone = matches!(acts[..], [Act::Lost(Lost::Gpsd, _)]);
        assert_eq!(is_gone, second == 6, "{second}: {acts:?}");
    }
}

#[test]
fn a_gpsd_that_falls_silent_is_asked_before_it_is_given_up() {
    let mut session = begun();
    for second in 1..12 {
        session.tick(Instant::default() + Span::from_secs(second));
        let acts = std::mem::take(&mut session.acts);
        match second {
            ..=5 => assert!(acts.is_empty(), "{second}: {acts:?}"),
            6..=10 => assert!(matches!(&acts[..], [Act::Ask(ask)] if ask == ASK_DEVICES), "{second}: {acts:?}"),
            _ => assert!(matches!(acts[..], [Act::Lost(Lost::Gpsd, _)]), "{second}: {acts:?}"),
        }
    }
}

#[test]
fn a_device_without_a_name_is_passed_over_and_one_that_is_unplugged_is_lost() {
    let mut session = begun();
    for line in [
        r#"{"class":"DEVICE","activated":0}"#,
        r#"{"class":"DEVICES"}"#,
        r#"{"class":"DEVICE","path":"/dev/ttyACM7","activated":0}"#,
    ] {
        assert!(hear(&mut session, 10, line).is_empty(), "{line}");
    }
    let acts = hear(&mut session, 20, r#"{"class":"DEVICE","path":"/dev/ttyS1","activated":0}"#);
    assert!(matches!(&acts[..], [Act::Lost(Lost::GpsdDevice, _)]), "{acts:?}");
}
