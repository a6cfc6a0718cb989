//! The PTP hardware clocks, and the pin that the pulse is wired to: each free pin is armed for a while, until on one of
//! them an edge follows another by a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant as TokioInstant, timeout_at};

use super::QUEUED;
use super::ports::{devices, entries};
use crate::core::event::Event;
use crate::core::time::{Instant, Phc as PhcTime, Span};
use crate::source::phc::cross::CrossReader;
use crate::source::phc::{Method, PhcConfig, Pin, deaf};
use crate::source::pulse::{Pulse, PulseConfig};
use crate::source::serial::holder;
use crate::source::sysfs::{self, Device, Finder};
use crate::source::thread::PulseThread;
use crate::sys::error::OpenError;
use crate::sys::ethtool;
use crate::sys::ptp::{Function, PinState, Ptp};

/// Programs that have a clock open and read no timestamps.
const NO_READERS: [&str; 3] = ["ptp4l", "phc2sys", "timemaster"];
/// How long a pin is armed: two pulses, the slowest known delivery (0.25 s), and some more.
const ARMED: Duration = Duration::from_millis(2_500);
/// After this time no further pin is tried.
const LAST_PIN: Duration = Duration::from_secs(20);
/// A second on the PHC, give or take this: more than any PHC is off by.
const TOLERANCE: Span = Span::from_millis(2);
/// With this many edges in [`ARMED`] it is not a pulse.
const FLOOD: usize = 64;

/// A PTP hardware clock.
#[derive(Debug)]
pub struct Clock {
    /// How settings should name it: by its network interface or its PCI address, which stay, else by its node.
    pub(super) device: String,
    /// `/dev/ptpN`.
    pub(super) node: PathBuf,
    /// What it can do, or why it cannot be used now.
    pub(super) able: Result<Able, String>,
}

/// What a clock can do.
#[derive(Debug)]
pub(super) struct Able {
    /// The driver's name for it.
    pub(super) driver: String,
    /// Channels of external timestamps.
    pub(super) channels: u32,
    /// How it is compared with the system clock.
    pub(super) method: Method,
    /// Its pins as they were found, and what was seen on them; none where there are no channels.
    pub(super) tried: Vec<Tried>,
}

/// A pin and what was seen on it.
#[derive(Debug)]
pub(super) struct Tried {
    /// The pin; `None` where the wiring of the channel is fixed.
    pub(super) pin: Option<PinState>,
    /// The channel.
    pub(super) channel: u32,
    /// What was seen.
    pub(super) saw: Saw,
}

/// What was seen on a pin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Saw {
    /// Edges a second apart.
    Pulse,
    /// This many edges, none of them a second after another.
    Edges(usize),
    /// Not touched: it has another function.
    InUse,
    /// Not armed, for this reason.
    Refused(String),
    /// Not needed, or no time left.
    Untried,
}

/// Gives pins back their function when it is dropped: to arm a pin on a channel takes the channel away from the pin that
/// has it.
#[derive(Debug)]
pub(super) struct Restorer(Ptp, Vec<PinState>);

impl Drop for Restorer {
    fn drop(&mut self) {
        let Self(ptp, before) = self;
        for pin in before.iter().filter(|pin| ptp.pin(pin.index).is_ok_and(|now| now != **pin)) {
            let _it_may_be_gone = ptp.set_pin(pin.index, pin.function, pin.channel);
        }
    }
}

/// The clocks to look at: these, else all.
pub(super) fn list(named: &[String]) -> Vec<String> {
    if named.is_empty() { devices("/sys/class/ptp") } else { named.to_vec() }
}

/// Looks at a clock and tries its pins, until the pulse is found on one.
pub(super) async fn try_pins(device: String) -> (Clock, Option<Restorer>) {
    let found = match Finder::live().phc(&device) {
        Ok(found) => found,
        Err(error) => return (Clock { node: PathBuf::from(&device), device, able: Err(sentence(&error)) }, None),
    };
    let looked = look(&found);
    let Device { node, .. } = found;
    let device = if device.starts_with("/dev/") { stable_name(&node).unwrap_or(device) } else { device };
    match looked {
        Err(why) => (Clock { device, node, able: Err(why) }, None),
        Ok((mut able, restorer)) => {
            able.try_pins(&node).await;
            (Clock { device, node, able: Ok(able) }, Some(restorer))
        }
    }
}

