use super::*;
use crate::core::engine::{Conventions, Rollover, WitnessMode};
use crate::core::event;
use crate::core::time::Span;
use crate::grandmaster::link::LinkConfig;
use crate::grandmaster::policy::{PolicyConfig, Profile};
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::{PhcConfig, Pin};
use crate::source::pps::{Capture, PpsConfig};
use crate::source::serial::{Baud, SerialConfig};
use crate::source::stream::Server;
use crate::sys::error::Problem;

fn of_file(text: &str) -> Result<Settings, OpenError> {
    Settings::new(Given::default(), Some(&File::parse("x.toml", text)?))
}

#[test]
fn a_full_file_is_read() {
    let settings = of_file(
        r#"
        holdover = "2min"
        rollover = "correct"
        witness = "warn"
        conventions = "confirm"
        [serial]
        device = "/dev/ttyS1"
        baud = 115200
        [phc]
        device = "eth0"
        pin = "SDP0"
        channel = 1
        [shm]
        unit = 3
        [pulse]
        width = "100ms"
        edges = "one"
        [sentences]
        delay = "-965ms"
        trust-zda = true
        sawtooth = true
        "#,
    )
    .unwrap();
    let serial = SerialConfig { device: "/dev/ttyS1".into(), baud: Baud::Rate(115_200) };
    assert_eq!(settings.receiver, ReceiverConfig::Serial(serial));
    let phc = PhcConfig { device: "eth0".into(), pin: Some(Pin("SDP0".into())), channel: 1 };
    assert_eq!(settings.pulse, PulseConfig::Phc(phc));
    assert_eq!((settings.shm, settings.sock), (Some(3), None));
    let ms = Span::from_millis;
    let engine = engine::Config {
        width: Some(ms(100)),
        edges: Some(event::Edges::RisingOnly),
        delay: Some(ms(-965)),
        holdover: Span::from_secs(120),
        trust_zda: true,
        sawtooth: true,
        rollover: Rollover::Correct,
        witness: WitnessMode::Warn,
        conventions: Conventions::Confirm,
        ..engine::Config::default()
    };
    assert_eq!(settings.engine, engine);
}

