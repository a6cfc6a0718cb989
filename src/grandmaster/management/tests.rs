//! The golden bytes are those of linuxptp 3.1.1's pmc and ptp4l, taken with strace(1) at domain 24 and
//! transportSpecific 1; pmc's pid was the port number.

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

const fn of(port: u16, sequence: u16) -> Conversation {
    Conversation { domain: 24, transport_specific: 1, port, sequence }
}

pub(in crate::grandmaster) const DEFAULTS: GrandmasterSettings = GrandmasterSettings {
    clock_class: 248,
    clock_accuracy: 0xfe,
    offset_scaled_log_variance: 0xffff,
    current_utc_offset: 37,
    leap61: false,
    leap59: false,
    current_utc_offset_valid: false,
    ptp_timescale: false,
    time_traceable: false,
    frequency_traceable: false,
    time_source: 0xa0,
};
const LOCKED: GrandmasterSettings = GrandmasterSettings {
    clock_class: 6,
    clock_accuracy: 0x21,
    offset_scaled_log_variance: 0x4e5d,
    leap61: true,
    current_utc_offset_valid: true,
    ptp_timescale: true,
    time_traceable: true,
    frequency_traceable: true,
    time_source: 0x20,
    ..DEFAULTS
};
const FREE: GrandmasterSettings =
    GrandmasterSettings { clock_class: 52, current_utc_offset: -3, leap59: true, ptp_timescale: true, ..DEFAULTS };

/// What was asked, the request as pmc sent it, ptp4l's answer (none if it is below), and what that says.
type Golden = (Request, Conversation, Vec<u8>, Vec<u8>, Answer);

#[rustfmt::skip]
fn golden() -> [Golden; 5] {
    [
        (
            Request::Settings, of(0x39b8, 0),
            bytes("1d02003e 18000000 0000000000000000 00000000 0000000000000000 39b8 0000 047f ffffffffffffffffffff 00000000 \
                   0001000a c001 0000000000000000"),
            bytes("1d02003e 18000000 0000000000000000 00000000 f20c08fffe34a5a3 0000 0000 047f 000000000000000039b8 00000200 \
                   0001000a c001 f8feffff002500a0"),
            Answer::Settings(DEFAULTS),
        ),
        (
            Request::Set(LOCKED), of(0x39ce, 0),
            bytes("1d02003e 18000000 0000000000000000 00000000 0000000000000000 39ce 0000 047f ffffffffffffffffffff 00000100 \
                   0001000a c001 06214e5d00253d20"),
            bytes("1d02003e 18000000 0000000000000000 00000000 f20c08fffe34a5a3 0000 0000 047f 000000000000000039ce 00000200 \
                   0001000a c001 06214e5d00253d20"),
            Answer::Settings(LOCKED),
        ),
        (
            Request::Set(FREE), of(0x39dd, 0),
            bytes("1d02003e 18000000 0000000000000000 00000000 0000000000000000 39dd 0000 047f ffffffffffffffffffff 00000100 \
                   0001000a c001 34fefffffffd0aa0"),
            bytes("1d02003e 18000000 0000000000000000 00000000 f20c08fffe34a5a3 0000 0000 047f 000000000000000039dd 00000200 \
                   0001000a c001 34fefffffffd0aa0"),
            Answer::Settings(FREE),
        ),
        (
            Request::Defaults, of(0x39c9, 0),
            bytes("1d02004a 18000000 0000000000000000 00000000 0000000000000000 39c9 0000 047f ffffffffffffffffffff 00000000 \
                   00010016 2000 0000000000000000000000000000000000000000"),
            bytes("1d02004a 18000000 0000000000000000 00000000 f20c08fffe34a5a3 0000 0000 047f 000000000000000039c9 00000200 \
                   00010016 2000 0100000180f8feffff80f20c08fffe34a5a31800"),
            Answer::Ports(1),
        ),
        (
            // pmc asks for every port; only the target differs.
            Request::Port(0xffff), of(0x39be, 0),
            bytes("1d020050 18000000 0000000000000000 00000000 0000000000000000 39be 0000 047f ffffffffffffffffffff 00000000 \
                   0001001c 2004 0000000000000000000000000000000000000000000000000000"),
            vec![],
            Answer::PortState(PortState::Other),
        ),
    ]
}

