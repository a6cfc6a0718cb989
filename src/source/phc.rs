//! The PHC as a source: edges of the pulse and cross timestamps. Handles the differences between drivers and kernels;
//! never decides which edge is on time. A `PulseThread` owns it.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::iter;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::link::{End, Link};
use super::serial::holder;
use super::sysfs::{Device, Finder, PTP, refuse};
use crate::core::event::{Edge, Edges, Event, SourceChange};
use crate::core::time::{Instant, Raw, Span};
use crate::sys::claim::Claim;
use crate::sys::clock::raw_now;
use crate::sys::error::{OpenError, Problem};
use crate::sys::ptp::{Function, PinState, Ptp, Queue, Request};
use crate::sys::wait::Woken;
use cross::CrossReader;
use schedule::{Delivery, Schedule, Step};

pub(crate) mod cross;
mod drivers;
pub(crate) mod schedule;

pub(crate) use drivers::{deaf, is_up};

/// Number of reads that empty a queue: the kernel keeps 128 events, and a read returns 30.
const EMPTIED_BY: usize = 5;
/// After this time without an edge, one is missing.
const GAP: Span = Span::from_millis(1_500);

/// A PHC, and the pin and channel of the pulse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhcConfig {
    /// A network interface, the address of a PCI device (anything with a colon), or a path to a node (anything with a
    /// slash: `/dev/ptpN` or a link to it).
    pub device: String,
    /// The pin; by default the one that already has the channel, else the first one, if it is free.
    pub pin: Option<Pin>,
    /// The channel of external timestamps, from 0.
    pub channel: u32,
}

/// A pin, as the operator writes it: its name (`SDP0`) or its number, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pin(pub(crate) String);

/// An open PHC that timestamps edges. Drop disables timestamping and restores the pins.
pub(crate) struct Phc {
    ptp: Ptp,
    clock: Device,
    channel: u32,
    /// The pin in its original state; none if the wiring is fixed.
    pin: Option<PinState>,
    /// The pin that had the channel before, in its original state.
    displaced: Option<PinState>,
    /// Which edges are timestamped, if that is certain.
    edges: Edges,
    cross: CrossReader,
    /// When the last edge was read.
    last_edge: Instant<Raw>,
    /// Whether another program can take edges, and none has been named yet.
    names_suspects: bool,
    /// Not armed now, see [`deaf`].
    deaf: bool,
    /// Held until pin and channel are restored.
    _claims: Vec<Claim>,
}

impl Phc {
    /// Opens the PHC, enables timestamps, and logs what was found.
    ///
    /// # Errors
    /// [`Problem::NotThere`] and [`Problem::Failed`] may be temporary; anything else is a wrong setting.
    pub(crate) fn open(config: &PhcConfig) -> Result<Self, OpenError> {
        let clock = Finder::live().phc(&config.device)?;
        let (node, channel) = (clock.node.as_path(), config.channel);
        let cannot = |error| PTP.unusable(node, &error);
        let ptp = Ptp::open(node).map_err(cannot)?;
        check_channel(&clock, channel, ptp.channels().map_err(cannot)?)?;
        let pins = ptp.pins().map_err(cannot)?;
        let pin = choose_pin(&clock, config, &pins)?;
        let is_other = |other: &PinState| pin.as_ref().is_some_and(|pin| pin.index != other.index);
        let displaced =
            pins.into_iter().find(|pin| pin.function == Function::EXT_TS && pin.channel == channel && is_other(pin));
        let cross = CrossReader::detect(&ptp).map_err(cannot)?;
        let queue = ptp.only_channel(channel).map_err(cannot)?;
        // Up to here, nothing that another process uses was changed.
        let claims = claim(node, channel, pin.as_ref(), queue)?;

        // From here on, Drop restores pin and channel.
        let mut phc = Self {
            edges: drivers::granted(&clock, Request::Loose),
            ptp,
            clock,
            channel,
            pin,
            displaced,
            cross,
            last_edge: raw_now(),
            names_suspects: queue == Queue::Shared,
            deaf: false,
            _claims: claims,
        };
        phc.arm()?;
        info!(
            device = config.device,
            clock = %phc.clock,
            pin = phc.pin.as_ref().map(|pin| &pin.name),
            channel,
            edges = ?phc.edges,
            cross = ?phc.cross.method,
            "the PTP hardware clock timestamps the pulse"
        );
        Ok(phc)
    }

