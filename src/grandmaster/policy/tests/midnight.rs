//! Leap seconds, and the ends of months without one.

use super::*;
use crate::core::time::Date;
use crate::grandmaster::policy::evidence::LEAP_WINDOW;

/// A line of this second of 2026-12-31 (86,400 is the next midnight), with a leap second announced until midnight.
fn leap_line(second: i64, leap: &str, utc_offset_s: i64) -> Snapshot {
    let label = UtcSecond::from_civil(Date::new(2026, 12, 31).unwrap(), 0).plus(second);
    changed(|line| {
        let sample = line.sample.as_mut().unwrap();
        (sample.second, sample.leap) = (label.to_string(), leap.into());
        line.receiver.tai_offset_s = None;
        phc(line).utc_offset_ns = Some(-utc_offset_s * 1_000_000_000);
    })
}

#[test]
fn leap_flags_are_set_for_the_last_twelve_hours_of_the_day() {
    for (leap, flags) in [("insert", (true, false)), ("delete", (false, true)), ("none", (false, false))] {
        for (second, is_set) in [(43_199, false), (43_200, true), (86_390, true)] {
            let mut policy = Policy::new(PolicyConfig::default());
            policy.see(at(0), &leap_line(second, leap, 37), Some(37), Some(37));
            let GrandmasterSettings { leap61, leap59, .. } = policy.decide(at(0), &HAS, None).settings;
            assert_eq!((leap61, leap59), if is_set { flags } else { (false, false) }, "{leap} {second}");
        }
    }
}

#[test]
fn around_midnight_ptp4ls_own_change_is_not_undone() {
    let before = GrandmasterSettings { current_utc_offset: 37, current_utc_offset_valid: true, leap61: true, ..HAS };
    let after = GrandmasterSettings { current_utc_offset: 38, leap61: false, ..before };
    let utc = |settings: GrandmasterSettings| {
        let GrandmasterSettings { current_utc_offset, current_utc_offset_valid, leap61, leap59, .. } = settings;
        (current_utc_offset, current_utc_offset_valid, leap61, leap59)
    };
    let mut policy = Policy::new(PolicyConfig::default());
    for second in 86_380..86_400 {
        policy.see(at((second - 86_380) * 1_000), &leap_line(second, "insert", 37), Some(37), Some(37));
    }
    let decided = |policy: &Policy, ms: i64, has: &GrandmasterSettings| utc(policy.decide(at(ms), has, None).settings);
    assert_eq!(decided(&policy, 14_900, &after), (37, true, true, false), "too early for ptp4l's change");
    assert_eq!(decided(&policy, 15_000, &after), utc(after), "5 s before midnight");
    assert_eq!(decided(&policy, 15_000, &before), utc(before));
    assert_eq!(utc(policy.withdrawn(at(21_000), &after)), utc(after), "at the end, too");
    // The kernel and the table are late.
    for second in 86_400..86_430 {
        let ms = (second + 1 - 86_380) * 1_000;
        policy.see(at(ms), &leap_line(second, "none", 38), Some(37), Some(37));
        assert_eq!(decided(&policy, ms, &after), utc(after), "{second}");
        assert_eq!(class(&policy, ms), 52);
    }
    policy.see(at(52_000), &leap_line(86_430, "none", 38), Some(38), Some(38));
    assert_eq!(decided(&policy, 52_000, &before), (38, true, false, false), "the sources have moved on");
}

