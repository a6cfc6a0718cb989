use proptest::prelude::*;

use super::*;
use crate::daemon::status::snapshot::{GateView, ReceiverView, SampleView};
use crate::grandmaster::management::tests::DEFAULTS;

mod midnight;

const TAI_UTC: i64 = 37;
/// ptp4l's defaults, except for the offset.
const HAS: GrandmasterSettings = GrandmasterSettings { current_utc_offset: 36, ..DEFAULTS };

fn accuracy(bound: Span) -> u8 {
    claims::locked(bound).clock_accuracy
}

fn at(ms: i64) -> Instant<Raw> {
    Instant::from_nanos(ms * 1_000_000)
}

/// A status line with nothing to object to.
fn line() -> Snapshot {
    Snapshot {
        state: LOCKED.into(),
        gate: GateView { open: true, for_ms: 0 },
        receiver: ReceiverView { tai_offset_s: Some(TAI_UTC), last_time_ms: Some(2_000), ..ReceiverView::default() },
        phc: Some(PhcView {
            timescale: TAI.into(),
            utc_offset_ns: Some(120 - TAI_UTC * 1_000_000_000),
            tai_offset_ns: Some(120),
            error_ns: 8,
            ..PhcView::default()
        }),
        sample: Some(SampleView {
            second: "2026-11-20T12:00:00Z".into(),
            leap: "none".into(),
            ..SampleView::default()
        }),
        ..Snapshot::default()
    }
}

fn changed(change: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let mut line = line();
    change(&mut line);
    line
}

fn phc(line: &mut Snapshot) -> &mut PhcView {
    line.phc.as_mut().unwrap()
}

/// A policy at class 6, to which seven pulses came from 0 s to 6 s.
fn locked(config: PolicyConfig) -> Policy {
    let mut policy = Policy::new(config);
    (0..=6).for_each(|second| policy.see(at(second * 1_000), &line(), Some(TAI_UTC), Some(TAI_UTC)));
    assert_eq!(class(&policy, 6_100), 6);
    policy
}

fn class(policy: &Policy, ms: i64) -> u8 {
    policy.decide(at(ms), &HAS, None).settings.clock_class
}

fn holding() -> PolicyConfig {
    let holdover = Some((Span::from_secs(60), Span::from_micros(100)));
    PolicyConfig { holdover, ..PolicyConfig::default() }
}

#[test]
fn class_6_says_what_was_measured() {
    let decision = locked(PolicyConfig::default()).decide(at(6_100), &HAS, None);
    let expected = GrandmasterSettings {
        clock_class: 6,
        clock_accuracy: 0x23,
        offset_scaled_log_variance: 0x4e5d,
        current_utc_offset: 37,
        current_utc_offset_valid: true,
        ptp_timescale: true,
        time_traceable: true,
        frequency_traceable: true,
        time_source: 0x20,
        ..GrandmasterSettings::default()
    };
    assert_eq!((decision.settings, decision.why), (expected, Why::Locked(Span::from_micros(1))));
    for (ns, value) in [(25, 0x20), (26, 0x21), (100, 0x21), (250, 0x22), (251, 0x23), (1_000, 0x23), (2_500, 0x24)] {
        assert_eq!(accuracy(Span::from_nanos(ns)), value, "{ns}");
    }
    assert_eq!((accuracy(Span::from_millis(10)), accuracy(Span::from_secs(2))), (0x2b, 0xfe));
}

#[test]
fn class_6_begins_when_every_pulse_was_right_for_the_steady_time() {
    let mut policy = Policy::new(PolicyConfig::default());
    assert_eq!(class(&policy, 0), 52);
    for second in 0..=5 {
        assert_eq!(class(&policy, second * 1_000), 52, "{second}");
        policy.see(at(second * 1_000), &line(), Some(TAI_UTC), Some(TAI_UTC));
    }
    assert_eq!(class(&policy, 5_000), 6);
    // A lost pulse ends it, and it has to be earned again.
    assert_eq!((class(&policy, 6_499), class(&policy, 6_500)), (6, 52));
    assert_eq!(policy.expires(at(6_000)), Some(Span::from_millis(500)));
    for second in 7..=11 {
        policy.see(at(second * 1_000), &line(), Some(TAI_UTC), Some(TAI_UTC));
        assert_eq!(class(&policy, second * 1_000), 52, "{second}");
    }
    policy.see(at(12_000), &line(), Some(TAI_UTC), Some(TAI_UTC));
    assert_eq!((class(&policy, 12_000), policy.expires(at(20_000))), (6, None));
}