    /// Passes on edges and cross timestamps: the edges of a read before the cross timestamp that is taken right after it.
    pub(super) fn serve(&mut self, link: &Link) -> Result<Infallible, End> {
        // Discard edges queued earlier, whose age is unknown.
        for _ in 0..EMPTIED_BY {
            if self.ptp.wait(&link.bell, Duration::ZERO)? == Woken::Input {
                self.ptp.read(self.channel)?;
            }
        }
        link.change(SourceChange::PulseOpen(self.edges))?;
        let mut schedule = Schedule::new(raw_now());
        if self.deaf {
            schedule.rearm_soon(raw_now());
        }
        let mut batch = Vec::new();
        loop {
            link.heart.beat();
            let now = raw_now();
            match schedule.next(now) {
                Step::CrossTs(delivery) => {
                    schedule.cross_taken(now);
                    if let Some(cross) = self.cross.read(&self.ptp)? {
                        batch.push((Event::CrossTs(cross), delivery));
                    }
                }
                Step::Rearm => {
                    schedule.rearmed(now);
                    self.name_suspects();
                    match self.arm() {
                        Ok(()) if self.deaf => schedule.rearm_soon(now),
                        Ok(()) => {
                            debug!("no edge for 3 s: pin and channel of {} were set again", self.clock);
                            link.change(SourceChange::PulseRearmed)?;
                        }
                        Err(error) => debug!("{error}"), // if the device is gone, the next cross timestamp fails
                    }
                }
                Step::Wait(span) => {
                    for event in due(&mut batch) {
                        link.events.blocking_send(event).map_err(|_| End::Stop)?;
                    }
                    let time = Duration::from_nanos(u64::try_from(span.nanos()).unwrap_or(0));
                    match self.ptp.wait(&link.bell, time)? {
                        Woken::Timeout => {}
                        Woken::Input => self.read_edges(&mut schedule, &mut batch)?,
                        Woken::Rung => return Err(End::Stop),
                    }
                }
            }
        }
    }

    /// Reads the channel's queued edges: none if all belonged to another channel or were taken by another program.
    fn read_edges(&mut self, schedule: &mut Schedule, batch: &mut Vec<(Event, Delivery)>) -> io::Result<()> {
        let edges = self.ptp.read(self.channel)?;
        let read_at = raw_now();
        if !edges.is_empty() && read_at - std::mem::replace(&mut self.last_edge, read_at) > GAP {
            self.name_suspects();
        }
        for phc in edges {
            batch.push((Event::Edge(Edge { phc, read_at }), Delivery::Now));
            schedule.edges_read(read_at);
        }
        Ok(())
    }

    /// Edges are missing: names the programs that may have them, once. Before Linux 6.7, all readers of a PHC share one
    /// queue, and a program that reads an edge takes it from the others.
    fn name_suspects(&mut self) {
        let node = self.clock.node.display();
        let holders = if self.names_suspects { holder::holders(&node.to_string()) } else { Vec::new() };
        if !holders.is_empty() {
            self.names_suspects = false;
            warn!(
                "pulse edges are missing, and before Linux 6.7, a program that reads a clock's timestamps takes them \
                 from the other readers; {node} is also open in {}: stop it if it reads timestamps (ts2phc, testptp, \
                 and chronyd's extpps do; ptp4l and phc2sys do not)",
                holder::list(&holders)
            );
        }
    }

    /// Sets pin and channel, unless the clock is [`deaf`] now.
    fn arm(&mut self) -> Result<(), OpenError> {
        let _ignored = self.ptp.disable_extts(self.channel); // it may already be disabled, which some drivers reject
        if let Some(pin) = &self.pin {
            self.ptp.set_pin(pin.index, Function::EXT_TS, self.channel).map_err(|error| self.refused(&error))?;
        }
        let sentence = deaf(&self.clock);
        if let Some(sentence) = sentence.as_ref().filter(|_| !self.deaf) {
            warn!("{sentence}");
        }
        self.deaf = sentence.is_some();
        if self.deaf {
            return Ok(());
        }
        // After any error, try the next request: drivers refuse in many ways, and if the device is gone, the last one
        // fails.
        let ask = |request| self.ptp.enable_extts(self.channel, request).map(|()| request);
        let grant = ask(Request::StrictRising).or_else(|_| ask(Request::StrictBoth)).or_else(|_| ask(Request::Loose));
        self.edges = drivers::granted(&self.clock, grant.map_err(|error| self.refused(&error))?);
        Ok(())
    }

