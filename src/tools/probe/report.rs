//! What was found, for people: what there is, what was seen of it, and what is missing.

use std::fmt;

use super::clocks::{Able, Clock, Saw, Tried};
use super::{Findings, Port};
use crate::core::event::State;
use crate::core::nmea::Validity;
use crate::core::time::Span;

/// The longest pulse whose edges can be told apart by its width.
const WIDEST: Span = Span::from_millis(450);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        section(f, "PTP hardware clocks", self.clocks.iter().flat_map(clock))?;
        section(f, "serial ports", self.ports.iter().map(port))?;
        let said = match &self.gpsd {
            Some(devices) if devices.is_empty() => "no receiver".to_owned(),
            Some(devices) => devices.join(", "),
            None => "no gpsd has answered".to_owned(),
        };
        section(f, "gpsd", [format!("{}: {said}", self.asked.server)])?;
        self.pulse(f)?;
        let Some([shortest, median, longest]) = self.pairing.spread() else { return Ok(()) };
        writeln!(f, "sentence delay\n  shortest {shortest}, median {median}, longest {longest}")?;
        writeln!(f, "  margins: {shortest} after its own pulse, {} before the next", Span::SECOND - longest)
    }
}

fn section(f: &mut fmt::Formatter<'_>, name: &str, lines: impl IntoIterator<Item = String>) -> fmt::Result {
    let mut lines = lines.into_iter().peekable();
    writeln!(f, "{name}{}", if lines.peek().is_none() { "\n  none" } else { "" })?;
    lines.try_for_each(|line| writeln!(f, "  {line}"))
}

/// A line for the clock, and one for each of its pins.
fn clock(Clock { device, node, able }: &Clock) -> Vec<String> {
    let Able { driver, channels, method, tried } = match able {
        Ok(able) => able,
        Err(why) => return vec![why.clone()],
    };
    let interface = if *device == node.to_string_lossy() { String::new() } else { format!(" of {device}") };
    let head = format!("{} ({driver}){interface}", node.display());
    if *channels == 0 {
        return vec![format!("{head}: no external timestamps, so no pulse can be wired to it")];
    }
    let pins: Vec<_> = tried.iter().filter_map(|tried| tried.pin.as_ref()).map(|pin| pin.name.as_str()).collect();
    let pins = if pins.is_empty() { "no pins to choose from".to_owned() } else { format!("pins {}", pins.join(" ")) };
    let plural = if *channels == 1 { "" } else { "s" };
    let mut lines = vec![format!("{head}: {pins}, {channels} channel{plural}, cross timestamps: {method:?}")];
    lines.extend(tried.iter().map(|tried| {
        let saw = match &tried.saw {
            Saw::Pulse => format!("the pulse, on channel {}", tried.channel),
            Saw::Edges(0) => "nothing".to_owned(),
            Saw::Edges(count) => format!("{count} edges, but no pulse each second"),
            Saw::InUse => "in use for something else, not touched".to_owned(),
            Saw::Refused(why) => why.clone(),
            Saw::Untried => "not tried".to_owned(),
        };
        format!("  {}: {saw}", pin_name(tried))
    }));
    lines
}

fn pin_name(Tried { pin, channel, .. }: &Tried) -> String {
    pin.as_ref().map_or_else(|| format!("channel {channel}"), |pin| pin.name.clone())
}

fn port(Port { device, left, heard }: &Port) -> String {
    if let Some(why) = left {
        return format!("not listened to: {why}"); // which names the device
    }
    let rate = heard.rate.map_or("no rate".to_owned(), |rate| format!("{rate} baud"));
    match heard.counts().bytes {
        _ if heard.is_understood() => {
            let (receiver, speaks) = (heard.receiver(), heard.sentences());
            format!("{device}: {rate}, receiver {receiver}, speaks {speaks}; {}", fix(heard.fix))
        }
        0 => format!("{device}: silent at every rate"),
        bytes => format!("{device}: {bytes} bytes, and no valid sentence at any rate"),
    }
}