/// Lines that each lack one condition, with TAI - UTC of kernel and table, and the reason.
fn lacking() -> Vec<(&'static str, Snapshot, [Option<i64>; 2])> {
    let agreed = [Some(TAI_UTC); 2];
    let ns = |offset: i64| changed(|line| phc(line).utc_offset_ns = Some(offset - TAI_UTC * 1_000_000_000));
    let stale = |line: &mut Snapshot| phc(line).age_ms = 1_300;
    vec![
        ("gnss2shm run is Coasting", changed(|line| line.state = "Coasting".into()), agreed),
        (
            "gnss2shm run is Refusing: no fix",
            changed(|line| (line.state, line.sentence) = ("Refusing".into(), Some("no fix".into()))),
            agreed,
        ),
        ("the gate is closed", changed(|line| line.gate.open = false), agreed),
        ("does not compare a PHC", changed(|line| line.phc = None), agreed),
        ("has reported no pulse", changed(stale), agreed),
        ("named no valid second for 2.0 s", changed(|line| line.receiver.last_time_ms = Some(2_001)), agreed),
        ("the PHC shows UTC, not TAI", changed(|line| phc(line).timescale = "UTC".into()), agreed),
        ("the PHC shows ARB, not TAI", changed(|line| phc(line).timescale = "ARB".into()), agreed),
        ("is 993 ns (error up to 8 ns) from TAI", ns(993), agreed),
        ("is -993 ns (error up to 8 ns) from TAI", ns(-993), agreed),
        ("is 1.0 s (error", ns(1_000_000_000), agreed),
        ("from TAI", changed(|line| phc(line).utc_offset_ns = Some(i64::MIN)), agreed),
        ("from TAI", changed(|line| phc(line).error_ns = i64::MIN), agreed),
        // All three agree on a value that the PHC contradicts.
        ("is 1.0 s (error", changed(|line| line.receiver.tai_offset_s = Some(38)), [Some(38), Some(38)]),
        (
            "no two sources agree on TAI - UTC (kernel 37, leap second table none, receiver none)",
            changed(|line| line.receiver.tai_offset_s = None),
            [Some(TAI_UTC), None],
        ),
        ("(kernel 36, leap second table 38, receiver 37)", line(), [Some(36), Some(38)]),
    ]
}

#[test]
fn each_condition_alone_withdraws_class_6_at_once_and_says_why() {
    for (why, lacks, [kernel, table]) in lacking() {
        let mut policy = locked(PolicyConfig::default());
        policy.see(at(7_000), &lacks, kernel, table);
        let decision = policy.decide(at(7_000), &HAS, None);
        let shown = decision.why.to_string();
        assert!(shown.contains(why), "{why}: {shown}");
        let Snapshot { phc, .. } = &lacks;
        let expected = GrandmasterSettings {
            clock_class: 52,
            clock_accuracy: 0xfe,
            offset_scaled_log_variance: 0xffff,
            time_source: 0xa0,
            ptp_timescale: phc.as_ref().is_none_or(|phc| phc.timescale == TAI),
            current_utc_offset: decision.settings.current_utc_offset,
            current_utc_offset_valid: decision.settings.current_utc_offset_valid,
            ..GrandmasterSettings::default()
        };
        assert_eq!(decision.settings, expected, "{why}");
        // It is not back with the next pulse.
        policy.see(at(8_000), &line(), Some(TAI_UTC), Some(TAI_UTC));
        assert_eq!(class(&policy, 8_000), 52, "{why}");
    }
}