/// What the clock can do, or why it cannot be used now.
fn look(clock: &Device) -> Result<(Able, Restorer), String> {
    let (node, shown) = (clock.node.as_path(), clock.node.display());
    let cannot = |error| format!("{shown} cannot be asked what it can do: {error}");
    let ptp = Ptp::open(node).map_err(|error| sentence(&sysfs::PTP.unusable(node, &error)))?;
    let caps = ptp.caps().map_err(cannot)?;
    let pins = (0..caps.n_pins).map(|index| ptp.pin(index)).collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    let method = CrossReader::detect(&ptp).map_err(cannot)?.method;
    if let Some(deaf) = deaf(clock) {
        return Err(deaf);
    }
    let holders = holder::holders(&node.to_string_lossy());
    if let Some(reader) = holders.iter().find(|holder| !NO_READERS.contains(&holder.name.as_str()))
        && caps.n_ext_ts > 0
    {
        return Err(format!(
            "{shown} is in use by {reader}: stop it, because its pins cannot be tried beside a program that reads \
             timestamps"
        ));
    }
    let tried = order(&pins, caps.n_ext_ts);
    Ok((Able { driver: clock.name.clone(), channels: caps.n_ext_ts, method, tried }, Restorer(ptp, pins)))
}

impl Clock {
    /// The pin that has the pulse, as settings name it.
    pub(super) fn pulse(&self) -> Option<PhcConfig> {
        let wired = self.able.as_ref().ok()?.tried.iter().find(|tried| tried.saw == Saw::Pulse)?;
        Some(wired.config(&self.device))
    }
}

impl Able {
    async fn try_pins(&mut self, node: &Path) {
        let last = TokioInstant::now() + LAST_PIN;
        for tried in self.tried.iter_mut().filter(|tried| tried.saw == Saw::Untried) {
            if TokioInstant::now() < last {
                tried.arm(node, self.channels).await;
            }
            if tried.saw == Saw::Pulse {
                break;
            }
        }
        self.tried.sort_by_key(|tried| tried.pin.as_ref().map(|pin| pin.index));
    }
}

/// What to try, and in which order: first the pins that somebody has set to timestamp edges.
fn order(pins: &[PinState], channels: u32) -> Vec<Tried> {
    let fixed = (0..channels).filter(|_| pins.is_empty());
    let mut order: Vec<_> = fixed.map(|channel| Tried { pin: None, channel, saw: Saw::Untried }).collect();
    order.extend(pins.iter().filter(|_| channels > 0).map(|pin| {
        let saw = if matches!(pin.function, Function::Other(_)) { Saw::InUse } else { Saw::Untried };
        Tried { pin: Some(pin.clone()), channel: pin.channel, saw }
    }));
    order.sort_by_key(|tried| tried.pin.as_ref().is_none_or(|pin| pin.function != Function::ExtTs));
    order
}

impl Tried {
    /// As settings name it.
    fn config(&self, device: &str) -> PhcConfig {
        let pin = self.pin.as_ref().map(|pin| match pin.name.as_str() {
            "" => Pin(pin.index.to_string()),
            name => Pin(name.to_owned()),
        });
        PhcConfig { device: device.to_owned(), pin, channel: self.channel }
    }

    /// Arms the pin on the first channel that the driver allows: the one that it has, mostly.
    async fn arm(&mut self, node: &Path, channels: u32) {
        let own = self.channel;
        let others = (0..channels).filter(|channel| self.pin.is_some() && *channel != own);
        for channel in std::iter::once(own).chain(others) {
            self.channel = channel;
            let config = PulseConfig::Phc(self.config(&node.to_string_lossy()));
            match Pulse::open(&config) {
                Ok(pulse) => return self.saw = watch(config, pulse).await,
                Err(error) => self.saw = Saw::Refused(sentence(&error)),
            }
        }
    }
}

