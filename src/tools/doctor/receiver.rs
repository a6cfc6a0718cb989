//! The receiver's end: it is there, is what it should be, the service may use it.

use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::account::{READ, READ_WRITE};
use super::system::{Kind, Node};
use super::{Finding, Patient, System};
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::SerialConfig;
use crate::source::serial::holder::{CONSOLES, is_console};
use crate::source::server::Server;
use crate::source::stream::StreamConfig;

const ITEM: &str = "receiver";
/// A server on this machine or in its network answers sooner.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn check(patient: &Patient<'_>, config: &ReceiverConfig) -> Vec<Finding> {
    match config {
        ReceiverConfig::Serial(SerialConfig { device, .. }) => serial(patient, device),
        ReceiverConfig::Gpsd(gpsd) => {
            let start = "run `systemctl enable --now gpsd.socket`, or correct server in [gpsd]";
            vec![listens("gpsd", &gpsd.server, start)]
        }
        ReceiverConfig::Stream(StreamConfig::Tcp(server)) => {
            vec![listens("the TCP server", server, "start what serves the sentences, or correct server in [tcp]")]
        }
        ReceiverConfig::Stream(StreamConfig::Fifo(path)) => fifo(patient, path),
        ReceiverConfig::Stream(StreamConfig::Stdin) => vec![Finding::warning(
            ITEM,
            "sentences come on standard input, which a service does not have",
            "name the receiver's device, unless you start gnss2shm yourself",
        )],
    }
}

fn serial(patient: &Patient<'_>, device: &str) -> Vec<Finding> {
    let system = patient.system;
    let node = match node(system, device) {
        Ok(node) => node,
        Err(finding) => return vec![finding],
    };
    if node.path.starts_with("/dev/pts") {
        let found = may_use(patient, &node, "run both as one user").into_iter().collect();
        return super::or_ok(found, ITEM, format!("{device}, a pseudo terminal"));
    }
    let tty = file_name(&node.path);
    let sysfs = Path::new("/sys/class/tty").join(&tty);
    if !system.has(&sysfs) {
        let says = format!("{device} is not a serial port");
        return vec![Finding::failure(ITEM, says, "name a tty in [serial], as /dev/ttyS0 or one of /dev/serial/by-id")];
    }
    let mut found = vec![];
    // A port of the 8250 driver that has no hardware has the type PORT_UNKNOWN.
    if system.value(sysfs.join("type")).as_deref() == Some("0") {
        found.push(Finding::failure(
            ITEM,
            format!("{device} has no hardware behind it"),
            "name the port that the receiver is wired to: `dmesg | grep tty` lists those there are",
        ));
    }
    found.extend(may_use(
        patient,
        &node,
        "run `udevadm trigger --action=change --subsystem-match=tty`: ports are for dialout",
    ));
    let drivers = drivers(system, &sysfs);
    if !patient.unit.allows(&drivers) {
        let driver = drivers.last().map(String::as_str).unwrap_or_default();
        found.push(Finding::failure(
            ITEM,
            format!("the service's unit does not allow devices of the driver {driver}, as {device} is"),
            format!("write DeviceAllow=char-{driver} rw below [Service] with `systemctl edit gnss2shm@.service`"),
        ));
    }
    if system.value(CONSOLES).is_some_and(|consoles| is_console(&tty, &consoles)) {
        found.push(Finding::failure(
            ITEM,
            format!("{device} is the kernel's console, which writes its messages to the receiver"),
            format!("take console={tty} from the kernel's command line and reboot"),
        ));
    }
    super::or_ok(found, ITEM, format!("{device}{}", stays(system, device, &tty)))
}

/// The name that stays, where this one may change with the next plugging in.
fn stays(system: &System, device: &str, tty: &str) -> String {
    const BY_ID: &str = "/dev/serial/by-id";
    if !["ttyUSB", "ttyACM"].iter().any(|usb| device.starts_with(&format!("/dev/{usb}"))) {
        return String::new();
    }
    let is_it = |name: &String| system.real(Path::new(BY_ID).join(name)).is_ok_and(|real| file_name(&real) == tty);
    let name = system.names(BY_ID).into_iter().find(is_it);
    name.map(|name| format!(" (the name that stays is {BY_ID}/{name})")).unwrap_or_default()
}

/// Names of the driver of a device, by its major number.
fn drivers(system: &System, sysfs: &Path) -> Vec<String> {
    let number = system.value(sysfs.join("dev")).unwrap_or_default();
    let major = number.split(':').next().unwrap_or_default();
    let text = system.text("/proc/devices").unwrap_or_default();
    let characters = text.split("Block devices").next().unwrap_or_default();
    let of_major = characters.lines().filter_map(|line| line.trim().split_once(' ')).filter(|(of, _)| *of == major);
    of_major.map(|(_, name)| name.to_owned()).collect()
}

fn fifo(patient: &Patient<'_>, path: &Path) -> Vec<Finding> {
    let device = path.to_string_lossy();
    let node = match node(patient.system, &device) {
        Ok(node) => node,
        Err(finding) => return vec![finding],
    };
    let found = match node.kind {
        Kind::Directory | Kind::Socket => vec![Finding::failure(
            ITEM,
            format!("{device} is neither a FIFO nor a device"),
            format!("make one with `mkfifo`, or correct path in [fifo]: {device} is something else"),
        )],
        Kind::Fifo | Kind::Other => {
            may_use(patient, &node, "make it the service's: `chgrp dialout` and `chmod 0660`").into_iter().collect()
        }
    };
    super::or_ok(found, ITEM, device)
}

fn may_use(patient: &Patient<'_>, node: &Node, cure: &str) -> Option<Finding> {
    let what = if node.kind == Kind::Fifo { READ } else { READ_WRITE };
    patient.account.as_ref()?.check(patient.system, ITEM, what, node, cure)
}

fn node(system: &System, device: &str) -> Result<Node, Finding> {
    system.node(device).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => Finding::unseen(ITEM, device),
        _ => Finding::failure(
            ITEM,
            format!("{device} is not there"),
            format!("plug the receiver in, or correct its name in the configuration{}", ports(system)),
        ),
    })
}

/// What else there is that a receiver may be behind.
fn ports(system: &System) -> String {
    let names = system.names("/dev/serial/by-id");
    if names.is_empty() { String::new() } else { format!(": there is /dev/serial/by-id/{}", names.join(", ")) }
}

fn listens(what: &str, server: &Server, cure: &str) -> Finding {
    match connect(server) {
        Ok(()) => Finding::ok(ITEM, format!("{what} answers at {server}")),
        Err(error) => Finding::failure(ITEM, format!("{what} does not answer at {server} ({error})"), cure),
    }
}

fn connect(server: &Server) -> io::Result<()> {
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in (server.host.as_str(), server.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ANSWERS_WITHIN) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
