//! The findings as text: devices, results, and what is missing.

use std::fmt;

use super::clocks::{Clock, Saw, Tried};
use super::{Findings, Port};
use crate::core::event::State;
use crate::core::nmea::Validity;
use crate::core::time::Span;

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gpsd = match &self.gpsd {
            Some(devices) if devices.is_empty() => "no receiver".to_owned(),
            Some(devices) => devices.join(", "),
            None => "no gpsd answered".to_owned(),
        };
        for (name, lines) in [
            ("PTP hardware clocks", self.clocks.iter().flat_map(clock).collect()),
            ("serial ports", self.ports.iter().map(port).collect()),
            ("gpsd", vec![format!("{}: {gpsd}", self.asked.server)]),
            ("pulse", self.pulse()),
            ("sentence delay", self.delay()),
        ] {
            let lines = if lines.is_empty() { vec!["none".to_owned()] } else { lines };
            writeln!(f, "{name}\n  {}", lines.join("\n  "))?;
        }
        Ok(())
    }
}

/// One line for the clock and one for each of its pins.
fn clock(Clock { says, pins }: &Clock) -> Vec<String> {
    let pin = |tried: &Tried| {
        let saw = match &tried.saw {
            Saw::Pulse => format!("the pulse, on channel {}", tried.config.channel),
            Saw::Edges(0) => "nothing".to_owned(),
            Saw::Edges(count) => format!("{count} edges, but no pulse once per second"),
            Saw::Left(why) => why.clone(),
            Saw::Untried => "not tried".to_owned(),
        };
        format!("  {}: {saw}", name(tried))
    };
    std::iter::once(says.clone()).chain(pins.iter().map(pin)).collect()
}

fn name(Tried { config, .. }: &Tried) -> String {
    config.pin.as_ref().map_or_else(|| format!("channel {}", config.channel), ToString::to_string)
}

fn port(Port { device, left, heard }: &Port) -> String {
    let rate = heard.rate.map_or("no rate".to_owned(), |rate| format!("{rate} baud"));
    match (left, heard.bytes()) {
        (Some(why), _) => format!("not tried: {why}"), // which names the device
        (None, 0) => format!("{device}: silent at every rate"),
        (None, bytes) if heard.speaks.is_empty() => {
            format!("{device}: {bytes} bytes, but no valid sentence at any rate")
        }
        (None, _) => format!("{device}: {rate}, speaks {}; {}", heard.speaks.join(" "), fix(heard.fix)),
    }
}

fn fix(said: Option<Validity>) -> &'static str {
    match said {
        Some(Validity::Valid) => "it reports a fix",
        Some(Validity::Invalid) => "it reports no fix, without which many receivers output no pulse: check its antenna",
        Some(Validity::Unsaid) | None => "it does not report whether it has a fix",
    }
}

impl Findings {
    fn pulse(&self) -> Vec<String> {
        let Some(pulse) = &self.pulse else { return Vec::new() };
        let pin = pulse.pin.as_ref().map_or("the only pin".to_owned(), ToString::to_string);
        let on_time = match self.pairing.engine.on_time().map(|on_time| on_time.width) {
            Some(Some(width)) => {
                let other = Span::SECOND - width;
                format!("width: {width}; its first edge is on time; if your receiver's pulse lasts {other}, set width")
            }
            Some(None) => "on time: the only edge that the NIC timestamps".to_owned(),
            None => "on time: unknown".to_owned(),
        };
        vec![format!("{pin} of {}, channel {}", pulse.device, pulse.channel), on_time]
    }

    fn delay(&self) -> Vec<String> {
        let Some([shortest, median, longest]) = self.pairing.spread() else { return Vec::new() };
        let before = Span::SECOND - longest;
        vec![format!("shortest {shortest}, median {median}, longest {longest}: {before} before the next pulse")]
    }

    /// What is missing and what to do, in one sentence that does not repeat the report above it; `None` if receiver and
    /// pulse are paired.
    pub(crate) fn missing(&self) -> Option<String> {
        let no_pulse = self.pulse.is_none().then(|| self.no_pulse());
        let no_receiver = "no receiver was recognized: check its power and cable, and follow the advice on its port";
        let no_receiver = self.receiver.is_none().then(|| no_receiver.to_owned());
        let missing: Vec<_> = no_pulse.into_iter().chain(no_receiver).collect();
        match self.pairing.engine.state() {
            _ if !missing.is_empty() => Some(missing.join("; and ")),
            State::Locked => None,
            state => Some(state.reason().map_or_else(
                || format!("the engine is still {state}: try again, or record it with gnss2shm run --record"),
                |reason| reason.to_string(),
            )),
        }
    }

    fn no_pulse(&self) -> String {
        let pins = self.clocks.iter().flat_map(|clock| &clock.pins);
        let armed: Vec<_> = pins.filter(|tried| matches!(tried.saw, Saw::Edges(_))).map(name).collect();
        if armed.is_empty() {
            return "no pin could be tried: follow the report's advice on the PTP hardware clock, use a NIC with \
                    external timestamps, or wire the pulse to a kernel PPS device (gnss2shm run --pps /dev/ppsN)"
                .to_owned();
        }
        let (armed, fix) = (armed.join(", "), fix(self.ports.iter().find_map(|port| port.heard.fix)));
        format!("no pulse was seen on {armed}: check its wiring, level, and rate (1 Hz), and the receiver: {fix}")
    }
}
