//! From the receiver's bytes to the label: what each sentence adds, and what is said of it.

use crate::core::engine::Engine;
use crate::core::engine::epochs::{Epoch, Said};
use crate::core::engine::guard::{self, in_leap_window};
use crate::core::engine::label::{Beside, Effect};
use crate::core::engine::ublox;
use crate::core::event::{Bytes, Reason, Report, Says, Verdict};
use crate::core::nmea::{Found, Sentence, TimeOfDay, Validity};
use crate::core::time::UtcSecond;
use crate::core::ubx::Frame;

impl Engine {
    pub(super) fn on_bytes(&mut self, bytes: &Bytes, verdicts: &mut Vec<Verdict>) {
        let damaged = self.framer.counts().damaged();
        let mut messages: Vec<Result<Sentence, Frame>> = Vec::new();
        self.framer.push_all(bytes, |found| match found {
            Found::Line(line) => messages.extend(line.read.map(Ok)),
            Found::Frame(frame, _) => messages.push(Err(frame)),
        });
        let burst = self.framer.burst();
        self.hearing.bytes(self.now, burst, self.framer.counts());
        self.labeller.chain.hear(burst.began);
        let mut said = Vec::new();
        self.epochs.hear(burst, self.framer.counts().damaged() > damaged, &mut said);
        for message in &messages {
            match self.ublox.hear(self.now, message) {
                ublox::Said::UtcUnknown => {
                    // Seconds that it named before it said so may have been reckoned with the same leap seconds.
                    self.labeller.reset();
                    self.hearing.utc_unknown = Some(self.now);
                }
                ublox::Said::LeapSecond(next) => self.guard.announced_by_receiver = next,
                ublox::Said::Nothing => {}
            }
            let sentence = message.unwrap_or_else(|frame| frame.sentence());
            if self.is_complete(&sentence) {
                self.hearing.mention = Some(self.now);
            }
            self.epochs.add(&sentence, &mut said);
        }
        self.take(said, verdicts);
    }

    /// Whether this sentence alone says validly which second it is.
    fn is_complete(&self, sentence: &Sentence) -> bool {
        let (Some(TimeOfDay::Whole(second)), Some(date)) = (sentence.time, sentence.date) else { return false };
        sentence.kind.decides()
            && sentence.validity == Validity::Valid
            && !self.ublox.utc_is_unknown(self.now)
            && guard::possible(UtcSecond::from_civil(date, second), &self.config).is_ok()
    }

    /// A burst may be over.
    pub(super) fn complete_epoch(&mut self, verdicts: &mut Vec<Verdict>) {
        let mut said = Vec::new();
        self.epochs.complete(self.now, self.framer.burst(), &mut said);
        self.take(said, verdicts);
    }

    pub(super) fn on_report(&mut self, report: Report, verdicts: &mut Vec<Verdict>) {
        self.hearing.report(self.now);
        let said = match report.says {
            Says::Second { utc, named_at: named, began_at } => {
                let began = began_at.min(named);
                Said::Epoch(Epoch { utc, began: [began; 2], named, by_set_rate: began, is_saturated: false })
            }
            Says::NoFix => Said::NotValid,
        };
        self.take(vec![said], verdicts);
    }

    fn take(&mut self, said: Vec<Said>, verdicts: &mut Vec<Verdict>) {
        for said in said {
            if !matches!(said, Said::Epoch(_)) {
                self.hearing.said(self.now, said);
            }
            match said {
                Said::Epoch(_) if self.ublox.utc_is_unknown(self.now) => self.hearing.doubtful(self.now),
                Said::Epoch(epoch) => self.on_epoch(epoch, verdicts),
                Said::LeapSecond(at) => self.labeller.chain.leap_second(at),
                Said::NotValid => self.doubted = Some(self.now),
                Said::Contradiction | Said::Overruled => verdicts.push(Verdict::Rejected(Reason::SentencesDisagree)),
                Said::Fraction => {}
            }
        }
    }

    fn on_epoch(&mut self, epoch: Epoch, verdicts: &mut Vec<Verdict>) {
        let (utc, weeks) = match guard::possible(epoch.utc, &self.config) {
            Ok(possible) => possible,
            Err(reason) => {
                self.hearing.impossible = Some((self.now, reason));
                self.impossible = Some(epoch.utc);
                verdicts.push(Verdict::Rejected(reason));
                return;
            }
        };
        if weeks != self.rolled_over {
            self.rolled_over = weeks;
            verdicts.push(Verdict::RolledOver { weeks });
        }
        let epoch = Epoch { utc, ..epoch };
        self.hearing.said(self.now, Said::Epoch(epoch));
        let in_window = in_leap_window(utc);
        if in_window {
            self.labeller.over_leap();
            verdicts.push(Verdict::Rejected(Reason::LeapWindow));
        }
        match self.labeller.add(epoch, &self.phase, self.beside(), in_window) {
            Effect::None => {}
            Effect::Dissent => verdicts.push(Verdict::Rejected(Reason::LabelDissent)),
            Effect::Relabeled(seconds) => verdicts.push(Verdict::Relabeled { seconds }),
        }
    }

    /// What else says which second it is.
    pub(super) fn beside(&self) -> Beside {
        let system = self.by_system.filter(|_| self.guard.witness(self.now).is_some());
        Beside { system, unsure: self.by_system, leap: self.leap_near() }
    }
}
