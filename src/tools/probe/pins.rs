//! Which pin the pulse is wired to: each free pin is armed for a while, as many at a time as the clock has channels,
//! until on one of them an edge follows another by a second. Every pin is left as it was found.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant as StdInstant};

use crate::core::time::{Instant, Phc, Span};
use crate::source::phc::PhcConfig;
use crate::sys::eventfd::EventFd;
use crate::sys::ptp::{Function, PinState, Ptp, Request, Stamp, Woken};

/// How long a pin is armed: two pulses, the slowest delivery known (0.25 s), and some more.
const ARMED: Duration = Duration::from_millis(2_500);
/// After this no further pin is begun with: a search is to take less than half a minute.
const LAST_ROUND: Duration = Duration::from_millis(10_500);
/// A second on the PHC, give or take this: more than any PHC is off by.
const TOLERANCE: Span = Span::from_millis(2);
/// Edges remembered of a pin; with more than that in 2.5 s it is no pulse.
const REMEMBERED: usize = 64;

/// How long the end of the thread is waited for. It takes milliseconds, unless another program on a kernel before 6.7
/// took the event that our read is waiting for.
const STUCK: Duration = Duration::from_secs(1);

/// What came of a pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The pin; `None` where the wiring of the channel is fixed.
    pub pin: Option<PinState>,
    /// The channel that it was tried on.
    pub channel: u32,
    /// What was seen on it.
    pub saw: Saw,
}

/// What was seen on a pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saw {
    /// Edges a second apart.
    Pulse,
    /// That many edges, none of them a second after another.
    Edges(usize),
    /// Nothing.
    Nothing,
    /// It is in use for something else and was not touched.
    InUse,
    /// The driver does not let it stamp edges.
    Refused,
    /// There was no need to try it any more, or no time.
    Untried,
}

/// A pin that is listened to.
struct Armed {
    pin: Option<PinState>,
    channel: u32,
    edges: Vec<Instant<Phc>>,
}

/// The thread that tries the pins of a clock. Dropped, it is stopped, and the pins are as they were.
#[derive(Debug)]
pub struct Trial {
    bell: Arc<EventFd>,
    handle: JoinHandle<()>,
}

