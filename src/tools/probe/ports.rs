//! The serial ports, as the kernel lists them, and what is heard on them at any rate. A port that another process has is
//! not touched.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::heard::Heard;
use super::{FIND, QUEUED};
use crate::core::event::Event;
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::{self, Baud, SerialConfig, holder, stable_name};
use crate::source::sysfs::names;

/// After the first time of day a receiver is listened to for this much longer, to hear its other sentences.
const REST: Duration = Duration::from_millis(2_500);

/// A port and what was heard on it.
#[derive(Debug)]
pub struct Port {
    /// Its device.
    pub device: String,
    /// Why it was not listened to.
    pub left: Option<String>,
    /// What was heard.
    pub heard: Heard,
}

impl Port {
    /// As settings name it. Without a rate, the default stays.
    pub(super) fn config(&self) -> ReceiverConfig {
        let baud = self.heard.rate.map(Baud::Rate).unwrap_or_default();
        ReceiverConfig::Serial(SerialConfig { device: self.device.clone(), baud })
    }
}

/// Listens at one rate after the other.
pub(super) async fn listen(device: String) -> Port {
    let mut port = Port { device: device.clone(), left: None, heard: Heard::default() };
    let config = SerialConfig { device, baud: Baud::Auto };
    let opened = match open(&config) {
        Ok(opened) => opened,
        Err(why) => return Port { left: Some(why), ..port },
    };
    let (sender, mut events) = mpsc::channel(QUEUED);
    let mut until = Instant::now() + FIND;
    let hear = async {
        while let Ok(Some(event)) = timeout_at(until, events.recv()).await {
            if let Event::Bytes(bytes) = event {
                port.heard.take(&bytes);
            }
            if port.heard.names_time {
                until = until.min(Instant::now() + REST);
            }
        }
    };
    tokio::select! {
        () = serial::run(config, Some(opened), sender) => {}
        () = hear => {}
    }
    port
}

/// The ports that have hardware behind them.
pub(super) fn hardware() -> Vec<String> {
    let is_hardware = |device: &String| {
        let tty = Path::new("/sys/class/tty").join(device.trim_start_matches("/dev/"));
        // Names without a UART behind them (PORT_UNKNOWN) are many, and virtual terminals have no device at all.
        let kind = fs::read_to_string(tty.join("type")).unwrap_or_default();
        tty.join("device").exists() && kind.trim() != "0"
    };
    let ttys = devices("/sys/class/tty").into_iter().filter(is_hardware);
    let devices = ttys.chain(devices("/sys/class/gnss")).filter(|device| Path::new(device).exists());
    // A name that stays with the adapter is the one for the settings.
    devices.map(|device| stable_name(Path::new(&device)).map_or(device, |name| name.display().to_string())).collect()
}

/// Opens a port, or says why it must not be touched.
fn open(config: &SerialConfig) -> Result<serial::Port, String> {
    let holders = holder::holders(&config.device);
    if let Some(console) = holder::console(&config.device) {
        return Err(console);
    }
    let opened = if holders.is_empty() { serial::open(config) } else { Err(holder::held(&config.device, &holders)) };
    opened.map_err(|error| error.to_string())
}

/// Nodes of the devices of a class, which need not be there.
pub(super) fn devices(class: &str) -> Vec<String> {
    entries(class).into_iter().map(|name| format!("/dev/{name}")).collect()
}

/// Names in a directory, in the order of their numbers.
pub(super) fn entries(directory: &str) -> Vec<String> {
    let mut names = names(Path::new(directory));
    names.sort_by_key(String::len);
    names
}
