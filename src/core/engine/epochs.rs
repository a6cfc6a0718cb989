//! Combines sentences into epochs: an epoch is the second that one burst names. RMC, or a binary message that is as complete,
//! decides which second that is; other sentences of the burst that name another second do not count. Without one, a burst
//! that names two seconds names none; date and validity may be of different sentences, such as ZDA and GGA.
//!
//! The time of an epoch is an interval: not later than the read with the sentence's first byte, and not earlier than
//! the pace measured in this burst allows. The port's rate cannot be used: native USB delivers a burst at once,
//! whatever rate is set.

use crate::core::nmea::{Burst, Kind, SLOWEST, Sentence, TimeOfDay, Validity};
use crate::core::time::{Date, Instant, Raw, Span, UtcSecond};

/// Sentences of one second arrive within this time.
const TOGETHER: Span = Span::from_millis(1_500);
/// Bursts that name the same second are one burst with pauses, if these last no longer than this in total. The same
/// second named later is named again: a leap second, or a correction.
const PAUSES: Span = Span::from_millis(850);
/// A burst that names no second is the beginning of the next one if that follows within this time. An adapter that
/// holds bytes back splits a burst by at most 255 ms; a pause of the receiver looks the same.
const CUT: Span = Span::from_millis(300);
/// Another second named this long after one belongs to the next burst, not to a sentence that is ahead.
const LATER: Span = Span::from_millis(400);
/// For this long after RMC nothing else names a second.
const RMC_WITHIN: Span = Span::from_millis(1_800);
/// Bytes that arrive with the first one are read with it, or all at once within this time.
const GATHERED: Span = Span::from_millis(16);
/// A line that carried bytes without a pause for this long is saturated.
const SATURATED: Span = Span::from_millis(2_500);
/// Seconds that a burst may name before the rest is ignored.
const NAMED_MAX: usize = 8;

/// A second, as named by a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// The second.
    pub utc: UtcSecond,
    /// The interval within which the burst, or the part of it about this second, began.
    pub began: [Instant<Raw>; 2],
    /// When the read with the first byte of the sentence that names the second returned.
    pub named: Instant<Raw>,
    /// When the burst began if its bytes arrived at the port's rate: another interpretation. If it makes a difference,
    /// more epochs are required.
    pub by_set_rate: Instant<Raw>,
    /// More is sent per second than the line can carry: by how many seconds it is late is unknown.
    pub is_saturated: bool,
}

/// What a burst reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saying {
    /// A valid second.
    Epoch(Epoch),
    /// Second 60, which never labels a pulse.
    LeapSecond(Instant<Raw>),
    /// It names a second as not valid, or only reports that there is no fix.
    NotValid,
    /// It names a fraction of a second.
    Fraction,
    /// It names different seconds, without an RMC to decide.
    Contradiction,
    /// RMC names the second, and another sentence names a different one.
    Overruled,
}

/// Collects the sentences of a burst.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epochs {
    trust_zda: bool,
    named: Vec<Named>,
    burst: Burst,
    /// The first read since a second was last named.
    lead: Option<Read>,
    rmc_at: Option<Instant<Raw>>,
    /// The first read of the earlier bursts that are the beginning of this one; `lost` also if some of them are
    /// damaged.
    head: Option<Read>,
    lost: Option<Read>,
    /// The time in a message that names no second by itself (PUBX,04), since a second was last named.
    clock: Option<TimeOfDay>,
    /// Whether this burst names a second, and whether a line of it was damaged.
    names: bool,
    is_damaged: bool,
    /// What the last burst without a contradiction named.
    last: Option<Named>,
}

/// A read: when it returned, and how many bytes it brought.
#[derive(Clone, Copy, Debug)]
struct Read {
    at: Instant<Raw>,
    bytes: usize,
}

impl Read {
    /// When its first byte began, if a byte takes that long.
    fn began(self, byte: Span) -> Instant<Raw> {
        self.at - byte.times(self.bytes as i64)
    }
}

/// What a burst reports about one second.
#[derive(Clone, Copy, Debug)]
struct Named {
    time: TimeOfDay,
    /// Its sentences include RMC, or a binary message with the same information.
    decides: bool,
    kinds: u32,
    /// When the burst that first named it began, without its head.
    since: Instant<Raw>,
    first: Instant<Raw>,
    lead: Read,
    date: Option<Date>,
    validity: Validity,
}

