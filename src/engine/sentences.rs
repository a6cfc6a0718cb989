//! From the receiver's bytes to the label: what each sentence adds, and what is said of it.

use crate::engine::Engine;
use crate::engine::guard::{self, in_leap_window};
use crate::engine::labeller::Effect;
use crate::engine::mention::{Heard, Mention};
use crate::engine::ublox::Said;
use crate::event::{Bytes, Reason, Report, Says, Verdict};
use crate::nmea::{Found as Framed, Sentence};
use crate::ubx::Frame;

impl Engine {
    pub(super) fn on_bytes(&mut self, bytes: &Bytes, said: &mut Vec<Verdict>) {
        let mut messages: Vec<Result<Sentence, Frame>> = Vec::new();
        self.framer.push_all(bytes, |found| match found {
            Framed::Line(line) => messages.extend(line.read.map(Ok)),
            Framed::Frame(frame, _) => messages.push(Err(frame)),
        });
        self.hearing.bytes(self.now, bytes.byte_time, self.framer.burst_start(), self.framer.counts());
        for message in &messages {
            match self.ublox.hear(self.now, message) {
                Said::UtcUnknown => {
                    // Seconds that it named before it said so may have been reckoned with the same leap seconds.
                    self.labeller.reset();
                    self.hearing.utc_unknown(self.now);
                }
                Said::LeapSecond(next) => self.guard.announce_by_receiver(next),
                Said::Nothing => {}
            }
            if let Some(sentence) = message.map_or_else(|frame| frame.sentence(), Some) {
                self.on_sentence(&sentence, said);
            }
        }
    }

    fn on_sentence(&mut self, sentence: &Sentence, said: &mut Vec<Verdict>) {
        match self.mentions.add(sentence) {
            Heard::Mention(_) if self.ublox.utc_is_unknown(self.now) => self.hearing.doubtful(self.now),
            Heard::Mention(mention) => self.on_mention(mention, said),
            heard @ (Heard::NotValid | Heard::Fraction | Heard::LeapSecond | Heard::Part | Heard::Nothing) => {
                self.hearing.sentence(self.now, heard);
            }
        }
    }

    pub(super) fn on_report(&mut self, report: Report, said: &mut Vec<Verdict>) {
        self.hearing.report(self.now);
        match report.says {
            Says::Second { utc, named_at, began_at } => {
                let burst_start = began_at.min(named_at);
                self.on_mention(Mention { utc, first_byte: named_at, burst_start }, said);
            }
            Says::NoFix => self.hearing.sentence(self.now, Heard::NotValid),
        }
    }

    fn on_mention(&mut self, mention: Mention, said: &mut Vec<Verdict>) {
        let (utc, weeks) = match guard::possible(mention.utc, &self.config) {
            Ok(possible) => possible,
            Err(reason) => {
                self.hearing.impossible(self.now, reason);
                self.impossible = Some(mention.utc);
                said.push(Verdict::Rejected(reason));
                return;
            }
        };
        if weeks != self.rolled_over {
            self.rolled_over = weeks;
            said.push(Verdict::RolledOver { weeks });
        }
        let mention = Mention { utc, ..mention };
        self.hearing.sentence(self.now, Heard::Mention(mention));
        if in_leap_window(utc) {
            self.labeller.enter_leap_window(self.guard.expected_change(utc));
            said.push(Verdict::Rejected(Reason::LeapWindow));
            return;
        }
        match self.labeller.add(mention, self.train.on_time()) {
            Effect::None => {}
            Effect::Dissent => said.push(Verdict::Rejected(Reason::LabelDissent)),
            Effect::Relabelled(seconds) => said.push(Verdict::Relabelled { seconds }),
        }
    }
}
