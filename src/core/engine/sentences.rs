//! From the receiver's bytes to the label: what each sentence and each burst contributes.

use crate::core::engine::epochs::{Epoch, Saying};
use crate::core::engine::guard::{self, in_leap_window};
use crate::core::engine::label::{Beside, Label};
use crate::core::engine::receiver::HEARD_WITHIN;
use crate::core::engine::ublox::News;
use crate::core::engine::{Engine, Refusal};
use crate::core::event::{Bytes, Leap, Reason, Report, Says, Verdict};
use crate::core::nmea::{Found, Sentence, TimeOfDay, Validity};
use crate::core::time::{Instant, Raw, UtcSecond};

impl Engine {
    pub(super) fn on_bytes(&mut self, bytes: &Bytes, verdicts: &mut Vec<Verdict>) {
        let before = self.framer.counts();
        let mut messages = Vec::new();
        self.framer.push_all(bytes, |found| match found {
            Found::Line(line) => messages.extend(line.read.map(|sentence| (sentence, None))),
            Found::Frame(frame, _) => messages.push((frame.sentence(), Some(frame))),
        });
        let (burst, counts) = (self.framer.burst(), self.framer.counts());
        self.receiver.bytes(self.now, burst, &before, &counts);
        self.labeller.chain.hear(burst.began);
        let mut sayings = Vec::new();
        self.epochs.hear(burst, counts.damaged() > before.damaged(), &mut sayings);
        for (sentence, frame) in messages {
            let news = match frame {
                Some(frame) => self.ublox.frame(self.now, &frame),
                None => self.ublox.sentence(self.now, &sentence),
            };
            match news {
                Some(News::UtcUnknown) => {
                    // Seconds that it named before may be based on the same leap seconds.
                    self.labeller.reset();
                    self.receiver.utc_unknown = Some(self.now);
                }
                Some(News::LeapSecond(next)) => self.guard.announced_by_receiver = next,
                None => {}
            }
            if self.is_complete(&sentence) {
                self.receiver.epoch = Some(self.now);
            }
            self.epochs.add(&sentence, &mut sayings);
        }
        self.take(sayings, verdicts);
    }

    /// Whether this sentence names a possible second, validly and by itself.
    fn is_complete(&self, sentence: &Sentence) -> bool {
        let (Some(TimeOfDay::Whole(second)), Some(date)) = (sentence.time, sentence.date) else { return false };
        sentence.kind.decides()
            && sentence.validity == Validity::Valid
            && !self.ublox.utc_is_unknown(self.now)
            && guard::possible(UtcSecond::from_civil(date, second), &self.config).is_ok()
    }

    /// Completes the epoch if its burst is over.
    pub(super) fn complete_epoch(&mut self, verdicts: &mut Vec<Verdict>) {
        let mut sayings = Vec::new();
        self.epochs.complete(self.now, self.framer.burst(), &mut sayings);
        self.take(sayings, verdicts);
    }

    pub(super) fn on_report(&mut self, report: Report, verdicts: &mut Vec<Verdict>) {
        self.receiver.report(self.now);
        let saying = match report.says {
            Says::Second { utc, named_at: named, began_at } => {
                let began = began_at.min(named);
                Saying::Epoch(Epoch { utc, began: [began; 2], named, by_set_rate: began, is_saturated: false })
            }
            Says::NoFix => Saying::NotValid,
        };
        self.take(vec![saying], verdicts);
    }

    fn take(&mut self, sayings: Vec<Saying>, verdicts: &mut Vec<Verdict>) {
        for saying in sayings {
            match saying {
                // The receiver has a fix.
                Saying::Epoch(_) if self.ublox.utc_is_unknown(self.now) => {
                    (self.receiver.utc_unknown, self.receiver.no_fix) = (Some(self.now), None);
                }
                Saying::Epoch(epoch) => self.on_epoch(epoch, verdicts),
                Saying::LeapSecond(at) => self.labeller.chain.leap_second(at),
                Saying::NotValid => {
                    self.receiver.no_fix(self.now);
                    self.doubted = Some(self.now);
                }
                Saying::Fraction => self.receiver.fraction = Some(self.now),
                Saying::Contradiction => {
                    self.receiver.impossible = Some((self.now, Reason::SentencesDisagree, None));
                    verdicts.push(Verdict::Rejected(Reason::SentencesDisagree));
                }
                Saying::Overruled => verdicts.push(Verdict::Rejected(Reason::SentencesDisagree)),
            }
        }
    }

    fn on_epoch(&mut self, epoch: Epoch, verdicts: &mut Vec<Verdict>) {
        let (utc, weeks) = match guard::possible(epoch.utc, &self.config) {
            Ok(possible) => possible,
            Err(reason) => {
                self.receiver.impossible = Some((self.now, reason, Some(epoch.utc)));
                verdicts.push(Verdict::Rejected(reason));
                return;
            }
        };
        if weeks != self.rolled_over {
            self.rolled_over = weeks;
            verdicts.push(Verdict::RolledOver { weeks });
        }
        self.receiver.epoch(self.now);
        let in_window = in_leap_window(utc);
        if in_window {
            self.labeller.over_leap();
            verdicts.push(Verdict::Rejected(Reason::LeapWindow));
        }
        verdicts.extend(self.labeller.add(Epoch { utc, ..epoch }, &self.phase, self.beside(), in_window));
    }

    /// Evidence other than the receiver's.
    pub(super) fn beside(&self) -> Beside {
        let system = self.by_system.filter(|_| self.guard.system_error(self.now).is_some());
        Beside { system, unsure: self.by_system, leap: self.leap_near() }
    }

    /// If no second was named within the holdover, the label must be determined again.
    pub(super) fn drop_worn_label(&mut self) {
        let is_worn = |last: Instant<Raw>| self.now - last > self.config.holdover.max(HEARD_WITHIN);
        if self.receiver.epoch.is_some_and(is_worn) {
            self.labeller.reset();
        }
    }

    pub(super) fn labelling(&self) -> Result<Option<Label>, Refusal> {
        self.labeller.view(self.leap_near())
    }

    /// The leap second announced for the end of the month that the count (without one, the receiver) has reached or
    /// passed.
    pub(super) fn leap_near(&self) -> Leap {
        let named = self.labeller.epochs.back().map(|epoch| epoch.utc);
        self.last_counted.or(named).map_or(Leap::None, |utc| self.guard.leap(utc, 1))
    }
}
