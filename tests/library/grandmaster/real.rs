//! The real ptp4l, in a network namespace of its own: our socket's name reaches across.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{classes, link, locked};
use crate::library::common::{TestDir, is_root, output, start};
use gnss2shm::grandmaster::policy::{Policy, PolicyConfig};
use gnss2shm::grandmaster::session::Session;
use gnss2shm::sys::clock::raw_now;

/// ptp4l on an interface that leads nowhere.
struct Ptp4l(Child);

impl Ptp4l {
    fn start(dir: &TestDir) -> Self {
        let config = dir.join("ptp4l.conf");
        let socket = dir.join("ptp4l");
        let settings = format!(
            "[global]\nuds_address {}\ndomainNumber 24\ntransportSpecific 1\ntime_stamping software\nfree_running 1\n\
             use_syslog 0\n[v0]\nnetwork_transport L2\n",
            socket.display()
        );
        std::fs::write(&config, settings).unwrap();
        let script = "ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && \
                      exec ptp4l -f \"$0\"";
        let mut ptp4l = Command::new("unshare");
        ptp4l.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").args(["-n", "sh", "-c", script]).arg(&config);
        Self(start(ptp4l.stdout(Stdio::null())))
    }
}

impl Drop for Ptp4l {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// One field as pmc shows it.
fn pmc(dir: &TestDir, field: &str) -> String {
    let mut pmc = Command::new("pmc");
    pmc.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").args(["-u", "-b", "0", "-d", "24", "-t", "1", "-s"]);
    pmc.arg(dir.join("ptp4l")).arg("-i").arg(dir.join("pmc")).arg("GET GRANDMASTER_SETTINGS_NP");
    let shown = String::from_utf8(output(&mut pmc).stdout).unwrap();
    let value = |line: &str| Some(line.trim().strip_prefix(field)?.trim().to_owned());
    shown.lines().find_map(value).unwrap_or_else(|| panic!("{shown}"))
}

#[test]
fn the_real_ptp4l_is_set_and_found_again_after_a_restart() {
    if !is_root() {
        println!("skipped: takes root for a network namespace");
        return;
    }
    let (dir, own) = (TestDir::new("grandmaster-real"), TestDir::new("grandmaster-real-own"));
    let mut session = Session::new(link(&dir.join("ptp4l"), &own), Policy::new(PolicyConfig::default()));
    for _ in 0..2 {
        let _ptp4l = Ptp4l::start(&dir);
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            *session.policy() = locked();
            if classes(&session.turn(raw_now())) == [6] {
                break;
            }
            assert!(Instant::now() < limit, "it is not set");
            std::thread::sleep(Duration::from_millis(50));
        }
        for (field, value) in [
            ("clockClass", "6"),
            ("clockAccuracy", "0x23"),
            ("offsetScaledLogVariance", "0x4e5d"),
            ("currentUtcOffset", "37"),
            ("leap61", "0"),
            ("currentUtcOffsetValid", "1"),
            ("ptpTimescale", "1"),
            ("timeTraceable", "1"),
            ("frequencyTraceable", "1"),
            ("timeSource", "0x20"),
        ] {
            assert_eq!(pmc(&dir, field), value, "{field}");
        }
    }
    let _ptp4l = Ptp4l::start(&dir);
    let limit = Instant::now() + Duration::from_secs(60);
    while session.withdraw(raw_now()).is_err() {
        assert!(Instant::now() < limit, "it is not withdrawn");
    }
    assert_eq!((pmc(&dir, "clockClass"), pmc(&dir, "timeTraceable")), ("52".into(), "0".into()));
}