    fn refused(&self, error: &io::Error) -> OpenError {
        let (clock, channel) = (&self.clock, self.channel);
        let pin = self.pin.as_ref().map_or("its pin", |pin| &pin.name);
        match error.raw_os_error() {
            Some(libc::EOPNOTSUPP | libc::EINVAL | libc::ERANGE) => OpenError::new(
                Problem::Unsupported,
                format!("{clock} refuses {pin} for channel {channel} ({error}): choose another pin or channel"),
            ),
            _ => PTP.unusable(&clock.node, error),
        }
    }
}

impl Drop for Phc {
    fn drop(&mut self) {
        let _ignored = self.ptp.disable_extts(self.channel); // the device may be gone
        for pin in self.pin.iter().chain(&self.displaced) {
            let _ignored = self.ptp.set_pin(pin.index, pin.function, pin.channel);
        }
    }
}

/// The events to send now, in the order in which they were captured: all of them, or none yet. Sent back to back, the cross
/// timestamp before an edge, the edge, and the cross timestamp after it wake the engine's thread once.
fn due(batch: &mut Vec<(Event, Delivery)>) -> Vec<Event> {
    let is_due = batch.iter().any(|(_, delivery)| *delivery == Delivery::Now);
    if is_due { batch.drain(..).map(|(event, _)| event).collect() } else { Vec::new() }
}

/// Checks that the clock has the channel.
pub(crate) fn check_channel(clock: &impl fmt::Display, channel: u32, channels: u32) -> Result<(), OpenError> {
    if channels == 0 {
        let cure = "use the NIC that the pulse is wired to, or wire it to a serial port ([pps])";
        return refuse(Problem::Unsupported, format!("{clock} has no external timestamps"), cure);
    }
    if channel < channels {
        return Ok(());
    }
    let says = format!("{clock} has no channel {channel}; its last channel is {}", channels - 1);
    refuse(Problem::Wrong, says, "correct channel, or remove it")
}

/// The pin to set: the one that was named, else the one that has the channel, else the first, if it is free; none if the
/// wiring is fixed.
pub(crate) fn choose_pin(
    clock: &impl fmt::Display,
    config: &PhcConfig,
    pins: &[PinState],
) -> Result<Option<PinState>, OpenError> {
    let names = pins.iter().map(|pin| pin.name.as_str()).collect::<Vec<_>>().join(", ");
    let Some(Pin(wanted)) = &config.pin else {
        let set = pins.iter().find(|pin| pin.function == Function::EXT_TS && pin.channel == config.channel);
        return match set.or(pins.first()) {
            Some(PinState { name, function, .. }) if set.is_none() && *function != Function::NONE => {
                let cure = format!("set pin to the one that the pulse is wired to, one of {names}");
                let says = format!("no pin is named, and the first one of {clock}, {name}, is in use");
                refuse(Problem::Wrong, says, cure)
            }
            found => Ok(found.cloned()),
        };
    };
    let is_wanted = |pin: &&PinState| pin.name == *wanted || wanted.parse() == Ok(pin.index);
    let found = pins.iter().find(is_wanted).cloned();
    let cure = if pins.is_empty() { "remove pin".into() } else { format!("it has {names}, counted from 0") };
    let error = || OpenError::cured(Problem::Wrong, format!("{clock} has no pin {wanted}"), cure);
    found.ok_or_else(error).map(Some)
}

/// Claims channel and pin, or the whole clock if all readers share one queue: another process that arms them takes them
/// away without notice, and switches them off when it ends.
fn claim(path: &Path, channel: u32, pin: Option<&PinState>, queue: Queue) -> Result<Vec<Claim>, OpenError> {
    let node = path.display();
    let channel = match queue {
        Queue::Own => (format!("phc-channel-{channel}"), format!("channel {channel}")),
        Queue::Shared => ("phc".to_owned(), "every channel (before Linux 6.7)".to_owned()),
    };
    let pin = pin.map(|pin| (format!("phc-pin-{}", pin.index), format!("pin {}", pin.name)));
    let claim = |(purpose, what): (String, String)| {
        Claim::take_path(&purpose, path, |rival| {
            format!("{what} of {node} is used by {rival}: stop that program, or give each its own")
        })
    };
    iter::once(channel).chain(pin).map(claim).collect()
}

impl FromStr for Pin {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        // No driver uses a number, or an empty text, as a name.
        if text.parse::<u32>().is_err() && text.chars().all(|c| c.is_ascii_digit() || "+-.".contains(c)) {
            return Err(format!(
                "`{text}` is invalid: it must be a pin's name, such as \"SDP0\", or its number, counted from 0"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests;
