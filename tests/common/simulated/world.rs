//! The simulated truth: when each second begins, what the clocks show, and the output of a receiver and a NIC. Seeded:
//! the same scenario gives the same world.

use super::random::Random;
use gnss2shm::core::time::{EdgeClock, Instant, NANOS, Raw, Span, Sys, UtcSecond};

use super::clocks::Clocks;
use super::scenario::{Fault, FaultKind, LeapShape, Pace, PulseEnd, Scenario, Shown, SimEdges};

/// From the edge to the read that returns it.
const LATENCY: Span = Span::from_micros(60);
/// Bytes that a UART delivers at once.
const FIFO: usize = 16;
/// An edge is timestamped a second time after at least and at most this many nanoseconds.
const DOUBLED_AFTER: [i64; 2] = [1_000, 40_000];
/// Sentences that would begin this much late, because the line still carries earlier ones, are left out.
const BACKLOG: Span = Span::from_secs(3);

/// The simulated truth.
#[derive(Clone, Debug)]
pub struct World {
    scenario: Scenario,
    random: Random,
    first_second: UtcSecond,
    clocks: Clocks,
    /// Current deviation of the sentence delay from its mean.
    deviation: Span,
    /// When the line has transmitted everything sent so far.
    line_free: Instant<Raw>,
}

/// An event in a simulated second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The second with this number begins.
    Pulse(i64),
    /// An edge is in the PHC's queue.
    Edge(Instant<EdgeClock>),
    /// The last of these bytes has arrived.
    Bytes(Box<[u8]>),
}

impl World {
    /// A world in which `first_second` begins at `first_pulse`.
    pub fn new(scenario: Scenario, first_second: UtcSecond, first_pulse: Instant<Raw>) -> Self {
        Self {
            random: Random::new(scenario.seed),
            clocks: Clocks::new(&scenario, first_second, first_pulse),
            first_second,
            deviation: Span::ZERO,
            line_free: Instant::from_nanos(i64::MIN),
            scenario,
        }
    }

    /// The scenario that is simulated.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The first second.
    pub fn first_second(&self) -> UtcSecond {
        self.first_second
    }

    /// When second number `n` begins.
    pub fn pulse_number(&self, n: i64) -> Instant<Raw> {
        self.clocks.pulse_number(n)
    }

    /// When a UTC second begins. An inserted second has no number of its own, and a deleted one never begins.
    pub fn pulse(&self, utc: UtcSecond) -> Option<Instant<Raw>> {
        let seconds = utc.posix() - self.first_second.posix();
        let number = match self.scenario.leap {
            Some((after, LeapShape::Deleted)) if seconds == after + 1 => return None,
            Some((after, LeapShape::Deleted)) if seconds > after + 1 => seconds - 1,
            Some((_, LeapShape::Deleted)) | None => seconds,
            Some((after, _)) if seconds > after => seconds + 1,
            Some(_) => seconds,
        };
        Some(self.pulse_number(number))
    }

    /// The PHC's reading.
    pub fn phc(&self, raw: Instant<Raw>) -> Instant<EdgeClock> {
        self.clocks.phc.at(raw)
    }

    /// The simulated system clock's reading.
    pub fn sys(&self, raw: Instant<Raw>) -> Instant<Sys> {
        self.clocks.sys.at(raw)
    }

    /// How long a byte is on the line.
    pub fn byte_time(&self) -> Span {
        Span::from_nanos(10 * NANOS / i64::from(self.scenario.baud.max(1)))
    }

    /// Everything that belongs to second number `n`, with its time, in no order; some of it lies in the second before or
    /// after. Must be called for each second in turn.
    pub fn acts(&mut self, n: i64) -> Vec<(Instant<Raw>, Act)> {
        let faults: Vec<Fault> =
            self.scenario.faults.iter().filter(|f| (f.from..f.until).contains(&n)).copied().collect();
        let mut acts = vec![(self.pulse_number(n), Act::Pulse(n))];
        self.edges(n, &faults, &mut acts);
        self.burst(n, &faults, &mut acts);
        acts
    }

