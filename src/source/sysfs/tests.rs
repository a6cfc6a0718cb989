//! Finding devices, on this machine and in directory trees that represent another.

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn an_absent_device_may_come_and_a_wrong_one_is_refused() {
    use Problem::{NotThere, Unsupported, Wrong};
    for (device, problem) in [
        ("nosuchif0", NotThere),
        ("lo", Unsupported),
        ("a-name-too-long-for-an-interface", Wrong),
        ("/dev/ptp4095", NotThere),
        ("/nosuchdir/ptp0", NotThere),
        ("ffff:ff:1f.7", NotThere),
        ("0000:03:00", Wrong),
        ("eth0:1", Wrong),
        ("/dev/null", Wrong),
        ("/proc/version", Wrong),
        ("/dev", Wrong),
    ] {
        let error = Finder::live().phc(device).unwrap_err();
        assert_eq!(error.problem, problem, "{error}");
        assert!(error.to_string().contains(device), "{error}");
    }
    for (path, problem) in [
        ("/dev/pps4095", NotThere),
        ("/nosuchdir/pps0", NotThere),
        ("/dev/null", Wrong),
        ("/proc/version", Wrong),
        ("/dev", Wrong),
    ] {
        let error = Finder::live().pps(Path::new(path)).unwrap_err();
        assert!(error.problem == problem && error.to_string().contains(path), "{error}");
    }
}

#[test]
fn every_failed_open_names_its_cure() {
    for (class, errno, problem, cure) in [
        (PTP, libc::ENOENT, Problem::NotThere, "its name"),
        (PTP, libc::ENODEV, Problem::NotThere, "driver is loaded"),
        (PTP, libc::EACCES, Problem::Denied, "udev rule"),
        (PTP, libc::EPERM, Problem::Denied, "run as root"),
        (PTP, libc::EIO, Problem::Failed, "dmesg"),
        (PPS, libc::ENOENT, Problem::NotThere, "ldattach pps /dev/ttyS0"),
        (PPS, libc::ENXIO, Problem::NotThere, "pps-gpio"),
        (PPS, libc::EACCES, Problem::Denied, "udev rule"),
        (PPS, libc::EIO, Problem::Failed, "dmesg"),
        (PTP, libc::ENOTTY, Problem::Wrong, "/dev/ptpN"),
        (PTP, libc::EINVAL, Problem::Wrong, "/dev/ptpN"),
        (PPS, libc::ENOTTY, Problem::Wrong, "/dev/ppsN"),
    ] {
        let error = class.unusable(Path::new("/dev/any7"), &io::Error::from_raw_os_error(errno));
        assert_eq!(error.problem, problem, "{error}");
        let sentence = error.to_string();
        assert!(sentence.contains("/dev/any7") && sentence.contains(cure) && !sentence.ends_with('.'), "{sentence}");
    }
}

#[test]
fn a_pci_address_is_read_as_lspci_and_udev_write_it() {
    for (written, read) in [
        ("0000:03:00.0", Some("0000:03:00.0")),
        ("pci-0000:03:00.0", Some("0000:03:00.0")),
        ("03:00.1", Some("0000:03:00.1")),
        ("0000:AF:1F.7", Some("0000:af:1f.7")),
        ("10000:e1:00.0", Some("10000:e1:00.0")),
        ("3:00.0", None),
        ("0000:03:00", None),
        ("0000:03:00.10", None),
        ("0000:03:0g.0", None),
        ("pci-0000:00:14.0-usb-0:1", None),
        ("0:0000:03:00.0", None),
        ("000:03:00.0", None),
    ] {
        assert_eq!(pci_address(written).as_deref(), read, "{written}");
    }
}

