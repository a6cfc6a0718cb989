//! Fuzz targets. As plain tests they run over their corpus (`tests/fuzz/*/corpus`) and some random inputs;
//! `cargo install cargo-bolero && cargo bolero test framer -T 5min` drives one with coverage.
#![allow(clippy::panic)]

use bolero::check;
use gnss2shm::event::{Bytes, text};
use gnss2shm::nmea::Framer;
use gnss2shm::recording::{Item, Reader};
use gnss2shm::time::{Instant, Span};

#[test]
fn framer() {
    check!().for_each(|data: &[u8]| {
        let mut framer = Framer::default();
        let bytes = Bytes { read_at: Instant::from_nanos(0), byte_time: Span::from_micros(100), data: data.into() };
        let mut found = 0;
        framer.push(&bytes, |sentence| {
            assert!(sentence.burst_start <= sentence.first_byte && sentence.first_byte <= bytes.read_at);
            found += 1;
        });
        let counts = framer.counts();
        assert_eq!((counts.bytes, found + counts.malformed), (data.len() as u64, counts.sentences));
    });
}

#[test]
fn recording() {
    check!().for_each(|data: &[u8]| {
        let mut reader = Reader::default();
        let _ = reader.push(data, |item| {
            if let Item::Event(event) = item {
                let again = text::parse(event.to_string().as_bytes());
                assert_eq!(again.as_ref(), Ok(&event), "what is read can be written and read again");
            }
        });
    });
}
