//! How `gnss2shm run` exits on contradictions and invalid files.

use std::fs;
use std::process::Command;

use crate::library::common::{self, TestDir};

use super::is_an_operators_sentence;

/// `gnss2shm run` with these options exits with this status and one sentence that contains these words.
fn ends(args: &[&str], status: i32, words: &str) {
    let output = common::output(Command::new(common::program()).arg("run").args(args));
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
        (
            &["--serial", "/dev/x", "--gpsd"][..],
            "only one receiver can be used: remove all but one of --serial, --gpsd",
        ),
        (&["--tcp", "a:1", "--fifo", "/b", "--stdin"], "remove all but one of --tcp, --fifo, --stdin"),
        (
            &["--stdin", "--phc", "lo", "--pps", "/dev/pps0"],
            "only one pulse can be used: remove all but one of --phc, --pps",
        ),
        (&["--gpsd", "--pps", "/x", "--baud", "4800"], "--baud belongs to --serial, which is not used: remove it"),
        (&["--baud", "4800", "--fifo", "/x", "--pps", "/x"], "--baud belongs to --serial"),
        (&["--stdin", "--pps", "/x", "--pin", "0"], "--pin belongs to --phc, which is not used: remove it"),
        (&["--stdin", "--pps", "/x", "--channel", "0"], "--channel belongs to --phc"),
        (&["--stdin", "--phc", "lo", "--pps-capture", "clear"], "--pps-capture belongs to --pps"),
        (&["--stdin", "--phc", "lo", "--record-size", "1GB"], "--record-size belongs to --record"),
        (&["--stdin", "--phc", "lo", "--sock", "/x", "--shm-world-writable"], "--shm-world-writable belongs to --shm"),
        (&[], "no receiver is given: use one of --serial, --gpsd, --tcp, --fifo, --stdin"),
        (&["--stdin"], "no pulse is given: use one of --phc, --pps"),
    ] {
        ends(args, 64, words);
    }
    let gpsd = file("gpsd.toml", "[gpsd]\ndevice = \"/dev/x\"\n[pps]\ndevice = \"/dev/pps0\"");
    ends(&["--config", &gpsd, "--baud", "4800"], 64, "--baud belongs to --serial, which is not used");
    ends(&["--config", &gpsd, "--pin", "0"], 64, "--pin belongs to --phc, which is not used");
    for (name, text, words) in [
        (
            "two.toml",
            "[tcp]\nserver = \"a:1\"\n[serial]\ndevice = \"x\"",
            "two.toml:4:1: `device = \"x\"`: only one receiver can be used: remove all but one of [serial], [tcp]",
        ),
        (
            "baud.toml",
            "[serial]\nbaud = 4800\n[gpsd]\nserver = \"a:1\"\ndevice = \"/dev/x\"\n[pps]\ndevice = \"x\"",
            "baud.toml:2:1: `baud = 4800`: [serial] baud belongs to [serial], which is not used: remove it",
        ),
        (
            "pin.toml",
            "[stdin]\nenabled = true\n[fifo]\n[pps]\ndevice = \"x\"\n[phc]\npin = 0",
            "pin.toml:7:1: `pin = 0`: [phc] pin belongs to [phc], which is not used",
        ),
        ("nothing.toml", "", "nothing.toml: no receiver is given: use one of [serial], [gpsd], [tcp], [fifo], [stdin]"),
        (
            "devices.toml",
            "[gpsd]\ndevice = \"/dev/b\"\nserver = \"h:1:/dev/a\"\n[phc]\ndevice = \"lo\"",
            "devices.toml:2:1: `device = \"/dev/b\"`: server names another device: remove one of the two",
        ),
        (
            "size.toml",
            "[stdin]\nenabled = true\n[phc]\ndevice = \"lo\"\n[record]\nsize = \"1GB\"",
            "size.toml:6:1: `size = \"1GB\"`: [record] size belongs to [record], which is not used",
        ),
        ("off.toml", "[stdin]\nenabled = false", "off.toml: no receiver is given"),
        ("no-pulse.toml", "[serial]\ndevice = \"x\"", "no-pulse.toml: no pulse is given: use one of [phc], [pps]"),
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
    ends(&["--config", dir.path().to_str().unwrap()], 78, "cannot be read: Is a directory");
    ends(&["--config", dir.join("nowhere").to_str().unwrap()], 66, "nowhere cannot be read");
    ends(&["--config", &file("latin1", b"[serial]\n# \xe4\n")], 78, "latin1:2:3: this is not UTF-8");
    ends(&["--config", &file("utf16", b"\xff\xfe[\0")], 78, "utf16:1:1: this is not UTF-8");
    ends(&["--config", &file("big", "#".repeat(1_000_000).as_bytes())], 78, "big is larger than 256 KiB");
    ends(&["--config", &file("binary", &[0; 1_000])], 78, "key with no value: this must be `=`");
    ends(&["--config", "/dev/zero"], 78, "/dev/zero is larger than 256 KiB");
}
