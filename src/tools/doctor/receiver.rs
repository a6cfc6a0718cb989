//! The receiver: its device is there and the service may use it, or its server answers.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::{Finding, Patient, READ, READ_WRITE};
use crate::source::receiver::{ReceiverConfig, Server};

const ITEM: &str = "receiver";
/// Stable names of USB ports.
const BY_ID: &str = "/dev/serial/by-id";
/// A server on this machine or in its network answers sooner.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn check(patient: &Patient<'_>, config: &ReceiverConfig) -> Result<Finding, Finding> {
    match config {
        ReceiverConfig::Serial(serial) => port(patient, &serial.device)?,
        ReceiverConfig::Gpsd(gpsd) => {
            answers(&gpsd.server, "run `systemctl enable --now gpsd.socket`, or correct server in [gpsd]")?;
        }
        ReceiverConfig::Tcp(server) => answers(server, "start the server, or correct server in [tcp]")?,
        ReceiverConfig::Fifo(path) => {
            let denied = "make it the service's: `chgrp dialout` and `chmod 0660`";
            patient.may_use(ITEM, path, READ, "make it with `mkfifo`, or correct path in [fifo]", denied)?;
        }
        ReceiverConfig::Stdin => {}
    }
    Ok(Finding::ok(ITEM, config.to_string()))
}

fn port(patient: &Patient<'_>, device: &str) -> Result<(), Finding> {
    let ports = patient.system.names(BY_ID).join(", ");
    let absent = format!("connect the receiver, or correct its name: {BY_ID} has [{ports}]");
    let denied = "run `udevadm trigger --action=change --subsystem-match=tty`: ports are for the group dialout";
    patient.may_use(ITEM, Path::new(device), READ_WRITE, &absent, denied)
}

fn answers(server: &Server, cure: &str) -> Result<(), Finding> {
    let mut addresses = (server.host.as_str(), server.port).to_socket_addrs().into_iter().flatten();
    if addresses.any(|address| TcpStream::connect_timeout(&address, ANSWERS_WITHIN).is_ok()) {
        return Ok(());
    }
    Err(Finding::failure(ITEM, format!("nothing answers at {server}"), cure))
}
