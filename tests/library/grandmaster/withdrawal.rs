//! A claim is withdrawn whether ptp4l answers or not.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::fake::{FakePtp4l, answer};
use super::{classes, line, link, locked};
use crate::library::common::TestDir;
use gnss2shm::grandmaster::link::{LinkError, PATIENCE};
use gnss2shm::grandmaster::policy::{Policy, PolicyConfig};
use gnss2shm::grandmaster::session::{News, Session};
use gnss2shm::sys::clock::raw_now;

/// Waits until this is true.
pub(super) fn soon(is_so: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < limit, "it does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A ptp4l that does as it is told, but does not answer while `mute`.
fn start(path: &Path, mute: &Arc<AtomicBool>) -> FakePtp4l {
    let mute = mute.clone();
    FakePtp4l::start(path, move |request, fake| {
        let reply = answer(request, fake);
        if mute.load(Ordering::Relaxed) { vec![] } else { vec![reply] }
    })
}

#[test]
fn a_worse_class_waits_for_no_answer() {
    let (dir, own) = (TestDir::new("grandmaster-mute"), TestDir::new("grandmaster-mute-own"));
    let mute = Arc::default();
    let fake = start(&dir.join("ptp4l"), &mute);
    let mut session = Session::new(link(&dir.join("ptp4l"), &own), locked());
    assert_eq!(classes(&session.turn(raw_now())), [6]);
    mute.store(true, Ordering::Relaxed);
    session.policy().lose(raw_now(), "it has ended".into());
    session.turn(raw_now());
    soon(|| fake.settings().clock_class == 52);
    session.turn(raw_now());
    assert_eq!(fake.sets(), 2, "once is enough");
    assert!(fake.settings().current_utc_offset_valid && fake.settings().ptp_timescale, "as last known");

    fake.set_class(6);
    session.withdraw(raw_now()).unwrap_err();
    soon(|| fake.settings().clock_class == 52);
    assert!(!fake.settings().current_utc_offset_valid && fake.settings().ptp_timescale);
}

#[test]
fn around_an_announced_leap_second_ptp4l_is_asked_first() {
    let (dir, own) = (TestDir::new("grandmaster-hands-off"), TestDir::new("grandmaster-hands-off-own"));
    let mute = Arc::default();
    let fake = start(&dir.join("ptp4l"), &mute);
    let mut session = Session::new(link(&dir.join("ptp4l"), &own), locked());
    assert_eq!(classes(&session.turn(raw_now())), [6]);
    let mut midnight = line();
    let sample = midnight.sample.as_mut().unwrap();
    (sample.second, sample.leap) = ("2026-12-31T23:59:57Z".into(), "insert".into());
    *session.policy() = Policy::new(PolicyConfig::default());
    session.policy().see(raw_now(), &midnight, Some(37), Some(37));
    mute.store(true, Ordering::Relaxed);
    session.turn(raw_now());
    assert_eq!((fake.settings().clock_class, fake.sets()), (6, 1));
    // At the end, the class counts more, and the offset is not said to be valid.
    session.withdraw(raw_now()).unwrap_err();
    soon(|| fake.settings().clock_class == 52);
    assert!(!fake.settings().current_utc_offset_valid && !fake.settings().leap61);
}

#[test]
fn a_stopped_ptp4l_finds_the_withdrawal_in_its_queue() {
    let (dir, own) = (TestDir::new("grandmaster-stopped"), TestDir::new("grandmaster-stopped-own"));
    let stopped = UnixDatagram::bind(dir.join("ptp4l")).unwrap();
    let mut session = Session::new(link(&dir.join("ptp4l"), &own), Policy::new(PolicyConfig::default()));
    assert!(matches!(session.withdraw(raw_now()), Err(LinkError::Silent { .. })));
    stopped.set_nonblocking(true).unwrap();
    let mut request = [0; 100];
    let requests = std::iter::from_fn(|| Some((stopped.recv(&mut request).ok()?, request)));
    let sets: Vec<_> = requests.filter(|(_, request)| request[46] == 1).collect();
    let (length, set) = sets.first().expect("a SET");
    // Nothing is known of it: TAI - UTC is 37 s and not valid, and no flag is set.
    assert_eq!(set[54..*length], [52, 0xfe, 0xff, 0xff, 0, 37, 0, 0xa0]);
}

#[test]
fn any_number_of_ports_is_asked_within_one_time_limit() {
    let (dir, own) = (TestDir::new("grandmaster-ports"), TestDir::new("grandmaster-ports-own"));
    let (asked, pause) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (of_fake, pauses) = (asked.clone(), pause.clone());
    let fake = FakePtp4l::start(&dir.join("ptp4l"), move |request, fake| {
        of_fake.fetch_add(1, Ordering::Relaxed);
        if pauses.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(200));
        }
        vec![answer(request, fake)]
    });
    fake.set_port_count(u16::MAX);
    let mut link = link(&dir.join("ptp4l"), &own);
    assert_eq!(link.within(PATIENCE * 30).follower().unwrap(), None);
    assert_eq!(asked.load(Ordering::Relaxed), 65);
    pause.store(true, Ordering::Relaxed);
    assert!(matches!(link.within(PATIENCE).follower(), Err(LinkError::Silent { .. })));
    assert!(asked.load(Ordering::Relaxed) <= 65 + 6, "six answers take longer");
}

#[test]
fn another_program_that_sets_ptp4l_is_named_once() {
    let (dir, own) = (TestDir::new("grandmaster-writers"), TestDir::new("grandmaster-writers-own"));
    let fake = start(&dir.join("ptp4l"), &Arc::default());
    let mut session = Session::new(link(&dir.join("ptp4l"), &own), Policy::new(PolicyConfig::default()));
    assert_eq!(classes(&session.turn(raw_now())), [52]);
    for is_told in [true, false] {
        fake.set_class(13);
        *session.policy() = locked();
        let news = session.turn(raw_now());
        let sentence = "another program has set ptp4l's grandmaster settings (clockClass 52 -> 13): they are set again";
        assert_eq!(news.contains(&News::Trouble(sentence.into())), is_told, "{news:?}");
        assert_eq!(classes(&news), [6]);
        session.policy().lose(raw_now(), "it has ended".into());
        assert_eq!(classes(&session.turn(raw_now())), [52]);
    }
}
