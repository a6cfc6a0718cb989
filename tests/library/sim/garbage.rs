//! Input other than good sentences, and the reason given for it: each as from a serial line and from a stream. The
//! pulse is always present; good sentences start after twenty seconds.

use crate::library::common::sentence;
use crate::library::simulated::scenario::{Fault, FaultKind, Scenario};
use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::World;
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Bytes, Event, Reason, State, Verdict};
use gnss2shm::core::time::{Instant, Span};

use super::harness::{evening, ms};

/// Seconds before the good sentences.
const BEFORE: i64 = 20;
/// Time between two pieces of input.
const PACE: Span = Span::from_millis(250);

/// The piece of input with this number.
type Pieces = Box<dyn Fn(i64) -> Vec<u8>>;

/// UBX-ACK-ACK for CFG-MSG, from u-blox's interface description.
const UBX: &[u8] = b"\xB5\x62\x05\x01\x02\x00\x06\x01\x0F\x38";
/// Message 1005, from RTCM 10403.
const RTCM: &[u8] =
    b"\xD3\x00\x13\x3E\xD7\xD3\x02\x02\x98\x0E\xDE\xEF\x34\xB4\xBD\x62\xAC\x09\x41\x98\x6F\x33\x36\x0B\x98";
/// `ReceiverTime` as `pysbf2` 1.0.7 makes it.
const SBF: &[u8] = b"\x24\x40\xE6\x49\x1A\x17\x18\x00\xE8\x03\x00\x00\x60\x09\x1A\x0B\x14\x0C\x00\x00\x12\x07\x01\x02";
const GPSD: &[u8] =
    b"{\"class\":\"VERSION\",\"release\":\"3.22\",\"rev\":\"3.22\",\"proto_major\":3,\"proto_minor\":14}\r\n";

/// Bytes of all values that are not a frame; each piece contains a frame's header.
fn noise(piece: i64, header: &[u8]) -> Vec<u8> {
    let mut state = piece as u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let (before, after): (Vec<u8>, Vec<u8>) = ((0..50).map(|_| byte()).collect(), (0..50).map(|_| byte()).collect());
    [&before, header, &after].concat()
}

/// The states that these pieces lead to, with the time since the first of them.
fn states(piece: &dyn Fn(i64) -> Vec<u8>, byte_time: Span) -> Vec<(Span, State)> {
    let faults = vec![Fault { from: 0, until: BEFORE, kind: FaultKind::NoSentences }];
    let scenario = Scenario { faults, ..Scenario::default() };
    let mut timeline = Timeline::new(World::new(scenario, evening(), Instant::from_parts(1_000, 0)));
    let (first, good) = (timeline.world().pulse_number(0) + ms(100), timeline.world().pulse_number(BEFORE));
    let end = timeline.world().pulse_number(BEFORE + 20);
    let mut events: Vec<Event> =
        std::iter::from_fn(|| Some(timeline.next_event())).take_while(|event| event.head().0 < end).collect();
    for event in &mut events {
        if let Event::Bytes(bytes) = event {
            bytes.byte_time = byte_time;
        }
    }
    events.extend((0..).map_while(|n| {
        let read_at = first + PACE.times(n);
        (read_at < good).then(|| Event::Bytes(Bytes { read_at, byte_time, data: piece(n).into() }))
    }));
    events.retain(|event| !matches!(event, Event::Bytes(bytes) if bytes.data.is_empty()));
    events.sort_by_key(|event| event.head().0);
    let (mut engine, mut states) = (Engine::new(Config::default()), Vec::new());
    for event in &events {
        for verdict in engine.handle(event) {
            let at = event.head().0;
            match verdict {
                Verdict::Sample(_) => assert!(at >= good, "a sample came of this: {states:?}"),
                Verdict::StateChanged { to, .. } => states.push((at - first, to)),
                _ => {}
            }
        }
    }
    states
}