impl Epochs {
    /// `trust_zda`: a ZDA without any other sentence is enough, although it does not report its validity.
    pub(crate) fn new(trust_zda: bool) -> Self {
        Self { trust_zda, ..Self::default() }
    }

    /// Bytes of this burst arrived, whatever they are; `is_damaged` if they ended a damaged line. A burst that names no
    /// second may be the beginning of the next one.
    pub(crate) fn hear(&mut self, burst: Burst, is_damaged: bool, sayings: &mut Vec<Saying>) {
        if burst.began != self.burst.began {
            self.flush(sayings);
            self.lead = None;
            let before = Read { at: self.burst.began, bytes: self.burst.first_read };
            let follows = |within| !self.names && burst.began - self.burst.last <= within;
            // A damaged line may have named the second: wait longer for the rest.
            self.lost = follows(if self.is_damaged { PAUSES } else { CUT }).then(|| self.lost.unwrap_or(before));
            self.head = (follows(CUT) && !self.is_damaged).then(|| self.head.unwrap_or(before));
            self.clock = self.clock.filter(|_| !self.names);
            (self.names, self.is_damaged) = (false, false);
        }
        self.burst = burst;
        self.is_damaged |= is_damaged;
    }

    /// Takes a sentence of the last burst.
    pub(crate) fn add(&mut self, sentence: &Sentence, sayings: &mut Vec<Saying>) {
        let own = Read { at: sentence.read_at, bytes: sentence.read };
        if self.named.first().is_some_and(|named| own.at - named.first > TOGETHER) {
            self.flush(sayings);
        }
        let Some(time) = sentence.time.filter(|_| sentence.kind != Kind::Clock) else {
            if sentence.kind != Kind::Other && sentence.validity == Validity::Invalid {
                sayings.push(Saying::NotValid);
            } else {
                self.clock = sentence.time.or(self.clock);
                self.lead.get_or_insert(own);
            }
            return;
        };
        let kind = 1 << sentence.kind as u32;
        let is_first = !self.names && own.at - self.burst.began <= TOGETHER;
        let lead = self.lead.take().unwrap_or(own);
        if self.clock.take().is_some_and(|clock| clock != time) {
            (self.head, self.lost) = (None, None);
        }
        let began = self.head.unwrap_or(Read { at: self.burst.began, bytes: self.burst.first_read });
        let lead = if is_first && began.at < lead.at { began } else { lead };
        self.names = true;
        // On a line that is never silent, the same type of sentence for another second begins the next epoch, as does
        // any that arrives much later.
        if self.named.iter().any(|of| of.time != time && (of.kinds & kind != 0 || own.at - of.first > LATER)) {
            self.flush(sayings);
        }
        if let Some(named) = self.named.iter_mut().find(|named| named.time == time) {
            *named = named.with(sentence, kind);
        } else if self.named.len() < NAMED_MAX {
            let (since, first, validity) = (if is_first { self.burst.began } else { own.at }, own.at, Validity::Unsaid);
            let named = Named { time, decides: false, kinds: 0, since, first, lead, date: None, validity };
            let named = self.earlier(&named).map_or(named, |last| Named { first, kinds: 0, ..last });
            self.named.push(named.with(sentence, kind));
        }
    }

    /// What the previous burst named, if it is the same second.
    fn earlier(&self, named: &Named) -> Option<Named> {
        self.last
            .filter(|of| of.time == named.time && of.time != TimeOfDay::Fraction && named.first - of.since <= PAUSES)
    }

    /// Reports the content of the burst if no more of it has arrived for a while.
    pub(crate) fn complete(&mut self, now: Instant<Raw>, burst: Burst, sayings: &mut Vec<Saying>) {
        if burst.began == self.burst.began {
            self.burst = burst;
        }
        if !self.named.is_empty() && burst.is_over(now) {
            self.flush(sayings);
        }
    }