    fn edges(&mut self, n: i64, faults: &[Fault], acts: &mut Vec<(Instant<Raw>, Act)>) {
        let (mut loss, mut glitches, mut stale, mut double) = (0, 0, 0, 0);
        let (mut late, mut shift, mut crosstalk) = (Span::ZERO, Span::ZERO, None);
        let (mut rise_rings, mut fall_rings) = (None, None);
        let (mut rise_loss, mut fall_loss) = (0, 0);
        for fault in faults {
            match fault.kind {
                FaultKind::EdgeLoss(permille) => loss = loss.max(permille),
                FaultKind::Glitches(permille) => glitches = glitches.max(permille),
                FaultKind::StaleEdges(permille) => stale = permille,
                FaultKind::DoubleEdges(permille) => double = permille,
                FaultKind::Ringing(PulseEnd::Rising, span) => rise_rings = Some(span),
                FaultKind::Ringing(PulseEnd::Falling, span) => fall_rings = Some(span),
                FaultKind::Ringing(PulseEnd::Both, span) => (rise_rings, fall_rings) = (Some(span), Some(span)),
                FaultKind::PolarityLoss(PulseEnd::Rising, permille) => rise_loss = permille,
                FaultKind::PolarityLoss(PulseEnd::Falling, permille) => fall_loss = permille,
                FaultKind::PolarityLoss(PulseEnd::Both, permille) => (rise_loss, fall_loss) = (permille, permille),
                FaultKind::Crosstalk(span) => crosstalk = Some(span),
                FaultKind::PulseDrift(span) => shift = shift + span.times(n - fault.from),
                FaultKind::LateEdges(span) => late = span,
                FaultKind::PulseShift(span) => shift = span,
                FaultKind::NoPulse => loss = 1_000,
                _ => {}
            }
        }
        let pulse = self.pulse_number(n);
        let [rises, falls] = self.scenario.polarity.edges(self.scenario.width).map(|end| pulse + shift + end);
        let mut ends = vec![(rises, rise_rings, rise_loss)];
        if self.scenario.edges == SimEdges::Both {
            ends.push((falls, fall_rings, fall_loss));
        }
        let mut signal: Vec<Instant<Raw>> = crosstalk.map(|before| rises - before).into_iter().collect();
        for (at, rings, lost) in ends {
            if lost > 0 && self.random.happens(lost) {
                continue;
            }
            signal.push(at);
            signal.extend(rings.map(|after| at + after));
            if double > 0 && self.random.happens(double) {
                let [least, most] = DOUBLED_AFTER;
                signal.push(at + Span::from_nanos(self.random.between(least, most)));
            }
        }
        // Edges with their timestamps, and how much later than usual each is delivered.
        let mut edges = Vec::new();
        for at in signal {
            if !self.random.happens(loss) {
                let phc = self.phc(at) + self.random.within(self.scenario.noise);
                edges.push((at, phc, late));
                if self.random.happens(stale) {
                    edges.push((at, phc, late + Span::from_millis(self.random.between(1, 900))));
                }
            }
        }
        // Noise on the line does not depend on the pulse.
        if self.random.happens(glitches) && n > 0 {
            let at = pulse + Span::from_nanos(self.random.below(NANOS as u64) as i64);
            edges.push((at, self.phc(at), late));
        }
        edges.retain(|(at, ..)| !self.clocks.disarmed.iter().any(|silence| silence.contains(at)));
        edges.sort_unstable();
        acts.extend(edges.into_iter().map(|(at, phc, late)| (at + late + LATENCY, Act::Edge(phc))));
    }

    fn burst(&mut self, n: i64, faults: &[Fault], acts: &mut Vec<(Instant<Raw>, Act)>) {
        let (mut loss, mut corruption, mut has_fix) = (0, 0, true);
        let (mut delay, mut off) = (self.scenario.delay, 0);
        for fault in faults {
            match fault.kind {
                FaultKind::NoSentences => loss = 1_000,
                FaultKind::SentenceLoss(permille) => loss = loss.max(permille),
                FaultKind::Corruption(permille) => corruption = permille,
                FaultKind::NoFix => has_fix = false,
                FaultKind::DelayJump(span) => delay = delay + span,
                FaultKind::DelayRamp(span) => delay = delay + span.times(n - fault.from),
                FaultKind::WrongSecond(seconds) => off += seconds,
                _ => {}
            }
        }
        self.deviation = self.scenario.spread.next(&mut self.random, self.scenario.jitter, self.deviation);
        delay = delay + self.deviation;
        if self.random.happens(loss) {
            return;
        }
        let (utc, is_sixty) = self.shown(n);
        let shown = Shown { utc: utc.plus(off), is_sixty, has_fix };
        let text: String = self.scenario.sentences.iter().map(|sentence| sentence.text(shown)).collect();
        let mut bytes = text.into_bytes();
        for byte in &mut bytes {
            if self.random.happens(corruption) {
                *byte ^= 1 << self.random.below(8);
            }
        }
        // Only a receiver that sends ahead of the pulse on average ever does.
        let start = self.pulse_number(n) + if self.scenario.delay < Span::ZERO { delay } else { delay.max(Span::ZERO) };
        if self.line_free - start > BACKLOG {
            return;
        }
        let (mut sent, pause) = (start.max(self.line_free), self.scenario.pause);
        self.line_free = sent + pause + self.byte_time().times(bytes.len() as i64);
        let first_line = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1);
        let (first, rest) = bytes.split_at(if pause == Span::ZERO { bytes.len() } else { first_line });
        for part in [first, rest] {
            let (chunks, byte_time): (Vec<&[u8]>, _) = match self.scenario.pace {
                Pace::Line => (part.chunks(FIFO).collect(), self.byte_time()),
                Pace::WholeLines => (part.split_inclusive(|&byte| byte == b'\n').collect(), self.byte_time()),
                Pace::AtOnce => (part.chunks(part.len().max(1)).collect(), Span::ZERO),
            };
            for chunk in chunks {
                sent = sent + byte_time.times(chunk.len() as i64);
                acts.push((sent, Act::Bytes(chunk.into())));
            }
            sent = sent + pause;
        }
    }

    /// The receiver's name of second number `n`, and whether it shows it as `:60`.
    fn shown(&self, n: i64) -> (UtcSecond, bool) {
        let plain = self.first_second.plus(n);
        match self.scenario.leap {
            Some((after, LeapShape::Deleted)) if n > after => (plain.plus(1), false),
            Some((after, LeapShape::Sixty)) if n == after + 1 => (plain.plus(-1), true),
            Some((after, LeapShape::Doubled00)) if n == after + 1 => (plain, false),
            Some((after, LeapShape::Sixty | LeapShape::Doubled59 | LeapShape::Doubled00)) if n > after => {
                (plain.plus(-1), false)
            }
            Some(_) | None => (plain, false),
        }
    }
}
