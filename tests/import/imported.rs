//! The result of an import: a recording and its truth. Both are one text: the truth is in comments, which replay
//! ignores.

use std::collections::BTreeMap;
use std::fmt;

use gnss2shm::event::Event;
use gnss2shm::time::{Instant, Span, Sys, UtcSecond};
use gnss2shm::{Header, Item, Reader};

const KNOWN_TO: &str = "# truth known to ";
const TRUTH: &str = "# truth ";

/// A recording and its truth.
pub(crate) struct Imported {
    pub(crate) header: Header,
    /// What is real and what is invented, one line each.
    pub(crate) notes: Vec<String>,
    pub(crate) truth: Truth,
    pub(crate) events: Vec<Event>,
}

/// When each second began by the system clock.
#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) seconds: BTreeMap<UtcSecond, Instant<Sys>>,
    /// Accuracy of these times.
    pub(crate) known_to: Span,
}

impl Truth {
    /// Error of a sample; `None` if there is no such second.
    pub(crate) fn error(&self, label: UtcSecond, at: Instant<Sys>) -> Option<Span> {
        self.seconds.get(&label).map(|true_at| at - *true_at)
    }

    fn read(&mut self, comment: &str) -> Option<()> {
        if let Some(known_to) = comment.strip_prefix(KNOWN_TO) {
            self.known_to = Span::from_nanos(known_to.parse().ok()?);
        } else if let Some((label, at)) = comment.strip_prefix(TRUTH).and_then(|rest| rest.split_once(' ')) {
            let (label, at) = (label.parse().ok()?, at.parse().ok()?);
            self.seconds.insert(UtcSecond::from_posix(label), Instant::from_nanos(at));
        }
        Some(())
    }
}

impl Imported {
    /// Any recording; without a truth in it, only twins can judge it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let (mut headers, mut events, mut lost) = (Vec::new(), Vec::new(), 0);
        let taken = Reader::default().push(text.as_bytes(), |item| match item {
            Item::Header(header) => headers.push(header),
            Item::Event(event) => events.push(event),
            Item::Lost(events) => lost += events,
        });
        taken.map_err(|damage| damage.to_string())?;
        let ([header], 0) = (headers.as_slice(), lost) else {
            return Err("one whole part of a recording is judged, and this is not one".into());
        };
        let mut truth = Truth::default();
        for comment in text.lines().filter(|line| line.starts_with('#')) {
            truth.read(comment).ok_or_else(|| format!("no truth: {comment}"))?;
        }
        Ok(Self { header: header.clone(), notes: Vec::new(), truth, events })
    }
}

/// The text of the recording.
impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "# {note}")?;
        }
        writeln!(f, "{KNOWN_TO}{}", self.truth.known_to.nanos())?;
        for (label, at) in &self.truth.seconds {
            writeln!(f, "{TRUTH}{} {}", label.posix(), at.nanos())?;
        }
        writeln!(f, "{}", self.header)?;
        self.events.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}
