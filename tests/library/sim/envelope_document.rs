//! docs/envelope.md quotes the figures of [`Envelope`], and no others; drawn worlds lie inside it.

use std::collections::BTreeMap;

use super::figures::Envelope;
use crate::library::simulated::random::Random;
use crate::library::simulated::scenario::{Polarity, Scenario};
use gnss2shm::core::time::Span;

use super::draw::any_fault;
use super::harness::{evening, ms};
use super::inside::Case;

fn in_ms(span: Span) -> i64 {
    span.nanos() / 1_000_000
}

fn in_us(span: Span) -> i64 {
    span.nanos() / 1_000
}

#[test]
fn the_document_quotes_the_figures_of_the_envelope_and_no_others() {
    let document = include_str!("../../../docs/envelope.md");
    let (_, rest) = document.split_once("The envelope:\n").unwrap();
    let (section, _) = rest.split_once("\n\n").unwrap();
    let mut section = section.split_whitespace().collect::<Vec<_>>().join(" ");
    let [delay, width] = [Envelope::DELAY, Envelope::WIDTH];
    let [slowest, fastest] = Envelope::BAUD;
    for phrase in [
        format!("{} to {} ms from the pulse to the read", in_ms(delay[0]), in_ms(delay[1])),
        format!("{} ms of jitter either way", in_ms(Envelope::JITTER)),
        format!("jumps of {} ms", in_ms(Envelope::DELAY_JUMP)),
        format!("{slowest} to {fastest} baud"),
        format!("{} us to {} ms on a NIC that timestamps both edges", in_us(width[0]), in_ms(width[1])),
        format!("wanders by less than {} us", in_us(Envelope::PULSE_WANDER)),
        format!("late by up to {} ms", in_ms(Envelope::EDGES_LATE)),
        format!("at a rate up to {} % off", Envelope::PHC_PPM as f64 / 10_000.0),
        format!("steered by {} ppm every second", Envelope::SERVO_PPM),
        format!("slewed by up to {} %", Envelope::SLEW_PPM / 10_000),
        format!("an oscillator up to {} ppm off", Envelope::OSCILLATOR_PPM),
    ] {
        assert!(section.contains(&phrase), "docs/envelope.md does not say: {phrase}");
        section = section.replacen(&phrase, "", 1);
    }
    assert!(!section.contains(|c: char| c.is_ascii_digit()), "figures that the envelope does not have: {section}");
}

#[test]
fn what_is_drawn_lies_inside_and_has_every_kind_of_fault() {
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..2_000 {
        let case = super::draw::world(seed, 1_000);
        assert_eq!(super::inside::check(&case), Ok(()), "seed {seed}: {case:#?}");
        for fault in &case.scenario.faults {
            *kinds.entry(super::draw::name(fault.kind)).or_default() += 1;
        }
    }
    let scenario = Scenario::default();
    let all = (0..2_000).flat_map(|seed| any_fault(&mut Random::new(seed), &scenario, 1..9));
    for fault in all {
        let name = super::draw::name(fault.kind);
        assert!(kinds.get(name).is_some_and(|times| *times > 20), "{name}: {kinds:?}");
    }
}

#[test]
fn what_lies_outside_is_named() {
    let plain = Scenario::default;
    for (scenario, says) in [
        (plain(), None),
        (Scenario { delay: ms(4), ..plain() }, Some("sentence delay")),
        (Scenario { delay: ms(951), ..plain() }, Some("sentence delay")),
        (Scenario { width: ms(451), ..plain() }, Some("pulse width")),
        (Scenario { baud: 2_400, ..plain() }, Some("baud rate")),
        (Scenario { polarity: Polarity::EndsOnTime, ..plain() }, Some("a pulse that ends on time")),
        (Scenario { phc_ppm: 62_501, ..plain() }, Some("rate of the PHC")),
    ] {
        let case = Case { first: evening(), scenario };
        assert_eq!(super::inside::check(&case).err(), says, "{case:#?}");
    }
}
