//! What was found, for people: what there is, what was seen of it, and what is missing.

use std::fmt;

use super::figures::WIDEST;
use super::heard::Fix;
use super::pins::{Saw, Tried};
use super::survey::Able;
use super::{Findings, Port, Searched};
use crate::core::event::State;
use crate::core::time::Span;
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::SerialConfig;

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "PTP hardware clocks")?;
        none_of(f, self.clocks.is_empty())?;
        self.clocks.iter().try_for_each(|searched| clock(f, searched))?;
        writeln!(f, "serial ports")?;
        none_of(f, self.ports.is_empty())?;
        self.ports.iter().try_for_each(|port| writeln!(f, "  {}", said_by(port)))?;
        let said = match &self.gpsd {
            Some(gpsd) if gpsd.devices.is_empty() => "no device".to_owned(),
            Some(gpsd) => gpsd.devices.join(", "),
            None => "no gpsd has answered".to_owned(),
        };
        writeln!(f, "gpsd\n  {}: {said}", self.asked.server)?;
        self.pulse(f)?;
        self.delay(f)
    }
}

fn none_of(f: &mut fmt::Formatter<'_>, is_empty: bool) -> fmt::Result {
    if is_empty { writeln!(f, "  none") } else { Ok(()) }
}

fn clock(f: &mut fmt::Formatter<'_>, Searched { clock, pins, trouble }: &Searched) -> fmt::Result {
    let node = clock.node.display().to_string();
    let interface = if clock.device == node { String::new() } else { format!(" of {}", clock.device) };
    let driver = if clock.driver.is_empty() { String::new() } else { format!(" ({})", clock.driver) };
    match &clock.able {
        Err(why) => return writeln!(f, "  {why}"),
        Ok(able) if able.caps.n_ext_ts == 0 => {
            return writeln!(f, "  {node}{driver}{interface}: no external timestamps, so no pulse can be wired to it");
        }
        Ok(Able { caps, pins, method, .. }) => {
            let channels = if caps.n_ext_ts == 1 { "1 channel".into() } else { format!("{} channels", caps.n_ext_ts) };
            let names = pins.iter().map(|pin| pin.name.as_str()).collect::<Vec<_>>().join(" ");
            let pins = if pins.is_empty() { "no pins to choose from".into() } else { format!("pins {names}") };
            writeln!(f, "  {node}{driver}{interface}: {pins}, {channels}, {method} cross timestamps")?;
        }
    }
    alike(pins).iter().try_for_each(|(names, saw)| writeln!(f, "    {}: {saw}", names.join(", ")))?;
    trouble.iter().try_for_each(|why| writeln!(f, "    {why}"))
}

/// Neighboring pins on which the same was seen, and what.
fn alike(pins: &[Tried]) -> Vec<(Vec<String>, String)> {
    let mut lines: Vec<(Vec<String>, String)> = Vec::new();
    for (name, saw) in pins.iter().map(|tried| (name(tried), seen_on(tried))) {
        match lines.last_mut() {
            Some((names, said)) if *said == saw => names.push(name),
            Some(_) | None => lines.push((vec![name], saw)),
        }
    }
    lines
}

fn seen_on(tried: &Tried) -> String {
    match tried.saw {
        Saw::Pulse => format!("the pulse, on channel {}", tried.channel),
        Saw::Edges(count) => format!("{count} edges, but no pulse each second"),
        Saw::Nothing => "nothing".into(),
        Saw::InUse => "in use for something else, not touched".into(),
        Saw::Refused => "the driver does not let it timestamp edges".into(),
        Saw::Untried => "not tried".into(),
    }
}

fn name(Tried { pin, channel, .. }: &Tried) -> String {
    pin.as_ref().map_or_else(|| format!("channel {channel}"), |pin| pin.name.clone())
}

fn said_by(Port { device, left, heard }: &Port) -> String {
    if let Some(why) = left {
        return format!("not listened to: {why}"); // which names the device
    }
    let rate = heard.rate().map_or("no rate".into(), |rate| format!("{rate} baud"));
    match (heard.is_understood(), heard.counts().bytes) {
        (true, _) => {
            let fix = match heard.fix() {
                Some(Fix::Valid) => "it says that it has a fix",
                Some(Fix::Invalid) => "it says that it has no fix",
                None => "it does not say whether it has a fix",
            };
            format!("{device}: {rate}, receiver {}, speaks {}; {fix}", heard.receiver(), heard.sentences())
        }
        (false, 0) => format!("{device}: silent at every rate"),
        (false, bytes) => format!("{device}: {bytes} bytes, and no valid sentence at any rate"),
    }
}

