use super::*;

#[test]
fn a_full_file_is_read() {
    let given = Given::parse(
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
        [sentences]
        delay = "-965ms"
        trust-zda = true
        "#,
    )
    .unwrap();
    let settings = given.settle().unwrap();
    assert_eq!(settings.serial, SerialConfig { device: "/dev/ttyS1".into(), baud: 115_200 });
    assert_eq!(settings.phc, PhcConfig { device: "eth0".into(), pin: Some(Pin::Name("SDP0".into())), channel: 1 });
    assert_eq!(settings.shm, 3);
    let ms = Span::from_millis;
    let engine = engine::Config {
        width: Some(ms(100)),
        delay: Some(ms(-965)),
        holdover: Span::from_secs(120),
        trust_zda: true,
        rollover: guard::Rollover::Correct,
        witness: guard::WitnessMode::Warn,
        conventions: guard::Conventions::Confirm,
        ..engine::Config::default()
    };
    assert_eq!(settings.engine, engine);
}

#[test]
fn wrong_files_are_refused_with_line_and_column() {
    for (text, at, what) in [
        ("[serial]\ndevise = \"x\"", "2:1", "unknown field `devise`"),
        ("[seriel]", "1:2", "unknown field `seriel`"),
        ("[serial]\nbaud = 12", "2:8", "`12` is no baud rate"),
        ("[serial]\nbaud = \"fast\"", "2:8", "invalid type"),
        ("[phc]\nchannel = -1", "2:11", "invalid value"),
        ("[phc]\npin = -1", "2:7", "a pin's name"),
        ("[phc]\npin = 1.5", "2:7", "a pin's name"),
        ("[shm]\nunit = 256", "2:8", "invalid value"),
        ("[pulse]\nwidth = \"100\"", "2:9", "has no unit"),
        ("[pulse]\nwidth = 100", "2:9", "invalid type"),
        ("[pulse]\nwidth = \"1s\"", "2:9", "out of range"),
        ("[pulse]\nwidth = \"0ms\"", "2:9", "out of range"),
        ("[sentences]\ndelay = \"6s\"", "2:9", "out of range"),
        ("holdover = \"2d\"", "1:12", "unknown unit"),
        ("witness = \"maybe\"", "1:11", "unknown variant `maybe`"),
        ("[serial\n", "1:8", ""),
    ] {
        let (place, message) = Given::parse(text).unwrap_err();
        assert_eq!((place.as_str(), message.contains(what)), (at, true), "{text}: {place}: {message}");
        assert!(!message.contains('\n'));
    }
}

#[test]
fn the_command_line_goes_before_the_file() {
    let file =
        Given::parse("[serial]\ndevice = \"/dev/ttyS1\"\nbaud = 4800\n[phc]\ndevice = \"eth0\"\npin = 2").unwrap();
    let flags = Given { serial: Serial { device: None, baud: Some(Baud(9_600)) }, ..Given::default() };
    let settings = flags.or(file).settle().unwrap();
    assert_eq!((settings.serial.baud, settings.phc.pin), (9_600, Some(Pin::Index(2))));
}

#[test]
fn what_has_no_default_must_be_given() {
    let ConfigError::Missing(sentence) = Given::default().settle().unwrap_err() else { panic!() };
    assert!(sentence.contains("--serial"), "{sentence}");
}
