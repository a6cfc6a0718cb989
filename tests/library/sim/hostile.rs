//! What can precede a clean world: another receiver, another NIC, other clocks, and any of their faults, inside and
//! outside the envelope.

use super::figures::Envelope;
use crate::library::simulated::random::Random;
use crate::library::simulated::scenario::{
    Fault, FaultKind, LeapShape, Polarity, PulseEnd, Scenario, SimSentence, SimThread,
};
use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::World;
use gnss2shm::core::event::{Bytes, CrossTs, Edge, Event, SourceChange};
use gnss2shm::core::time::{Date, Instant, Raw, Span, UtcSecond};

use super::draw::{any_fault, any_scenario};
use super::harness::ms;

/// A hostile prefix and the clean world after it.
#[derive(Clone, Debug)]
pub struct Prefixed {
    pub prefix: Scenario,
    /// How long the prefix lasts, in seconds.
    pub lasts: i64,
    pub clean: Scenario,
    /// The second that the clean world begins with.
    pub first: UtcSecond,
    /// How much later the clean world's pulse is.
    pub pulse_moves: Span,
    /// How many seconds the prefix was ahead of the truth.
    pub ahead: i64,
    /// Whether the PHC continues, or is stepped to the clean world's.
    pub phc_runs_on: bool,
    /// Whether the devices are reopened.
    pub opens: bool,
    /// Bytes of garbage right before the clean world.
    pub garbage: usize,
}

/// Any world, inside or outside the envelope.
fn any_trouble(random: &mut Random, scenario: &Scenario, lasts: i64) -> Vec<Fault> {
    let from = random.between(0, lasts - 1);
    let until = if random.happens(600) { lasts } else { random.between(from + 1, lasts) };
    let anything = |random: &mut Random| Span::from_nanos(random.between(-3_000_000_000, 3_000_000_000));
    let seconds = [1, -1, 2, -2, 3, -3, 17, -17, 18, -18, 19, -19, 3_600, -86_400];
    let kind = match random.below(14) {
        0 | 1 => FaultKind::WrongSecond(random.one_of(&seconds, 1)),
        2 => FaultKind::PulseShift(ms(random.between(-999, 999))),
        3 => FaultKind::PulseShift(Span::from_nanos(random.between(-60_000, 60_000))),
        4 => FaultKind::PulseDrift(Span::from_nanos(random.between(-20_000, 20_000))),
        5 => FaultKind::PolarityLoss(random.one_of(&[PulseEnd::Rising, PulseEnd::Falling], PulseEnd::Both), 1_000),
        6 => FaultKind::DelayJump(anything(random)),
        7 => FaultKind::DelayRamp(ms(random.between(-40, 40))),
        8 => FaultKind::Corruption(random.between(1, 300) as u32),
        9 => FaultKind::Crosstalk(Span::from_micros(random.between(1, 100_000))),
        10 => FaultKind::Stall(
            random.one_of(&[SimThread::Reader, SimThread::Phc], SimThread::Reader),
            ms(random.between(50, 5_000)),
        ),
        11 => FaultKind::Glitches(random.between(100, 1_000) as u32),
        12 => FaultKind::PhcServo(random.between(1, 60_000), ms(random.between(0, 999))),
        _ => return any_fault(random, scenario, from..until),
    };
    vec![Fault { from, until, kind }]
}

