//! What an operator reads of a wrong setting: its place, the key, the value and what is allowed, in one sentence and in
//! words of the trade; with 64 for what options say and 78 for what a file says.

use std::fs;
use std::process::Command;

use crate::common::TestDir;
use clap::{CommandFactory, Parser};
use gnss2shm::cli::Cli;
use gnss2shm::config::{File, KEYS, Key};

/// Words that a programmer knows, and nobody else has to.
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

/// Why this file is refused.
fn refusal(text: &str) -> String {
    let said = File::parse("x.toml", text).map(|_| ()).expect_err(text).to_string();
    is_an_operators_sentence(&said);
    said
}

/// A setting alone in its table, and the line that it is in.
fn setting(key: &Key, value: &str) -> (String, usize) {
    let setting = format!("{} = {value}\n", key.name());
    key.table.map_or((setting.clone(), 1), |table| (format!("[{table}]\n{setting}"), 2))
}

/// The value is refused, in its place, and what is allowed is said.
fn is_refused(key: &Key, value: &str) {
    let (text, line) = setting(key, value);
    let said = refusal(&text);
    let name = key.name();
    let start = format!("x.toml:{line}:{}: `{name} = {value}`: ", name.len() + 4);
    assert!(said.starts_with(&start) && said.contains(&(key.allowed)()), "{text}: {said}");
}

fn key(table: Option<&str>, name: &str) -> &'static Key {
    KEYS.iter().find(|key| key.table == table && key.name() == name).unwrap()
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
                taken.push(format!("{}.{}={value}", key.table.unwrap_or_default(), key.name()));
            } else {
                is_refused(key, value);
            }
        }
    }
    // Names and paths can be anything, and a switch is true.
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
fn whoever_forgot_a_unit_is_told_the_natural_one() {
    for (table, name, meant) in [
        (Some("pulse"), "offset", "write 25ns;"),
        (Some("pulse"), "width", "write 25ms;"),
        (Some("sentences"), "delay", "write 25ms;"),
        (None, "holdover", "write 25s;"),
        (Some("gate"), "closes-after", "write 25s;"),
    ] {
        let said = refusal(&setting(key(table, name), "25").0);
        assert!(said.contains(meant), "{said}");
        let said = Cli::try_parse_from(["gnss2shm", "run", &key(table, name).option().unwrap(), "25"]).unwrap_err();
        assert!(said.to_string().contains(meant), "{said}");
    }
}

#[test]
fn a_key_in_a_wrong_place_is_told_its_table_and_a_misspelled_one_what_was_meant() {
    for (text, at, what) in [
        ("width = \"1ms\"", "1:1", "width belongs in [pulse]"),
        ("[serial]\nwidth = \"1ms\"", "2:1", "width belongs in [pulse], not in [serial]"),
        ("device = \"x\"", "1:1", "device belongs in [serial], [gpsd], [phc] or [pps]"),
        ("[pulse]\nholdover = \"1s\"", "2:1", "holdover belongs before the first table"),
        (
            "shm = 300",
            "1:1",
            "allowed is a table, [shm] on a line of its own, and below it unit (a whole number from 0 to 255)",
        ),
        ("[[serial]]\ndevice = \"x\"", "1:3", "`[[serial]]`: allowed is a table, [serial] on a line of its own"),
        ("[holdover]", "1:2", "allowed is a time from 0s to 24h"),
        ("[width]", "1:2", "width is not a table, but a key, and belongs in [pulse]"),
        ("[seriel]", "1:2", "did you mean [serial]?"),
        ("[nothing-like-it]", "1:2", "allowed are [serial], [gpsd]"),
        ("[serial]\nbuad = 9600", "2:1", "device and baud are allowed: did you mean baud?"),
        ("[serial]\nwitdh = \"1ms\"", "2:1", "did you mean width, which belongs in [pulse]?"),
        ("[sentences]\ntrust_zda = true", "2:1", "did you mean trust-zda?"),
        ("[serial]\nnothing-like-it = 1", "2:1", "where device and baud are allowed"),
        ("hold-over = \"1s\"", "1:1", "did you mean holdover?"),
        ("serail = \"x\"", "1:1", "did you mean the table [serial]?"),
        ("nothing-like-it = 1", "1:1", "holdover, rollover, witness and conventions are allowed"),
        // The first one of several.
        ("[tcp]\nserver = 1\n[serial]\nbaud = 1", "2:10", "not a host and port"),
        ("[serial]\nbaud = 1\n[fifo]\npath = 1", "2:8", "not a baud rate"),
    ] {
        let said = refusal(text);
        assert!(said.starts_with(&format!("x.toml:{at}: `")) && said.contains(what), "{text}: {said}");
    }
}

