//! What `run` would say of the receiver if a capture were all that it got. The engine itself is asked, with the default
//! settings and without a pulse.
//!
//! A capture has no clock. Time is taken from what it says: each newly named second is one second later. What names no
//! second takes its time by its length. A capture too short to be judged is heard again every second.

use crate::core::engine::{Config, Engine};
use crate::core::event::{Bytes, Event, Reason, SourceChange};
use crate::core::time::{Instant, Raw, Span};

/// The engine needs some seconds to say that something is missing.
const JUDGED_AFTER: Span = Span::from_secs(6);
/// So many bytes without a named second take [`PACE`].
const PIECE: usize = 4_096;
const PACE: Span = Span::from_millis(50);
/// Of a short capture so much is kept.
const KEPT: usize = 64 * 1_024;

/// The engine that hears the capture.
pub(super) struct Hearing {
    engine: Engine,
    now: Instant<Raw>,
    unnamed: usize,
    kept: Vec<u8>,
}

impl Hearing {
    pub(super) fn new() -> Self {
        let (mut engine, now) = (Engine::new(Config::default()), Instant::from_nanos(0));
        // Without a pulse, what is wrong with the receiver is the reason.
        for change in [SourceChange::SentencesOpen, SourceChange::PulseLost] {
            engine.handle(&Event::Source { raw: now, change });
        }
        Self { engine, now, unnamed: 0, kept: Vec::new() }
    }

    /// Takes what was read; `seconds` are the places in it where a message begins that names a new second.
    pub(super) fn take(&mut self, piece: &[u8], seconds: &[usize]) {
        let mut from = 0;
        for &at in seconds {
            self.hear(piece.get(from..at).unwrap_or_default());
            (self.now, self.unnamed) = (self.now + Span::SECOND, 0);
            from = at.max(from);
        }
        self.hear(piece.get(from..).unwrap_or_default());
    }

    /// The capture is at its end: what `run` would lack; `None` where it would use the second.
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
        let reason = self.engine.state().reason();
        reason.filter(|reason| *reason != Reason::PhcLost)
    }

    fn is_short(&self) -> bool {
        self.now - Instant::from_nanos(0) < JUDGED_AFTER
    }

    fn hear(&mut self, data: &[u8]) {
        for part in data.chunks(PIECE) {
            if self.is_short() {
                let room = KEPT - self.kept.len();
                self.kept.extend(part.iter().take(room));
            }
            self.give(part);
            self.unnamed += part.len();
            if self.unnamed >= PIECE {
                (self.now, self.unnamed) = (self.now + PACE, 0);
            }
        }
    }

    fn give(&mut self, data: &[u8]) {
        self.engine.handle(&Event::Bytes(Bytes { read_at: self.now, byte_time: Span::ZERO, data: data.into() }));
    }
}