impl Prefixed {
    /// The prefix of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x0057_A811);
        let clean = any_scenario(&mut random, seed);
        let lasts = random.between(10, 120);
        // Most prefixes are the same receiver on the same NIC: its next sentences fit its previous ones.
        let mut prefix = if random.happens(600) { clean.clone() } else { any_scenario(&mut random, seed ^ 0xFFFF) };
        if random.happens(250) {
            prefix.width = random.one_of(&[ms(500), ms(499), ms(700), ms(900), Span::from_micros(30)], ms(500));
        }
        if random.happens(150) {
            prefix.delay = ms(random.between(-900, 1_900));
        }
        if random.happens(100) {
            prefix.polarity = random.one_of(&[Polarity::EndsOnTime, Polarity::ActiveLow], Polarity::EndsOnTime);
        }
        if random.happens(100) {
            prefix.sentences =
                random.one_of(&[&[SimSentence::Gga, SimSentence::ZdaAhead][..], &[SimSentence::Zda]], &[]).to_vec();
        }
        // The machine's oscillator stays as it is; but the pulse may have run free, with a fix.
        prefix.system_ppm = clean.system_ppm + if random.happens(100) { random.between(-5, 5) } else { 0 };
        for _ in 0..random.between(0, 4) {
            let trouble = any_trouble(&mut random, &prefix, lasts);
            prefix.faults.extend(trouble);
        }
        let mut first = UtcSecond::from_civil(Date::new(2026, 11, 20).unwrap(), random.between(0, 80_000) as u32);
        if random.happens(80) {
            // The prefix includes the end of a month.
            first = UtcSecond::from_civil(Date::new(2027, 1, 1).unwrap(), random.between(7, 60) as u32);
            let last = lasts - 1 - i64::from(first.second_of_day());
            let shape = random.one_of(&[LeapShape::Sixty, LeapShape::Doubled59, LeapShape::Deleted], LeapShape::Sixty);
            prefix.leap =
                (last > 2 && random.happens(500)).then_some((last - i64::from(shape == LeapShape::Deleted), shape));
        }
        let moves =
            [Span::ZERO, Span::ZERO, Span::from_nanos(random.between(-40_000, 40_000)), ms(random.between(0, 999))];
        let ahead = random.one_of(&[0, 0, 0, 0, 1, -1, 2, -2, 5, -18, 18, 19, -25, 3_600, -100_000], 0);
        Self {
            lasts,
            first,
            pulse_moves: random.one_of(&moves, Span::ZERO),
            ahead,
            phc_runs_on: random.happens(600),
            opens: random.happens(200),
            garbage: if random.happens(200) { random.between(1, 300) as usize } else { 0 },
            prefix,
            clean,
        }
    }

    /// Whether the pulse ran at another rate than the clean world's, or moved so little that it may have crept there.
    pub fn runs_free(&self) -> bool {
        let drifts = |fault: &Fault| match fault.kind {
            FaultKind::PulseDrift(_) => true,
            FaultKind::PulseShift(shift) => shift.abs() <= Span::from_micros(200),
            _ => false,
        };
        self.prefix.system_ppm != self.clean.system_ppm || self.prefix.faults.iter().any(drifts)
    }

    /// Whether the pulse may have been dated worse than anything could show: by a PHC that was not read for seconds, or
    /// whose rate swung by more than a servo's.
    pub fn misleads(&self) -> bool {
        self.prefix.faults.iter().any(|fault| match fault.kind {
            FaultKind::Stall(SimThread::Phc, _) => true,
            FaultKind::PhcServo(ppm, _) => ppm.abs() > Envelope::SERVO_PPM,
            _ => false,
        })
    }

    /// Whether a silence may make the names look as if they ran on over it: sentences come later by most of a second or
    /// more, within the prefix or after it.
    pub fn falls_silent(&self) -> bool {
        let moves = |fault: &Fault| matches!(fault.kind, FaultKind::DelayJump(_) | FaultKind::DelayRamp(_));
        self.ahead > 0
            || self.prefix.faults.iter().any(moves)
            || self.clean.delay - self.prefix.delay > Span::from_millis(600)
    }

    /// The events of the prefix, and the clean world, whose events come after them.
    pub fn play(&self) -> (Vec<Event>, Timeline, Span) {
        let begin = Instant::from_parts(1_000, 0);
        let prefix = World::new(self.prefix.clone(), self.first.plus(self.ahead - self.lasts), begin);
        let last_drift = prefix.pulse_number(self.lasts);
        let mut clean = self.clean.clone();
        let first_pulse = last_drift + self.pulse_moves;
        if clean.sys_max_error.is_none() {
            clean.sys_ahead = prefix.sys(first_pulse) - Instant::from_parts(self.first.posix(), 0);
        }
        let until = first_pulse - ms(30);
        let world = World::new(clean, self.first, first_pulse);
        let stepped = if self.phc_runs_on { prefix.phc(until) - world.phc(until) } else { Span::ZERO };
        let mut before = Timeline::new(prefix);
        let mut events: Vec<Event> =
            std::iter::from_fn(|| Some(before.next_event())).take_while(|event| event.head().0 < until).collect();
        if self.garbage > 0 {
            let mut random = Random::new(self.clean.seed);
            let data = (0..self.garbage).map(|_| random.bits() as u8).collect();
            events.push(Event::Bytes(Bytes { read_at: until, byte_time: Span::from_micros(1_000), data }));
        }
        (events, Timeline::new(world), stepped)
    }

    /// The clean world's event as it follows this prefix; none if it does not apply.
    pub fn after(&self, event: Event, stepped: Span, until: Instant<Raw>) -> Option<Event> {
        match event {
            Event::Source { raw, change } => {
                // A different NIC reports which edges it timestamps.
                let is_other = matches!(change, SourceChange::PulseOpen(_)) && self.clean.edges != self.prefix.edges;
                (self.opens || is_other).then_some(Event::Source { raw: raw.max(until), change })
            }
            Event::Witness(_) | Event::LeapTable { .. } => Some(event),
            _ if event.head().0 < until => None,
            Event::Edge(edge) => Some(Event::Edge(Edge { phc: edge.phc + stepped, ..edge })),
            Event::CrossTs(cross) => Some(Event::CrossTs(CrossTs { phc: cross.phc + stepped, ..cross })),
            event => Some(event),
        }
    }
}