#[test]
fn the_last_value_within_each_limit_is_enough() {
    let ns = |offset: i64| changed(|line| phc(line).utc_offset_ns = Some(offset - TAI_UTC * 1_000_000_000));
    let mut alone = changed(|line| line.receiver.tai_offset_s = None);
    phc(&mut alone).age_ms = 1_299;
    for (lacks, [kernel, table]) in [
        (ns(992), [Some(TAI_UTC); 2]),
        (ns(-992), [Some(TAI_UTC); 2]),
        (line(), [Some(TAI_UTC), None]),
        (line(), [None, Some(TAI_UTC)]),
        (line(), [Some(36), Some(TAI_UTC)]),
        (alone, [Some(TAI_UTC), Some(TAI_UTC)]),
    ] {
        let mut policy = locked(PolicyConfig::default());
        policy.see(at(7_000), &lacks, kernel, table);
        assert_eq!(class(&policy, 7_100), 6, "{lacks:?}");
    }
}

#[test]
fn a_ptp4l_that_follows_another_clock_or_a_status_that_is_lost_is_not_class_6_nor_7() {
    let mut policy = locked(holding());
    let decision = policy.decide(at(6_100), &HAS, Some(2));
    assert_eq!((decision.settings.clock_class, decision.why), (52, Why::Follows(2)));
    policy.lose(at(6_200), "the socket was closed".into());
    let decision = policy.decide(at(6_200), &HAS, None);
    assert_eq!((decision.settings.clock_class, decision.settings.ptp_timescale), (52, true));
    assert_eq!(decision.why.to_string(), "gnss2shm run is not heard: the socket was closed");
}

#[test]
fn class_7_follows_class_6_for_its_time_and_says_its_own_bound() {
    let mut policy = locked(holding());
    let decision = policy.decide(at(7_500), &HAS, None);
    let GrandmasterSettings { clock_class, clock_accuracy, time_source, .. } = decision.settings;
    assert_eq!((clock_class, clock_accuracy, time_source), (7, 0x27, 0xa0));
    assert!(decision.settings.time_traceable && decision.settings.frequency_traceable);
    assert!(
        decision.why.to_string().starts_with("holdover for 60.0 s at most: gnss2shm run has reported"),
        "{}",
        decision.why
    );
    policy.see(at(8_000), &changed(|line| line.state = "Coasting".into()), Some(TAI_UTC), Some(TAI_UTC));
    assert_eq!((class(&policy, 67_499), class(&policy, 67_500)), (7, 52));
    // Back to class 6, from class 7.
    let mut policy = locked(holding());
    (10..=15).for_each(|second| {
        assert_eq!(class(&policy, second * 1_000), 7);
        policy.see(at(second * 1_000), &line(), Some(TAI_UTC), Some(TAI_UTC));
    });
    assert_eq!(class(&policy, 15_000), 6);
}

#[test]
fn a_measurement_outside_the_holdover_bound_ends_class_7_for_good() {
    let ns = |offset: i64| changed(|line| phc(line).utc_offset_ns = Some(offset - TAI_UTC * 1_000_000_000));
    for (measured, after) in [
        (ns(50_000), 7),
        (ns(100_000), 52),
        (ns(-2_000_000_000), 52),
        (changed(|line| phc(line).timescale = "ARB".into()), 52),
        // An old measurement says nothing about now.
        (changed(|line| (phc(line).timescale, phc(line).age_ms) = ("ARB".into(), 5_000)), 7),
    ] {
        let mut policy = locked(holding());
        policy.see(at(7_000), &measured, Some(TAI_UTC), Some(TAI_UTC));
        assert_eq!(class(&policy, 7_000), after, "{measured:?}");
        policy.see(at(8_000), &changed(|line| line.state = "Coasting".into()), Some(TAI_UTC), Some(TAI_UTC));
        assert_eq!(class(&policy, 8_000), after, "{measured:?}");
    }
    // Also while the sources no longer agree.
    let mut policy = locked(holding());
    policy.see(
        at(7_000),
        &changed(|line| phc(line).utc_offset_ns = Some(1_000_120 - TAI_UTC * 1_000_000_000)),
        None,
        None,
    );
    assert_eq!(class(&policy, 7_000), 52);
}

