//! One grandmaster's run: what ptp4l has, compared with what the policy wants it to have. Decides when to ask and to
//! set, and what to tell the operator.

use std::time::{Duration, Instant};

use super::link::{BRIEFLY, Link, LinkError, PATIENCE};
use super::management::GrandmasterSettings;
use super::policy::{Decision, Policy};
use crate::core::time::{Instant as TimeOf, Raw, Span};

/// Interval between two looks at ptp4l's settings, which others can change.
const LOOK: Duration = Duration::from_secs(10);
/// The same while ptp4l does not answer.
const RETRY: Duration = Duration::from_secs(2);
/// Failures in a row before the operator is told: a restart of ptp4l is not worth a line.
const FAILURES: u32 = 3;
/// The same sentence about another program is repeated after this.
const REPEATED: Duration = Duration::from_secs(60);
/// TAI - UTC where nothing is known, as in ptp4l's defaults.
const TAI_OFFSET: i16 = 37;

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// ptp4l now claims this class, and why.
    Class(u8, String),
    /// ptp4l cannot be reached, or does not do as it is told.
    Trouble(String),
    /// It answers again.
    Answers,
}

/// The state of the run.
pub(crate) struct Session {
    link: Link,
    policy: Policy,
    /// What ptp4l is believed to have: what it last answered, or what was sent to it since.
    has: Option<GrandmasterSettings>,
    /// The same, if it has answered so.
    verified: Option<GrandmasterSettings>,
    /// The port on which it follows another clock.
    follows: Option<u16>,
    /// When to look at it next.
    next: Instant,
    failures: u32,
    /// The trouble that was reported.
    trouble: Option<String>,
    /// The class that was reported.
    class: Option<u8>,
    /// Settings that did not stay set: they are not sent again before the next look.
    rejected: Option<GrandmasterSettings>,
    /// What was said about another program that sets ptp4l.
    rival: Repeated,
}

/// A look at ptp4l's settings.
struct Look {
    /// What it had.
    had: GrandmasterSettings,
    /// Whether nothing was known of it.
    is_new: bool,
    /// How what it had differs from what was verified before, other than in the fields about UTC, which it can change.
    rival: Option<String>,
    decision: Decision,
}

/// A sentence that can become due again and again.
#[derive(Debug, Default)]
struct Repeated(Option<(String, Instant)>);

impl Repeated {
    /// Whether it is another sentence than the last one, or due again. If so, it counts as said.
    fn is_due(&mut self, sentence: &str, now: Instant) -> bool {
        let last = self.0.as_ref().filter(|(last, at)| last == sentence && now.duration_since(*at) < REPEATED);
        let is_due = last.is_none();
        if is_due {
            self.0 = Some((sentence.to_owned(), now));
        }
        is_due
    }
}

impl Session {
    /// A session in which nothing is known yet.
    pub(crate) fn new(link: Link, policy: Policy) -> Self {
        Self {
            link,
            policy,
            has: None,
            verified: None,
            follows: None,
            next: Instant::now(),
            failures: 0,
            trouble: None,
            class: None,
            rejected: None,
            rival: Repeated::default(),
        }
    }

    /// The policy, which takes what is heard.
    pub(crate) fn policy(&mut self) -> &mut Policy {
        &mut self.policy
    }

    /// Time until something is due.
    pub(crate) fn rest(&self, now: TimeOf<Raw>) -> Duration {
        let look = self.next.saturating_duration_since(Instant::now());
        let expires = self.policy.expires(now).map(|left| Duration::from_nanos(left.nanos().unsigned_abs()));
        expires.map_or(look, |expires| look.min(expires))
    }

    /// What is to be claimed now; none while ptp4l's settings are not known.
    fn decision(&self, now: TimeOf<Raw>) -> Option<Decision> {
        self.has.map(|has| self.policy.decide(now, &has, self.follows))
    }

    /// Makes ptp4l's settings those of the policy if they differ; looks at them if that is due.
    pub(crate) fn turn(&mut self, now: TimeOf<Raw>) -> Vec<News> {
        self.renew(now);
        let is_sent = self.set_worse(now);
        let wanted = self.decision(now).map(|decision| decision.settings);
        let is_quiet = wanted == self.has || wanted == self.rejected || self.failures > 0;
        if Instant::now() < self.next && is_quiet && !is_sent {
            return Vec::new();
        }
        let looked = self.look_and_set(now);
        let rest = if looked.is_ok() { LOOK } else { RETRY };
        self.next = Instant::now() + rest;
        match looked {
            Ok(look) => self.done(&look),
            Err(error) => self.failed(&error),
        }
    }

    /// Goes over to the ptp4l that has the name now. Nothing is known of another one.
    fn renew(&mut self, now: TimeOf<Raw>) {
        if self.link.renew(self.parting(now)) {
            (self.has, self.verified, self.next) = (None, None, Instant::now());
        }
    }

    /// Sets a worse class at once, because ptp4l can be slow to answer. Returns whether it did.
    fn set_worse(&mut self, now: TimeOf<Raw>) -> bool {
        let Some((has, wanted)) = self.has.zip(self.decision(now).map(|decision| decision.settings)) else {
            return false;
        };
        let is_worse = wanted.clock_class > has.clock_class && self.rejected != Some(wanted);
        let is_set = is_worse && !self.policy.is_hands_off(now) && self.link.set_blind(wanted);
        if is_set {
            (self.has, self.verified) = (Some(wanted), None);
        }
        is_set
    }

