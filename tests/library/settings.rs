//! Errors for wrong settings: place, key, value, and what is allowed, in one sentence and in the operator's terms; exit
//! code 64 for options and 78 for a file.

mod known;
mod refused;

use crate::library::keys::keys;
use clap::{CommandFactory, Parser};
use gnss2shm::cli::Cli;
use gnss2shm::config::File;
use known::{KEYS, Key};

/// Programmers' words, which an error must not contain.
const INSIDE: [&str; 14] = [
    "u8",
    "u32",
    "i64",
    "f64",
    "enum",
    "struct",
    "serde",
    "expected",
    "variant",
    "invalid type",
    "Option",
    "digit found",
    "..=",
    "Err(",
];

fn is_an_operators_sentence(said: &str) {
    assert!(!said.contains('\n') && !said.contains('\r'), "{said:?}");
    let words = said.split('`').step_by(2).collect::<String>();
    for word in INSIDE {
        assert!(!words.contains(word), "{word}: {said}");
    }
}

/// The error for this file.
fn refusal(text: &str) -> String {
    let said = File::parse("x.toml", text).map(|_| ()).expect_err(text).to_string();
    is_an_operators_sentence(&said);
    said
}

#[test]
fn every_key_is_listed_here_and_has_its_option() {
    let listed: Vec<_> = KEYS.iter().map(|key| (key.table, key.name)).collect();
    assert_eq!(keys(), listed.iter().map(|(table, name)| (table.map(str::to_owned), (*name).to_owned())).collect());
    let command = Cli::command();
    for (key, option) in KEYS.iter().filter_map(|key| Some((key, key.option?))) {
        let verb = if key.table == Some("grandmaster") { "grandmaster" } else { "run" };
        let verb = command.find_subcommand(verb).unwrap();
        assert!(verb.get_arguments().any(|known| known.get_long() == option.strip_prefix("--")), "{option}");
    }
}

/// A setting alone in its table, and its line number.
fn setting(key: &Key, value: &str) -> (String, usize) {
    let setting = format!("{} = {value}\n", key.name);
    key.table.map_or((setting.clone(), 1), |table| (format!("[{table}]\n{setting}"), 2))
}

/// The value is refused with its place and what is allowed.
fn is_refused(key: &Key, value: &str) {
    let (text, line) = setting(key, value);
    let said = refusal(&text);
    let name = key.name;
    let start = format!("x.toml:{line}:{}: `{name} = {value}`: ", name.len() + 4);
    assert!(said.starts_with(&start) && said.contains(key.allowed), "{text}: {said}");
}

fn key(table: Option<&str>, name: &str) -> &'static Key {
    KEYS.iter().find(|key| key.table == table && key.name == name).unwrap()
}

#[test]
fn every_key_refuses_values_of_every_other_type_with_place_key_value_and_what_is_allowed() {
    let values = [
        "\"no such value\"",
        "\"\"",
        "-1",
        "1.5",
        "1e400",
        "nan",
        "99999999999",
        "170141183460469231731687303715884105728",
        "true",
        "[]",
        "[1, 2]",
        "{ a = 1 }",
        "1979-05-27",
        "07:32:00",
        "1979-05-27T07:32:00Z",
    ];
    let mut taken = vec![];
    for key in KEYS {
        for value in values {
            if File::parse("x.toml", &setting(key, value).0).is_ok() {
                taken.push(format!("{}.{}={value}", key.table.unwrap_or_default(), key.name));
            } else {
                is_refused(key, value);
            }
        }
    }
    // Names and paths can be any text, and a switch is true.
    assert_eq!(
        taken,
        [
            "serial.device=\"no such value\"",
            "gpsd.device=\"no such value\"",
            "fifo.path=\"no such value\"",
            "stdin.enabled=true",
            "phc.device=\"no such value\"",
            "phc.pin=\"no such value\"",
            "pps.device=\"no such value\"",
            "sentences.trust-zda=true",
            "sentences.sawtooth=true",
            "shm.world-writable=true",
            "sock.path=\"no such value\"",
            "record.path=\"no such value\"",
            "status.socket=\"no such value\"",
            "grandmaster.socket=\"no such value\"",
        ]
    );
}