#[test]
fn wrong_files_are_refused_with_line_and_column() {
    for (text, at, what) in [
        (
            "[serial]\ndevise = \"x\"",
            "2:1",
            "`devise = \"x\"`: there is no such key: it must be one of [serial] device, [serial] baud",
        ),
        (
            "[seriel]",
            "1:2",
            "no such key: it must be one of holdover, rollover, witness, conventions, or a key in [serial], ",
        ),
        ("[serial]\nbaud = 12", "2:8", "`12` is not a baud rate"),
        ("[serial]\nbaud = \"fast\"", "2:8", "`fast` is not a baud rate"),
        ("[phc]\nchannel = -1", "2:11", "`-1` is invalid: it must be a whole number from 0 to"),
        ("[phc]\npin = -1", "2:7", "a pin's name"),
        ("[phc]\npin = 1.5", "2:7", "a pin's name"),
        ("[shm]\nunit = 256", "2:8", "`unit = 256`: `256` is invalid: it must be a whole number from 0 to 255"),
        ("[pulse]\nwidth = \"100\"", "2:9", "has no unit"),
        ("[pulse]\nwidth = 100", "2:9", "has no unit"),
        ("[pulse]\nwidth = \"1s\"", "2:9", "out of range"),
        ("[pulse]\nwidth = \"0ms\"", "2:9", "out of range"),
        ("[sentences]\ndelay = \"6s\"", "2:9", "out of range"),
        ("holdover = \"2d\"", "1:12", "no unit of time"),
        ("witness = \"maybe\"", "1:11", r#"`witness = "maybe"`: this must be "block" or "warn" or "off""#),
        ("[serial\n", "1:8", "unclosed table"),
    ] {
        let message = File::parse("x.toml", text).unwrap_err().to_string();
        assert!(message.starts_with(&format!("x.toml:{at}: ")) && message.contains(what), "{text}: {message}");
        assert!(!message.contains('\n'));
    }
}

/// The settings that result from the command line and a file.
fn settled(args: &[&str], file: &str) -> Result<Settings, OpenError> {
    #[derive(clap::Parser)]
    struct Args {
        #[command(flatten)]
        given: Given,
    }
    let args = <Args as clap::Parser>::try_parse_from(["gnss2shm"].iter().chain(args)).unwrap();
    Settings::new(args.given, Some(&File::parse("x.toml", file).unwrap()))
}

const FILE: &str = "[serial]\ndevice = \"/dev/ttyS1\"\nbaud = 4800\n[phc]\ndevice = \"eth0\"\npin = 2";

#[test]
fn the_command_line_goes_before_the_file() {
    let settings = settled(&["--baud", "9600"], FILE).unwrap();
    let serial = SerialConfig { device: "/dev/ttyS1".into(), baud: Baud::Rate(9_600) };
    let phc = PhcConfig { device: "eth0".into(), pin: Some(Pin("2".into())), channel: 0 };
    assert_eq!((settings.receiver, settings.pulse), (ReceiverConfig::Serial(serial), PulseConfig::Phc(phc)));
}

#[test]
fn a_source_on_the_command_line_replaces_the_one_in_the_file() {
    let local = Server { host: "localhost".into(), port: 2947 };
    for (args, receiver) in [
        (&["--gpsd"][..], ReceiverConfig::Gpsd(GpsdConfig { server: local.clone(), device: None })),
        (
            &["--gpsd", "localhost:2947:/dev/ttyS0"],
            ReceiverConfig::Gpsd(GpsdConfig { server: local.clone(), device: Some("/dev/ttyS0".into()) }),
        ),
        (&["--tcp", "localhost:2947"], ReceiverConfig::Tcp(local.clone())),
        (&["--fifo", "/run/nmea"], ReceiverConfig::Fifo("/run/nmea".into())),
        (&["--stdin"], ReceiverConfig::Stdin),
    ] {
        assert_eq!(settled(args, FILE).unwrap().receiver, receiver, "{args:?}");
    }
    // The file's keys for the replaced one are dropped; those that fit the new one stay.
    let serial = SerialConfig { device: "/dev/ttyS2".into(), baud: Baud::Rate(4_800) };
    assert_eq!(settled(&["--serial", "/dev/ttyS2"], FILE).unwrap().receiver, ReceiverConfig::Serial(serial));
    // A device given twice is one device, and an option replaces both.
    let twice = "[gpsd]\nserver = \"localhost:2947:/dev/a\"\ndevice = \"/dev/a\"\n[phc]\ndevice = \"eth0\"";
    let gpsd = |device: &str| ReceiverConfig::Gpsd(GpsdConfig { server: local.clone(), device: Some(device.into()) });
    assert_eq!(settled(&[], twice).unwrap().receiver, gpsd("/dev/a"));
    assert_eq!(settled(&["--gpsd", "localhost:2947:/dev/b"], twice).unwrap().receiver, gpsd("/dev/b"));
    let pps = PpsConfig { device: "/dev/pps0".into(), capture: Capture::Both };
    assert_eq!(settled(&["--pps", "/dev/pps0"], FILE).unwrap().pulse, PulseConfig::Pps(pps));
}

#[test]
fn samples_go_to_unit_0_or_12_beside_gpsd_unless_somebody_says_where() {
    for (args, shm, sock) in [
        (&[][..], Some(0), None),
        (&["--gpsd"], Some(12), None),
        (&["--gpsd", "--shm", "5"], Some(5), None),
        (&["--shm", "5"], Some(5), None),
        (&["--sock", "/run/chrony.g.sock"], None, Some("/run/chrony.g.sock".into())),
        (&["--sock", "/run/chrony.g.sock", "--shm", "5"], Some(5), Some("/run/chrony.g.sock".into())),
    ] {
        let settings = settled(args, FILE).unwrap();
        assert_eq!((settings.shm, settings.sock), (shm, sock), "{args:?}");
    }
}

#[test]
fn world_writable_without_shm_is_refused_as_an_option_and_accepted_in_a_file_as_ever() {
    let sock = "/run/chrony.g.sock";
    let refused = settled(&["--sock", sock, "--shm-world-writable"], FILE).unwrap_err();
    assert_eq!(refused.problem, Problem::Options);
    assert!(refused.to_string().contains("--shm-world-writable belongs to --shm, which is not used"), "{refused}");
    assert!(settled(&["--shm-world-writable"], FILE).unwrap().world_writable);
    assert!(settled(&["--sock", sock, "--shm", "5", "--shm-world-writable"], FILE).unwrap().world_writable);
    let file = format!("{FILE}\n[shm]\nworld-writable = true\n[sock]\npath = \"{sock}\"");
    assert_eq!(settled(&[], &file).unwrap().shm, None);
}

fn grandmaster(options: &[&str], text: &str) -> Result<GrandmasterSettings, OpenError> {
    let options = <GrandmasterGiven as clap::Args>::augment_args(clap::Command::new("")).get_matches_from(options);
    let options = <GrandmasterGiven as clap::FromArgMatches>::from_arg_matches(&options).unwrap();
    GrandmasterSettings::new(options, Some(&File::parse("x.toml", text)?))
}

#[test]
fn the_grandmasters_table_is_read_an_option_overrides_it_and_run_ignores_it() {
    let text = r#"
        [serial]
        device = "/dev/ttyS1"
        [phc]
        device = "eth0"
        [grandmaster]
        socket = "/run/ptp/a"
        domain = 24
        transport-specific = 1
        profile = "g8275"
        bound = "100ns"
        steady = "20s"
        holdover = "4h"
        holdover-bound = "1500ns"
        "#;
    let read = grandmaster(&[""], text).unwrap();
    let expected = GrandmasterSettings {
        link: LinkConfig { socket: Some("/run/ptp/a".into()), domain: 24, transport_specific: 1 },
        policy: PolicyConfig {
            profile: Profile::G8275,
            bound: Span::from_nanos(100),
            steady: Span::from_secs(20),
            holdover: Some((Span::from_secs(14_400), Span::from_nanos(1_500))),
        },
    };
    assert_eq!(read, expected);
    let overridden =
        grandmaster(&["", "--domain=0", "--profile=1588", "--holdover=1min", "--socket=/b"], text).unwrap();
    assert_eq!((overridden.link.domain, overridden.policy.profile), (0, Profile::Ieee1588));
    assert_eq!(overridden.policy.holdover, Some((Span::from_secs(60), Span::from_nanos(1_500))));
    assert_eq!(overridden.link.socket, Some("/b".into()));
    assert_eq!(of_file(text).unwrap(), of_file(text.split("[grandmaster]").next().unwrap()).unwrap());
    assert_eq!(grandmaster(&[""], "").unwrap(), GrandmasterSettings::default());
}

#[test]
fn class_7_needs_its_length_and_a_bound_that_is_not_tighter_than_class_6s() {
    for (options, text, problem, words) in [
        (
            &[""][..],
            "[grandmaster]\nholdover = \"4h\"",
            Problem::Wrong,
            "x.toml:2:1: `holdover = \"4h\"`: holdover needs",
        ),
        (&[""], "[grandmaster]\nholdover-bound = \"1us\"", Problem::Wrong, "x.toml:2:1: `holdover-bound = \"1us\"`: "),
        (
            &[""],
            "[grandmaster]\nholdover = \"4h\"\nholdover-bound = \"999ns\"",
            Problem::Wrong,
            "x.toml:3:1: `holdover-bound = \"999ns\"`: holdover-bound is less than bound",
        ),
        (&["", "--holdover=4h"], "", Problem::Options, "holdover needs holdover-bound"),
        (&["", "--holdover=4h", "--holdover-bound=1us", "--bound=2us"], "", Problem::Options, "is less than bound"),
    ] {
        let error = grandmaster(options, text).unwrap_err();
        assert!(error.problem == problem && error.to_string().contains(words), "{error}");
    }
}