    fn flush(&mut self, sayings: &mut Vec<Saying>) {
        let named = std::mem::take(&mut self.named);
        let Some(last) = named.last().map(|named| named.first) else { return };
        let Some(decides) = named.iter().rfind(|named| named.decides).or(named.first()) else { return };
        self.rmc_at = if decides.decides { Some(last) } else { self.rmc_at };
        let is_late = self.rmc_at.is_some_and(|at| last - at <= RMC_WITHIN);
        let disagrees = named.iter().any(|other| other.time != decides.time && other.time != TimeOfDay::Fraction);
        // The beginning of this burst may have been taken for all of it, because the rest was late.
        let before = self.last.filter(|last| last.first >= self.burst.began && decides.first - last.first <= LATER);
        let is_said = self.earlier(decides).is_some_and(|last| last.says_all());
        // The rest of the burst that RMC began, however late.
        let is_rest =
            is_late && !decides.decides && self.last.is_some_and(|last| last.decides && last.time == decides.time);
        if decides.decides || !is_rest && !disagrees && before.is_none_or(|last| last.time == decides.time) {
            self.last = Some(*decides);
        }
        // Next to RMC, only a message that names another second by itself counts.
        if is_said || is_rest || !decides.decides && is_late && (disagrees || !decides.says_all()) {
            return;
        }
        match (disagrees, decides.decides) {
            (true, true) => sayings.push(Saying::Overruled),
            (true, false) => return sayings.push(Saying::Contradiction),
            (false, _) => {}
        }
        let is_valid = match decides.validity {
            Validity::Valid => true,
            Validity::Invalid => return sayings.push(Saying::NotValid),
            Validity::Unsaid => self.trust_zda && decides.kinds & (1 << Kind::Zda as u32) != 0,
        };
        match (decides.time, decides.date) {
            (TimeOfDay::Whole(second), Some(date)) if is_valid => {
                let utc = UtcSecond::from_civil(date, second);
                // Another second may have been named before it in the same burst: that is where the burst began.
                let lead = named.iter().find(|named| named.time != TimeOfDay::Fraction).unwrap_or(decides).lead;
                sayings.push(Saying::Epoch(decides.epoch(utc, lead, self.lost.take().unwrap_or(lead), self.burst)));
            }
            (TimeOfDay::LeapSecond, _) => sayings.push(Saying::LeapSecond(decides.first)),
            (TimeOfDay::Fraction, _) => sayings.push(Saying::Fraction),
            // No date, or not valid: if that lasts, the receiver lacks the time (`no-time`).
            (TimeOfDay::Whole(_), _) => {}
        }
    }
}

impl Named {
    fn with(mut self, sentence: &Sentence, kind: u32) -> Self {
        let decides = sentence.kind.decides();
        self.kinds |= kind;
        self.date = if decides { sentence.date.or(self.date) } else { self.date.or(sentence.date) };
        self.validity = match (decides, self.decides) {
            // RMC's validity overrides that of the others.
            (true, false) => sentence.validity,
            (false, true) => self.validity,
            _ => self.validity.max(sentence.validity),
        };
        self.decides |= decides;
        self
    }

    /// Whether it names a complete second as valid.
    fn says_all(&self) -> bool {
        self.validity == Validity::Valid && self.date.is_some()
    }

    fn epoch(&self, utc: UtcSecond, lead: Read, lost: Read, burst: Burst) -> Epoch {
        let earliest = lead.began(pace(burst)).min(lost.began(pace(burst)));
        let lasts = burst.last - burst.began;
        let is_saturated = lasts > SATURATED && burst.byte_time.times(burst.bytes as i64) > lasts - lasts.per(32);
        let by_set_rate = lead.began(burst.byte_time);
        Epoch { utc, began: [earliest, self.lead.at], named: self.first, by_set_rate, is_saturated }
    }
}

/// Observed time per byte in this burst. The last read is weak evidence: it may have been late.
fn pace(burst: Burst) -> Span {
    let Burst { began, first_read, before_last, last, last_read, reads, bytes, lines, whole_line, byte_time } = burst;
    let (until, between) = match reads {
        // A relay had to wait for the end of the line; anything else passes on bytes as it gets them.
        0 | 1 if whole_line && lines <= 1 && byte_time == Span::ZERO => return SLOWEST,
        0 | 1 => return Span::ZERO,
        2 => (last, last_read),
        _ => (before_last, bytes - first_read - last_read),
    };
    let took = if whole_line { until - began } else { (until - began - GATHERED).max(Span::ZERO) };
    // Reads that end within a line are an adapter's packets, from a line with the port's rate or a faster one.
    let most = if !whole_line && reads == 2 && byte_time > Span::ZERO { byte_time } else { SLOWEST };
    // Bytes that take about as long as at the port's rate arrive at that rate; otherwise, that rate means nothing.
    let is_set = (until - began).times(8) >= byte_time.times(between as i64).times(7);
    took.per(between as i64).min(most).max(if is_set { byte_time } else { Span::ZERO })
}