impl Trial {
    /// Tries the pins of this clock and hands over what came of it, along with what gives the pins back.
    pub fn start(
        ptp: Ptp,
        pins: Vec<PinState>,
        channels: u32,
        done: impl FnOnce(io::Result<Vec<Tried>>, Restorer) + Send + 'static,
    ) -> io::Result<Self> {
        let bell = Arc::new(EventFd::new()?);
        let ring = Arc::clone(&bell);
        let handle = std::thread::Builder::new().name("pins".into()).spawn(move || {
            let mut restorer = Restorer { ptp, before: pins, channels, touched: false };
            let tried = restorer.try_all(&ring);
            restorer.restore();
            done(tried, restorer);
        })?;
        Ok(Self { bell, handle })
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.bell.ring();
        let patience = StdInstant::now() + STUCK;
        while !self.handle.is_finished() && StdInstant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Gives the pins back what they were set to, at the latest when it is dropped. It has the clock open.
#[derive(Debug)]
pub struct Restorer {
    ptp: Ptp,
    before: Vec<PinState>,
    channels: u32,
    touched: bool,
}

impl Restorer {
    fn try_all(&mut self, bell: &EventFd) -> io::Result<Vec<Tried>> {
        let fixed = self.before.is_empty();
        let mut left: VecDeque<Option<PinState>> = if fixed {
            vec![None; self.channels as usize].into()
        } else {
            order(&self.before).into_iter().map(Some).collect()
        };
        let mut tried: Vec<Tried> = (self.before.iter())
            .filter(|pin| matches!(pin.function, Function::Other(_)))
            .map(|pin| Tried { pin: Some(pin.clone()), channel: pin.channel, saw: Saw::InUse })
            .collect();
        let (mut found, last_round) = (false, StdInstant::now() + LAST_ROUND);
        let mut rest = Saw::Untried;
        while !left.is_empty() && !found && StdInstant::now() < last_round {
            let mut armed = Vec::new();
            for channel in 0..self.channels {
                self.clear(channel)?;
                let suits = |pin: Option<&PinState>| is_free_for(pin, channel) && self.arm(pin, channel).is_ok();
                if let Some(at) = left.iter().position(|pin| suits(pin.as_ref())) {
                    armed.extend(left.remove(at).map(|pin| Armed { pin, channel, edges: Vec::new() }));
                }
            }
            if armed.is_empty() {
                rest = Saw::Refused;
                break;
            }
            found = self.count(&mut armed, bell)?;
            for Armed { pin, channel, edges } in armed {
                let _it_may_mind = self.ptp.disable_extts(channel);
                if let Some(pin) = &pin {
                    let _ignored = self.ptp.set_pin(pin.index, Function::None, 0);
                }
                tried.push(Tried { pin, channel, saw: saw(&edges) });
            }
        }
        tried.extend(left.into_iter().map(|pin| Tried { pin, channel: 0, saw: rest.clone() }));
        tried.sort_by_key(|tried| tried.pin.as_ref().map(|pin| pin.index));
        Ok(tried)
    }

    /// Switches a channel off and throws away what is queued, so that no edge is taken for another pin's.
    fn clear(&mut self, channel: u32) -> io::Result<()> {
        self.touched = true;
        let _it_may_be_off = self.ptp.disable_extts(channel);
        self.ptp.drain()
    }

    fn arm(&self, pin: Option<&PinState>, channel: u32) -> io::Result<()> {
        if let Some(pin) = pin {
            self.ptp.set_pin(pin.index, Function::ExtTs, channel)?;
        }
        // Which edges are granted does not matter here.
        self.ptp.enable_extts(channel, Request::Loose)
    }

    /// Listens to the armed pins; whether there is a pulse on one.
    fn count(&self, armed: &mut [Armed], bell: &EventFd) -> io::Result<bool> {
        let until = StdInstant::now() + ARMED;
        loop {
            let time = until.saturating_duration_since(StdInstant::now());
            match self.ptp.wait(bell, time)? {
                Woken::Timeout if time.is_zero() => return Ok(false),
                Woken::Timeout => {}
                Woken::Rung => return Err(io::Error::from(io::ErrorKind::Interrupted)),
                Woken::Gone => return Err(io::Error::from_raw_os_error(libc::ENODEV)),
                Woken::Events => {
                    for Stamp { phc, channel } in self.ptp.read()? {
                        let its = armed.iter_mut().find(|armed| armed.channel == channel);
                        if let Some(armed) = its.filter(|armed| armed.edges.len() < REMEMBERED) {
                            armed.edges.push(phc);
                        }
                    }
                }
            }
            if armed.iter().any(|armed| saw(&armed.edges) == Saw::Pulse) {
                return Ok(true);
            }
        }
    }

    /// Switches time stamping off and gives back what pins do not have any more.
    fn restore(&self) {
        if !self.touched {
            return;
        }
        for channel in 0..self.channels {
            let _it_may_be_off = self.ptp.disable_extts(channel);
        }
        // Those first that had no function: a function that one pin gets, another one loses.
        let (free, set): (Vec<_>, Vec<_>) = self.before.iter().partition(|pin| pin.function == Function::None);
        for pin in free.into_iter().chain(set) {
            let is_as_before = self.ptp.pin(pin.index).is_ok_and(|now| now == *pin);
            if !is_as_before {
                let _it_may_be_gone = self.ptp.set_pin(pin.index, pin.function, pin.channel);
            }
        }
    }
}

impl Drop for Restorer {
    fn drop(&mut self) {
        self.restore();
    }
}

impl Tried {
    /// As settings name it.
    pub fn config(&self, device: &str) -> PhcConfig {
        let pin = self.pin.as_ref().map(|pin| match pin.name.as_str() {
            "" => crate::source::phc::Pin::Index(pin.index),
            name => crate::source::phc::Pin::Name(name.to_owned()),
        });
        PhcConfig { device: device.to_owned(), pin, channel: self.channel }
    }
}

/// Pins in the order in which they are tried: those first that somebody has set to stamp edges.
fn order(pins: &[PinState]) -> Vec<PinState> {
    let with = |function| pins.iter().filter(move |pin| pin.function == function).cloned();
    with(Function::ExtTs).chain(with(Function::None)).collect()
}

/// A pin that has a channel already is tried on that one.
fn is_free_for(pin: Option<&PinState>, channel: u32) -> bool {
    pin.is_none_or(|pin| pin.function == Function::None || pin.channel == channel)
}

fn saw(edges: &[Instant<Phc>]) -> Saw {
    let is_second = |(n, later): (usize, &Instant<Phc>)| {
        edges.iter().take(n).any(|earlier| (*later - *earlier - Span::SECOND).abs() <= TOLERANCE)
    };
    match edges.len() {
        0 => Saw::Nothing,
        REMEMBERED.. => Saw::Edges(REMEMBERED),
        _ if edges.iter().enumerate().any(is_second) => Saw::Pulse,
        some => Saw::Edges(some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_is_an_edge_that_follows_another_by_a_second() {
        for (edges_us, expected) in [
            (&[][..], Saw::Nothing),
            (&[0, 100_000], Saw::Edges(2)),
            (&[0, 1_001_000], Saw::Pulse),
            (&[0, 1_003_000], Saw::Edges(2)),
            (&[300, 100_300, 999_950], Saw::Pulse),
            (&[0, 500_000, 700_000, 1_600_000], Saw::Edges(4)),
        ] {
            let edges: Vec<_> = edges_us.iter().map(|us| Instant::from_nanos(us * 1_000)).collect();
            assert_eq!(saw(&edges), expected, "{edges_us:?}");
        }
        let flood: Vec<_> = (0..REMEMBERED as i64).map(|n| Instant::from_nanos(n * 20_000_000)).collect();
        assert_eq!(saw(&flood), Saw::Edges(REMEMBERED), "50 Hz is no pulse");
    }

    #[test]
    fn pins_that_do_something_else_are_not_tried() {
        let pin = |index, function| PinState { name: format!("SDP{index}"), index, function, channel: 0 };
        let pins =
            [pin(0, Function::None), pin(1, Function::Other(2)), pin(2, Function::ExtTs), pin(3, Function::None)];
        assert_eq!(order(&pins).iter().map(|pin| pin.index).collect::<Vec<_>>(), [2, 0, 3]);
        assert!(is_free_for(Some(&pins[2]), 0) && !is_free_for(Some(&pins[2]), 1) && is_free_for(Some(&pins[0]), 1));
    }
}
