//! `gnss2shm grandmaster` with ptp4l: a fake one that answers as it is told to, and the real one.

mod fake;
mod names;
mod program;
mod real;
mod withdrawal;

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use fake::{FakePtp4l, answer, refusal};
use gnss2shm::core::time::Span;
use gnss2shm::daemon::status::snapshot::{GateView, PhcView, ReceiverView, SampleView, Snapshot};
use gnss2shm::grandmaster::link::{Link, LinkConfig, LinkError, PATIENCE};
use gnss2shm::grandmaster::management::GrandmasterSettings;
use gnss2shm::grandmaster::policy::{Policy, PolicyConfig};
use gnss2shm::grandmaster::session::{News, Session};
use gnss2shm::sys::clock::raw_now;

use crate::library::common::{TestDir, is_root, nobody_starts, run_as_nobody_at};

fn config(socket: &Path) -> LinkConfig {
    LinkConfig { socket: Some(socket.into()), domain: 24, transport_specific: 1 }
}

fn link(socket: &Path, own: &TestDir) -> Link {
    Link::with_own(config(socket), own.path())
}

/// A status line with nothing to object to.
fn line() -> Snapshot {
    Snapshot {
        state: "Locked".into(),
        sync: "LOCKED".into(),
        gate: GateView { open: true, for_ms: 0 },
        receiver: ReceiverView { tai_offset_s: Some(37), ..ReceiverView::default() },
        phc: Some(PhcView { timescale: "TAI".into(), utc_offset_ns: Some(-37_000_000_000), ..PhcView::default() }),
        sample: Some(SampleView {
            second: "2026-11-20T12:00:00Z".into(),
            leap: "none".into(),
            ..SampleView::default()
        }),
        ..Snapshot::default()
    }
}

/// A policy at class 6 for the next 1.5 s.
fn locked() -> Policy {
    let (mut policy, now) = (Policy::new(PolicyConfig::default()), raw_now());
    (0..=6).for_each(|second| policy.see(now - Span::from_secs(6 - second), &line(), Some(37), Some(37)));
    policy
}

fn classes(news: &[News]) -> Vec<u8> {
    news.iter().filter_map(|news| if let News::Class(class, _) = news { Some(*class) } else { None }).collect()
}

#[test]
fn settings_are_read_and_set_and_a_follower_is_seen() {
    let (dir, own) = (TestDir::new("grandmaster-link"), TestDir::new("grandmaster-own"));
    let fake = FakePtp4l::start(&dir.join("ptp4l"), |request, fake| vec![answer(request, fake)]);
    let mut link = link(&dir.join("ptp4l"), &own);
    assert_eq!(link.within(PATIENCE).settings().unwrap(), fake.settings());
    assert_eq!(link.within(PATIENCE).follower().unwrap(), None);
    let wanted = GrandmasterSettings { clock_class: 7, current_utc_offset: -1, leap59: true, ..fake.settings() };
    assert_eq!(link.within(PATIENCE).set(wanted).unwrap(), wanted);
    assert_eq!((link.within(PATIENCE).settings().unwrap(), fake.settings()), (wanted, wanted));
    for state in [8, 9] {
        fake.set_port_state(2, state);
        assert_eq!(link.within(PATIENCE).follower().unwrap(), Some(2), "{state}");
    }
    assert_eq!(std::fs::read_dir(own.path()).unwrap().count(), 1, "its own socket");
    drop(link);
    assert_eq!(std::fs::read_dir(own.path()).unwrap().count(), 0, "is left behind");
}