fn fix(said: Option<Validity>) -> &'static str {
    match said {
        Some(Validity::Valid) => "it says that it has a fix",
        Some(Validity::Invalid) => "it says that it has no fix, without which many give no pulse: check its antenna",
        Some(Validity::Unsaid) | None => "it does not say whether it has a fix",
    }
}

impl Findings {
    fn pulse(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(pulse) = &self.pulse else { return Ok(()) };
        let pin = pulse.pin.as_ref().map_or("the only pin".to_owned(), ToString::to_string);
        writeln!(f, "pulse\n  {pin} of {}, channel {}", pulse.device, pulse.channel)?;
        if let Some(edges) = self.pairing.edges_in_ten_seconds() {
            writeln!(f, "  edges a second: {}.{}", edges / 10, edges % 10)?;
        }
        match self.pairing.engine.on_time().map(|on_time| on_time.width) {
            Some(Some(width)) => writeln!(
                f,
                "  width: {width}; {} less than the longest that is told by itself\n  on time: the edge that starts \
                 these {width}, because the other part of the second is {}; if your receiver's pulse is the longer \
                 part, set width",
                WIDEST - width,
                Span::SECOND - width
            ),
            Some(None) => writeln!(f, "  on time: the only edge that the NIC timestamps"),
            None => writeln!(f, "  on time: not known"),
        }?;
        self.pairing.contradiction.iter().try_for_each(|figures| writeln!(f, "  {figures}"))
    }

    /// What is missing and what to do, in one sentence that repeats nothing of the report above it; `None` where
    /// receiver and pulse are paired.
    pub fn missing(&self) -> Option<String> {
        let no_pulse = self.pulse.is_none().then(|| self.no_pulse());
        let no_receiver = self.receiver.is_none().then(|| self.no_receiver());
        let missing: Vec<_> = no_pulse.into_iter().chain(no_receiver).collect();
        match self.pairing.engine.state() {
            _ if !missing.is_empty() => Some(missing.join("; and ")),
            State::Locked => None,
            state => Some(state.reason().map_or_else(
                || {
                    format!(
                        "receiver and pulse are there, but the engine is still {state}: try again, and if it stays so, \
                         record it with gnss2shm run --record"
                    )
                },
                |reason| reason.to_string(),
            )),
        }
    }

    fn no_pulse(&self) -> String {
        let was_armed = |tried: &&Tried| matches!(tried.saw, Saw::Edges(_));
        let (mut armed, mut unable) = (Vec::new(), Vec::new());
        for clock in &self.clocks {
            let tried = clock.able.as_ref().map_or(&[][..], |able| &able.tried);
            let pins: Vec<_> = tried.iter().filter(was_armed).map(pin_name).collect();
            if !pins.is_empty() {
                armed.push(format!("{} of {}", pins.join(", "), clock.device));
            } else if !tried.is_empty() || clock.able.is_err() {
                unable.push(clock.device.as_str());
            }
        }
        if !armed.is_empty() {
            let heard = self.ports.iter().find(|port| port.heard.fix.is_some());
            let fix = heard.map_or(String::new(), |port| format!("; the receiver: {}", fix(port.heard.fix)));
            format!(
                "no pulse was seen on {}: check the pulse's wiring, its level, and that it is set to 1 Hz{fix}",
                armed.join(" and ")
            )
        } else if !unable.is_empty() {
            format!("no pulse could be looked for on {}: the report says why and what to do", unable.join(", "))
        } else {
            "there is no PTP hardware clock with external timestamps: use a NIC like Intel's i210 and check that its \
             driver is loaded, or wire the pulse to a kernel PPS device, which is not looked for here (gnss2shm run \
             --pps /dev/ppsN)"
                .to_owned()
        }
    }

    fn no_receiver(&self) -> String {
        let listened = self.ports.iter().filter(|port| port.left.is_none());
        let listened = listened.map(|port| port.device.as_str()).collect::<Vec<_>>().join(", ");
        if listened.is_empty() {
            "no serial port could be listened to: plug the receiver in, or do what the report says of its port"
                .to_owned()
        } else {
            format!("no receiver was understood on {listened}: check its power, its wiring and that it sends NMEA")
        }
    }
}
