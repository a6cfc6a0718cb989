//! Finds receiver and pulse on an unknown machine: listens on every serial port at every rate, tries every pin of every
//! clock, queries gpsd, and feeds the two that were found to the engine. It decides nothing about time:
//! [`Engine`] finds the on-time edge from the events of the daemon's own sources.
//!
//! Ports in use by another process are not touched; pins are restored.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::core::engine::Engine;
use crate::core::event::{Event, State, Verdict};
use crate::core::time::Span;
use crate::source::gpsd::{self, GpsdConfig};
use crate::source::phc::PhcConfig;
use crate::source::pulse::{PulseConfig, PulseThread};
use crate::source::receiver::{Receiver, ReceiverConfig};
use crate::source::witness;
use crate::sys::clock::raw_now;

mod clocks;
pub(crate) mod grandmaster;
mod ports;
mod report;
pub(crate) mod settings;

use clocks::{Clock, Saw};
pub(crate) use ports::Port;

/// Capacity of the event channel.
const QUEUED: usize = 1_024;
/// Interval of the engine's ticks.
const TICK: Duration = Duration::from_millis(500);
/// Time limit for finding a receiver: all rates are tried within 10 s, and gpsd opens its devices.
const FIND: Duration = Duration::from_secs(12);
/// Samples from which the spread of the delay is measured.
const ENOUGH: usize = 8;
/// Time limit for pairing.
const PAIR: Duration = Duration::from_secs(14);

/// What was found.
pub(crate) struct Findings {
    /// The clocks and the results of their pins.
    pub clocks: Vec<Clock>,
    /// The ports and what was heard on them.
    pub ports: Vec<Port>,
    /// The gpsd that was queried.
    pub asked: GpsdConfig,
    /// Its receivers, if it answered.
    pub gpsd: Option<Vec<String>>,
    /// The chosen receiver.
    pub receiver: Option<ReceiverConfig>,
    /// The chosen pin.
    pub pulse: Option<PhcConfig>,
    /// How well the two pair.
    pub pairing: Pairing,
}

/// Searches these ports and clocks, all if none are given, and queries this gpsd. Takes about half a minute. The pins
/// are restored when it returns, or else when its runtime ends.
pub(crate) async fn search(serial: &[String], phc: &[String], gpsd: &GpsdConfig) -> Findings {
    let asked = gpsd.clone();
    let clocks = if phc.is_empty() { ports::devices("/sys/class/ptp") } else { phc.to_vec() };
    let ports = if serial.is_empty() { ports::hardware() } else { serial.to_vec() };
    let (clocks, ports, gpsd) = tokio::join!(
        all(clocks.into_iter().map(clocks::try_pins)),
        all(ports.into_iter().map(ports::listen)),
        timeout(FIND, gpsd::receivers(&asked.server)),
    );
    let gpsd = gpsd.ok().flatten();

    let port = |is: fn(&Port) -> bool| ports.iter().find(|port| is(port)).map(Port::config);
    let through_gpsd = || {
        let device = Some(gpsd.as_ref()?.first()?.clone());
        Some(ReceiverConfig::Gpsd(GpsdConfig { device, ..asked.clone() }))
    };
    let receiver =
        port(|port| port.heard.names_time).or_else(through_gpsd).or_else(|| port(|port| !port.heard.speaks.is_empty()));
    let mut pins = clocks.iter().flat_map(|clock| &clock.pins);
    let pulse = pins.find(|tried| tried.saw == Saw::Pulse).map(|tried| tried.config.clone());
    let mut pairing = Pairing::default();
    if let (Some(receiver), Some(pulse)) = (&receiver, &pulse) {
        pair(receiver.clone(), pulse.clone(), &mut pairing).await;
    }
    Findings { clocks, ports, asked, gpsd, receiver, pulse, pairing }
}

/// Runs all of them concurrently. The results are in the same order; one that panics has reported it and has none.
async fn all<F: Future<Output: Send> + Send + 'static>(work: impl Iterator<Item = F>) -> Vec<F::Output> {
    let tasks: Vec<_> = work.map(tokio::spawn).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.extend(task.await);
    }
    results
}

/// Feeds the engine as the daemon does, until enough was seen or the time is over.
async fn pair(receiver: ReceiverConfig, pulse: PhcConfig, pairing: &mut Pairing) {
    let (sender, mut events) = mpsc::channel(QUEUED);
    let Ok(_thread) = PulseThread::spawn(PulseConfig::Phc(pulse), None, sender.clone()) else { return };
    let Ok(receiver) = Receiver::open(receiver) else { return };
    let judge = async {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while pairing.samples() < ENOUGH || pairing.engine.state() != State::Locked {
            tokio::select! {
                Some(event) = events.recv() => pairing.take(&event),
                _ = tick.tick() => pairing.take(&Event::Tick { raw: raw_now() }),
            }
        }
    };
    tokio::select! {
        () = receiver.run(sender.clone()) => {}
        () = witness::run(sender) => {}
        _ = timeout(PAIR, judge) => {}
    }
    drop(events); // before the thread, which a full channel blocks
}

/// The engine's view of receiver and pulse together.
#[derive(Debug, Default)]
pub(crate) struct Pairing {
    /// The engine.
    pub engine: Engine,
    /// Sentence delays from the pulse to the first byte, sorted.
    delays: Vec<Span>,
}

impl Pairing {
    /// Takes an event of the chosen sources.
    pub(crate) fn take(&mut self, event: &Event) {
        for verdict in self.engine.handle(event) {
            if let (Verdict::Sample(_), Some(label)) = (verdict, self.engine.label()) {
                self.delays.push(label.delay);
            }
        }
        self.delays.sort();
    }

    /// Samples so far.
    pub(crate) fn samples(&self) -> usize {
        self.delays.len()
    }

    /// Shortest, median, and longest delay.
    pub(crate) fn spread(&self) -> Option<[Span; 3]> {
        Some([*self.delays.first()?, *self.delays.get(self.delays.len() / 2)?, *self.delays.last()?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(ms: &[i64]) -> Pairing {
        let mut delays: Vec<_> = ms.iter().map(|ms| Span::from_millis(*ms)).collect();
        delays.sort();
        Pairing { delays, ..Pairing::default() }
    }

    #[test]
    fn delays_have_a_spread() {
        let delays = delays(&[310, 290, 300]);
        assert_eq!(delays.spread(), Some([290, 300, 310].map(Span::from_millis)));
        assert_eq!(Pairing::default().spread(), None);
    }
}