#[test]
fn late_answers_and_those_for_others_are_discarded() {
    let (dir, own) = (TestDir::new("grandmaster-late"), TestDir::new("grandmaster-late-own"));
    let fake = FakePtp4l::start(&dir.join("ptp4l"), |request, fake| {
        let right = answer(request, fake);
        let changed = |at: usize| {
            let mut changed = right.clone();
            changed[at] ^= 1;
            changed[54] = 99; // what it says would be wrong
            changed
        };
        // The sequence, the port that asked, its clock, domain, transportSpecific, and the kind of data.
        let mut answers: Vec<_> = [31, 43, 34, 4, 0, 53].map(changed).into();
        answers.extend([vec![], vec![0x1d], vec![0xff; 1_500], request.to_vec(), right]);
        answers
    });
    let mut link = link(&dir.join("ptp4l"), &own);
    for _ in 0..5 {
        assert_eq!(link.within(PATIENCE).settings().unwrap(), fake.settings());
    }
    // Nobody else's message reaches it.
    let [socket] = std::fs::read_dir(own.path()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()[..]
        .to_vec()
        .try_into()
        .unwrap();
    assert!(UnixDatagram::unbound().unwrap().send_to(&[0; 62], socket).is_err());
}

#[test]
fn silence_and_refusals_are_named_with_their_cure_and_in_time() {
    let (dir, own) = (TestDir::new("grandmaster-silent"), TestDir::new("grandmaster-silent-own"));
    let silent = FakePtp4l::start(&dir.join("silent"), |_, _| vec![]);
    let begin = Instant::now();
    let error = link(&dir.join("silent"), &own).within(PATIENCE).settings().unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    assert!(
        error.to_string().contains("does not answer for domain 24 and transportSpecific 1: set `domain`"),
        "{error}"
    );
    drop(silent);
    let refuses = FakePtp4l::start(&dir.join("refuses"), |request, _| vec![refusal(request, 6)]);
    let error = link(&dir.join("refuses"), &own).within(PATIENCE).set(refuses.settings()).unwrap_err().to_string();
    assert!(error.contains("refuses SET GRANDMASTER_SETTINGS_NP on") && error.contains("(NOT_SUPPORTED)"), "{error}");
}

#[test]
fn a_stopped_ptp4l_whose_queue_is_full_blocks_nobody() {
    let (dir, own) = (TestDir::new("grandmaster-full"), TestDir::new("grandmaster-full-own"));
    let _stopped = UnixDatagram::bind(dir.join("ptp4l")).unwrap();
    let others = UnixDatagram::unbound().unwrap();
    others.set_nonblocking(true).unwrap();
    while others.send_to(&[0; 62], dir.join("ptp4l")).is_ok() {}
    let begin = Instant::now();
    let error = link(&dir.join("ptp4l"), &own).within(PATIENCE).settings().unwrap_err();
    assert!(matches!(error, LinkError::Silent { .. }) && begin.elapsed() < Duration::from_secs(30), "{error}");
}

#[test]
fn a_missing_ptp4l_is_named_and_a_restarted_one_is_found() {
    let _nobody_starts = nobody_starts();
    let (dir, own) = (TestDir::new("grandmaster-restart"), TestDir::new("grandmaster-restart-own"));
    let path = dir.join("ptp4l");
    let mut link = link(&path, &own);
    let error = link.within(PATIENCE).settings().unwrap_err().to_string();
    assert!(error.contains(&format!("ptp4l does not listen on {} (No such file", path.display())), "{error}");
    drop(UnixDatagram::bind(&path).unwrap());
    let error = link.within(PATIENCE).settings().unwrap_err().to_string();
    assert!(error.contains("(Connection refused"), "{error}");
    std::fs::remove_file(&path).unwrap();
    for _ in 0..3 {
        let fake = FakePtp4l::start(&path, |request, fake| vec![answer(request, fake)]);
        assert!(link.renew(GrandmasterSettings::default()) && !link.renew(GrandmasterSettings::default()));
        assert_eq!(link.within(PATIENCE).settings().unwrap(), fake.settings());
    }
    let nowhere = LinkConfig { socket: Some("/nonexistent/ptp4l".into()), ..LinkConfig::default() };
    assert!(matches!(Link::with_own(nowhere, own.path()).within(PATIENCE).settings(), Err(LinkError::Absent(..))));
}

#[test]
fn without_a_directory_for_its_own_socket_the_kernel_names_it() {
    let dir = TestDir::new("grandmaster-autobind");
    let fake = FakePtp4l::start(&dir.join("ptp4l"), |request, fake| vec![answer(request, fake)]);
    let config = LinkConfig { socket: Some(dir.join("ptp4l")), domain: 24, transport_specific: 1 };
    assert_eq!(Link::with_own(config, Path::new("/nonexistent")).within(PATIENCE).settings().unwrap(), fake.settings());
}

#[test]
fn a_user_without_permission_is_told_so() {
    if !is_root() {
        println!("skipped: takes root");
        return;
    }
    let dir = TestDir::new("grandmaster-denied");
    let socket = dir.join("ptp4l");
    let _ptp4l = UnixDatagram::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::os::unix::fs::PermissionsExt::from_mode(0o660)).unwrap();
    let output = run_as_nobody_at("library::grandmaster::denied_to_nobody", &socket, "grandmaster-nobody");
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "run as nobody by a_user_without_permission_is_told_so"]
fn denied_to_nobody() {
    let socket = std::env::var_os("SOCKET").unwrap();
    let own = TestDir::new("grandmaster-nobodys");
    let error = link(Path::new(&socket), &own).within(PATIENCE).settings().unwrap_err().to_string();
    assert!(error.contains("cannot be used (Permission denied") && error.contains("run this as root"), "{error}");
}