/// A temporary directory tree.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, &str)], links: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("gnss2shm-sysfs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (path, text) in files {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        for (link, target) in links {
            fs::create_dir_all(root.join(link).parent().unwrap()).unwrap();
            symlink(target, root.join(link)).unwrap();
        }
        Self(root)
    }

    fn finder(&self) -> Finder<'_> {
        Finder { root: &self.0, phc_index: |_| Ok(Some(3)) }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_pci_device_leads_to_its_clock() {
    let of = |path: &str| format!("sys/bus/pci/devices/0000:{path}");
    let files = ["01:00.0/ptp/ptp3/dev", "02:00.0/ptp/ptp10/dev", "02:00.0/ptp/ptp9/dev", "04:00.0/uevent"].map(of);
    let links = ["01:00.0/driver", "03:00.0/driver"].map(of);
    let tree = Tree::new(
        "pci",
        &files.each_ref().map(|file| (file.as_str(), "")),
        &[(&links[0], "../../../.."), (&links[1], "../../../..")],
    );
    assert_eq!(tree.finder().phc("01:00.0").unwrap().node, Path::new("/dev/ptp3"));
    for (device, problem, says) in [
        ("pci-0000:02:00.0", Problem::Wrong, "one of /dev/ptp10, /dev/ptp9"),
        ("0000:03:00.0", Problem::Unsupported, "0000:03:00.0 has no PTP hardware clock"),
        ("0000:04:00.0", Problem::NotThere, "or has no driver"),
        ("0000:05:00.0", Problem::NotThere, "PCI device 0000:05:00.0 does not exist"),
    ] {
        let error = tree.finder().phc(device).unwrap_err();
        assert_eq!(error.problem, problem, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

/// A regular file has the device number 0:0.
#[test]
fn a_clock_is_known_by_its_number_and_its_driver_is_that_of_its_parent() {
    let tree = Tree::new(
        "driver",
        &[
            ("dev/any", ""),
            ("sys/class/ptp/ptp2/dev", "248:2\n"),
            ("sys/class/ptp/ptp3/dev", "0:0\n"),
            ("sys/class/ptp/ptp3/clock_name", "a0:36:9f:00:00:01\n"),
            ("sys/pci0/net/eth0/flags", "0x1003\n"),
        ],
        &[("sys/class/ptp/ptp3/device", "../../../pci0"), ("sys/pci0/driver", "../drivers/igb"), ("dev/link", "any")],
    );
    for device in ["/dev/link", "eth0"] {
        let found = tree.finder().phc(device).unwrap();
        assert_eq!((found.driver().as_deref(), found.interfaces()), (Some("igb"), vec!["eth0".to_owned()]), "{device}");
        let node = if device == "eth0" { "/dev/ptp3" } else { "/dev/any" };
        assert_eq!(found.to_string(), format!("{node} (a0:36:9f:00:00:01)"));
    }
}

#[test]
fn a_virtual_clock_leads_to_the_one_it_is_made_from() {
    let tree = Tree::new(
        "vclock",
        &[("dev/ptp2", ""), ("sys/pci0/ptp/ptp0/dev", "248:0"), ("sys/pci0/ptp/ptp0/ptp2/dev", "0:0")],
        &[
            ("sys/class/ptp/ptp0", "../../pci0/ptp/ptp0"),
            ("sys/class/ptp/ptp2", "../../pci0/ptp/ptp0/ptp2"),
            ("sys/pci0/ptp/ptp0/device", "../.."),
            ("sys/pci0/ptp/ptp0/ptp2/device", ".."),
        ],
    );
    let error = tree.finder().phc("/dev/ptp2").unwrap_err();
    assert!(error.problem == Problem::Wrong && error.to_string().contains("use /dev/ptp0,"), "{error}");
    let physical = Finder { phc_index: |_| Ok(Some(0)), ..tree.finder() };
    assert_eq!(physical.phc("eth0").unwrap().node, Path::new("/dev/ptp0"));
}

#[test]
fn a_pulse_made_by_the_machine_itself_is_refused_by_name() {
    let find = |name: &str| {
        let files = [("dev/pps1", ""), ("sys/class/pps/pps1/dev", "0:0"), ("sys/class/pps/pps1/name", name)];
        Tree::new("pps", &files, &[]).finder().pps(Path::new("/dev/pps1"))
    };
    for (name, says) in [("ptp0", "--phc"), ("ptp12", "/dev/pps1 (ptp12)"), ("ktimer", "/dev/pps1 (ktimer)")] {
        let error = find(name).unwrap_err();
        assert_eq!(error.problem, Problem::Wrong);
        assert!(error.to_string().contains(says), "{error}");
    }
    for name in ["serial0", "usbserial1", "pps@12.-1", "parport0", ""] {
        assert_eq!(find(name).unwrap().name, name);
    }
}