#[test]
fn what_is_no_toml_is_told_in_one_sentence_with_what_is_allowed_of_a_key_that_there_is() {
    for (text, at, what) in [
        ("[pulse]\nwidth = 100ms", "2:9", "text must be in quotes; allowed is a time from 1ns to less than 1s"),
        ("[serial]\nbaud = 9600\nbaud = 4800", "3:1", "`baud = 4800`: this is given twice"),
        ("[serial]\n[serial]", "2:2", "`[serial]`: this is given twice"),
        ("\u{feff}witness = 1", "1:11", "`witness = 1`"),
        ("[serial]\r\nbaud = 1\r\n", "2:8", "`baud = 1`"),
        ("[serial]\nbaud = \"a\\nb\\u001b[1m\"", "2:8", "not a baud rate"),
        ("[serial]\nbaud = [1,\n2]", "2:8", "`baud = [1,\\n2]`"),
        ("[serial\n", "1:8", "unclosed table: allowed here is `]`"),
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
fn each_key_is_an_option_and_each_option_that_takes_a_number_answers_for_itself() {
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    for key in KEYS {
        let Some(option) = key.option() else { continue };
        assert!(run.get_arguments().any(|known| known.get_long() == option.strip_prefix("--")), "{option}");
    }
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
        ("shm", "--poll", "900"),
        ("shm", "<UNIT>", "-1"),
    ] {
        let arguments = ["gnss2shm", verb, option, value];
        let arguments: Vec<_> = arguments.into_iter().filter(|argument| !argument.starts_with('<')).collect();
        let said = Cli::try_parse_from(&arguments).expect_err(value).to_string();
        let said = said.lines().next().unwrap();
        is_an_operators_sentence(said);
        assert!(said.contains(&format!("invalid value '{value}' for '{option}")), "{said}");
        assert!(said.contains("allowed is "), "{said}");
    }
    for (option, allowed) in [
        ("--pps-capture", "both, assert, clear"),
        ("--edges", "both, one"),
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
    // What clap takes apart is of the types that the verbs ask for, else it panics.
    for verb in
        [&["simulate", "--phc-ppm", "-9", "--system-ppm", "-9", "--seed", "7"][..], &["shm", "7", "--poll", "-6"]]
    {
        Cli::try_parse_from(["gnss2shm"].iter().chain(verb)).unwrap_or_else(|why| panic!("{why}"));
    }
    for [option, value] in [["--offset", "-25ns"], ["--delay", "-965ms"], ["--pin", "SDP0"], ["--witness", "off"]] {
        Cli::try_parse_from(["gnss2shm", "run", option, value]).unwrap_or_else(|why| panic!("{why}"));
    }
}

/// `gnss2shm run` with these options ends with this status and one sentence that has these words.
fn ends(args: &[&str], status: i32, words: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_gnss2shm")).arg("run").args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.contains(words)), (Some(status), true), "{args:?}: {said}");
    is_an_operators_sentence(said.strip_prefix("gnss2shm: ").unwrap().trim_end());
}

#[test]
fn contradicting_options_are_64_contradicting_lines_78_and_an_option_against_the_file_64() {
    let dir = TestDir::new("settings-contradictions");
    let file = |name: &str, text: &str| {
        fs::write(dir.join(name), text).unwrap();
        dir.join(name).to_str().unwrap().to_owned()
    };
    for (args, words) in [
        (&["--serial", "/dev/x", "--gpsd"][..], "--serial and --gpsd each name a receiver"),
        (&["--tcp", "a:1", "--fifo", "/b", "--stdin"], "--tcp, --fifo and --stdin each name a receiver"),
        (&["--stdin", "--phc", "lo", "--pps", "/dev/pps0"], "--phc and --pps each name a pulse"),
        (
            &["--gpsd", "--baud", "4800"],
            "--baud goes with --serial, and the receiver is named with --gpsd: leave --baud out",
        ),
        (&["--baud", "4800", "--fifo", "/x"], "named with --fifo: leave --baud out"),
        (&["--stdin", "--pps", "/x", "--pin", "0"], "--pin goes with --phc, and the pulse is named with --pps"),
        (&["--stdin", "--pps", "/x", "--channel", "0"], "--channel goes with --phc"),
        (&["--stdin", "--phc", "lo", "--pps-capture", "clear"], "--pps-capture goes with --pps"),
        (&[], "no receiver is given: name it with --serial, --gpsd, --tcp, --fifo or --stdin"),
        (&["--stdin"], "no pulse is given: name it with --phc or --pps"),
    ] {
        ends(args, 64, words);
    }
    let gpsd = file("gpsd.toml", "[gpsd]\ndevice = \"/dev/x\"\n[pps]\ndevice = \"/dev/pps0\"");
    ends(
        &["--config", &gpsd, "--baud", "4800"],
        64,
        "gpsd.toml:2:1): leave --baud out, or name another receiver with --serial",
    );
    ends(&["--config", &gpsd, "--pin", "0"], 64, "--pin goes with --phc, and the pulse is in [pps]");
    for (name, text, words) in [
        (
            "two.toml",
            "[tcp]\nserver = \"a:1\"\n[serial]\ndevice = \"x\"",
            "two.toml:4:1: `device = \"x\"`: [tcp] (line 2) and [serial] (line 4) each name a receiver",
        ),
        (
            "baud.toml",
            "[serial]\nbaud = 4800\n[gpsd]\nserver = \"a:1\"\ndevice = \"/dev/x\"",
            "baud.toml:2:1: `baud = 4800`: baud goes with [serial], and the receiver is in [gpsd] (line 4): leave baud out",
        ),
        (
            "pin.toml",
            "[stdin]\nenabled = true\n[fifo]\n[pps]\ndevice = \"x\"\n[phc]\npin = 0",
            "pin.toml:7:1: `pin = 0`: pin goes with [phc], and the pulse is in [pps] (line 5)",
        ),
        (
            "nothing.toml",
            "",
            "nothing.toml: no receiver is given: name it in [serial], [gpsd], [tcp], [fifo] or [stdin]",
        ),
        (
            "devices.toml",
            "[gpsd]\ndevice = \"/dev/b\"\nserver = \"h:1:/dev/a\"\n[phc]\ndevice = \"lo\"",
            "devices.toml:2:1: `device = \"/dev/b\"`: server names another device, /dev/a: leave one of the two out",
        ),
        (
            "size.toml",
            "[stdin]\nenabled = true\n[phc]\ndevice = \"lo\"\n[record]\nsize = \"1GB\"",
            "size.toml:6:1: `size = \"1GB\"`: size goes with a recording, and nothing is recorded",
        ),
        ("off.toml", "[stdin]\nenabled = false", "off.toml: no receiver is given"),
        ("no-pulse.toml", "[serial]\ndevice = \"x\"", "no-pulse.toml: no pulse is given: name it in [phc] or [pps]"),
    ] {
        ends(&["--config", &file(name, text)], 78, words);
    }
}

#[test]
fn what_is_no_file_of_settings_is_told_in_one_sentence() {
    let dir = TestDir::new("settings-files");
    let file = |name: &str, bytes: &[u8]| {
        fs::write(dir.join(name), bytes).unwrap();
        dir.join(name).to_str().unwrap().to_owned()
    };
    ends(&["--config", dir.path().to_str().unwrap()], 78, "is a directory");
    ends(&["--config", dir.join("nowhere").to_str().unwrap()], 66, "nowhere cannot be read");
    ends(&["--config", &file("latin1", b"[serial]\n# \xe4\n")], 78, "latin1:2:3: the byte 0xe4 is no UTF-8 there");
    ends(&["--config", &file("utf16", b"\xff\xfe[\0")], 78, "utf16:1:1: the byte 0xff is no UTF-8");
    ends(&["--config", &file("big", "#".repeat(1_000_000).as_bytes())], 78, "big is longer than 256 KiB");
    ends(&["--config", &file("binary", &[0; 1_000])], 78, "key with no value: allowed here is `=`");
    ends(&["--config", "/dev/zero"], 78, "/dev/zero is longer than 256 KiB");
}
