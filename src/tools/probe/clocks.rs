//! The PTP hardware clocks, and the pin that the pulse is wired to: each free pin is armed for a while, until one of
//! them has two edges one second apart.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant as TokioInstant, timeout_at};

use super::QUEUED;
use super::ports::entries;
use crate::core::event::Event;
use crate::core::time::{EdgeClock, Instant, Span};
use crate::source::phc::cross::CrossReader;
use crate::source::phc::{PhcConfig, Pin, check_channel, deaf};
use crate::source::pulse::{Pulse, PulseConfig, PulseThread};
use crate::source::serial::holder;
use crate::source::sysfs::{Finder, PTP, refuse};
use crate::sys::error::{OpenError, Problem};
use crate::sys::ptp::{Function, PinState, Ptp};

/// Programs that have a clock open but do not read timestamps.
const NO_READERS: [&str; 3] = ["ptp4l", "phc2sys", "timemaster"];
/// How long a pin is armed: two pulses, the slowest known delivery (0.25 s), and a margin.
const ARMED: Duration = Duration::from_millis(2_500);
/// After this time no further pin is tried.
const LAST_PIN: Duration = Duration::from_secs(20);
/// Tolerance of a second on the PHC: more than any PHC's frequency error.
const TOLERANCE: Span = Span::from_millis(2);
/// This many edges within [`ARMED`] are not a pulse.
const FLOOD: usize = 32;

/// A PTP hardware clock.
#[derive(Debug)]
pub(crate) struct Clock {
    /// What it can do, or why it cannot be used now.
    pub(super) says: String,
    /// Its pins, and what was seen on them; none if it cannot be used.
    pub(super) pins: Vec<Tried>,
}

/// A pin and what was seen on it.
#[derive(Debug)]
pub(super) struct Tried {
    /// As settings name it.
    pub(super) config: PhcConfig,
    /// What was seen.
    pub(super) saw: Saw,
}

/// What was seen on a pin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Saw {
    /// Not needed, or out of time.
    Untried,
    /// Not armed, for this reason.
    Left(String),
    /// This many edges, no two of them one second apart.
    Edges(usize),
    /// Edges one second apart.
    Pulse,
}

/// Examines a clock and tries its pins until the pulse is found.
pub(super) async fn try_pins(device: String) -> Clock {
    let mut clock = match look(&device) {
        Ok(clock) => clock,
        Err(error) => return Clock { says: error.to_string(), pins: Vec::new() },
    };
    let last = TokioInstant::now() + LAST_PIN;
    for tried in clock.pins.iter_mut().filter(|tried| tried.saw == Saw::Untried) {
        tried.saw = watch(PulseConfig::Phc(tried.config.clone())).await.unwrap_or_else(Saw::Left);
        if tried.saw == Saw::Pulse || TokioInstant::now() >= last {
            break;
        }
    }
    clock
}

/// The clock's capabilities, and the pins to try.
fn look(device: &str) -> Result<Clock, OpenError> {
    let clock = Finder::live().phc(device)?;
    let node = clock.node.as_path();
    let cannot = |error| PTP.unusable(node, &error);
    let ptp = Ptp::open(node).map_err(cannot)?;
    let channels = ptp.channels().map_err(cannot)?;
    check_channel(&clock, 0, channels)?;
    let pins: Vec<_> = ptp.pins().map_err(cannot)?;
    let method = CrossReader::detect(&ptp).map_err(cannot)?.method;
    if let Some(sentence) = deaf(&clock) {
        return Err(OpenError::new(Problem::Failed, sentence));
    }
    let mut holders = holder::holders(&node.to_string_lossy()).into_iter();
    if let Some(reader) = holders.find(|holder| !NO_READERS.contains(&holder.name.as_str())) {
        let cure = "stop it, because its pins cannot be tried while another program reads timestamps";
        return refuse(Problem::Taken, format!("{} is in use by {reader}", node.display()), cure);
    }
    let stable = if device.contains('/') { stable_name(node) } else { None };
    let pins = order(stable.as_deref().unwrap_or(device), &pins, channels);
    let method = format!("{method:?}").to_lowercase();
    let says = format!("{clock}: {} pins, {channels} channels, {method} cross timestamps", pins.len());
    Ok(Clock { says, pins })
}