/// ptp4l's answers to requests of port 0x1234 with sequence 7.
#[rustfmt::skip]
fn more_answers() -> [(Request, Vec<u8>, Answer); 5] {
    [
        (
            Request::Port(1),
            bytes("1d020050 18000000 0000000000000000 00000000 06824cfffed995fc 0001 0007 047f 00000000000000001234 00000200 \
                   0001001c 2004 06824cfffed995fc000104000000000000000000010300010002"),
            Answer::PortState(PortState::Other),
        ),
        (
            // The same with the state that it has while it follows another clock.
            Request::Port(1),
            bytes("1d020050 18000000 0000000000000000 00000000 825f3ffffe289023 0001 0007 047f 00000000000000001234 00000200 \
                   0001001c 2004 825f3ffffe289023000108000000000000000000010300010002"),
            Answer::PortState(PortState::Uncalibrated),
        ),
        (
            Request::Port(2),
            bytes("1d02003c 18000000 0000000000000000 00000000 06824cfffed995fc 0000 0007 047f 00000000000000001234 00000200 \
                   00020008 0004 2004 00000000"),
            Answer::Refused(ErrorId(4)),
        ),
        (
            // To a COMMAND.
            Request::Settings,
            bytes("1d02003c 18000000 0000000000000000 00000000 06824cfffed995fc 0000 0007 047f 00000000000000001234 00000400 \
                   00020008 0006 c001 00000000"),
            Answer::Refused(ErrorId(6)),
        ),
        (
            // To a SET of the default data set.
            Request::Defaults,
            bytes("1d02003c 18000000 0000000000000000 00000000 06824cfffed995fc 0000 0007 047f 00000000000000001234 00000200 \
                   00020008 0006 2000 00000000"),
            Answer::Refused(ErrorId(6)),
        ),
    ]
}

fn every_answer() -> Vec<(Request, Conversation, Vec<u8>, Answer)> {
    let golden = golden().into_iter().map(|(request, of, _, answer, read)| (request, of, answer, read));
    let more = more_answers().into_iter().map(|(request, answer, read)| (request, of(0x1234, 7), answer, read));
    golden.filter(|(_, _, answer, _)| !answer.is_empty()).chain(more).collect()
}

#[test]
fn requests_are_pmcs_byte_for_byte_and_ptp4ls_answers_are_read() {
    for (request, of, sent, ..) in golden() {
        assert_eq!(request.encode(of), sent, "{request:?}");
    }
    for (request, of, answer, read) in every_answer() {
        assert_eq!(request.answer(of, &answer), Some(read), "{request:?}");
    }
    assert_eq!(ErrorId(6).to_string() + " " + &ErrorId(9).to_string(), "NOT_SUPPORTED error 0x0009");
}

#[test]
fn every_state_in_which_it_follows_is_told_from_the_others() {
    let (request, mut answer, _) = more_answers()[0].clone();
    for state in 0..=255 {
        answer[64] = state;
        let read = match state {
            8 => PortState::Uncalibrated,
            9 => PortState::Slave,
            _ => PortState::Other,
        };
        assert_eq!(request.answer(of(0x1234, 7), &answer), Some(Answer::PortState(read)));
    }
}

#[test]
fn an_answer_cut_at_any_length_is_none() {
    for (request, of, answer, _) in every_answer() {
        for length in 0..answer.len() {
            let mut cut = answer[..length].to_vec();
            assert_eq!(request.answer(of, &cut), None, "{request:?} {length}");
            if length >= 4 {
                cut[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                assert_eq!(request.answer(of, &cut), None, "{request:?} that says {length}");
            }
        }
        let longer = [&answer[..], &[0; 3]].concat();
        assert!(request.answer(of, &longer).is_some(), "what follows the message is ignored");
    }
}

#[test]
fn an_answer_to_another_request_or_to_anyone_else_is_none() {
    let requests = [Request::Defaults, Request::Port(1), Request::Port(2), Request::Settings];
    for (request, of, answer, _) in every_answer() {
        for other in [
            Conversation { sequence: of.sequence ^ 1, ..of },
            Conversation { port: of.port ^ 0x100, ..of },
            Conversation { domain: 0, ..of },
            Conversation { transport_specific: 0, ..of },
        ] {
            assert_eq!(request.answer(other, &answer), None, "{request:?} {other:?}");
        }
        for asked in requests.iter().filter(|asked| asked.id() != request.id()) {
            assert_eq!(asked.answer(of, &answer), None, "{asked:?} {request:?}");
        }
    }
    let (_, another_port, _) = more_answers()[0].clone();
    assert_eq!(Request::Port(2).answer(of(0x1234, 7), &another_port), None);
    // Their own requests, as another client's would look.
    for (request, of, sent, ..) in golden() {
        assert_eq!(request.answer(of, &sent), None, "{request:?}");
    }
}

#[test]
fn any_byte_changed_is_refused_or_read_without_a_panic() {
    for (request, of, answer, _) in every_answer() {
        for at in 0..answer.len() {
            for value in 0..=255 {
                let mut changed = answer.clone();
                changed[at] = value;
                let _ = request.answer(of, &changed);
            }
        }
    }
}

#[test]
fn settings_come_back_as_they_were_sent() {
    for flags in 0..64 {
        let settings = GrandmasterSettings::from_bytes([7, 0x25, 0x4e, 0x5d, 0x80, 0, flags, 0xa0]);
        assert_eq!(settings.to_bytes(), [7, 0x25, 0x4e, 0x5d, 0x80, 0, flags, 0xa0]);
    }
}