#[test]
fn what_comes_in_place_of_sentences_is_called_what_it_is_until_they_come() {
    use Reason::{
        BinaryProtocol, GpsdProtocol, NoBytes, NoSentence, NoTime, NotNmea, RtcmOnly, SbfProtocol, WrongChecksum,
    };
    let damaged = b"$GPRMC,120000,A,1,N,2,E,0,0,201126,,,A*00\r\n".to_vec();
    let good = sentence("GPRMC,120000,A,1,N,2,E,0,0,201126,,,A");
    let utf_16: Vec<u8> = good.iter().flat_map(|&byte| [byte, 0]).collect();
    let broken_frame = [&UBX[..9], b"\x39"].concat();
    let same = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        Box::new(move |_| bytes.clone()) as Pieces
    };
    // The input, the states from a line, those from a stream.
    let cases: [(&str, Pieces, Reason, Reason); 32] = [
        ("noise", Box::new(|n| noise(n, b"")), NoSentence, NotNmea),
        ("noise with u-blox's header", Box::new(|n| noise(n, b"\xB5\x62")), NoSentence, NotNmea),
        ("noise with RTCM's header", Box::new(|n| noise(n, b"\xD3\x00\x13")), NoSentence, NotNmea),
        ("noise with SBF's header", Box::new(|n| noise(n, b"$@")), NoSentence, NotNmea),
        ("u-blox's headers", same(b"\xB5\x62\x01\x07\x5C\x00\x00\x00"), NoSentence, NotNmea),
        ("u-blox's frame with a wrong checksum", same(&broken_frame), NoSentence, NotNmea),
        ("u-blox", same(UBX), BinaryProtocol, BinaryProtocol),
        ("Septentrio", same(SBF), SbfProtocol, SbfProtocol),
        ("RTCM", same(RTCM), RtcmOnly, RtcmOnly),
        ("RTCM in pieces", Box::new(|n| RTCM[n as usize % 5 * 5..][..5].to_vec()), RtcmOnly, RtcmOnly),
        ("u-blox and RTCM", same(&[RTCM, UBX].concat()), BinaryProtocol, BinaryProtocol),
        (
            "u-blox and RTCM by turns",
            Box::new(|n| if n % 2 == 0 { UBX.to_vec() } else { RTCM.to_vec() }),
            BinaryProtocol,
            BinaryProtocol,
        ),
        ("gpsd", same(GPSD), GpsdProtocol, GpsdProtocol),
        ("gpsd's greeting", Box::new(|n| if n == 0 { GPSD.to_vec() } else { vec![] }), GpsdProtocol, GpsdProtocol),
        (
            "gpsd's greeting and a sentence",
            Box::new(|n| if n == 0 { [GPSD, &sentence("GPGSV,1,1,00")].concat() } else { vec![] }),
            NoBytes,
            NoBytes,
        ),
        ("another greeting", Box::new(|n| if n == 0 { b"SSH-2.0-x\r\n".to_vec() } else { vec![] }), NoBytes, NoBytes),
        ("a frame and no more", Box::new(|n| if n == 0 { UBX.to_vec() } else { vec![] }), NoBytes, NoBytes),
        ("a web server's answer", same(b"HTTP/1.1 400 Bad Request\r\n\r\n"), NoSentence, NotNmea),
        ("wrong checksums", same(&damaged), WrongChecksum, WrongChecksum),
        ("no checksums", same(b"$GPRMC,120000,A,1,N,2,E,0,0,201126,,,A\r\n"), WrongChecksum, WrongChecksum),
        ("wrong checksums of what is not a sentence", same(b"$x*00\r\n$(a)\r\n"), NoSentence, NotNmea),
        ("a line without an end", same(&[b'x'; 200]), NoSentence, NotNmea),
        ("a sentence without an end", same(&[&b"$GPRMC,1200"[..], &[b'x'; 190]].concat()), NoSentence, NotNmea),
        ("NULs", same(&[0; 100]), NoSentence, NotNmea),
        ("UTF-16", same(&utf_16), NoSentence, NotNmea),
        ("UTF-16 with its mark", same(&[b"\xFF\xFE", &utf_16[..]].concat()), NoSentence, NotNmea),
        ("GSV", same(&sentence("GPGSV,1,1,00")), NoTime, NoTime),
        ("GGA", same(&sentence("GPGGA,120000,1,N,2,E,1,8,1,1,M,1,M,,")), NoTime, NoTime),
        ("ZDA", same(&sentence("GPZDA,120000,20,11,2026,,")), NoTime, NoTime),
        ("proprietary", same(&sentence("PUBX,00,120000.00,1,N,2,E,G3,1,1,0,0,0,,1,1,1,8,0,0")), NoTime, NoTime),
        ("GSV after NULs", same(&[&[0; 9][..], &sentence("GPGSV,1,1,00")].concat()), NoTime, NoTime),
        ("GSV with u-blox's frames", same(&[UBX, &sentence("GPGSV,1,1,00")].concat()), NoTime, NoTime),
    ];
    let mut wrong = Vec::new();
    for (what, piece, on_line, on_stream) in &cases {
        for (byte_time, reason) in [(Span::from_micros(1_042), on_line), (Span::ZERO, on_stream)] {
            let states = states(piece, byte_time);
            let reasons: Vec<_> = {
                let reasons = states.iter().filter_map(|(at, to)| Some((*at, to.reason()?)));
                reasons.filter(|(_, reason)| *reason != Reason::Starting).collect()
            };
            let is_named = matches!(reasons[..], [(at, only)] if at <= Span::from_secs(5) && only == *reason);
            let is_over = matches!(states.last(), Some((at, State::Locked)) if *at <= Span::from_secs(BEFORE + 14));
            if !is_named || !is_over {
                wrong.push(format!("{what}, {byte_time} a byte, not {reason:?}: {states:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
