//! What a status line says about the PHC, and what it lacks for class 6.

use super::why::Why;
use crate::core::event::Leap;
use crate::core::event::text::{Value, Word};
use crate::core::time::{Date, Span, UtcSecond};
use crate::daemon::status::snapshot::{PhcView, SampleView, Snapshot};

/// The PHC's time scale for class 6, in the status.
pub(super) const TAI: &str = "TAI";
/// The state for class 6.
pub(super) const LOCKED: &str = "Locked";
/// The reason of the state around the end of a month: nothing but a leap second is in doubt.
pub(super) const LEAP_WINDOW: &str = "leap-window";
/// A pulse that is this old when its status line arrives does not count.
const PULSE_OLD: Span = Span::from_millis(1_300);
/// A receiver that has named no valid second for this long at a pulse has lost its fix, or is gone. One lost burst is not
/// enough.
const TIME_OLD: Span = Span::from_millis(2_000);
/// Whether the daemon vouches for the time.
pub(super) fn is_locked(status: &Snapshot, bridges: bool) -> Result<(), Why> {
    let reason = status.sentence.as_ref().map(|sentence| format!(": {sentence}")).unwrap_or_default();
    match (status.state.as_str(), status.gate.open) {
        (LOCKED, _) if status.receiver.last_time_ms.is_some_and(|age| Span::from_millis(age) > TIME_OLD) => {
            Err(Why::NoTime(Span::from_millis(status.receiver.last_time_ms.unwrap_or_default())))
        }
        (LOCKED, true) => Ok(()),
        (LOCKED, false) if bridges => Ok(()),
        _ if bridges && is_leap_window(status) => Ok(()),
        (LOCKED, false) => Err(Why::GateClosed),
        (state, _) => Err(Why::NotLocked(format!("{state}{reason}"))),
    }
}

/// Whether nothing is in doubt but a leap second at the end of this month.
pub(super) fn is_leap_window(status: &Snapshot) -> bool {
    status.reason.as_deref() == Some(LEAP_WINDOW)
}

/// The PHC as measured at the last pulse.
pub(super) fn measured(status: &Snapshot) -> Result<&PhcView, Why> {
    let phc = status.phc.as_ref().ok_or(Why::NotCompared)?;
    if Span::from_millis(phc.age_ms) < PULSE_OLD { Ok(phc) } else { Err(Why::NoPulse) }
}

/// Whether the PHC is within the bound of TAI, to the whole seconds; then the age of the pulse. Only if TAI is counted over the
/// end of a month, UTC need not be known.
pub(super) fn is_within(phc: &PhcView, tai_offset: i64, bound: Span, is_counted: bool) -> Result<Span, Why> {
    if phc.timescale != TAI {
        return Err(Why::NotTai(phc.timescale.clone()));
    }
    let by_utc = phc.utc_offset_ns.map(|utc| Span::from_nanos(utc) + Span::from_secs(tai_offset));
    let counted = phc.tai_offset_ns.filter(|_| is_counted).map(Span::from_nanos);
    let offset = by_utc.or(counted).ok_or(Why::NotCompared)?;
    let error = Span::from_nanos(phc.error_ns).abs();
    if offset.abs() + error > bound {
        return Err(Why::Off(offset, error, bound));
    }
    Ok(Span::from_millis(phc.age_ms.max(0)))
}

/// UTC when this status was given, from its last sample.
pub(crate) fn second(status: &Snapshot) -> Option<UtcSecond> {
    let (second, age, _) = status.sample.as_ref().and_then(read)?;
    Some(second.plus(age.div_rem(Span::SECOND).0))
}

/// The second of a sample, its age, and the leap second that it announces.
pub(super) fn read(sample: &SampleView) -> Option<(UtcSecond, Span, Leap)> {
    let (date, time) = sample.second.strip_suffix('Z')?.split_once('T')?;
    let number = |text: &str| text.parse::<u32>().ok();
    let mut time = time.split(':').map(number);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let date = Date::read(date.as_bytes())?;
    let second_of_day = hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    let leap = Leap::from_word(sample.leap.as_bytes())?;
    Some((UtcSecond::from_civil(date, second_of_day), Span::from_millis(sample.age_ms.max(0)), leap))
}
