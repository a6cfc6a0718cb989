//! `gnss2shm doctor` on a directory tree that represents a machine: on a healthy one it reports only ok, and it finds
//! each planted fault, and no other, and names its fix.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::library::common::{TestDir, is_root, output, program, run_as_nobody};
use gnss2shm::daemon::status::snapshot::{SampleView, Snapshot};
use gnss2shm::tools::doctor::{Finding, Instance, Level, System, examine, worst};

/// `0x4e545030`, the key of unit 0, in decimal as the kernel lists it.
const KEY: i32 = 1_314_148_400;
const CONFIG: &str = "\
[serial]
device = \"/dev/ttyS0\"
[phc]
device = \"eth0\"
pin = \"SDP0\"
[shm]
unit = 0
";
/// Part of the output of `systemctl show`.
const UNIT: &str = "\
User=gnss2shm
SupplementaryGroups=dialout clock
LoadState=loaded
";
const MAPS: &str = "7f0000000000-7f0000001000 rw-s 00000000 00:01 32769  /SYSV4e545030 (deleted)\n";
/// Output of the programs.
const SOURCES: &str = "/sources.csv";
const SHOWN: &str = "/unit.txt";
const VERSION: &str = "/ntp-daemon.txt";

/// A machine in a directory.
struct Machine {
    dir: TestDir,
    system: System,
}

impl Machine {
    fn healthy(name: &str) -> Self {
        let dir = TestDir::new(&format!("doctor-{name}"));
        let system = System {
            root: dir.path().to_owned(),
            run: |system, program, _| {
                let (file, error) = match program {
                    "systemctl" => (SHOWN, "systemctl cannot be started"),
                    "ntp-daemon" => (VERSION, "ntp-daemon cannot be started"),
                    _ => (SOURCES, "chronyc: 506 Cannot talk to daemon"),
                };
                fs::read_to_string(system.at(file)).map_err(|_| error.into())
            },
            status: |_| Ok(snapshot()),
            tai_offset: || Some(37),
            phc_index: |interface| match interface {
                "eth0" => Ok(Some(0)),
                "lo" => Ok(None),
                _ => Err(std::io::Error::from_raw_os_error(libc::ENODEV)),
            },
        };
        let machine = Self { dir, system };
        machine.install();
        machine
    }

