use super::*;

#[test]
fn civil_days_agree_with_known_days() {
    for (y, m, d, days) in
        [(1970, 1, 1, 0), (2000, 3, 1, 11_017), (2024, 2, 29, 19_782), (2026, 11, 20, 20_777), (1969, 12, 31, -1)]
    {
        let date = Date::new(y, m, d).unwrap();
        assert_eq!((date.days(), Date::from_days(days)), (days, date));
    }
}

#[test]
fn every_day_of_four_centuries_goes_there_and_back() {
    for days in -146_097..146_097 {
        let (y, m, d) = Date::from_days(days).ymd();
        assert_eq!(Date::new(y, m, d).map(Date::days), Some(days));
    }
}

#[test]
fn days_that_do_not_exist_are_none() {
    for (y, m, d) in [(2025, 2, 29), (1900, 2, 29), (2026, 0, 1), (2026, 13, 1), (2026, 4, 31), (2026, 1, 0)] {
        assert_eq!(Date::new(y, m, d), None);
    }
    assert!(Date::new(2000, 2, 29).is_some());
}

#[test]
fn scaling_rounds_to_the_nearest_and_never_overflows() {
    let ns = Span::from_nanos;
    for (span, num, den, want) in [(10, 1, 3, 3), (10, 2, 3, 7), (-10, 2, 3, -7), (10, -2, 3, -7), (-10, 2, -3, 7)] {
        assert_eq!(ns(span).scaled(ns(num), ns(den)), ns(want), "{span}*{num}/{den}");
    }
    assert_eq!(ns(i64::MAX).scaled(ns(i64::MAX), ns(1)), ns(i64::MAX));
    assert_eq!(ns(5).scaled(ns(5), ns(0)), Span::ZERO);
}

#[test]
fn the_nearest_multiple_may_lie_on_either_side() {
    let ms = Span::from_millis;
    assert_eq!(ms(2_990).nearest(Span::SECOND), (3, ms(-10)));
    assert_eq!(ms(3_010).nearest(Span::SECOND), (3, ms(10)));
    assert_eq!(ms(-2_990).nearest(Span::SECOND), (-3, ms(10)));
}

#[test]
fn durations_read_like_an_operator_writes_them() {
    for (ns, text) in
        [(0, "0 ns"), (-250, "-250 ns"), (12_500, "12.5 us"), (300_000_000, "300.0 ms"), (-4 * NANOS, "-4.0 s")]
    {
        assert_eq!(Span::from_nanos(ns).to_string(), text);
    }
}
