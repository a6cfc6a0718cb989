//! The pure core: events in, verdicts out. It does no input or output, reads no clock, logs nothing and has no threads;
//! the same events give the same verdicts, bit for bit.
//!
//! The path of an edge: it waits for the next cross timestamp, [`clock_map`] converts its timestamp, [`edges`] decides
//! whether it is on time, [`phase`] counts it, [`audit`] compares the PHC with it; if state and label permit and [`guard`] lets it pass, it becomes a sample. The path of a sentence: [`epochs`]
//! combines it with the rest of its burst, [`label`] assigns the epoch to a pulse. [`receiver`] determines what is
//! missing from the sentences, [`ublox`] keeps what a u-blox receiver reports in addition; `state` determines the
//! state.
//!
//! Verdicts are functions of the last seconds' evidence. Three things are remembered longer: the pulse count and what
//! confirmed its label, which are evidence, and whether anything was published, because the system clock follows
//! gnss2shm from then on.

use std::collections::VecDeque;

pub(crate) mod audit;
pub(crate) mod clock_map;
mod config;
pub(crate) mod edges;
pub(crate) mod epochs;
pub(crate) mod guard;
pub(crate) mod label;
pub(crate) mod phase;
pub(crate) mod receiver;
mod sentences;
mod state;
pub(crate) mod ublox;

pub use config::{Config, Conventions, Rollover, WitnessMode};
pub(crate) use config::{DATE_CEILING, DATE_FLOOR};

use crate::core::event::{
    Contradiction, CrossTs, Edge, Edges as Grant, Event, Reason, Sample, SourceChange, State, Verdict,
};
use crate::core::nmea::{Framer, LineCounts};
use crate::core::time::{Instant, Raw, Span, UtcSecond};
use audit::{Auditor, TaiOffsets};
use clock_map::{ClockMap, Continuity, Dated};
use edges::{Edges, Hint, OnTime, Pulse};
use epochs::Epochs;
use guard::{Guard, in_leap_window, is_past_leap_window};
use label::{Label, Labeller};
use phase::{Follows, Phase};
use receiver::{HEARD_WITHIN, Receiver};
use state::Timestamper;
use ublox::Ublox;

/// Maximum number of edges that wait for the cross timestamp after them. The kernel's queue holds 128.
const PENDING_KEPT: usize = 128;

/// Why evidence is refused, and the two values that contradict each other.
type Refusal = (Reason, Option<Contradiction>);

/// The engine.
#[derive(Debug, Default)]
pub struct Engine {
    config: Config,
    now: Instant<Raw>,
    // The receiver.
    framer: Framer,
    epochs: Epochs,
    receiver: Receiver,
    ublox: Ublox,
    /// By how many weeks the last date was corrected.
    rolled_over: i64,
    // The pulse.
    timestamper: Timestamper,
    pulse_lost: bool,
    /// When the PHC or the kernel PPS device was last opened.
    pulse_awaited_since: Option<Instant<Raw>>,
    clock_map: ClockMap,
    /// Edges that wait for the next cross timestamp.
    pending: VecDeque<Edge>,
    edges: Edges,
    phase: Phase,
    auditor: Auditor,
    tai_offsets: TaiOffsets,
    // Both together.
    labeller: Labeller,
    guard: Guard,
    /// The second of the last pulse that was counted, published or not.
    last_counted: Option<UtcSecond>,
    /// The second of count 0 by the system clock at the last pulse.
    by_system: Option<UtcSecond>,
    /// When the pulse last moved or the receiver last had no fix, until trust is regained.
    doubted: Option<Instant<Raw>>,
    /// Whether there has been a sample since pulse and receiver agreed.
    has_published: bool,
    /// Since when every pulse has been skipped for a fault of its own, and the fault of the last one.
    passed_over: Option<(Instant<Raw>, Reason)>,
    state: State,
}

