//! Choice of channel and pin, their claims, and the order of events.

use super::*;

#[test]
fn a_channel_out_of_range_says_how_many_there_are() {
    check_channel(&"ptp0", 1, 2).unwrap();
    for (channel, channels, problem, says) in [
        (2, 2, Problem::Wrong, "no channel 2; its last channel is 1"),
        (1, 1, Problem::Wrong, "no channel 1; its last channel is 0"),
        (0, 0, Problem::Unsupported, "no external timestamps"),
    ] {
        let error = check_channel(&"ptp0 (igb)", channel, channels).unwrap_err();
        assert_eq!(error.problem, problem);
        assert!(error.to_string().contains(says), "{error}");
    }
}

fn pins(functions: &[(Function, u32)]) -> Vec<PinState> {
    let pin = |(index, (function, channel)): (usize, &(Function, u32))| PinState {
        name: format!("SDP{index}"),
        index: index as u32,
        function: *function,
        channel: *channel,
    };
    functions.iter().enumerate().map(pin).collect()
}

fn config(pin: Option<&str>, channel: u32) -> PhcConfig {
    PhcConfig { device: "eth0".into(), pin: pin.map(|pin| pin.parse().unwrap()), channel }
}

#[test]
fn the_pin_is_the_named_one_or_the_one_that_has_the_channel_or_the_first() {
    let free = (Function::NONE, 0);
    let (ours, output) = ((Function::EXT_TS, 0), (Function(2), 0));
    for (functions, pin, channel, chosen) in [
        (vec![free, free, free], Some("SDP2"), 0, Some(2)),
        (vec![free, free, free], Some("1"), 1, Some(1)),
        (vec![output, output], Some("SDP0"), 0, Some(0)),
        (vec![free, free], None, 0, Some(0)),
        (vec![output, ours], None, 0, Some(1)),
        (vec![free, ours], None, 1, Some(0)),
        (vec![], None, 0, None),
    ] {
        let found = choose_pin(&"ptp0", &config(pin, channel), &pins(&functions)).unwrap();
        assert_eq!(found.map(|pin| pin.index), chosen, "{functions:?} {pin:?} {channel}");
    }
}

#[test]
fn a_wrong_pin_names_those_that_exist() {
    let (free, output) = ((Function::NONE, 0), (Function(2), 0));
    for (functions, pin, says) in [
        (vec![free, free], Some("SDP7"), "ptp0 has no pin SDP7: it has SDP0, SDP1, counted from 0"),
        (vec![free, free], Some("2"), "ptp0 has no pin 2: it has SDP0, SDP1, counted from 0"),
        (vec![], Some("SDP0"), "remove pin"),
        (vec![output, free], None, "one of SDP0, SDP1"),
    ] {
        let error = choose_pin(&"ptp0", &config(pin, 0), &pins(&functions)).unwrap_err();
        assert_eq!(error.problem, Problem::Wrong);
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn channel_and_pin_have_one_user_and_a_shared_queue_too_until_that_one_ends() {
    let pin = |index| PinState { index, name: format!("SDP{index}"), function: Function::NONE, channel: 0 };
    let node = std::env::temp_dir().join(format!("gnss2shm-ptp-{}", std::process::id()));
    let me = format!("(pid {})", std::process::id());
    let claim = |(channel, index, queue)| claim(&node, channel, Some(&pin(index)), queue);
    for (first, second, taken) in [
        ((0, 0, Queue::Own), (0, 1, Queue::Own), Some("channel 0 of /")),
        ((0, 0, Queue::Own), (1, 0, Queue::Own), Some("pin SDP0 of /")),
        ((0, 0, Queue::Own), (1, 1, Queue::Own), None),
        ((0, 0, Queue::Shared), (1, 1, Queue::Shared), Some("Linux 6.7")),
    ] {
        let held = claim(first).unwrap();
        match (claim(second), taken) {
            (Ok(_), None) => {}
            (Err(error), Some(words)) => {
                let said = error.to_string();
                assert!(said.contains(words) && said.contains(&me), "{said}");
                assert_eq!(error.problem, Problem::Taken, "{said}");
            }
            (other, _) => panic!("{first:?} {second:?}: {other:?}"),
        }
        drop(held);
        claim(second).unwrap();
    }
}

#[test]
fn a_cross_timestamp_that_waits_for_an_edge_is_sent_with_it_in_order() {
    let event = |ms: i64| Event::Tick { raw: Instant::from_nanos(ms * 1_000_000) };
    let mut batch = Vec::new();
    batch.push((event(990), Delivery::WithEdge));
    assert_eq!(due(&mut batch), []);
    batch.extend([(event(1_000), Delivery::Now), (event(1_001), Delivery::Now)]);
    assert_eq!(due(&mut batch), [event(990), event(1_000), event(1_001)]);
    assert_eq!(due(&mut batch), []);
    batch.push((event(1_990), Delivery::WithEdge));
    assert_eq!(due(&mut batch), [], "the edge before does not count");
}