    fn install(&self) {
        // The user that runs the test owns every node, so that user's group represents the devices' groups.
        let gid = fs::metadata(self.dir.path()).unwrap().gid();
        self.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\ngnss2shm:x:4242:4243::/:/usr/sbin/nologin\n");
        self.write("/etc/group", &format!("gnss2shm:x:4243:\ndialout:x:{gid}:\nclock:x:{gid}:\n"));
        self.write("/etc/gnss2shm/default.toml", CONFIG);
        self.write(SHOWN, UNIT);
        self.write("/etc/chrony/chrony.conf", "# ours\nconfdir /etc/chrony/conf.d\nmakestep 1 3\n");
        self.refclock("refclock SHM 0 poll 2 dpoll -1 filter 5 precision 1e-7 refid GNSS");
        self.segment(96, 0o600, 0, 4242);
        self.node("/dev/ttyS0");
        self.node("/dev/ptp0");
        self.write("/sys/class/ptp/ptp0/dev", "0:0\n"); // the number of every file that is no device
        self.write("/sys/class/ptp/ptp0/clock_name", "igb\n");
        self.write("/sys/class/ptp/ptp0/device/net/eth0/flags", "0x1003\n");
        self.write("/sys/class/ptp/ptp0/n_external_timestamps", "2\n");
        self.write("/sys/class/ptp/ptp0/n_programmable_pins", "4\n");
        self.write("/sys/class/ptp/ptp0/pins/SDP0", "1 0\n");
        self.write("/sys/class/ptp/ptp0/pins/SDP1", "0 0\n");
        self.write("/sys/class/net/eth0/flags", "0x1003\n");
        self.write("/sys/class/net/eth0/carrier", "1\n");
        self.write("/sys/class/net/eth0/operstate", "up\n");
        self.write("/sys/class/net/eth0/device/ptp/ptp0/dev", "248:0\n");
        self.write("/sys/class/net/lo/flags", "0x9\n");
        self.write("/run/gnss2shm/default.sock", "");
        self.write(SOURCES, "^,-,192.0.2.1,2,6,377,12,0.0001,0.0001,0.002\n#,*,GNSS,0,2,377,3,0.0,0.0,0.0000001\n");
        self.process(1, 0, "systemd", "/sbin/init");
        self.process(500, 1, "chronyd", "/usr/sbin/chronyd -F 1");
        self.process(501, 500, "chronyd", "/usr/sbin/chronyd -F 1");
        self.process(600, 1, "gnss2shm", "/usr/bin/gnss2shm run --config /etc/gnss2shm/default.toml");
        for pid in [500, 600] {
            self.write(&format!("/proc/{pid}/maps"), MAPS);
        }
        for (fd, to) in [(3, "/dev/ttyS0"), (4, "/dev/ptp0")] {
            self.open(600, fd, to);
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.system.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, path: &str) {
        let path = self.system.at(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    /// A device, as described by sysfs.
    fn node(&self, path: &str) {
        self.write(path, "");
        self.mode(path, 0o660);
    }

    fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.system.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn process(&self, pid: u32, parent: u32, name: &str, line: &str) {
        let of = |file: &str| format!("/proc/{pid}/{file}");
        self.write(&of("comm"), &format!("{name}\n"));
        self.write(&of("cmdline"), &(line.replace(' ', "\0") + "\0"));
        self.write(&of("status"), &format!("Name:\t{name}\nPPid:\t{parent}\nNSpid:\t{pid}\n"));
        fs::create_dir_all(self.system.at(of("fd"))).unwrap();
    }

    fn open(&self, pid: u32, fd: u32, file: &str) {
        symlink(file, self.system.at(format!("/proc/{pid}/fd/{fd}"))).unwrap();
    }

    fn segment(&self, size: usize, mode: u32, uid: u32, cuid: u32) {
        let line = format!("{KEY} 32769 {mode:o} {size} 600 500 2 {uid} 0 {cuid} 0 0 0 0 4096 0\n");
        self.write("/proc/sysvipc/shm", &format!("key shmid perms size\n{line}"));
    }

    fn refclock(&self, line: &str) {
        self.write("/etc/chrony/conf.d/gnss2shm.conf", &format!("{line}\n"));
    }

    fn config(&self, from: &str, to: &str) {
        assert!(CONFIG.contains(from), "{from}");
        self.write("/etc/gnss2shm/default.toml", &CONFIG.replace(from, to));
    }

    /// The pulse goes to a kernel PPS device.
    fn with_pps(&mut self) {
        self.config("[phc]\ndevice = \"eth0\"\npin = \"SDP0\"", "[pps]\ndevice = \"/dev/pps0\"");
        self.node("/dev/pps0");
        self.write("/sys/class/pps/pps0/dev", "0:0\n");
        self.write("/sys/class/pps/pps0/name", "serial0");
    }

    /// ntpd-rs in place of chronyd, with the configuration of the package.
    fn with_ntpd_rs(&self) {
        let sock = "/run/ntpd-rs/gnss2shm.sock";
        self.without_chronyd();
        self.process(700, 1, "ntp-daemon", "/usr/bin/ntp-daemon");
        self.write("/etc/ntpd-rs/ntp.toml", include_str!("../../files/usr/share/gnss2shm/ntpd-rs.toml"));
        self.config("[shm]\nunit = 0", &format!("[sock]\npath = \"{sock}\""));
        self.write(sock, "");
        self.mode(sock, 0o666);
    }

    /// NTPsec in place of chronyd, with the configuration of the package.
    fn with_ntpsec(&self) {
        self.without_chronyd();
        self.process(700, 1, "ntpd", "/usr/sbin/ntpd -p /run/ntpd.pid -c /etc/ntpsec/ntp.conf -g -N -u ntpsec:ntpsec");
        self.write("/etc/ntpsec/ntp.conf", include_str!("../../files/usr/share/gnss2shm/ntpsec.conf"));
        self.write("/proc/700/maps", MAPS);
    }

    fn without_chronyd(&self) {
        ["/etc/chrony", "/proc/500", "/proc/501"].iter().for_each(|path| self.remove(path));
    }

    fn source(&self, state: char, reach: u32) {
        self.write(SOURCES, &format!("^,*,192.0.2.1,2,6,377,1,0,0,0\n#,{state},GNSS,0,2,{reach},3,0,0,0\n"));
    }

    fn examine(&self) -> Vec<Finding> {
        examine(&self.system, &Instance::find(&self.system, Some("default"), None).unwrap())
    }
}

/// The status of a healthy service.
fn snapshot() -> Snapshot {
    Snapshot {
        version: env!("CARGO_PKG_VERSION").into(),
        state: "Locked".into(),
        sync: "LOCKED".into(),
        since: "2026-11-21T00:00:00Z".into(),
        for_ms: 100_000,
        samples: 100,
        sample: Some(SampleView { second: "2026-11-21T00:01:40Z".into(), ..SampleView::default() }),
        ..Snapshot::default()
    }
}

fn refusing(reason: &str, sentence: &str) -> Snapshot {
    Snapshot {
        state: "Refusing".into(),
        sync: "FREERUN".into(),
        reason: Some(reason.into()),
        sentence: Some(sentence.into()),
        ..snapshot()
    }
}

/// The only expected findings: item, level, text, fix.
type Fault<'a> = (&'a str, Level, &'a str, &'a str);

/// The findings as printed.
fn lines(found: &[Finding]) -> String {
    let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
    lines.join("\n") + "\n"
}

/// Plants a fault in a healthy machine.
fn planted(name: &str, plant: impl FnOnce(&mut Machine), faults: &[Fault<'_>]) {
    let mut machine = Machine::healthy(name);
    plant(&mut machine);
    let found = machine.examine();
    let lines = lines(&found);
    let wrong: Vec<_> = found.iter().filter(|finding| finding.level != Level::Ok).collect();
    for (item, level, says, cure) in faults {
        let is_it = |finding: &&&Finding| {
            let has_cure = finding.cure.as_ref().is_some_and(|found| found.contains(cure));
            finding.item == *item && finding.level == *level && finding.says.contains(says) && has_cure
        };
        assert!(wrong.iter().any(|finding| is_it(&finding)), "{name}: {item} {says} {cure} is not in\n{lines}");
    }
    assert_eq!(wrong.len(), faults.len(), "{name}: other things are said\n{lines}");
    assert_eq!(Some(worst(&found)), faults.iter().map(|fault| fault.1).max(), "{name}");
}

/// With this change, nothing is wrong.
fn is_ok(name: &str, plant: impl FnOnce(&mut Machine)) {
    let mut machine = Machine::healthy(name);
    plant(&mut machine);
    let found = machine.examine();
    let lines = lines(&found);
    assert_eq!(worst(&found), Level::Ok, "{name}\n{lines}");
}

#[test]
fn on_a_healthy_system_it_says_nothing_but_ok() {
    let machine = Machine::healthy("healthy");
    let found = machine.examine();
    let lines = lines(&found);
    assert_eq!(worst(&found), Level::Ok, "{lines}");
    assert!(found.len() >= 11 && found.iter().all(|finding| finding.cure.is_none()), "{lines}");
    assert!(lines.starts_with("ok       configuration  /etc/gnss2shm/default.toml\n"), "{lines}");
    let json: serde_json::Value = serde_json::to_value(&found[0]).unwrap();
    assert_eq!(json, serde_json::json!({"item": "configuration", "level": "ok", "says": "/etc/gnss2shm/default.toml"}));
}

#[test]
fn other_healthy_systems_are_ok_too() {
    is_ok("ptp4l", |machine| {
        machine.process(700, 1, "ptp4l", "ptp4l -i eth0");
        machine.open(700, 3, "/dev/ptp0");
    });
    is_ok("phc2sys-to-the-phc", |machine| machine.process(700, 1, "phc2sys", "phc2sys -s CLOCK_REALTIME -c eth0"));
    is_ok("ntpd-in-a-container", |machine| {
        machine.process(700, 1, "ntpd", "ntpd -n");
        machine.write("/proc/700/status", "PPid:\t1\nNSpid:\t700\t12\n");
    });
    is_ok("no-link", |machine| machine.write("/sys/class/net/eth0/carrier", "0\n"));
    is_ok("by-path", |machine| machine.config("\"eth0\"", "\"/dev/ptp0\""));
    is_ok("by-pci", |machine| {
        machine.config("\"eth0\"", "\"03:00.0\"");
        machine.write("/sys/bus/pci/devices/0000:03:00.0/ptp/ptp0/dev", "248:0");
    });
    is_ok("fedora", |machine| {
        machine.remove("/etc/chrony");
        machine.write("/etc/chrony.conf", "include /etc/chrony.d/*.conf\nREFCLOCK SHM 0:perm=0600 refid GNSS\n");
        machine.write("/etc/chrony.d/x.conf", "! nothing\n# refclock SHM 0\n");
    });
    is_ok("an-example-beside-it", |machine| machine.write("/etc/gnss2shm/example.toml", CONFIG));
    is_ok("combined", |machine| machine.source('+', 377));
    is_ok("own-sock", |machine| {
        machine.config("[shm]\nunit = 0", "[sock]\npath = \"/run/chrony.gnss.sock\"");
        machine.refclock("refclock SOCK /run/chrony.gnss.sock refid GNSS");
        let path = machine.system.at("/run/chrony.gnss.sock");
        drop(std::os::unix::net::UnixDatagram::bind(&path).unwrap());
        machine.mode("/run/chrony.gnss.sock", 0o666);
    });
    is_ok("ntpd-rs", |machine| machine.with_ntpd_rs());
    is_ok("ntpd-rs-elsewhere", |machine| {
        machine.with_ntpd_rs();
        fs::rename(machine.system.at("/etc/ntpd-rs/ntp.toml"), machine.system.at("/etc/x.toml")).unwrap();
        machine.process(700, 1, "ntp-daemon", "/usr/bin/ntp-daemon --config=/etc/x.toml");
    });
    is_ok("ntpsec", |machine| machine.with_ntpsec());
    is_ok("ntpsec-and-a-chronyd-that-serves", |machine| {
        machine.with_ntpsec();
        machine.process(500, 1, "chronyd", "chronyd -x");
    });
    is_ok("pps", Machine::with_pps);
    is_ok("pps-by-ldattach", |machine| {
        machine.with_pps();
        machine.process(700, 1, "ldattach", "ldattach pps /dev/ttyS0");
        machine.open(700, 3, "/dev/ttyS0");
    });
}

#[test]
fn faults_of_configuration_and_user_are_found() {
    use Level::{Failure, Warning};
    planted(
        "no-config",
        |machine| machine.remove("/etc/gnss2shm"),
        &[("configuration", Failure, "/etc/gnss2shm/default.toml: No such file", "`gnss2shm probe --write FILE`")],
    );
    planted(
        "checkout",
        |machine| {
            machine.remove("/etc/gnss2shm");
            machine.remove("/run/gnss2shm");
            machine.remove(SHOWN);
            machine.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
            machine.process(700, 1, "ntpd", "ntpd -n");
        },
        &[("configuration", Failure, "/etc/gnss2shm/default.toml: No such file", "install the package")],
    );
    planted(
        "other-config",
        |machine| {
            machine.remove("/etc/gnss2shm/default.toml");
            machine.write("/etc/gnss2shm/roof.toml", CONFIG);
        },
        &[("configuration", Failure, "/etc/gnss2shm/default.toml: No such file", "/etc/gnss2shm has [roof]")],
    );
    planted(
        "typo",
        |machine| machine.config("[serial]\ndevice", "[serial]\ndevise"),
        &[("configuration", Failure, "default.toml:2:1: `devise = \"/dev/ttyS0\"`", "correct it")],
    );
    planted(
        "no-clock",
        |machine| machine.write("/etc/gnss2shm/default.toml", "[serial]\ndevice = \"/dev/ttyS0\"\n"),
        &[("configuration", Failure, "default.toml: no pulse is given: use one of [phc], [pps]", "check again")],
    );
    planted(
        "no-user",
        |machine| machine.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
        &[("service user", Failure, "no user gnss2shm, so the service cannot start", "systemd-sysusers")],
    );
    planted(
        "no-group",
        |machine| {
            let gid = fs::metadata(machine.dir.path()).unwrap().gid();
            machine.write("/etc/group", &format!("gnss2shm:x:4243:\ndialout:x:{gid}:\n"));
        },
        &[("service user", Failure, "no group clock, so the service cannot start", "systemd-sysusers")],
    );
    planted(
        "no-unit",
        |machine| machine.remove(SHOWN),
        &[("service user", Warning, "not installed", "install the package")],
    );
}

#[test]
fn faults_of_the_receiver_are_found() {
    use Level::Failure;
    planted(
        "no-port",
        |machine| {
            machine.remove("/dev/ttyS0");
            machine.write("/dev/serial/by-id/usb-u-blox", "");
        },
        &[("receiver", Failure, "/dev/ttyS0: No such file", "/dev/serial/by-id has [usb-u-blox]")],
    );
    planted(
        "port-closed",
        |machine| machine.mode("/dev/ttyS0", 0o600),
        &[("receiver", Failure, "gnss2shm cannot read and write /dev/ttyS0", "udevadm trigger")],
    );
    let free = crate::library::common::free_address();
    planted(
        "no-gpsd",
        |machine| {
            machine.config("[serial]\ndevice = \"/dev/ttyS0\"", &format!("[gpsd]\nserver = \"{free}\""));
        },
        &[("receiver", Failure, &format!("nothing answers at {free}"), "systemctl enable --now gpsd.socket")],
    );
}

#[test]
fn faults_of_the_pulse_are_found() {
    use Level::{Failure, Warning};
    planted(
        "no-interface",
        |machine| machine.config("eth0", "eth7"),
        &[("pulse", Failure, "eth7 does not exist", "ip -br link")],
    );
    planted(
        "no-phc",
        |machine| machine.config("eth0", "lo"),
        &[("pulse", Failure, "lo has no PTP hardware clock", "use the NIC")],
    );
    planted(
        "several-phcs",
        |machine| {
            machine.config("\"eth0\"", "\"03:00.0\"");
            machine.write("/sys/bus/pci/devices/0000:03:00.0/ptp/ptp0/dev", "0:0");
            machine.write("/sys/bus/pci/devices/0000:03:00.0/ptp/ptp1/dev", "248:1");
        },
        &[("pulse", Failure, "0000:03:00.0 has several PTP hardware clocks", "use one of /dev/ptp0, /dev/ptp1")],
    );
    planted(
        "no-extts",
        |machine| machine.write("/sys/class/ptp/ptp0/n_external_timestamps", "0\n"),
        &[("pulse", Failure, "/dev/ptp0 (igb) has no external timestamps", "[pps]")],
    );
    planted(
        "no-channel",
        |machine| machine.config("pin = \"SDP0\"", "channel = 2"),
        &[("pulse", Failure, "no channel 2; its last channel is 1", "correct channel")],
    );
    planted(
        "no-pin",
        |machine| machine.config("SDP0", "SDP9"),
        &[("pulse", Failure, "/dev/ptp0 (igb) has no pin SDP9", "it has SDP0, SDP1")],
    );
    planted(
        "phc-closed",
        |machine| machine.mode("/dev/ptp0", 0o600),
        &[("pulse", Failure, "cannot read and write /dev/ptp0", "SUBSYSTEM==\"ptp\", GROUP=\"clock\"")],
    );
    planted(
        "vclock",
        |machine| {
            machine.config("eth0", "/dev/ptp1");
            machine.node("/dev/ptp1");
            machine.write("/sys/class/ptp/ptp0/dev", "248:0\n");
            machine.write("/sys/class/ptp/ptp1/dev", "0:0\n");
            machine.write("/sys/class/ptp/ptp1/n_external_timestamps", "0\n");
            symlink("../ptp0", machine.system.at("/sys/class/ptp/ptp1/device")).unwrap();
        },
        &[("pulse", Failure, "ptp1 is a virtual clock", "use /dev/ptp0")],
    );
    planted(
        "pps-missing",
        |machine| machine.config("[phc]\ndevice = \"eth0\"\npin = \"SDP0\"", "[pps]\ndevice = \"/dev/pps0\""),
        &[("pulse", Failure, "/dev/pps0 does not exist", "ldattach pps")],
    );
    planted(
        "interface-down",
        |machine| machine.write("/sys/class/net/eth0/flags", "0x1002\n"),
        &[("interface", Warning, "eth0 is down", "ip link set eth0 up")],
    );
}

#[test]
fn rivals_are_found() {
    use Level::{Failure, Warning};
    for (name, line, cure) in [
        ("systemd-timesyn", "/lib/systemd/systemd-timesyncd", "systemctl disable --now systemd-timesyncd"),
        ("ntpd", "/usr/sbin/ntpd -u ntp", "systemctl disable --now ntp"),
        ("ntp-daemon", "/usr/bin/ntp-daemon", "systemctl disable --now ntpd-rs"),
        ("phc2sys", "phc2sys -s eth0 -O -37", "systemctl disable --now phc2sys"),
    ] {
        let says = "(pid 700) sets the system clock";
        planted(name, |machine| machine.process(700, 1, name, line), &[("rivals", Failure, says, cure)]);
    }
    planted(
        "second-chronyd",
        |machine| machine.process(700, 1, "chronyd", "chronyd -f /tmp/x"),
        &[("rivals", Failure, "chronyd (pid 700) sets the system clock, as another chronyd does", "stop the one")],
    );
    for (name, cure) in [
        ("agetty", "systemctl disable --now serial-getty@ttyS0"),
        ("ModemManager", "ID_MM_DEVICE_IGNORE"),
        ("minicom", "stop it"),
    ] {
        let plant = |machine: &mut Machine| {
            machine.process(700, 1, name, name);
            machine.open(700, 0, "/dev/ttyS0");
        };
        planted(name, plant, &[("rivals", Failure, "/dev/ttyS0 is held by", cure)]);
    }
    // Only one of ldattach's line disciplines leaves the port's bytes to others.
    planted(
        "ldattach",
        |machine| {
            machine.process(700, 1, "ldattach", "ldattach slip /dev/ttyS0");
            machine.open(700, 3, "/dev/ttyS0");
        },
        &[("rivals", Failure, "/dev/ttyS0 is held by ldattach (pid 700)", "stop it")],
    );
    let gpsd = |machine: &mut Machine| {
        machine.process(700, 1, "gpsd", "/usr/sbin/gpsd -F /run/gpsd.sock /dev/ttyS0");
        machine.open(700, 0, "/dev/ttyS0");
    };
    planted("gpsd", gpsd, &[("rivals", Failure, "/dev/ttyS0 is held by gpsd (pid 700)", "gpsd.socket")]);
    planted(
        "ts2phc",
        |machine| {
            machine.process(700, 1, "ts2phc", "ts2phc -c eth0 -s nmea");
            machine.open(700, 5, "/dev/ptp0");
        },
        &[("rivals", Warning, "ts2phc (pid 700) has /dev/ptp0 open", "stop it")],
    );
}

#[test]
fn faults_of_other_consumers_are_found() {
    use Level::Failure;
    let conf = "/etc/ntpd-rs/ntp.toml";
    planted(
        "ntpd-rs-turned",
        |machine| {
            machine.with_ntpd_rs();
            machine.write(VERSION, "ntp-daemon 2.0.0-alpha.20260715\n");
        },
        &[("consumer", Failure, "ntp-daemon (pid 700) is ntpd-rs 2.0.0-alpha", "use ntpd-rs 1.5 to 1.9")],
    );
    planted(
        "ntpd-rs-alone",
        |machine| {
            machine.with_ntpd_rs();
            machine
                .write(conf, "[[source]]\nmode = \"sock\"\npath = \"/run/ntpd-rs/gnss2shm.sock\"\nprecision = 1e-7\n");
        },
        &[("consumer", Failure, "has 1 sources and needs 3 that agree", "`minimum-agreeing-sources = 1`")],
    );
    planted(
        "ntpd-rs-closed",
        |machine| {
            machine.with_ntpd_rs();
            machine.mode("/run/ntpd-rs/gnss2shm.sock", 0o700);
        },
        &[("SOCK socket", Failure, "gnss2shm cannot read and write", "`SupplementaryGroups=ntpd-rs`")],
    );
    planted(
        "ntpd-rs-without-a-socket",
        |machine| {
            machine.with_ntpd_rs();
            machine.remove("/run/ntpd-rs");
        },
        &[("SOCK socket", Failure, "No such file", "restart ntpd-rs")],
    );
    planted(
        "ntpd-rs-and-phc2sys",
        |machine| {
            machine.with_ntpd_rs();
            machine.process(701, 1, "phc2sys", "phc2sys -s eth0 -O -37");
        },
        &[("rivals", Failure, "phc2sys (pid 701) sets the system clock, as ntp-daemon does", "disable --now phc2sys")],
    );
    planted(
        "ntpd-rs-and-chronyd",
        |machine| {
            machine.with_ntpd_rs();
            machine.process(500, 1, "chronyd", "chronyd");
            machine.write("/etc/chrony/chrony.conf", "refclock SOCK /run/ntpd-rs/gnss2shm.sock refid GNSS\n");
        },
        &[("rivals", Failure, "ntp-daemon (pid 700) sets the system clock, as chronyd does", "ntpd-rs.toml")],
    );
    planted(
        "ntpsec-of-another-unit",
        |machine| {
            machine.with_ntpsec();
            machine.write("/etc/ntpsec/ntp.conf", "refclock shm unit 7\n");
            machine.write("/proc/700/maps", "");
        },
        &[
            ("rivals", Failure, "ntpd (pid 700) sets the system clock", "ntpsec.conf"),
            ("chronyd", Failure, "is not running", "systemctl enable --now chrony"),
            ("chrony.conf", Failure, "no line `refclock SHM 0`", "restart chronyd"),
        ],
    );
    planted(
        "ntpsec-orphan",
        |machine| {
            machine.with_ntpsec();
            machine.write("/proc/700/maps", &MAPS.replace("32769", "7"));
        },
        &[("SHM segment", Failure, "ntpd (pid 700) does not have unit 0 attached", "ntpsec")],
    );
}

#[test]
fn faults_of_segment_and_socket_are_found() {
    use Level::{Failure, Warning};
    planted(
        "chronyd-first",
        |machine| machine.segment(96, 0o600, 0, 0),
        &[(
            "SHM segment",
            Failure,
            "is not writable by gnss2shm (owner uid 0, creator uid 0, mode 0600",
            "ipcrm -M 0x4e545030",
        )],
    );
    planted(
        "too-small",
        |machine| machine.segment(80, 0o600, 0, 4242),
        &[("SHM segment", Failure, "80 bytes", "ipcrm -M 0x4e545030")],
    );
    planted(
        "stranger",
        |machine| machine.segment(96, 0o666, 0, 1000),
        &[("SHM segment", Failure, "uid 1000, who could feed chronyd", "ipcrm -M 0x4e545030")],
    );
    planted(
        "open-to-all",
        |machine| machine.segment(96, 0o666, 0, 4242),
        &[("SHM segment", Failure, "other users can write to the segment", "remove `perm=` from")],
    );
    planted(
        "no-segment",
        |machine| machine.write("/proc/sysvipc/shm", "key shmid\n"),
        &[("SHM segment", Warning, "no segment yet", "start gnss2shm, then chronyd")],
    );
    planted(
        "another-writer",
        |machine| {
            machine.process(700, 1, "ntpsec-refclock", "x");
            machine.write("/proc/700/maps", MAPS);
        },
        &[("SHM segment", Failure, "also has unit 0 attached", "stop it")],
    );
    planted(
        "gpsd-writes",
        |machine| {
            machine.process(700, 1, "gpsd", "/usr/sbin/gpsd -n /dev/ttyS7");
            machine.write("/proc/700/maps", MAPS);
        },
        &[("SHM segment", Failure, "gpsd (pid 700) also has unit 0 attached", "gpsd: from 12 up")],
    );
    planted(
        "another-reader",
        |machine| {
            machine.process(700, 1, "chronyd", "chronyd -n -x -f /tmp/x");
            machine.write("/proc/700/maps", MAPS);
        },
        &[(
            "SHM segment",
            Failure,
            "chronyd (pid 700) also has unit 0 attached: it takes samples from chronyd",
            "stop it",
        )],
    );
    planted(
        "orphan",
        |machine| machine.write("/proc/500/maps", &MAPS.replace("32769", "7")),
        &[("SHM segment", Failure, "chronyd (pid 500) does not have unit 0 attached", "systemctl restart chrony")],
    );
    let sock = |machine: &mut Machine, path: &str| {
        machine.config("[shm]\nunit = 0", &format!("[sock]\npath = \"{path}\""));
        machine.refclock(&format!("refclock SOCK {path} refid GNSS"));
    };
    planted(
        "sock-missing",
        |machine| sock(machine, "/run/chrony.gnss.sock"),
        &[("SOCK socket", Failure, "No such file", "refclock SOCK /run/chrony.gnss.sock")],
    );
    planted(
        "sock-closed",
        |machine| {
            sock(machine, "/run/gnss.sock");
            drop(std::os::unix::net::UnixDatagram::bind(machine.system.at("/run/gnss.sock")).unwrap());
            machine.mode("/run/gnss.sock", 0o700);
        },
        &[("SOCK socket", Failure, "cannot read and write /run/gnss.sock", "ExecStartPost=+chmod 0666")],
    );
}

#[test]
fn the_line_for_chrony_has_the_precision_of_the_pulses_stamps() {
    use Level::Failure;
    let no_line = |machine: &mut Machine| machine.refclock("# none");
    let shm = "SHM 0 poll 2 dpoll -1 filter 5 precision";
    for (name, is_pps, precision) in [("precision-phc", false, "1e-7"), ("precision-pps", true, "2e-5")] {
        let line = format!("`refclock {shm} {precision} refid GNSS`").leak();
        let plant = |machine: &mut Machine| {
            if is_pps {
                machine.with_pps();
            }
            no_line(machine);
        };
        planted(name, plant, &[("chrony.conf", Failure, "no line `refclock SHM 0`", line)]);
    }
    planted(
        "precision-pps-sock",
        |machine| {
            machine.with_pps();
            let path = "/etc/gnss2shm/default.toml";
            let text = fs::read_to_string(machine.system.at(path)).unwrap();
            machine.write(path, &text.replace("[shm]\nunit = 0", "[sock]\npath = \"/run/chrony.gnss.sock\""));
            no_line(machine);
            drop(std::os::unix::net::UnixDatagram::bind(machine.system.at("/run/chrony.gnss.sock")).unwrap());
            machine.mode("/run/chrony.gnss.sock", 0o666);
        },
        &[("chrony.conf", Failure, "no line `refclock SOCK", "sock poll 2 filter 5 precision 2e-5 refid GNSS`")],
    );
}

#[test]
fn faults_of_chrony_are_found() {
    use Level::{Failure, Warning};
    planted(
        "no-chronyd",
        |machine| [500, 501].iter().for_each(|pid| machine.remove(&format!("/proc/{pid}"))),
        &[("chronyd", Failure, "is not running", "systemctl enable --now chrony")],
    );
    let at = "/etc/chrony/conf.d/gnss2shm.conf:1";
    planted(
        "no-line",
        |machine| machine.refclock("# refclock SHM 0"),
        &[("chrony.conf", Failure, "no line `refclock SHM 0`", "in /etc/chrony/chrony.conf and restart")],
    );
    planted(
        "other-unit-is-another-instance's",
        |machine| {
            let other = CONFIG.replace("ttyS0", "ttyS1").replace("eth0", "eth1").replace("unit = 0", "unit = 2");
            machine.write("/etc/gnss2shm/second.toml", &other);
            machine.write("/run/gnss2shm/second.sock", "");
            machine.refclock("refclock SHM 2 refid GNSS");
        },
        &[("chrony.conf", Failure, "no line `refclock SHM 0`", "refclock SHM 0 poll 2")],
    );
    planted(
        "two-lines",
        |machine| machine.refclock("refclock SHM 0 refid GNSS\nrefclock SHM 0:perm=0666 refid GPS"),
        &[("chrony.conf", Failure, "gnss2shm.conf:2 both read SHM 0", "remove one of them")],
    );
    for (option, level) in
        [("offset 0.135", Failure), ("tai", Failure), ("pps", Failure), ("lock NMEA", Failure), ("noselect", Warning)]
    {
        let cure = format!("remove `{}`", option.split(' ').next().unwrap());
        let fault = [("chrony.conf", level, at, &*cure.leak())];
        planted(option, |machine| machine.refclock(&format!("refclock SHM 0 refid GNSS {option}")), &fault);
    }
    planted(
        "slow-poll",
        |machine| machine.refclock("refclock SHM 0 dpoll 2 refid GNSS"),
        &[("chrony.conf", Warning, "`dpoll` makes chronyd read the segment too rarely", "remove `dpoll`")],
    );
    planted(
        "extpps",
        |machine| machine.refclock("refclock SHM 0 refid GNSS\nrefclock PHC /dev/ptp0:extpps:pin=0 width 0.1"),
        &[("chrony.conf", Failure, "gnss2shm.conf:2: chronyd reads the same pulse", "remove that line")],
    );
    planted(
        "pps-line",
        |machine| {
            machine.with_pps();
            machine.refclock("refclock SHM 0 refid GNSS\nrefclock PPS /dev/pps0 lock GNSS");
        },
        &[("chrony.conf", Warning, "gnss2shm.conf:2: chronyd reads the same pulse", "remove that line")],
    );
    planted(
        "not-restarted",
        |machine| machine.write(SOURCES, "^,*,192.0.2.1,2,6,377,1,0,0,0\n"),
        &[("chrony source", Failure, "does not know GNSS", "restart chronyd")],
    );
    for (state, reach, level, says, cure) in [
        ('?', 0, Failure, "reach 0", "restart chronyd"),
        ('?', 7, Warning, "cannot be selected yet (reach 7)", "wait"),
        ('x', 377, Failure, "falseticker", "set width or delay"),
        ('~', 377, Warning, "varies too much", "level"),
        ('-', 377, Warning, "is not used (reach 377)", "prefer"),
    ] {
        let name = format!("source-{}-{reach}", state as u32);
        planted(&name, |machine| machine.source(state, reach), &[("chrony source", level, says, cure)]);
    }
    planted(
        "chronyc-refused",
        |machine| machine.remove(SOURCES),
        &[("chrony source", Warning, "not checked: chronyc: 506 Cannot talk to daemon", "run as root")],
    );
}

#[test]
fn faults_of_the_service_are_found() {
    use Level::{Failure, Warning};
    planted(
        "run-by-hand",
        |machine| machine.remove("/run/gnss2shm"),
        &[("service", Failure, "it is not running", "systemctl enable --now gnss2shm@default")],
    );
    planted(
        "not-running",
        |machine| {
            machine.remove("/run/gnss2shm");
            machine.remove("/proc/600");
        },
        &[("service", Failure, "it is not running", "systemctl enable --now gnss2shm@default")],
    );
    planted(
        "not-running-and-no-unit",
        |machine| {
            machine.remove("/run/gnss2shm");
            machine.remove("/proc/600");
            machine.remove(SHOWN);
        },
        &[
            ("service user", Warning, "not installed", "install the package"),
            ("service", Failure, "it is not running", "`gnss2shm run --config /etc/gnss2shm/default.toml --status"),
        ],
    );
    planted(
        "deaf",
        |machine| machine.system.status = |_| Err("nothing answers at x".into()),
        &[("service", Failure, "nothing answers", "systemctl restart gnss2shm@default")],
    );
    planted(
        "refusing",
        |machine| machine.system.status = |_| Ok(refusing("no-pulse", "no pulse edges arrive: check the pulse wiring")),
        &[("service", Failure, "Refusing: no pulse edges arrive: check the pulse wiring", "gnss2shm status default")],
    );
    planted(
        "coasting",
        |machine| machine.system.status = |_| Ok(Snapshot { sync: "HOLDOVER".into(), ..refusing("no-bytes", "x") }),
        &[("service", Warning, "x", "--follow")],
    );
    planted(
        "starting",
        |machine| {
            machine.system.status =
                |_| Ok(Snapshot { for_ms: 3_000, samples: 0, ..refusing("starting", "just started") });
        },
        &[("service", Warning, "just started", "check again in a minute")],
    );
    planted(
        "old-version",
        |machine| machine.system.status = |_| Ok(Snapshot { version: "0.0.1".into(), ..snapshot() }),
        &[("service", Warning, "version 0.0.1 is running", "systemctl restart gnss2shm@default")],
    );
}

#[test]
fn instances_are_found_by_name_by_file_or_alone() {
    let machine = Machine::healthy("instances");
    let find = |name: Option<&str>, config: Option<&str>| {
        Instance::find(&machine.system, name, config.map(PathBuf::from)).map(|i| (i.name, i.config))
    };
    let is = |name: &str, config: &str| Ok((name.to_owned(), Path::new(config).to_owned()));
    assert_eq!(find(None, None), is("default", "/etc/gnss2shm/default.toml"));
    assert_eq!(find(Some("b"), None), is("b", "/etc/gnss2shm/b.toml"));
    assert_eq!(find(None, Some("/x/c.toml")), is("c", "/x/c.toml"));
    assert_eq!(find(Some("b"), Some("/x/c.toml")), is("b", "/x/c.toml"));
    machine.write("/etc/gnss2shm/b.toml", "");
    machine.write("/etc/gnss2shm/b.toml.dpkg-old", "");
    assert_eq!(find(None, None), Err("there are several instances; name one of them: b, default".to_owned()));
}

#[test]
fn what_only_root_may_see_is_said_to_be_not_looked_at() {
    if is_root() {
        let output = run_as_nobody("library::doctor::as_nobody", 0, "doctor-nobody");
        assert!(output.status.success(), "{output:?}");
    } else {
        as_nobody();
    }
}

#[test]
#[ignore = "run by what_only_root_may_see_is_said_to_be_not_looked_at"]
fn as_nobody() {
    use Level::Warning;
    planted(
        "closed-files",
        |machine| {
            for (name, file) in [("1", "fd"), ("500", "maps")] {
                machine.write(&format!("/proc/{name}/maps"), "");
                machine.mode(&format!("/proc/{name}/{file}"), 0o000);
            }
        },
        &[("rivals", Warning, "not checked: the processes of other users", "run as root")],
    );
    planted(
        "closed-conf",
        |machine| {
            machine.remove(SOURCES);
            machine.mode("/etc/chrony/conf.d/gnss2shm.conf", 0o000);
        },
        &[("chrony.conf", Warning, "not checked: /etc/chrony/conf.d/gnss2shm.conf", "run as root")],
    );
    planted(
        "hidden",
        |machine| [1, 500, 501].iter().for_each(|pid| machine.remove(&format!("/proc/{pid}"))),
        &[
            ("rivals", Warning, "not checked: the processes of other users", "run as root"),
            ("chronyd", Warning, "not checked: whether it is running", "run as root"),
        ],
    );
}

#[test]
fn the_exit_status_and_the_lines_are_for_scripts() {
    let dir = TestDir::new("doctor-verb");
    let config = dir.join("odd.toml");
    let doctor = |args: &[&str]| {
        let config = config.to_str().unwrap();
        output(Command::new(program()).args(["doctor", "--config", config]).args(args))
    };
    fs::write(&config, "holdover = 3\n").unwrap();
    let output = doctor(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(1), &b""[..]), "{text}");
    assert!(text.starts_with(&format!("FAILURE  configuration  {}:1:12: ", config.display())), "{text}");
    let output = doctor(&["--json"]);
    assert_eq!(output.status.code(), Some(1));
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["item"].is_string() && line["says"].is_string(), "{line}");
        assert_eq!(line["cure"].is_string(), line["level"] != "ok", "{line}");
    }
    let help = crate::library::common::output(Command::new(program()).args(["doctor", "--help"]));
    assert!(String::from_utf8(help.stdout).unwrap().contains("2 if there are warnings but no failure"));
}

