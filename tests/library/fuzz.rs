//! Fuzz targets. As plain tests they run over their corpus (`tests/fuzz/*/corpus`) and some random inputs;
//! `cargo install cargo-bolero && cargo bolero test framer -T 5min` drives one with coverage.

use bolero::check;
use gnss2shm::core::event::{Bytes, text};
use gnss2shm::core::nmea::{Found, Framer};
use gnss2shm::core::time::{Instant, Span};
use gnss2shm::recording::{Item, Reader};

#[test]
fn framer() {
    check!().for_each(|data: &[u8]| {
        let mut framer = Framer::default();
        let bytes = Bytes { read_at: Instant::from_nanos(0), byte_time: Span::from_micros(100), data: data.into() };
        let (mut sentences, mut whole_frames) = (0, 0);
        framer.push_all(&bytes, |found| match found {
            Found::Line(line) => {
                if let Ok(sentence) = line.read {
                    assert!(sentence.first_byte <= sentence.read_at && sentence.read_at <= bytes.read_at);
                    sentences += 1;
                }
            }
            Found::Frame(frame, whole) => {
                assert!(frame.first_byte <= frame.read_at && frame.read_at <= bytes.read_at);
                assert!(whole.starts_with(&[0xB5, 0x62]) && data.windows(whole.len()).any(|part| part == whole));
                whole_frames += 1;
            }
        });
        let counts = framer.counts();
        assert_eq!((counts.bytes, counts.frames), (data.len() as u64, whole_frames));
        assert_eq!(sentences + counts.malformed, counts.sentences);
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
