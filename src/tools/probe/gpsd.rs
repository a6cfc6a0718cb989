//! The devices of a gpsd on this machine: asked for once.

use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::source::gpsd::GpsdConfig;

/// A gpsd opens its devices for its first client, and answers after that: 3.1 s were seen.
const PATIENCE: Duration = Duration::from_secs(10);
/// gpsd's lines have 10,240 bytes at most; its greeting comes before the answer.
const ANSWER_MAX: usize = 32_768;

/// A gpsd that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpsd {
    /// Where.
    pub server: GpsdConfig,
    /// Its receivers, as it names them.
    pub devices: Vec<String>,
}

#[derive(Deserialize)]
struct Devices {
    devices: Vec<Device>,
}

#[derive(Deserialize)]
struct Device {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    driver: Option<String>,
}

/// Asks this gpsd; `None` where none answers.
pub async fn ask(server: GpsdConfig) -> Option<Gpsd> {
    let answer = timeout(PATIENCE, converse(&server)).await.ok()??;
    Some(Gpsd { server, devices: answer })
}

async fn converse(config: &GpsdConfig) -> Option<Vec<String>> {
    let mut stream = TcpStream::connect((config.server.host.as_str(), config.server.port)).await.ok()?;
    stream.write_all(b"?DEVICES;\n").await.ok()?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4_096]);
    while answer.len() < ANSWER_MAX {
        let length = stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
        answer.extend_from_slice(buffer.get(..length).unwrap_or_default());
        if let Some(devices) = devices(&answer) {
            return Some(devices);
        }
    }
    None
}

/// The receivers in gpsd's answer, once it is complete. A kernel PPS device is none.
fn devices(answer: &[u8]) -> Option<Vec<String>> {
    let lines = answer.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let listed = lines
        .filter(|line| line.starts_with(br#"{"class":"DEVICES""#))
        .find_map(|line| serde_json::from_slice::<Devices>(line).ok())?;
    let receivers = listed.devices.into_iter().filter(|device| device.driver.as_deref() != Some("PPS"));
    Some(receivers.filter_map(|device| device.path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_devices_are_read_from_a_whole_line_and_only_there() {
        let version = r#"{"class":"VERSION","release":"3.27.5","rev":"3.27.5","proto_major":16,"proto_minor":1}"#;
        let list = r#"{"class":"DEVICES","devices":[{"class":"DEVICE","path":"/dev/ttyS1","driver":"NMEA0183","activated":"2026-11-20T23:06:10.000Z","bps":115200},{"class":"DEVICE","path":"/dev/pps0","driver":"PPS"}]}"#;
        let whole = format!("{version}\r\n{list}\r\n");
        assert_eq!(devices(whole.as_bytes()), Some(vec!["/dev/ttyS1".to_owned()]));
        assert_eq!(devices(whole.trim_end().as_bytes()), None, "not to its end");
        assert_eq!(devices(b"{\"class\":\"DEVICES\",\"devices\":[]}\r\n"), Some(vec![]));
        let odd =
            b"{\"class\":\"DEVICES\",\"new\":{},\"devices\":[{\"driver\":null},{\"path\":\"/dev/a\",\"new\":7}]}\r\n";
        assert_eq!(devices(odd), Some(vec!["/dev/a".to_owned()]), "fields missing and fields unknown");
        assert_eq!(devices(b"SSH-2.0-OpenSSH\r\n"), None);
    }
}
