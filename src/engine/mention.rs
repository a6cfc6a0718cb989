//! Sentences to mentions: a burst of sentences says together which second it is. One gives the time, another the date,
//! a third whether there is a fix; the first of them that names the second says when it was named.

use crate::nmea::{Kind, Sentence, TimeOfDay, Validity};
use crate::time::{Date, Instant, Raw, Span, UtcSecond};

/// Sentences of one second lie within this.
const TOGETHER: Span = Span::from_millis(1_500);

/// The receiver has named a UTC second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The second.
    pub utc: UtcSecond,
    /// When the first sentence that names it began.
    pub first_byte: Instant<Raw>,
    /// When the burst that this sentence is part of began.
    pub burst_start: Instant<Raw>,
}

/// What a sentence added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// With it, a second is named, dated and valid.
    Mention(Mention),
    /// It names a second and says that it is not valid.
    NotValid,
    /// It names a fraction of a second.
    Fraction,
    /// It names second 60, which is no pulse's label.
    LeapSecond,
    /// Part of a second that is not complete yet, or already mentioned.
    Part,
    /// Nothing about time.
    Nothing,
}

/// Gathers the sentences of a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mentions {
    trust_zda: bool,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    second_of_day: u32,
    first_byte: Instant<Raw>,
    burst_start: Instant<Raw>,
    date: Option<Date>,
    validity: Validity,
    mentioned: bool,
}

impl Mentions {
    /// `trust_zda`: a ZDA without any other sentence is enough, though it says nothing of its validity.
    pub fn new(trust_zda: bool) -> Self {
        Self { trust_zda, open: None }
    }

    /// Takes a sentence.
    pub fn add(&mut self, sentence: &Sentence) -> Heard {
        let second_of_day = match sentence.time {
            _ if matches!(sentence.kind, Kind::Clock(_)) => return Heard::Nothing,
            Some(TimeOfDay::Whole(second)) => second,
            Some(TimeOfDay::LeapSecond) => return Heard::LeapSecond,
            Some(TimeOfDay::Fraction) => return Heard::Fraction,
            None if sentence.validity == Validity::Invalid => return Heard::NotValid,
            None => return Heard::Nothing,
        };
        let begun = self
            .open
            .filter(|open| open.second_of_day == second_of_day && sentence.first_byte - open.first_byte <= TOGETHER);
        let mut open = begun.unwrap_or(Open {
            second_of_day,
            first_byte: sentence.first_byte,
            burst_start: sentence.burst_start,
            date: None,
            validity: Validity::Unsaid,
            mentioned: false,
        });
        open.date = open.date.or(sentence.date);
        open.validity = match (open.validity, sentence.validity) {
            (Validity::Invalid, _) | (_, Validity::Invalid) => Validity::Invalid,
            (Validity::Valid, _) | (_, Validity::Valid) => Validity::Valid,
            (Validity::Unsaid, Validity::Unsaid) if self.trust_zda && sentence.kind == Kind::Zda => Validity::Valid,
            (Validity::Unsaid, Validity::Unsaid) => Validity::Unsaid,
        };
        let heard = match (open.validity, open.date) {
            (Validity::Invalid, _) => Heard::NotValid,
            (Validity::Valid, Some(date)) if !open.mentioned => {
                open.mentioned = true;
                let Open { first_byte, burst_start, .. } = open;
                Heard::Mention(Mention { utc: UtcSecond::from_civil(date, second_of_day), first_byte, burst_start })
            }
            (Validity::Valid | Validity::Unsaid, _) => Heard::Part,
        };
        self.open = Some(open);
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(kind: Kind, ms: i64, second: u32, date: Option<Date>, validity: Validity) -> Sentence {
        let first_byte = Instant::from_nanos(ms * 1_000_000);
        Sentence { kind, time: Some(TimeOfDay::Whole(second)), date, validity, first_byte, burst_start: first_byte }
    }

    fn heard(trust_zda: bool, sentences: &[Sentence]) -> Vec<Heard> {
        let mut mentions = Mentions::new(trust_zda);
        sentences.iter().map(|s| mentions.add(s)).collect()
    }

    fn mention(ms: i64, second: u32) -> Heard {
        let at = Instant::from_nanos(ms * 1_000_000);
        let day = Date::new(2026, 11, 20).unwrap();
        Heard::Mention(Mention { utc: UtcSecond::from_civil(day, second), first_byte: at, burst_start: at })
    }

    #[test]
    fn time_date_and_validity_may_come_from_different_sentences_of_a_second() {
        use Kind::{Gga, Rmc, Zda};
        use Validity::{Invalid, Unsaid, Valid};
        let day = Date::new(2026, 11, 20);
        let rmc = |ms, second, validity| sentence(Rmc, ms, second, day, validity);
        let gga = |ms, second, validity| sentence(Gga, ms, second, None, validity);
        let zda = |ms, second| sentence(Zda, ms, second, day, Unsaid);
        for (name, sentences, want) in [
            ("RMC alone", vec![rmc(0, 5, Valid)], vec![mention(0, 5)]),
            ("one mention a second", vec![rmc(0, 5, Valid), zda(90, 5)], vec![mention(0, 5), Heard::Part]),
            ("GGA first, dated by RMC", vec![gga(0, 5, Valid), rmc(90, 5, Valid)], vec![Heard::Part, mention(0, 5)]),
            ("GGA and ZDA", vec![gga(0, 5, Valid), zda(90, 5)], vec![Heard::Part, mention(0, 5)]),
            ("ZDA alone", vec![zda(0, 5)], vec![Heard::Part]),
            ("GGA of another second", vec![gga(0, 4, Valid), zda(90, 5)], vec![Heard::Part, Heard::Part]),
            ("GGA a second ago", vec![gga(0, 5, Valid), zda(2_000, 5)], vec![Heard::Part, Heard::Part]),
            ("no fix", vec![rmc(0, 5, Invalid), zda(90, 5)], vec![Heard::NotValid, Heard::NotValid]),
            ("no fix said late", vec![zda(0, 5), gga(90, 5, Invalid)], vec![Heard::Part, Heard::NotValid]),
        ] {
            assert_eq!(heard(false, &sentences), want, "{name}");
        }
        assert_eq!(heard(true, &[zda(0, 5)]), [mention(0, 5)]);
    }
}