#[test]
fn values_out_of_range_are_refused_with_the_range_and_the_last_one_within_is_taken() {
    for (table, name, within, beyond) in [
        (
            Some("serial"),
            "baud",
            &["300", "4000000", "0x2580", "\"auto\""][..],
            &["299", "4000001", "-9600", "\"Auto\""][..],
        ),
        (Some("gpsd"), "server", &["\"a:1\"", "\"a:65535:/dev/x\""], &["\"a:0\"", "\"a:65536\"", "\"a\"", "2947"]),
        (Some("tcp"), "server", &["\"[::1]:1\""], &["\"::1:1\"", "\":1\""]),
        (Some("phc"), "channel", &["0", "4294967295"], &["-1", "4294967296"]),
        (Some("phc"), "pin", &["0", "\"0\"", "\"SDP0\"", "4294967295"], &["-1", "\"-1\"", "4294967296"]),
        (Some("pps"), "capture", &["\"clear\""], &["\"both edges\"", "2"]),
        (Some("pulse"), "width", &["\"1ns\"", "\"999999999ns\""], &["\"0ns\"", "\"1s\"", "\"-1ms\"", "100"]),
        (Some("pulse"), "edges", &["\"both\"", "\"one\""], &["\"Both\"", "\"rising\"", "\"auto\"", "1"]),
        (Some("pulse"), "offset", &["\"-1ms\"", "\"1ms\"", "\"-25ns\""], &["\"-1000001ns\"", "\"1000001ns\"", "25"]),
        (Some("pulse"), "rate", &["1", "\"1 Hz\""], &["5", "0", "\"5 Hz\""]),
        (Some("sentences"), "delay", &["\"-1s\"", "\"4999999999ns\""], &["\"-1000000001ns\"", "\"5s\"", "0.3"]),
        (Some("shm"), "unit", &["0", "255", "\"255\""], &["-1", "256", "300"]),
        (Some("metrics"), "listen", &["\"127.0.0.1:1\"", "\"[::1]:1\""], &["\"0.0.0.0:1\"", "\"127.0.0.1\"", "9123"]),
        (Some("gate"), "opens-after", &["\"0s\"", "\"24h\""], &["\"-1ns\"", "\"25h\""]),
        (Some("grandmaster"), "domain", &["0", "255"], &["-1", "256"]),
        (Some("grandmaster"), "transport-specific", &["0", "0xf", "\"1\""], &["-1", "16"]),
        (Some("grandmaster"), "profile", &["\"1588\"", "\"g8275\""], &["\"G8275\"", "\"g8275.1\""]),
        (Some("grandmaster"), "bound", &["\"100ns\"", "\"10ms\""], &["\"99ns\"", "\"10000001ns\"", "1"]),
        (Some("grandmaster"), "steady", &["\"0s\"", "\"1h\""], &["\"-1ns\"", "\"3601s\""]),
        (Some("grandmaster"), "holdover", &["\"1ns\"", "\"168h\""], &["\"0s\"", "\"169h\""]),
        (None, "holdover", &["\"0s\"", "\"24h\""], &["\"-1ns\"", "\"2d\"", "60"]),
        (None, "witness", &["\"off\""], &["\"Off\"", "0"]),
    ] {
        let key = key(table, name);
        for value in within {
            File::parse("x.toml", &setting(key, value).0).unwrap_or_else(|why| panic!("{why}"));
        }
        for value in beyond {
            is_refused(key, value);
        }
    }
}