    /// Asks for ptp4l's settings, and sets them if they are not the wanted ones.
    fn look_and_set(&mut self, now: TimeOf<Raw>) -> Result<Look, LinkError> {
        let begin = Instant::now();
        let is_new = self.has.is_none();
        let later = || now + Span::from_nanos(begin.elapsed().as_nanos().try_into().unwrap_or(i64::MAX));
        self.follows = self.link.within(PATIENCE).follower()?;
        self.set_worse(later());
        let had = self.link.settings()?;
        let expected = self.verified.filter(|verified| without_utc(*verified) != without_utc(had));
        let decision = self.policy.decide(later(), &had, self.follows);
        let wanted = decision.settings;
        self.rejected = None;
        (self.has, self.verified) = (Some(had), Some(had));
        if had != wanted {
            // Until it is known which of the two ptp4l has, the better class counts.
            self.has = Some(if wanted.clock_class < had.clock_class { wanted } else { had });
            self.verified = None;
            self.link.set(wanted)?;
            let set = self.link.settings()?;
            self.rejected = (set != wanted).then_some(wanted);
            (self.has, self.verified) = (Some(set), Some(set));
        }
        let rival = expected.map(|expected| differences(expected, had));
        Ok(Look { had, is_new, rival, decision })
    }

    fn done(&mut self, look: &Look) -> Vec<News> {
        let mut news = Vec::new();
        self.failures = 0;
        if let (Some(wanted), Some(has)) = (self.rejected, self.has) {
            let sentence = format!(
                "ptp4l's settings do not stay as they were set ({}): another program sets them, or ptp4l refuses them",
                differences(has, wanted)
            );
            return self.tell(sentence);
        }
        if self.trouble.take().is_some() {
            news.push(News::Answers);
        }
        if let Some(rival) = &look.rival
            && self.rival.is_due(rival, Instant::now())
        {
            let sentence =
                format!("another program has set ptp4l's grandmaster settings ({rival}): they are set again");
            news.push(News::Trouble(sentence));
        }
        let class = look.decision.settings.clock_class;
        let before = self.class.replace(class);
        if before != Some(class) {
            news.push(News::Class(class, look.decision.why.to_string()));
        } else if look.is_new && look.had.clock_class != class {
            let why = format!("set again, because ptp4l had class {}: {}", look.had.clock_class, look.decision.why);
            news.push(News::Class(class, why));
        }
        news
    }

    fn failed(&mut self, error: &LinkError) -> Vec<News> {
        self.failures += 1;
        let is_passing = matches!(error, LinkError::Absent(..) | LinkError::Silent { .. });
        if is_passing && self.failures < FAILURES { Vec::new() } else { self.tell(error.to_string()) }
    }

    /// Reports trouble, unless it is reported already.
    fn tell(&mut self, sentence: String) -> Vec<News> {
        if self.trouble.as_ref() == Some(&sentence) {
            return Vec::new();
        }
        self.trouble = Some(sentence.clone());
        vec![News::Trouble(sentence)]
    }

    /// The end: ptp4l is left without a claim, even if it does not answer.
    pub(crate) fn withdraw(&mut self, now: TimeOf<Raw>) -> Result<(), LinkError> {
        self.renew(now);
        // A moment for the answer: without it, ptpTimescale and the offset would be lost.
        let is_asked = self.has.is_none() || self.policy.is_hands_off(now);
        let has = if is_asked { self.link.within(BRIEFLY).settings().ok() } else { None };
        let parting = has.map_or_else(|| self.parting(now), |has| self.policy.withdrawn(now, &has));
        if has != Some(parting) {
            self.link.set_blind(parting);
        }
        let has = self.link.within(PATIENCE).settings()?;
        let wanted = self.policy.withdrawn(now, &has);
        if has != wanted {
            self.link.set(wanted)?;
        }
        Ok(())
    }

    /// No claim, for a ptp4l that does not answer: its fields about UTC as they were last, and not valid.
    fn parting(&self, now: TimeOf<Raw>) -> GrandmasterSettings {
        let has = self.has.unwrap_or(GrandmasterSettings { current_utc_offset: TAI_OFFSET, ..Default::default() });
        let (leap61, leap59) = (false, false);
        self.policy.withdrawn(now, &GrandmasterSettings { current_utc_offset_valid: false, leap61, leap59, ..has })
    }

    /// What it would do now, and, if ptp4l answers, what ptp4l has.
    pub(crate) fn preview(&mut self, now: TimeOf<Raw>) -> (Decision, Result<GrandmasterSettings, LinkError>) {
        let asked = self.link.within(PATIENCE).follower().and_then(|follows| Ok((follows, self.link.settings()?)));
        let (follows, has) = match &asked {
            Ok((follows, has)) => (*follows, *has),
            Err(_) => (None, GrandmasterSettings::default()),
        };
        (self.policy.decide(now, &has, follows), asked.map(|(_, has)| has))
    }
}

/// `clockClass 248 -> 6, timeSource 0xa0 -> 0x20`
pub(crate) fn differences(from: GrandmasterSettings, to: GrandmasterSettings) -> String {
    let pairs = from.fields().into_iter().zip(to.fields());
    let changed = pairs.filter(|(from, to)| from != to);
    changed.map(|((name, from), (_, to))| format!("{name} {from} -> {to}")).collect::<Vec<_>>().join(", ")
}

/// Without the fields about UTC, which ptp4l can change by itself.
fn without_utc(settings: GrandmasterSettings) -> GrandmasterSettings {
    let (leap61, leap59) = (false, false);
    GrandmasterSettings { current_utc_offset: 0, current_utc_offset_valid: false, leap61, leap59, ..settings }
}

#[cfg(test)]
mod tests;
