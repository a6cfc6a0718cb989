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

#[test]
fn seconds_of_the_device_that_was_asked_for_count_and_no_others() {
    let (config, mut said) = (GpsdConfig::default(), Said::default());
    let mut session = Session::new(&config, &mut said, Instant::default());
    assert!(matches!(&hear(&mut session, 0, GREETING)[..], [Act::Ask(ask)] if ask == ASK_DEVICES));
    assert!(matches!(&hear(&mut session, 1, DEVICES)[..], [Act::Ask(ask)] if ask.contains("/dev/ttyS1")));
    hear(&mut session, 2, DEVICES);
    assert!(matches!(&second(&mut session, "/dev/ttyACM7", 1_300)[..], [Act::Say(_)]), "said once, and no more");
    assert!(second(&mut session, "/dev/ttyS1", 2_300).iter().any(is_report));
    assert!(second(&mut session, "/dev/ttyACM7", 3_300).is_empty());
    assert!(second(&mut session, "/dev/ttyS1", 4_300).iter().any(is_report));
}

#[test]
fn a_greeting_is_gpsds_whatever_number_its_protocol_has() {
    for (greeting, name) in [
        (GREETING, "gpsd at localhost:2947 (release 3.22)"),
        (
            r#"{"class":"VERSION","release":"3.27.2","rev":"3.27.2","proto_major":0,"proto_minor":16}"#,
            "gpsd at localhost:2947 (release 3.27.2)",
        ),
        (
            r#"{"class":"VERSION","release":"3.27.5","rev":"3.27.5","proto_major":16,"proto_minor":1}"#,
            "gpsd at localhost:2947 (release 3.27.5)",
        ),
        (r#"{"class":"VERSION","release":"x","proto_major":-7000000000}"#, "gpsd at localhost:2947 (release x)"),
        (r#"{"class":"VERSION"}"#, "gpsd at localhost:2947"),
    ] {
        let (config, mut said) = (GpsdConfig::default(), Said::default());
        let mut session = Session::new(&config, &mut said, Instant::default());
        let acts = hear(&mut session, 0, greeting);
        assert!(matches!(&acts[..], [Act::Ask(ask)] if ask == ASK_DEVICES), "{greeting}: {acts:?}");
        assert_eq!(session.name, name);
        assert!(hear(&mut session, 1, greeting).is_empty(), "it is asked for once");
    }
}

#[test]
fn a_device_without_a_name_is_passed_over_and_one_that_is_unplugged_is_lost() {
    let (config, mut said) = (GpsdConfig::default(), Said::default());
    let mut session = Session::new(&config, &mut said, Instant::default());
    for (ms, line) in [GREETING, DEVICES, DEVICES].into_iter().enumerate() {
        hear(&mut session, ms as i64, line);
    }
    for line in [
        r#"{"class":"DEVICE","activated":0}"#,
        r#"{"class":"DEVICES"}"#,
        r#"{"class":"DEVICE","path":"/dev/ttyACM7","activated":0}"#,
    ] {
        assert!(hear(&mut session, 10, line).is_empty(), "{line}");
    }
    let acts = hear(&mut session, 20, r#"{"class":"DEVICE","path":"/dev/ttyS1","activated":0}"#);
    let is_lost = |act: &Act| {
        matches!(act, Act::Tell(Event::Source { change: SourceChange::SentencesLost(Lost::GpsdDevice), .. }))
    };
    assert!(acts.iter().any(is_lost), "{acts:?}");
}
