//! What `run` would say of a receiver that sent nothing but a capture: the engine itself is asked, with the default
//! settings and without a pulse.
//!
//! A capture has no clock: each newly named second is one second later. A capture too short to be judged is heard again
//! every second.

use crate::core::engine::{Config, Engine};
use crate::core::event::{Bytes, Event, Reason, SourceChange};
use crate::core::time::{Instant, Raw, Span};

/// The engine needs some seconds to say that something is missing.
const JUDGED_AFTER: Span = Span::from_secs(6);
/// Bytes of a short capture that are kept, to be heard again.
const KEPT: usize = 64 * 1_024;

/// The engine that hears the capture.
pub(super) struct Hearing {
    engine: Engine,
    now: Instant<Raw>,
    kept: Vec<u8>,
}

impl Hearing {
    pub(super) fn new() -> Self {
        let (mut engine, now) = (Engine::new(Config::default()), Instant::from_nanos(0));
        // While there is no pulse, the reason is about the receiver.
        for change in [SourceChange::SentencesOpen, SourceChange::PulseLost] {
            engine.handle(&Event::Source { raw: now, change });
        }
        Self { engine, now, kept: Vec::new() }
    }

    /// Takes what was read; `seconds` are the places in it where a message begins that names a new second.
    pub(super) fn take(&mut self, piece: &[u8], seconds: &[usize]) {
        let mut from = 0;
        for &at in seconds {
            self.hear(piece.get(from..at).unwrap_or_default());
            self.now = self.now + Span::SECOND;
            from = at.max(from);
        }
        self.hear(piece.get(from..).unwrap_or_default());
    }

    /// At the end of the capture: what `run` would lack; `None` if it would use the second.
    pub(super) fn lacks(mut self) -> Option<Reason> {
        // The last line may have no end.
        self.hear(b"\r\n");
        let kept = std::mem::take(&mut self.kept);
        while self.is_short() {
            self.now = self.now + Span::SECOND;
            self.engine.handle(&Event::Tick { raw: self.now });
            if kept.len() > 2 {
                self.give(&kept);
            }
        }
        self.engine.state().reason().filter(|reason| *reason != Reason::PhcLost)
    }

    fn is_short(&self) -> bool {
        self.now - Instant::from_nanos(0) < JUDGED_AFTER
    }

    fn hear(&mut self, data: &[u8]) {
        if self.is_short() {
            let room = KEPT - self.kept.len();
            self.kept.extend(data.iter().take(room));
        }
        self.give(data);
    }

    fn give(&mut self, data: &[u8]) {
        self.engine.handle(&Event::Bytes(Bytes { read_at: self.now, byte_time: Span::ZERO, data: data.into() }));
    }
}