impl Machine {
    /// A grandmaster, as the files in /usr/share/gnss2shm/grandmaster make it on a new kernel.
    fn grandmaster(&self) {
        self.write("/etc/gnss2shm/default.toml", &format!("{CONFIG}[grandmaster]\n"));
        self.write("/proc/sys/kernel/osrelease", "6.12.9+bpo-amd64\n");
        self.write("/etc/linuxptp/grandmaster.conf", "# serverOnly 0\n[global]\nmasterOnly\t\t1\n[eth0]\n");
        self.process(710, 1, "gnss2shm", "/usr/bin/gnss2shm grandmaster --config /etc/gnss2shm/default.toml");
        self.process(720, 1, "ts2phc", "/usr/sbin/ts2phc -f /etc/linuxptp/ts2phc-grandmaster.conf -s generic");
        self.process(730, 1, "ptp4l", "/usr/sbin/ptp4l -f /etc/linuxptp/grandmaster.conf");
        for pid in [720, 730] {
            self.open(pid, 3, "/dev/ptp0");
        }
    }
}

#[test]
fn the_chain_of_a_grandmaster_is_ok_with_either_program_that_steers_the_clock() {
    is_ok("grandmaster", |machine| machine.grandmaster());
    is_ok("grandmaster-phc2sys", |machine| {
        machine.grandmaster();
        machine.write("/proc/sys/kernel/osrelease", "6.1.0-41-amd64\n");
        machine.remove("/proc/720");
        machine.process(721, 1, "phc2sys", "/usr/sbin/phc2sys -s CLOCK_REALTIME -c eth0 -O 37");
    });
}

