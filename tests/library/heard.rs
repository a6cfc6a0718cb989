//! What the engine says of a receiver alone, by the bytes that it sends: why there is no second, or that there is one.

use crate::library::common::{pvt, sentence};
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Bytes, Event, Reason, SourceChange};
use gnss2shm::core::nmea::{Found, Framer, Line};
use gnss2shm::core::time::{Instant, NANOS, Raw, Span};

/// The engine needs some seconds to say that something is missing.
const JUDGED_AFTER: Instant<Raw> = Instant::from_nanos(6 * NANOS);

fn bytes(read_at: Instant<Raw>, data: &[u8]) -> Bytes {
    Bytes { read_at, byte_time: Span::ZERO, data: data.into() }
}

/// What the engine lacks of a receiver that sent these bytes; `None` if it uses the second. Each newly named second is one
/// second later. Bytes of fewer seconds than it takes are heard again every second.
fn lacks(input: &[u8]) -> Option<Reason> {
    let (mut engine, mut framer) = (Engine::new(Config::default()), Framer::default());
    let (mut now, mut named) = (Instant::from_nanos(0), None);
    // While there is no pulse, the reason is about the receiver.
    for change in [SourceChange::SentencesOpen, SourceChange::PulseLost] {
        engine.handle(&Event::Source { raw: now, change });
    }
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        framer.push_all(&bytes(now, line), |found| {
            let time = match found {
                Found::Line(Line { read, .. }) => read.ok().and_then(|sentence| sentence.time),
                Found::Frame(frame, _) => frame.sentence().time,
            };
            if time.is_some() && std::mem::replace(&mut named, time) != time {
                now = now + Span::SECOND;
            }
        });
        engine.handle(&Event::Bytes(bytes(now, line)));
    }
    while now < JUDGED_AFTER {
        now = now + Span::SECOND;
        engine.handle(&Event::Tick { raw: now });
        if !input.is_empty() {
            engine.handle(&Event::Bytes(bytes(now, input)));
        }
    }
    engine.state().reason().filter(|reason| *reason != Reason::PhcLost)
}

/// Sentences of so many seconds.
fn seconds(count: u32, body: impl Fn(u32) -> String) -> Vec<u8> {
    (0..count).flat_map(|n| sentence(&body(n))).collect()
}

#[test]
fn what_arrives_from_a_receiver_has_its_reason() {
    let rmc = |time: &str, status: &str, date: &str| format!("GPRMC,{time},{status},1,N,2,E,0,0,{date},,,A");
    let cold = [sentence("PUBX,04,120000.00,201126,1,1,18D,1,1,1"), sentence(&rmc("120000", "A", "201126"))].concat();
    let burst = |n: u32| {
        let gsv = sentence("GPGSV,1,1,00").repeat(300);
        let (gga, zda) =
            (format!("GPGGA,1200{n:02},1,N,2,E,1,8,1,1,M,1,M,,"), format!("GPZDA,1200{n:02},20,11,2026,,"));
        [sentence(&gga), gsv, sentence(&zda)].concat()
    };
    let fast = |n: u32| rmc(&format!("1200{:02}.{}", n / 5, n % 5 * 2), "A", "201126");
    let gns_and_zda = |n: u32| {
        let gns = format!("GNGNS,1200{n:02},1,N,2,E,AA,8,1,1,1,,");
        [sentence(&gns), sentence(&format!("GNZDA,1200{n:02},20,11,2026,,"))].concat()
    };
    for (what, input, reason) in [
        ("nothing", vec![], Some(Reason::NoBytes)),
        ("a sentence", sentence(&rmc("120000", "A", "201126")), None),
        ("a minute", seconds(60, |n| rmc(&format!("1200{n:02}"), "A", "201126")), None),
        ("5 Hz", seconds(100, fast), None),
        ("long bursts of GGA and ZDA", (0..20).flat_map(burst).collect(), None),
        ("NAV-PVT", pvt(0), None),
        ("no fix", seconds(60, |n| rmc(&format!("1200{n:02}"), "V", "201126")), Some(Reason::NoFix)),
        (
            "a fix that was lost",
            [
                seconds(30, |n| rmc(&format!("1200{n:02}"), "A", "201126")),
                seconds(30, |n| rmc(&format!("1201{n:02}"), "V", "201126")),
            ]
            .concat(),
            Some(Reason::NoFix),
        ),
        (
            "RMC that was switched off",
            [
                seconds(30, |n| rmc(&format!("1200{n:02}"), "A", "201126")),
                seconds(30, |n| format!("GPZDA,1201{n:02},20,11,2026,,")),
            ]
            .concat(),
            Some(Reason::NoTime),
        ),
        ("too early", seconds(60, |n| rmc(&format!("1200{n:02}"), "A", "060407")), Some(Reason::DateTooEarly)),
        ("GNS", seconds(60, |n| format!("GNGNS,1200{n:02},1,N,2,E,AA,8,1,1,1,,")), Some(Reason::NoTime)),
        ("GNS and ZDA", (0..20).flat_map(gns_and_zda).collect(), None),
        ("GGA", seconds(60, |n| format!("GPGGA,1200{n:02},1,N,2,E,1,8,1,1,M,1,M,,")), Some(Reason::NoTime)),
        (
            "SiRF running free",
            seconds(60, |n| rmc(&format!("1200{n:02}.949"), "A", "201126")),
            Some(Reason::NoWholeSecond),
        ),
        ("leap seconds unknown", cold, Some(Reason::UtcUnknown)),
        ("wrong checksums", b"$GPRMC,120000,A*00\r\n".repeat(9), Some(Reason::WrongChecksum)),
        ("text", b"hello\r\n".repeat(9), Some(Reason::NotNmea)),
        ("SiRF", b"\xA0\xA2\x00\x02\x84\x00\x00\x84\xB0\xB3".to_vec(), Some(Reason::SirfProtocol)),
        ("SkyTraq", b"\xA0\xA1\x00\x02\x02\x01\x03\x0D\x0A".repeat(999), Some(Reason::SkytraqProtocol)),
        ("Oncore", b"@@Cf%\r\n".to_vec(), Some(Reason::OncoreProtocol)),
        ("TSIP", b"\x10\x4B\x5A\x00\x01\x10\x03".repeat(9), Some(Reason::TsipProtocol)),
        ("GREIS", b"~~005\x01\x02\x03\x04\xFD".repeat(9), Some(Reason::GreisProtocol)),
        // The words are 0x04030004 and 1, low bytes first.
        ("CASIC", b"\xBA\xCE\x04\x00\x03\x04\x01\x00\x00\x00\x05\x00\x03\x04".to_vec(), Some(Reason::CasicProtocol)),
    ] {
        assert_eq!(lacks(&input), reason, "{what}");
    }
}
