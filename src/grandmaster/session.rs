//! One grandmaster's run: what ptp4l has, compared with what the policy wants it to have. Decides when to ask and to
//! set, and what to tell the operator.

use std::time::{Duration, Instant};

use super::link::{Link, LinkError};
use super::management::GrandmasterSettings;
use super::policy::{Decision, Policy};
use crate::core::time::{Instant as TimeOf, Raw, Span};

/// Interval between two looks at ptp4l's settings, which others can change.
const LOOK: Duration = Duration::from_secs(10);
/// The same while ptp4l does not answer.
const RETRY: Duration = Duration::from_secs(2);
/// Failures in a row before the operator is told: a restart of ptp4l is not worth a line.
const FAILURES: u32 = 3;

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
    /// What ptp4l has, as far as it is known.
    has: Option<GrandmasterSettings>,
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
}

impl Session {
    /// A session in which nothing is known yet.
    pub(crate) fn new(link: Link, policy: Policy) -> Self {
        let next = Instant::now();
        Self { link, policy, has: None, follows: None, next, failures: 0, trouble: None, class: None, rejected: None }
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
        if self.link.is_replaced() {
            (self.has, self.next) = (None, Instant::now());
        }
        let wanted = self.decision(now).map(|decision| decision.settings);
        if Instant::now() < self.next && (wanted == self.has || wanted == self.rejected) {
            return Vec::new();
        }
        let looked = self.look_and_set(now);
        let rest = if looked.is_ok() { LOOK } else { RETRY };
        self.next = Instant::now() + rest;
        match looked {
            Ok((had, decision)) => self.done(had, &decision),
            Err(error) => self.failed(&error),
        }
    }

    /// Asks for ptp4l's settings, and sets them if they are not the wanted ones. Returns those that it had.
    fn look_and_set(&mut self, now: TimeOf<Raw>) -> Result<(GrandmasterSettings, Decision), LinkError> {
        let begin = Instant::now();
        let had = self.has.take();
        self.follows = self.link.follower()?;
        let has = self.link.settings()?;
        let elapsed = Span::from_nanos(begin.elapsed().as_nanos().try_into().unwrap_or(i64::MAX));
        let decision = self.policy.decide(now + elapsed, &has, self.follows);
        self.rejected = None;
        if has == decision.settings {
            self.has = Some(has);
        } else {
            self.link.set(decision.settings)?;
            let set = self.link.settings()?;
            self.rejected = (set != decision.settings).then_some(decision.settings);
            self.has = Some(set);
        }
        Ok((had.unwrap_or(has), decision))
    }

    fn done(&mut self, had: GrandmasterSettings, decision: &Decision) -> Vec<News> {
        let mut news = Vec::new();
        self.failures = 0;
        if let (Some(wanted), Some(has)) = (self.rejected, self.has) {
            let sentence = format!(
                "ptp4l's settings do not stay as they were set ({}): stop the other program that sets them",
                differences(has, wanted)
            );
            return self.tell(sentence);
        }
        if self.trouble.take().is_some() {
            news.push(News::Answers);
        }
        let class = decision.settings.clock_class;
        let before = self.class.replace(class);
        if before != Some(class) {
            news.push(News::Class(class, decision.why.to_string()));
        } else if had.clock_class != class {
            let why = format!("set again, because ptp4l had class {}: {}", had.clock_class, decision.why);
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

    /// The end: ptp4l is left without a claim.
    pub(crate) fn withdraw(&mut self, now: TimeOf<Raw>) -> Result<(), LinkError> {
        let has = self.link.settings()?;
        let wanted = self.policy.withdrawn(now, &has);
        if has != wanted {
            self.link.set(wanted)?;
        }
        Ok(())
    }

    /// What it would do now, and, if ptp4l answers, what ptp4l has.
    pub(crate) fn preview(&mut self, now: TimeOf<Raw>) -> (Decision, Result<GrandmasterSettings, LinkError>) {
        let asked = self.link.follower().and_then(|follows| Ok((follows, self.link.settings()?)));
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
