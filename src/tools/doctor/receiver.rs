//! The receiver: its device is there and is what it should be, and the service may use it; or its server answers.

use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use super::account::{READ, READ_WRITE};
use super::system::Node;
use super::{Finding, Patient, System};
use crate::source::receiver::ReceiverConfig;
use crate::source::server::Server;

const ITEM: &str = "receiver";
/// Stable names of USB ports.
const BY_ID: &str = "/dev/serial/by-id";
/// A server on this machine or in its network answers sooner.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn check(patient: &Patient<'_>, config: &ReceiverConfig) -> Vec<Finding> {
    let found = match config {
        ReceiverConfig::Serial(serial) => port(patient, &serial.device),
        ReceiverConfig::Gpsd(gpsd) => {
            answers("gpsd", &gpsd.server, "run `systemctl enable --now gpsd.socket`, or correct server in [gpsd]")
        }
        ReceiverConfig::Tcp(server) => {
            answers("the TCP server", server, "start the server, or correct server in [tcp]")
        }
        ReceiverConfig::Fifo(path) => fifo(patient, &path.to_string_lossy()),
        ReceiverConfig::Stdin => {
            let cure = "name the receiver's device, unless you start gnss2shm yourself";
            Err(Finding::warning(ITEM, "a service has no standard input to read sentences from", cure))
        }
    };
    super::or_ok(found.unwrap_or_else(|finding| vec![finding]), ITEM, config.to_string())
}

/// What is wrong with a serial port; an error where there is none to check.
fn port(patient: &Patient<'_>, device: &str) -> Result<Vec<Finding>, Finding> {
    let system = patient.system;
    let node = node(system, device)?;
    let tty = node.path.file_name().unwrap_or_default().to_string_lossy();
    let sysfs = Path::new("/sys/class/tty").join(&*tty);
    if !system.has(&sysfs) && !node.path.starts_with("/dev/pts") {
        let cure = format!("name a tty in [serial], as /dev/ttyS0 or one of {BY_ID}");
        return Err(Finding::failure(ITEM, format!("{device} is not a serial port"), cure));
    }
    let mut found = vec![];
    // PORT_UNKNOWN of linux/serial_core.h: the 8250 driver has more ports than the machine.
    if system.value(sysfs.join("type")).as_deref() == Some("0") {
        let cure = "name the port that the receiver is connected to: `dmesg | grep tty` lists those that exist";
        found.push(Finding::failure(ITEM, format!("{device} has no hardware behind it"), cure));
    }
    let cure = "run `udevadm trigger --action=change --subsystem-match=tty`: ports are for the group dialout";
    found.extend(patient.account.as_ref().and_then(|account| account.check(system, ITEM, READ_WRITE, &node, cure)));
    let drivers = drivers(system, &sysfs);
    if !patient.unit.allows(&drivers) {
        let driver = drivers.last().map(String::as_str).unwrap_or_default();
        let says = format!("the service's unit does not allow devices of the driver {driver}, as {device} is");
        let cure =
            format!("write DeviceAllow=char-{driver} rw below [Service] with `systemctl edit gnss2shm@.service`");
        found.push(Finding::failure(ITEM, says, cure));
    }
    let consoles = system.value("/sys/class/tty/console/active").unwrap_or_default();
    if consoles.split_whitespace().any(|console| console == tty) {
        let says = format!("{device} is the kernel's console, which writes its messages to the receiver");
        let cure = format!("remove console={tty} from the kernel's command line and reboot");
        found.push(Finding::failure(ITEM, says, cure));
    }
    Ok(found)
}

/// Names of a device's driver in /proc/devices, by its major number.
fn drivers(system: &System, sysfs: &Path) -> Vec<String> {
    let number = system.value(sysfs.join("dev")).unwrap_or_default();
    let major = number.split(':').next().unwrap_or_default();
    let text = system.text("/proc/devices").unwrap_or_default();
    let characters = text.split("Block devices").next().unwrap_or_default();
    let of_major = characters.lines().filter_map(|line| line.trim().split_once(' ')).filter(|(of, _)| *of == major);
    of_major.map(|(_, name)| name.to_owned()).collect()
}

fn fifo(patient: &Patient<'_>, path: &str) -> Result<Vec<Finding>, Finding> {
    let node = node(patient.system, path)?;
    if !node.meta.file_type().is_fifo() {
        let cure = "make one with `mkfifo` in its place, or correct path in [fifo]";
        return Err(Finding::failure(ITEM, format!("{path} is not a FIFO"), cure));
    }
    let cure = "make it the service's: `chgrp dialout` and `chmod 0660`";
    let account = patient.account.as_ref();
    Ok(account.and_then(|account| account.check(patient.system, ITEM, READ, &node, cure)).into_iter().collect())
}

fn node(system: &System, device: &str) -> Result<Node, Finding> {
    system.node(device).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => Finding::unseen(ITEM, device),
        _ => {
            let ports = system.names(BY_ID).join(", ");
            let cure = format!("connect the receiver, or correct its name: {BY_ID} has [{ports}]");
            Finding::failure(ITEM, format!("{device} is not there"), cure)
        }
    })
}

/// Nothing is wrong with a server that answers.
fn answers(what: &str, server: &Server, cure: &str) -> Result<Vec<Finding>, Finding> {
    let mut addresses = (server.host.as_str(), server.port).to_socket_addrs().into_iter().flatten();
    if addresses.any(|address| TcpStream::connect_timeout(&address, ANSWERS_WITHIN).is_ok()) {
        Ok(vec![])
    } else {
        Err(Finding::failure(ITEM, format!("{what} does not answer at {server}"), cure))
    }
}