#[test]
fn the_profile_decides_the_class_of_a_clock_that_is_not_synchronized() {
    let policy = Policy::new(PolicyConfig { profile: Profile::G8275, ..PolicyConfig::default() });
    let decision = policy.decide(at(0), &HAS, None);
    assert_eq!(decision.settings, GrandmasterSettings { ..HAS });
    let has = GrandmasterSettings { ptp_timescale: true, leap61: true, ..HAS };
    assert!(policy.decide(at(0), &has, None).settings.ptp_timescale, "as ptp4l has it");
}

#[test]
fn between_lines_kernel_and_table_count_and_an_old_receiver_does_not() {
    let mut policy = locked(PolicyConfig::default());
    policy.refresh(at(7_000), Some(TAI_UTC), None);
    assert!(policy.decide(at(7_000), &HAS, None).settings.current_utc_offset_valid);
    policy.refresh(at(9_000), Some(TAI_UTC), None);
    let GrandmasterSettings { current_utc_offset, current_utc_offset_valid, .. } =
        policy.decide(at(9_000), &HAS, None).settings;
    assert_eq!((current_utc_offset, current_utc_offset_valid), (36, false), "as ptp4l has it");
}

#[test]
fn the_end_claims_nothing() {
    let policy = locked(holding());
    let has = GrandmasterSettings { clock_class: 6, current_utc_offset_valid: true, time_traceable: true, ..HAS };
    let GrandmasterSettings { ptp_timescale, clock_class, .. } = policy.withdrawn(at(6_100), &has);
    assert_eq!((ptp_timescale, clock_class), (true, 52));
    let of_nothing = Policy::new(PolicyConfig::default()).withdrawn(at(0), &has);
    assert_eq!(of_nothing, GrandmasterSettings { clock_class: 52, ..HAS });
}

#[test]
fn samples_that_are_no_dates_are_ignored() {
    for second in
        ["", "Z", "T", "2026-11-20", "2026-13-20T00:00:00Z", "2026-11-20T00:00Z", "2026-11-20T4294967295:00:00Z"]
    {
        assert_eq!(
            super::second(&changed(|line| line.sample.as_mut().unwrap().second = second.into())),
            None,
            "{second}"
        );
    }
    assert_eq!(super::second(&changed(|line| line.sample.as_mut().unwrap().leap = "perhaps".into())), None);
    let aged = changed(|line| line.sample.as_mut().unwrap().age_ms = 61_000);
    assert_eq!(super::second(&aged).unwrap().to_string(), "2026-11-20T12:01:01Z");
}

/// One second of a world: how long it lasts, what the line lacks (none if nothing), whether one comes at all.
fn world() -> impl Strategy<Value = Vec<(i64, Option<usize>, bool)>> {
    let lacks = prop_oneof![6 => Just(None), 1 => (0..lacking().len()).prop_map(Some)];
    prop::collection::vec((900_i64..1_100, lacks, prop::bool::weighted(0.9)), 1..40)
}

proptest! {
    #[test]
    fn class_6_is_never_claimed_without_every_condition(world in world(), holds in any::<bool>(), later in 0_i64..2_000) {
        let mut policy = Policy::new(if holds { holding() } else { PolicyConfig::default() });
        let (mut now, mut lines) = (0, Vec::new());
        for (ms, lacks, comes) in world {
            now += ms;
            if comes {
                let (line, [kernel, table]) =
                    lacks.map_or((line(), [Some(TAI_UTC); 2]), |at| (lacking()[at].1.clone(), lacking()[at].2));
                policy.see(at(now), &line, kernel, table);
                lines.push((now, lacks));
            }
            let when = now + later;
            // Every line of the last 5 s is right, none is missing, and the last is fresh.
            let right = lines.iter().rev().take_while(|(_, lacks)| lacks.is_none()).map(|(ms, _)| *ms);
            let right: Vec<_> = right.collect();
            let run = right.windows(2).take_while(|pair| pair[0] - pair[1] <= 1_500).count();
            let steady = right.first().zip(right.get(run)).is_some_and(|(last, first)| last - first >= 5_000);
            let fresh = right.first().is_some_and(|last| when - last < 1_500);
            prop_assert_eq!(class(&policy, when) == 6, steady && fresh);
            prop_assert!(holds || class(&policy, when) != 7);
        }
    }
}