/// Reads the edges until there is a pulse among them, or the time is over.
async fn watch(config: PulseConfig, pulse: Pulse) -> Saw {
    let (sender, mut events) = mpsc::channel(QUEUED);
    let _thread = match PulseThread::spawn(config, Some(pulse), sender) {
        Ok(thread) => thread,
        Err(error) => return Saw::Refused(format!("no thread can be started: {error}")),
    };
    let (until, mut edges) = (TokioInstant::now() + ARMED, Vec::new());
    while let Ok(Some(event)) = timeout_at(until, events.recv()).await {
        if let Event::Edge(edge) = event
            && edges.len() < FLOOD
        {
            edges.push(edge.phc);
            if saw(&edges) == Saw::Pulse {
                break;
            }
        }
    }
    saw(&edges)
}

fn saw(edges: &[Instant<PhcTime>]) -> Saw {
    let is_second = |(n, later): (usize, &Instant<PhcTime>)| {
        edges.iter().take(n).any(|earlier| (*later - *earlier - Span::SECOND).abs() <= TOLERANCE)
    };
    let is_pulse = edges.len() < FLOOD && edges.iter().enumerate().any(is_second);
    if is_pulse { Saw::Pulse } else { Saw::Edges(edges.len()) }
}

/// A name for the settings that stays: its first network interface, else its PCI address, where that has no other clock.
fn stable_name(node: &Path) -> Option<String> {
    let clock = node.file_name()?.to_str()?;
    let number = clock.strip_prefix("ptp")?.parse().ok()?;
    let has_it = |name: &String| ethtool::phc_index(name).is_ok_and(|index| index == Some(number));
    entries("/sys/class/net").into_iter().find(has_it).or_else(|| {
        let device = fs::canonicalize(format!("/sys/class/ptp/{clock}/device")).ok()?;
        let address = device.file_name()?.to_string_lossy().into_owned();
        Finder::live().phc(&address).is_ok_and(|found| found.node == node).then_some(address)
    })
}

/// The error, without what `run` would do about it.
fn sentence(error: &OpenError) -> String {
    let sentence = error.to_string();
    let ends = ["; it is waited for", "; it is tried again every second"];
    ends.iter().find_map(|end| sentence.strip_suffix(end)).unwrap_or(&sentence).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_is_an_edge_that_follows_another_by_a_second() {
        for (edges_us, expected) in [
            (&[][..], Saw::Edges(0)),
            (&[0, 100_000], Saw::Edges(2)),
            (&[0, 1_001_000], Saw::Pulse),
            (&[0, 1_003_000], Saw::Edges(2)),
            (&[300, 100_300, 999_950], Saw::Pulse),
            (&[0, 500_000, 700_000, 1_600_000], Saw::Edges(4)),
        ] {
            let edges: Vec<_> = edges_us.iter().map(|us| Instant::from_nanos(us * 1_000)).collect();
            assert_eq!(saw(&edges), expected, "{edges_us:?}");
        }
        let flood: Vec<_> = (0..FLOOD as i64).map(|n| Instant::from_nanos(n * 20_000_000)).collect();
        assert_eq!(saw(&flood), Saw::Edges(FLOOD), "50 Hz is not a pulse");
    }

    #[test]
    fn pins_with_another_function_are_not_tried() {
        let pin = |index, function| PinState { name: format!("SDP{index}"), index, function, channel: 0 };
        let pins =
            [pin(0, Function::None), pin(1, Function::Other(2)), pin(2, Function::ExtTs), pin(3, Function::None)];
        let tried = order(&pins, 2).into_iter().filter(|tried| tried.saw == Saw::Untried);
        assert_eq!(tried.map(|tried| tried.pin.unwrap().index).collect::<Vec<_>>(), [2, 0, 3]);
        assert_eq!(order(&[], 2).iter().map(|tried| tried.channel).collect::<Vec<_>>(), [0, 1], "fixed wiring");
        assert!(order(&pins, 0).is_empty(), "no external timestamps");
    }

    #[tokio::test]
    async fn what_is_not_a_clock_says_so() {
        for (device, says) in [("/dev/null", "/dev/null is not a PTP hardware clock"), ("nosuchif0", "nosuchif0")] {
            let (clock, _) = try_pins(device.to_owned()).await;
            let said = clock.able.unwrap_err();
            assert!(said.contains(says), "{said}");
        }
    }
}