impl Findings {
    fn pulse(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(pulse) = &self.pulse else { return Ok(()) };
        let pin = pulse.pin.as_ref().map_or("the only pin".to_owned(), ToString::to_string);
        writeln!(f, "pulse\n  {pin} of {}, channel {}", pulse.device, pulse.channel)?;
        if let Some(tenths) = self.pairing.edges.tenths_a_second() {
            writeln!(f, "  edges a second: {}.{}", tenths / 10, tenths % 10)?;
        }
        match self.pairing.engine().on_time().map(|on_time| on_time.width) {
            Some(Some(width)) => {
                writeln!(f, "  width: {width}; {} less than the longest that is told by itself", WIDEST - width)?;
                let rest = Span::SECOND - width;
                writeln!(
                    f,
                    "  on time: the edge that starts these {width}, for the other part of the second is \
                     {rest}; if your receiver's pulse is the longer part, set width"
                )
            }
            Some(None) => writeln!(f, "  on time: the only edge that the NIC timestamps"),
            None => writeln!(f, "  on time: not found out"),
        }?;
        self.pairing.contradiction.iter().try_for_each(|figures| writeln!(f, "  {figures}"))
    }

    fn delay(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delays = &self.pairing.delays;
        let (Some([shortest, median, longest]), Some([before, after])) = (delays.spread(), delays.margins()) else {
            return Ok(());
        };
        writeln!(f, "sentence delay\n  shortest {shortest}, median {median}, longest {longest}")?;
        f.write_str(&delays.histogram())?;
        writeln!(f, "  margins: {before} after the pulse that is named, {after} before the next")
    }

    /// What is missing and what to do, in one sentence that repeats nothing of the report above it; nothing where
    /// receiver and pulse are paired.
    pub fn missing(&self) -> Option<String> {
        match (&self.pulse, &self.receiver, self.pairing.state()) {
            (Some(_), Some(_), State::Locked) => None,
            (None, None, _) => Some(format!("{}; and {}", self.no_pulse(), self.no_receiver())),
            (None, Some(_), _) => Some(self.no_pulse()),
            (Some(_), None, _) => Some(self.no_receiver()),
            (Some(_), Some(_), state) => Some(state.reason().map_or_else(
                || {
                    format!(
                        "receiver and pulse are there, but the engine came no further than {state}: try again, and \
                         if it stays so, record it with gnss2shm run --record"
                    )
                },
                |reason| reason.to_string(),
            )),
        }
    }

    fn no_pulse(&self) -> String {
        let is_in_trouble = |searched: &&Searched| searched.trouble.is_some() || searched.clock.able.is_err();
        let in_trouble: Vec<_> =
            self.clocks.iter().filter(is_in_trouble).map(|searched| searched.clock.device.as_str()).collect();
        let tried: Vec<_> = (self.clocks.iter())
            .filter_map(|searched| {
                let was_tried = |tried: &&Tried| matches!(tried.saw, Saw::Nothing | Saw::Edges(_));
                let pins = searched.pins.iter().filter(was_tried).map(name).collect::<Vec<_>>();
                (!pins.is_empty()).then(|| format!("{} of {}", pins.join(", "), searched.clock.device))
            })
            .collect();
        match (tried.as_slice(), in_trouble.as_slice()) {
            ([], []) if self.clocks.is_empty() => {
                "there is no PTP hardware clock: check that the NIC has one and that its driver is loaded, or wire the \
                 pulse to a kernel PPS device, which is not looked for here (gnss2shm run --pps /dev/ppsN)"
                    .into()
            }
            ([], []) => {
                "no PTP hardware clock here has external timestamps: a NIC like Intel's i210 is needed, or a kernel \
                 PPS device, which is not looked for here (gnss2shm run --pps /dev/ppsN)"
                    .into()
            }
            ([], clocks) => {
                format!("no pulse could be looked for on {}: the report says why and what to do", clocks.join(", "))
            }
            (tried, _) => format!(
                "no pulse was seen on {}: check the pulse's wiring, its level, and that it is set to 1 Hz{}",
                tried.join(" and "),
                self.fix()
            ),
        }
    }

    /// What the receiver that was taken says of its fix.
    fn fix(&self) -> &'static str {
        let Some(ReceiverConfig::Serial(SerialConfig { device, .. })) = &self.receiver else { return "" };
        match self.ports.iter().find(|port| port.device == *device).and_then(|port| port.heard.fix()) {
            Some(Fix::Valid) => "; the receiver says that it has a fix",
            Some(Fix::Invalid) => {
                "; the receiver says that it has no fix, without which many give no pulse: check its antenna"
            }
            None => "",
        }
    }

    fn no_receiver(&self) -> String {
        let listened = self.ports.iter().filter(|port| port.left.is_none());
        match listened.map(|port| port.device.as_str()).collect::<Vec<_>>().as_slice() {
            [] if self.ports.is_empty() => {
                "there is no serial port: plug the receiver in, and check that its driver is loaded".into()
            }
            [] => "no serial port could be listened to: the report says why and what to do".into(),
            ports => format!(
                "no receiver was understood on {}: check its power, its wiring and that it sends NMEA",
                ports.join(", ")
            ),
        }
    }
}