/// The pins to try, or the channels if their wiring is fixed.
fn order(device: &str, pins: &[PinState], channels: u32) -> Vec<Tried> {
    let tried = |pin, channel, saw| Tried { config: PhcConfig { device: device.to_owned(), pin, channel }, saw };
    if pins.is_empty() {
        return (0..channels).map(|channel| tried(None, channel, Saw::Untried)).collect();
    }
    let pin = |pin: &PinState| {
        let name = if pin.name.is_empty() { pin.index.to_string() } else { pin.name.clone() };
        let saw = match pin.function {
            Function::NONE | Function::EXT_TS => Saw::Untried,
            Function(_) => Saw::Left("used for another function, not touched".into()),
        };
        tried(Some(Pin(name)), pin.channel, saw)
    };
    pins.iter().map(pin).collect()
}

/// Arms the pin and reads its edges until they contain a pulse or the time is over; an error if it cannot be armed.
async fn watch(config: PulseConfig) -> Result<Saw, String> {
    let pulse = Pulse::open(&config).map_err(|error| error.to_string())?;
    let (sender, mut events) = mpsc::channel(QUEUED);
    let thread = PulseThread::spawn(config, Some(pulse), sender);
    let _thread = thread.map_err(|error| format!("no thread can be started: {error}"))?;
    let (until, mut edges) = (TokioInstant::now() + ARMED, Vec::new());
    while let Ok(Some(event)) = timeout_at(until, events.recv()).await {
        if let Event::Edge(edge) = event {
            edges.push(edge.phc);
        }
        if edges.len() == FLOOD || saw(&edges) == Saw::Pulse {
            break;
        }
    }
    drop(events); // before the thread, which a full channel blocks
    Ok(saw(&edges))
}

fn saw(edges: &[Instant<EdgeClock>]) -> Saw {
    let is_second = |(n, later): (usize, &Instant<EdgeClock>)| {
        edges.iter().take(n).any(|earlier| (*later - *earlier - Span::SECOND).abs() <= TOLERANCE)
    };
    let is_pulse = edges.len() < FLOOD && edges.iter().enumerate().any(is_second);
    if is_pulse { Saw::Pulse } else { Saw::Edges(edges.len()) }
}

/// A stable name for the settings: its first network interface, else its PCI address, unless that has other clocks.
fn stable_name(node: &Path) -> Option<String> {
    let mut names = ["/sys/class/net", "/sys/bus/pci/devices"].into_iter().flat_map(entries);
    names.find(|name| Finder::live().phc(name).is_ok_and(|found| found.node == node))
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
        let pins = [pin(0, Function::NONE), pin(1, Function(2)), pin(2, Function::EXT_TS)];
        let tried = order("eth0", &pins, 2).into_iter().filter(|tried| tried.saw == Saw::Untried);
        let names: Vec<_> = tried.map(|tried| tried.config.pin.unwrap().to_string()).collect();
        assert_eq!(names, ["SDP0", "SDP2"]);
        let fixed: Vec<_> = order("eth0", &[], 2).iter().map(|tried| tried.config.channel).collect();
        assert_eq!(fixed, [0, 1], "fixed wiring");
    }

    #[tokio::test]
    async fn what_is_not_a_clock_says_so() {
        for (device, says) in [("/dev/null", "/dev/null is not a PTP hardware clock"), ("nosuchif0", "nosuchif0")] {
            let clock = try_pins(device.to_owned()).await;
            assert!(clock.says.contains(says) && clock.pins.is_empty(), "{clock:?}");
        }
    }
}