#[test]
fn a_time_without_a_unit_is_refused_with_the_units_and_the_range() {
    for (table, name) in [
        (Some("pulse"), "offset"),
        (Some("pulse"), "width"),
        (Some("sentences"), "delay"),
        (None, "holdover"),
        (Some("gate"), "closes-after"),
    ] {
        let key = key(table, name);
        let said = refusal(&setting(key, "25").0);
        let units = "`25` has no unit of time: write ns, us, ms, s, min, or h";
        assert!(said.contains(units) && said.contains(key.allowed), "{said}");
        let said = Cli::try_parse_from(["gnss2shm", "run", key.option.unwrap(), "25"]).unwrap_err().to_string();
        assert!(said.contains(units) && said.contains(key.allowed), "{said}");
    }
}

#[test]
fn an_unknown_key_is_told_the_keys_of_its_table() {
    for (text, at, what) in [
        (
            "width = \"1ms\"",
            "1:1",
            "it must be one of holdover, rollover, witness, conventions, or a key in [serial], [gpsd]",
        ),
        ("[serial]\nwidth = \"1ms\"", "2:1", "there is no such key: it must be one of [serial] device, [serial] baud"),
        ("[pulse]\nholdover = \"1s\"", "2:1", "[pulse] width, [pulse] edges, [pulse] offset, [pulse] rate"),
        ("[status]\npath = \"/run/x\"", "2:1", "there is no such key: it must be one of [status] socket"),
        ("shm = 300", "1:7", "this must be a line [shm] with its keys below it"),
        ("serial = [\"/dev/ttyS0\"]", "1:10", "this must be a line [serial] with its keys below it"),
        ("[[serial]]\ndevice = \"x\"", "1:1", "`[[serial]]`: this must be a line [serial]"),
        ("[holdover]", "1:1", "it must be a time from 0s to 24h"),
        ("[seriel]", "1:2", "or a key in [serial], [gpsd]"),
        ("[seriel]\ndevice = \"x\"", "1:2", "or a key in [serial], [gpsd]"),
        ("[serial.device]", "1:1", "this must be a name or path in quotes"),
        ("[sentences]\ntrust_zda = true", "2:1", "[sentences] delay, [sentences] trust-zda, [sentences] sawtooth"),
        (
            "[serial]\n\"nothing like it\" = 1",
            "2:1",
            "there is no such key: it must be one of [serial] device, [serial] baud",
        ),
        ("\"`\" = 1", "1:1", "there is no such key: it must be one of "),
    ] {
        let said = refusal(text);
        assert!(said.starts_with(&format!("x.toml:{at}: `")) && said.contains(what), "{text}: {said}");
    }
    let empty = keys().into_iter().filter_map(|(table, _)| table).map(|table| format!("[{table}]\n"));
    let empty: std::collections::BTreeSet<String> = empty.collect();
    File::parse("x.toml", &empty.into_iter().collect::<String>()).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn what_is_not_toml_is_refused_in_one_sentence() {
    for (text, at, what) in [
        ("[pulse]\nwidth = 100ms", "2:9", "`width = 100ms`: text must be in quotes"),
        ("[serial]\nbaud = 9600\nbaud = 4800", "3:1", "`baud = 4800`: this is given twice"),
        ("[serial]\n[serial]", "2:2", "`[serial]`: this is given twice"),
        ("\u{feff}witness = 1", "1:11", "`witness = 1`"),
        ("[serial]\r\nbaud = 1\r\n", "2:8", "`baud = 1`"),
        ("[serial]\nbaud = \"a\\nb\\u001b[1m\"", "2:8", "not a baud rate"),
        ("[serial]\nbaud = [1,\n2]", "2:8", "`baud = [1,`"),
        ("[serial\n", "1:8", "unclosed table: this must be `]`"),
    ] {
        let said = File::parse("x.toml", text).map(|_| ()).expect_err(text).to_string();
        assert!(said.starts_with(&format!("x.toml:{at}: `")) && said.contains(what), "{text}: {said}");
        assert!(!said.contains(char::is_control), "{said:?}");
    }
    for text in ["\u{feff}[serial]\r\nbaud = 4800\r\n", "\u{feff}", "", "\r\n"] {
        File::parse("x.toml", text).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn long_values_are_not_repeated() {
    let long = "a".repeat(200_000);
    for text in [
        format!("[serial]\nbaud = \"{long}\""),
        format!("[tcp]\nserver = \"{long}\""),
        format!("{long} = 1"),
        format!("[{long}]"),
        format!("[serial]\n{long} = 1"),
        long.clone(),
        format!("holdover = {}", "9".repeat(200_000)),
    ] {
        let said = File::parse("x.toml", &text).map(|_| ()).unwrap_err().to_string();
        assert!(said.len() < 1_000, "{} bytes", said.len());
    }
}

#[test]
fn each_option_that_takes_a_number_answers_for_itself() {
    for (verb, option, value) in [
        ("run", "--baud", "-1"),
        ("run", "--pin", "-1"),
        ("run", "--channel", "-1"),
        ("run", "--shm", "-1"),
        ("run", "--rate", "-1"),
        ("run", "--width", "-1ms"),
        ("run", "--offset", "-2ms"),
        ("run", "--delay", "-2s"),
        ("run", "--holdover", "-1s"),
        ("run", "--gate-opens-after", "-1s"),
        ("run", "--gate-closes-after", "-1s"),
        ("run", "--tcp", "-1"),
        ("run", "--gpsd", "-1"),
        ("run", "--metrics", "-1"),
        ("run", "--record-size", "-1"),
        ("simulate", "--baud", "-1"),
        ("simulate", "--seed", "-1"),
        ("simulate", "--shm", "-1"),
        ("simulate", "--phc-ppm", "-1001"),
        ("simulate", "--system-ppm", "x"),
        ("simulate", "--loss", "-1%"),
        ("grandmaster", "--domain", "-1"),
        ("grandmaster", "--transport-specific", "-1"),
        ("grandmaster", "--bound", "-1us"),
        ("grandmaster", "--steady", "-1s"),
        ("grandmaster", "--holdover", "-1s"),
        ("grandmaster", "--holdover-bound", "-1s"),
        ("shm", "--poll", "900"),
        ("shm", "<UNIT>", "-1"),
    ] {
        let arguments = ["gnss2shm", verb, option, value];
        let arguments: Vec<_> = arguments.into_iter().filter(|argument| !argument.starts_with('<')).collect();
        let said = Cli::try_parse_from(&arguments).expect_err(value).to_string();
        let said = said.lines().next().unwrap();
        is_an_operators_sentence(said);
        assert!(said.contains(&format!("invalid value '{value}' for '{option}")), "{said}");
        assert!(said.contains("it must be "), "{said}");
    }
    for (option, allowed) in [
        ("--pps-capture", "both, assert, clear"),
        ("--edges", "one, both"),
        ("--rollover", "refuse, correct"),
        ("--witness", "block, warn, off"),
        ("--conventions", "assume, confirm"),
    ] {
        let said = Cli::try_parse_from(["gnss2shm", "run", option, "-1"]).expect_err(option).to_string();
        let names = said.contains(&format!("invalid value '-1' for '{option}"));
        assert!(names && said.contains(&format!("[possible values: {allowed}]")), "{said}");
    }
    for option in ["--serial", "--phc", "--sock"] {
        Cli::try_parse_from(["gnss2shm", "run", option, ""]).expect_err(option);
    }
    // clap panics if a parsed value does not have the requested type.
    for verb in
        [&["simulate", "--phc-ppm", "-9", "--system-ppm", "-9", "--seed", "7"][..], &["shm", "7", "--poll", "-6"]]
    {
        Cli::try_parse_from(["gnss2shm"].iter().chain(verb)).unwrap_or_else(|why| panic!("{why}"));
    }
    for [option, value] in [["--offset", "-25ns"], ["--delay", "-965ms"], ["--pin", "SDP0"], ["--witness", "off"]] {
        Cli::try_parse_from(["gnss2shm", "run", option, value]).unwrap_or_else(|why| panic!("{why}"));
    }
}