#[test]
fn an_announced_leap_second_that_does_not_come_is_corrected_after_midnight() {
    let mut policy = Policy::new(PolicyConfig::default());
    policy.see(at(0), &leap_line(86_399, "insert", 37), Some(37), Some(37));
    let wrong = GrandmasterSettings { current_utc_offset: 38, current_utc_offset_valid: true, ..HAS };
    assert_eq!(policy.decide(at(900), &wrong, None).settings.current_utc_offset, 38);
    policy.see(at(1_000), &leap_line(86_400, "none", 37), Some(37), Some(37));
    assert_eq!(policy.decide(at(1_000), &wrong, None).settings.current_utc_offset, 37);
    // Without samples, the kernel and the table count after an hour.
    let mut policy = Policy::new(PolicyConfig::default());
    policy.see(at(0), &leap_line(86_399, "insert", 37), Some(37), Some(37));
    policy.refresh(at(3_700_000), Some(38), Some(38));
    assert_eq!(policy.decide(at(3_500_000), &HAS, None).settings.current_utc_offset, 36);
    assert_eq!(policy.decide(at(3_700_000), &HAS, None).settings.current_utc_offset, 38);
}

/// A line in the window around the end of a month: TAI is counted, UTC is not known.
fn window_line() -> Snapshot {
    changed(|line| {
        line.state = "Refusing".into();
        line.reason = Some(LEAP_WINDOW.into());
        phc(line).utc_offset_ns = None;
    })
}

#[test]
fn class_6_is_kept_over_the_end_of_a_month_while_every_pulse_is_on_tai() {
    let see = |policy: &mut Policy, second: i64, line: &Snapshot| {
        policy.see(at(second * 1_000), line, Some(TAI_UTC), Some(TAI_UTC));
        class(policy, second * 1_000 + 100)
    };
    let closed = changed(|line| line.gate.open = false);
    let mut policy = locked(PolicyConfig::default());
    assert!((7..19).all(|second| see(&mut policy, second, &window_line()) == 6));
    assert!((19..29).all(|second| see(&mut policy, second, &closed) == 6), "until the gate is open again");
    assert_eq!(see(&mut policy, 29, &line()), 6);
    assert_eq!(see(&mut policy, 30, &closed), 52, "then it counts again");

    let late = |line: &mut Snapshot| phc(line).tai_offset_ns = Some(2_000);
    let no_fix = |line: &mut Snapshot| line.reason = Some("no-fix".into());
    let no_tai = |line: &mut Snapshot| phc(line).tai_offset_ns = None;
    let old = |line: &mut Snapshot| phc(line).age_ms = 1_400;
    for (what, change) in
        [("off", &late as &dyn Fn(&mut Snapshot)), ("no fix", &no_fix), ("no TAI", &no_tai), ("no pulse", &old)]
    {
        let mut policy = locked(PolicyConfig::default());
        assert_eq!(see(&mut policy, 7, &window_line()), 6);
        let mut line = window_line();
        change(&mut line);
        assert_eq!(see(&mut policy, 8, &line), 52, "{what}");
        assert_eq!(see(&mut policy, 9, &window_line()), 52, "{what}: nothing brings it back within the window");
    }
}

#[test]
fn class_6_is_not_kept_over_a_leap_second_or_for_long_or_by_another_tai_offset_and_does_not_begin_there() {
    let see = |policy: &mut Policy, second: i64, line: &Snapshot| {
        policy.see(at(second * 1_000), line, Some(TAI_UTC), Some(TAI_UTC));
        class(policy, second * 1_000 + 100)
    };
    let mut policy = locked(PolicyConfig::default());
    assert_eq!(see(&mut policy, 7, &changed(|line| line.sample.as_mut().unwrap().leap = "insert".into())), 6);
    assert_eq!(see(&mut policy, 8, &window_line()), 52, "a leap second is announced");

    let mut policy = locked(PolicyConfig::default());
    assert!((7..=66).all(|second| see(&mut policy, second, &window_line()) == 6));
    assert_eq!(see(&mut policy, 68, &window_line()), 52, "longer than a minute");

    let mut policy = locked(PolicyConfig::default());
    assert_eq!(see(&mut policy, 7, &changed(|line| phc(line).tai_offset_ns = Some(1_000_000_120))), 6);
    assert_eq!(see(&mut policy, 8, &window_line()), 52, "run counts with another TAI - UTC");

    let mut policy = Policy::new(PolicyConfig::default());
    assert!((0..20).all(|second| see(&mut policy, second, &window_line()) == 52));
}
