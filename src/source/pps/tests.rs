//! Tests without a PPS device: choices, refusals, and the handling of its counts.

use std::fs;
use std::path::Path;

use super::*;
use crate::sys::pps::{KTime, OFFSET_ASSERT};
use Capture::{Assert, Both, Clear};

fn time(span: i64) -> KTime {
    let (sec, nsec) = Instant::<Sys>::from_nanos(span).parts();
    KTime { sec, nsec: nsec as i32, flags: 0 }
}

fn fetched(assert: (u32, i64), clear: (u32, i64)) -> KInfo {
    KInfo {
        assert_sequence: assert.0,
        clear_sequence: clear.0,
        assert_tu: time(assert.1),
        clear_tu: time(clear.1),
        current_mode: 0,
    }
}

/// `/dev/pps0 (serial0)` in a tree of files.
fn device() -> Device {
    let root = std::env::temp_dir().join(format!("gnss2shm-pps-{:?}", std::thread::current().id()));
    let sysfs = root.join("sys/class/pps/pps0");
    fs::create_dir_all(&sysfs).unwrap();
    fs::create_dir_all(root.join("dev")).unwrap();
    for (file, text) in [(sysfs.join("dev"), "0:0"), (sysfs.join("name"), "serial0"), (root.join("dev/pps0"), "")] {
        fs::write(file, text).unwrap();
    }
    let device = Finder { root: &root, ..Finder::live() }.pps(Path::new("/dev/pps0")).unwrap();
    fs::remove_dir_all(root).unwrap();
    device
}

#[test]
fn sequence_numbers_tell_new_edges_from_old_ones() {
    let seen = fetched((7, 100), (6, 50));
    for (now, wanted, stamps) in [
        (fetched((7, 100), (6, 50)), Both, vec![]),
        (fetched((8, 200), (6, 50)), Both, vec![200]),
        (fetched((8, 200), (7, 150)), Both, vec![150, 200]),
        (fetched((10, 200), (6, 50)), Both, vec![200]),
        (fetched((8, 200), (9, 250)), Assert, vec![200]),
        (fetched((8, 200), (9, 250)), Clear, vec![250]),
        (fetched((8, 100), (6, 50)), Both, vec![100]), // the same time repeated, after a step of the system clock
    ] {
        let stamps: Vec<_> = stamps.into_iter().map(Instant::from_nanos).collect();
        assert_eq!(news(&seen, &now, wanted), stamps, "{now:?} {wanted:?}");
    }
    let (seen, now) = (fetched((u32::MAX, 1), (0, 0)), fetched((0, 2), (0, 0)));
    assert_eq!(news(&seen, &now, Both), [Instant::from_nanos(2)], "past 2^32");
}

#[test]
fn a_cross_timestamp_has_one_reading_for_phc_and_system_clock() {
    let cross = cross_ts();
    assert_eq!(cross.phc.nanos(), cross.sys.nanos());
}

#[test]
fn edges_are_those_asked_for_and_of_both_those_that_there_are() {
    for (capture, caps, chosen) in [
        (Both, 0x1133, Some(Both)),
        (Both, 0x1111, Some(Assert)),
        (Both, 0x1022, Some(Clear)),
        (Both, 0x1000, None),
        (Assert, 0x1133, Some(Assert)),
        (Clear, 0x1133, Some(Clear)),
        (Clear, 0x1111, None),
        (Assert, 0x1022, None),
    ] {
        let found = choose(&device(), capture, caps);
        assert_eq!(found.as_ref().ok().copied(), chosen, "{capture:?} {caps:x}");
        assert!(found.err().is_none_or(|error| error.to_string().contains("/dev/pps0 (serial0)")));
    }
}

#[test]
fn shifted_timestamps_are_refused_with_the_figure() {
    let params = |mode, shift: i64| KParams { api_version: 1, mode, assert_off_tu: time(shift), clear_off_tu: time(0) };
    check_offsets(&device(), &params(CAPTURE_ASSERT | OFFSET_ASSERT, 0)).unwrap();
    check_offsets(&device(), &params(CAPTURE_ASSERT | CAPTURE_CLEAR, -3_000)).unwrap(); // they are set but not enabled
    let error = check_offsets(&device(), &params(CAPTURE_ASSERT | OFFSET_ASSERT, -3_000)).unwrap_err();
    assert!(error.to_string().contains(&Span::from_micros(-3).to_string()), "{error}");
}

#[test]
fn a_setting_that_requires_a_privilege_names_it() {
    let error = cannot_set(&device(), io::Error::from_raw_os_error(libc::EPERM));
    assert!(error.problem == Problem::Denied && error.to_string().contains("CAP_SYS_TIME"), "{error}");
}