impl Engine {
    /// An engine without any input yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            now: Instant::from_nanos(i64::MIN),
            epochs: Epochs::new(config.trust_zda),
            edges: Edges::new(config.width),
            labeller: Labeller::new(config.delay),
            guard: Guard::new(config.witness, config.conventions),
            ..Self::default()
        }
    }

    /// Takes an event and returns the resulting verdicts. Events of one source arrive in order; those of different
    /// sources may overtake each other.
    pub fn handle(&mut self, event: &Event) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        self.now = self.now.max(event.head().0);
        self.complete_epoch(&mut verdicts);
        match event {
            Event::Bytes(bytes) => self.on_bytes(bytes, &mut verdicts),
            Event::Report(report) => self.on_report(*report, &mut verdicts),
            Event::Edge(edge) => self.on_edge(*edge, &mut verdicts),
            Event::CrossTs(cross) => self.on_cross_ts(*cross, &mut verdicts),
            Event::Source { change, .. } => self.on_source(*change),
            Event::Witness(witness) => {
                (self.guard.witness, self.tai_offsets.kernel) = (Some(*witness), witness.tai_offset);
            }
            Event::LeapTable { next, tai_offset, .. } => {
                (self.guard.announced, self.tai_offsets.table) = (*next, *tai_offset);
            }
            Event::Tick { .. } => {}
        }
        self.drop_worn_label();
        self.regain_trust();
        self.update_state(&mut verdicts);
        verdicts
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// The on-time edge, if known.
    pub fn on_time(&self) -> Option<OnTime> {
        if let Pulse::Settled(on_time) = self.edges.view(self.now) { Some(on_time) } else { None }
    }

    /// The label and the sentence delay, if agreed.
    pub fn label(&self) -> Option<Label> {
        self.labelling().ok().flatten()
    }

    /// When the receiver last named a valid second.
    pub fn last_time(&self) -> Option<Instant<Raw>> {
        self.receiver.epoch
    }

    /// Counts of the bytes so far.
    pub fn line_counts(&self) -> LineCounts {
        self.framer.counts()
    }

    fn on_source(&mut self, change: SourceChange) {
        match change {
            SourceChange::SentencesOpen => {
                self.framer.reset();
                self.receiver.device(self.now, None);
                self.labeller.chain.is_broken = true; // it may be another receiver
                self.ublox = Ublox::default();
            }
            SourceChange::SentencesLost(lost) => self.receiver.device(self.now, Some(lost)),
            SourceChange::PulseOpen(grant) => self.on_pulse_open(Timestamper::PHC, grant),
            SourceChange::PpsOpen(grant) => self.on_pulse_open(Timestamper::KERNEL_PPS, grant),
            SourceChange::PulseLost => (self.timestamper, self.pulse_lost) = (Timestamper::PHC, true),
            SourceChange::PulseRearmed => {}
            SourceChange::PpsLost => (self.timestamper, self.pulse_lost) = (Timestamper::KERNEL_PPS, true),
        }
    }

    fn on_pulse_open(&mut self, timestamper: Timestamper, grant: Grant) {
        self.edges.grant = self.config.edges.unwrap_or(grant);
        (self.timestamper, self.pulse_lost) = (timestamper, false);
        self.pulse_awaited_since = Some(self.now);
        self.clock_map = ClockMap::default();
        self.auditor = Auditor::default();
        self.pending.clear();
    }

    /// The raw clock stood still, so the count on it is void. If the system clock timestamps the edges, it alone may
    /// have been stepped; the next epoch will show that.
    fn on_suspension(&mut self) {
        if self.timestamper == Timestamper::KERNEL_PPS {
            return self.labeller.doubt();
        }
        self.edges.reset();
        self.phase = Phase::default();
        self.labeller.reset();
    }

    fn on_edge(&mut self, edge: Edge, verdicts: &mut Vec<Verdict>) {
        if self.pending.len() == PENDING_KEPT {
            self.pending.pop_front();
            verdicts.push(Verdict::Rejected(Reason::StaleEdge));
        }
        self.pending.push_back(edge);
    }

    fn on_cross_ts(&mut self, cross: CrossTs, verdicts: &mut Vec<Verdict>) {
        match self.clock_map.add(cross) {
            Continuity::Suspended => self.on_suspension(),
            Continuity::Unsure => self.labeller.doubt(),
            Continuity::Running => {}
        }
        for _ in 0..self.pending.len() {
            let Some(edge) = self.pending.pop_front() else { break };
            match self.clock_map.date(edge.phc, edge.read_at) {
                Ok(None) if self.now - edge.read_at <= HEARD_WITHIN => self.pending.push_back(edge),
                Ok(None) | Err(Reason::StaleEdge) => verdicts.push(Verdict::Rejected(Reason::StaleEdge)),
                // Read before it occurred: it was timestamped before the clock was set back.
                Ok(Some(dated)) if dated.raw <= edge.read_at + dated.raw_error => {
                    self.on_dated(dated, verdicts);
                }
                Ok(Some(_)) | Err(_) => verdicts.push(Verdict::Rejected(self.timestamper.stepped)),
            }
        }
    }

    fn on_dated(&mut self, dated: Dated, verdicts: &mut Vec<Verdict>) {
        // The system time is that of the true second.
        let stamp = self.timestamper.error;
        let dated = Dated {
            sys: dated.sys.map(|at| at - self.config.offset),
            error: dated.error + stamp,
            raw_error: dated.raw_error + stamp,
            ..dated
        };
        let rejected = match self.edges.add(dated, self.hint()) {
            Ok(Some(on_time)) => self.on_pulse(on_time, verdicts).err(),
            Ok(None) => None,
            Err(Reason::NotYet) => Some(self.input_state().reason().unwrap_or(Reason::NotYet)),
            Err(reason) => Some(reason),
        };
        verdicts.extend(rejected.map(Verdict::Rejected));
    }

    /// Evidence that distinguishes two edges half a second apart.
    fn hint(&self) -> Hint {
        let confirmed = self.labeller.label.and_then(|_| self.phase.last());
        let sentences = self.labeller.epochs.back().zip(self.config.delay).map(|(epoch, delay)| epoch.began[1] - delay);
        Hint { system: self.guard.system_error(self.now), sentences, confirmed }
    }

    /// The on-time edge of a second: a sample if everything else permits.
    fn on_pulse(&mut self, dated: Dated, verdicts: &mut Vec<Verdict>) -> Result<(), Reason> {
        let Some(on_time) = self.on_time() else { return Ok(()) };
        let (index, miss) = self.count(on_time, dated).ok_or(Reason::Stray)?;
        self.mind_leap_window(index);
        let state = self.input_state();
        let (true, Some(label)) = (state.publishes(), self.label()) else {
            self.audit_over_leap(index, dated, miss);
            return Err(state.reason().unwrap_or(Reason::NotYet));
        };
        let utc = label.base.plus(index);
        let error = dated.error + miss;
        let certain = dated.sys.and_then(|at| if miss <= dated.room { Ok(at) } else { Err(Reason::UnevenPulse) });
        let at = match certain {
            Ok(at) => at,
            Err(reason) => {
                let since = self.passed_over.map_or(dated.raw, |(since, _)| since);
                self.passed_over = Some((since, reason));
                // The PHC can be compared with the pulse while the system clock cannot.
                if self.state.publishes() && dated.raw_error + miss <= audit::UNEVEN {
                    self.audit(index, utc, dated, miss);
                }
                return Err(reason);
            }
        };
        let at = at + self.sawtooth(utc, dated);
        // Also for a lone edge: only the width shows that it is the one that starts the pulse.
        let is_configured = self.config.width.is_some() && self.config.delay.is_some();
        let overruled = self.guard.pass(self.now, utc, at, is_configured)?;
        verdicts.extend(overruled.map(|offset| Verdict::WitnessOverruled { offset }));
        self.audit(index, utc, dated, miss);
        (self.has_published, self.passed_over) = (true, None);
        self.update_state(verdicts); // before the sample, so that no sample is issued in a state without samples
        verdicts.push(Verdict::Sample(Sample { label: utc, at, error, leap: self.guard.leap(utc, 0) }));
        Ok(())
    }

    /// What to add to the time of this pulse, if that is configured.
    fn sawtooth(&self, utc: UtcSecond, dated: Dated) -> Span {
        if self.config.sawtooth { self.ublox.correction(utc, dated.raw) } else { Span::ZERO }
    }

    /// Counts the pulse; doubts one that moved or runs free. `None` if it is not at the expected position.
    fn count(&mut self, on_time: OnTime, dated: Dated) -> Option<(i64, Span)> {
        let counted = match self.phase.follow(on_time, dated.phc, dated.raw_error)? {
            // On the system clock, which may be slewed by 10 %.
            Follows::InPhase(index, miss) => (index, miss + miss.per(10)),
            Follows::RunsFree(index) => {
                self.doubted = Some(dated.raw);
                (index, Span::ZERO)
            }
            Follows::Anew(moved) => {
                self.labeller.count_anew();
                self.last_counted = None;
                self.doubted = self.doubted.max(moved);
                (0, Span::ZERO)
            }
        };
        self.by_system = dated.sys.ok().map(|at| {
            let (second, _) = (at - Instant::default()).nearest(Span::SECOND);
            UtcSecond::from_posix(second.saturating_sub(counted.0))
        });
        let beside = self.beside();
        self.labeller.propose(&self.phase, beside);
        Some(counted)
    }

    /// In a leap window, and after one that passed without a pulse, the label must be confirmed again.
    fn mind_leap_window(&mut self, index: i64) {
        let Some(label) = self.labeller.label else { return };
        let utc = label.base.plus(index);
        let last = self.last_counted.replace(utc).unwrap_or(utc);
        if in_leap_window(utc) || is_past_leap_window(last, utc) {
            self.labeller.over_leap();
        }
    }
}