#[test]
fn faults_of_a_grandmasters_chain_are_found() {
    use Level::{Failure, Warning};
    let planted = |name: &str, plant: &dyn Fn(&mut Machine), fault: Fault<'_>| {
        let plant = |machine: &mut Machine| {
            machine.grandmaster();
            plant(machine);
        };
        planted(name, plant, &[fault]);
    };
    let at = "grandmaster";
    planted(
        "gm-not-followed",
        &|machine| machine.remove("/proc/710"),
        (at, Failure, "no `gnss2shm grandmaster` is running", "systemctl enable --now gnss2shm-grandmaster@default"),
    );
    planted(
        "gm-no-tai",
        &|machine| machine.system.tai_offset = || None,
        (at, Failure, "TAI - UTC is not set", "leapsectz"),
    );
    planted(
        "gm-not-steered",
        &|machine| machine.remove("/proc/720"),
        (at, Failure, "no program is seen that steers /dev/ptp0", "start ts2phc"),
    );
    planted(
        "gm-two-servos",
        &|machine| machine.process(721, 1, "phc2sys", "/usr/sbin/phc2sys -s CLOCK_REALTIME -c eth0 -O 37"),
        (at, Failure, "ts2phc (pid 720) and phc2sys (pid 721) both steer /dev/ptp0", "stop one"),
    );
    planted(
        "gm-old-kernel",
        &|machine| machine.write("/proc/sys/kernel/osrelease", "6.6.1\n"),
        (at, Failure, "ts2phc (pid 720) reads the pulse, too", "phc2sys"),
    );
    planted(
        "gm-other-clock",
        &|machine| machine.remove("/proc/730/fd/3"),
        (at, Failure, "ptp4l (pid 730) does not use /dev/ptp0", "connect the pulse"),
    );
    planted("gm-no-ptp4l", &|machine| machine.remove("/proc/730"), (at, Failure, "ptp4l is not running", "ptp4l.conf"));
    planted(
        "gm-may-follow",
        &|machine| machine.write("/etc/linuxptp/grandmaster.conf", "[global]\nclockClass 6\n"),
        (at, Warning, "ptp4l (pid 730) may follow another clock", "`masterOnly 1`"),
    );
}