#[test]
fn a_session_sets_only_a_difference_and_reports_each_change_once() {
    let (dir, own) = (TestDir::new("grandmaster-session"), TestDir::new("grandmaster-session-own"));
    let path = dir.join("ptp4l");
    let fake = FakePtp4l::start(&path, |request, fake| vec![answer(request, fake)]);
    let mut session = Session::new(link(&path, &own), locked());
    assert_eq!(classes(&session.turn(raw_now())), [6]);
    assert_eq!((fake.settings().clock_class, fake.sets()), (6, 1));
    assert_eq!(session.turn(raw_now()), []);
    assert_eq!(fake.sets(), 1, "nothing has changed");

    session.policy().lose(raw_now(), "it has ended".into());
    let news = session.turn(raw_now());
    assert_eq!(news, [News::Class(52, "gnss2shm run is not heard: it has ended".into())]);
    assert_eq!((fake.settings().clock_class, fake.sets()), (52, 2));

    *session.policy() = locked();
    fake.set_port_state(1, 9);
    // That it follows another clock is seen before class 6 is set.
    assert_eq!(session.turn(raw_now()), []);
    assert_eq!(fake.settings().clock_class, 52);
    session.withdraw(raw_now()).unwrap();
    assert!(!fake.settings().current_utc_offset_valid && fake.settings().clock_class == 52);
}

#[test]
fn a_restarted_ptp4l_is_set_again_and_one_that_stays_away_is_reported_once() {
    let _nobody_starts = nobody_starts();
    let (dir, own) = (TestDir::new("grandmaster-again"), TestDir::new("grandmaster-again-own"));
    let path = dir.join("ptp4l");
    let mut session = Session::new(link(&path, &own), Policy::new(PolicyConfig::default()));
    let start = || FakePtp4l::start(&path, |request, fake| vec![answer(request, fake)]);
    // Every turn at which a look is due, with the news.
    let turn = |session: &mut Session| {
        std::thread::sleep(session.rest(raw_now()));
        session.turn(raw_now())
    };
    let first = start();
    assert_eq!(classes(&turn(&mut session)), [52]);
    drop(first);
    let second = start();
    let news = session.turn(raw_now());
    assert!(matches!(&news[..], [News::Class(52, why)] if why.starts_with("set again, because ptp4l had class 248")));
    assert_eq!(second.settings().clock_class, 52);
    drop(second);
    let reported: Vec<_> = (0..4).map(|_| turn(&mut session).len()).collect();
    assert_eq!(reported, [0, 0, 1, 0]);
    let _third = start();
    assert_eq!(turn(&mut session)[0], News::Answers);
}

#[test]
fn a_ptp4l_that_does_not_keep_what_it_is_told_is_not_told_again_at_once() {
    let (dir, own) = (TestDir::new("grandmaster-rival"), TestDir::new("grandmaster-rival-own"));
    let path = dir.join("ptp4l");
    let fake = FakePtp4l::start(&path, |request, fake| {
        let reply = answer(request, fake);
        fake.set_class(13); // another program sets it
        vec![reply]
    });
    let mut session = Session::new(link(&path, &own), locked());
    let news = session.turn(raw_now());
    assert!(
        matches!(&news[..], [News::Trouble(why)] if why.contains("do not stay as they were set (clockClass 13 -> 6): another program sets")),
        "{news:?}"
    );
    assert_eq!((session.turn(raw_now()), fake.sets()), (vec![], 1));
}
