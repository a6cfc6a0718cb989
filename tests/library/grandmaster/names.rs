//! The names of the two sockets, ptp4l's and ours: removed, replaced, or taken.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::fake::{FakePtp4l, answer};
use super::withdrawal::soon;
use super::{classes, config, link, locked};
use crate::library::common::{NOBODY, TestDir, is_root, nobody_starts, output};
use gnss2shm::grandmaster::link::{Link, LinkError, PATIENCE, directory};
use gnss2shm::grandmaster::policy::{Policy, PolicyConfig};
use gnss2shm::grandmaster::session::Session;
use gnss2shm::sys::clock::raw_now;

fn start(path: &Path) -> FakePtp4l {
    FakePtp4l::start(path, |request, fake| vec![answer(request, fake)])
}

/// The names in the directory of our own socket.
fn names(own: &TestDir) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(own.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

fn own_name(own: &TestDir, number: u32) -> PathBuf {
    own.join(&format!("grandmaster.{}.{number}", std::process::id()))
}

#[test]
fn a_ptp4l_that_loses_its_name_is_withdrawn_and_so_is_one_whose_name_another_takes() {
    let _nobody_starts = nobody_starts();
    let (dir, own) = (TestDir::new("grandmaster-name"), TestDir::new("grandmaster-name-own"));
    let path = dir.join("ptp4l");
    let first = start(&path);
    let mut session = Session::new(link(&path, &own), locked());
    assert_eq!(classes(&session.turn(raw_now())), [6]);
    fs::remove_file(&path).unwrap();
    session.policy().lose(raw_now(), "it has ended".into());
    assert_eq!(classes(&session.turn(raw_now())), [52], "it still answers");
    assert_eq!(first.settings().clock_class, 52);

    *session.policy() = locked();
    assert_eq!(classes(&session.turn(raw_now())), [6]);
    let second = start(&path);
    *session.policy() = locked();
    session.turn(raw_now());
    assert_eq!(second.settings().clock_class, 6);
    soon(|| first.settings().clock_class == 52);
    assert_eq!(names(&own).len(), 1, "the old connection is closed");
    fs::remove_file(&path).unwrap();
    session.withdraw(raw_now()).unwrap();
    assert_eq!(second.settings().clock_class, 52);
    drop(second);
    assert!(matches!(session.withdraw(raw_now()), Err(LinkError::Absent(..))), "it has ended");
}

#[test]
fn a_new_mode_of_its_socket_does_not_withdraw_the_claim() {
    let (dir, own) = (TestDir::new("grandmaster-mode"), TestDir::new("grandmaster-mode-own"));
    let path = dir.join("ptp4l");
    let fake = start(&path);
    let mut session = Session::new(link(&path, &own), locked());
    assert_eq!(classes(&session.turn(raw_now())), [6]);
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    *session.policy() = locked();
    assert_eq!(session.turn(raw_now()), []);
    assert_eq!((fake.settings().clock_class, fake.sets()), (6, 1));
}

#[test]
fn our_own_name_that_is_removed_or_taken_over_is_made_anew() {
    let (dir, own) = (TestDir::new("grandmaster-renamed"), TestDir::new("grandmaster-renamed-own"));
    let fake = start(&dir.join("ptp4l"));
    let mut link = link(&dir.join("ptp4l"), &own);
    assert_eq!(link.within(PATIENCE).settings().unwrap(), fake.settings());
    fs::remove_file(own_name(&own, 0)).unwrap();
    assert_eq!(link.within(PATIENCE).settings().unwrap(), fake.settings());
    assert_eq!(names(&own), [own_name(&own, 0)]);
    fs::remove_file(own_name(&own, 0)).unwrap();
    let _other = UnixDatagram::bind(own_name(&own, 0)).unwrap();
    assert_eq!(link.within(PATIENCE).settings().unwrap(), fake.settings());
    assert_eq!(names(&own), [own_name(&own, 0), own_name(&own, 1)]);
    drop(link);
    assert_eq!(names(&own), [own_name(&own, 0)], "the other program's is left alone");
}

#[test]
fn two_processes_with_one_pid_have_two_names_and_one_left_behind_is_used_again() {
    let _nobody_starts = nobody_starts();
    let (dir, own) = (TestDir::new("grandmaster-pid"), TestDir::new("grandmaster-pid-own"));
    let fake = start(&dir.join("ptp4l"));
    drop(UnixDatagram::bind(own_name(&own, 0)).unwrap());
    let mut links = [0, 1].map(|_| link(&dir.join("ptp4l"), &own));
    for _ in 0..2 {
        for link in &mut links {
            assert_eq!(link.within(PATIENCE).settings().unwrap(), fake.settings());
        }
    }
    assert_eq!(names(&own), [own_name(&own, 0), own_name(&own, 1)]);
}

#[test]
fn a_directory_that_takes_no_socket_is_named_and_the_claim_withdrawn_all_the_same() {
    let (dir, own) = (TestDir::new("grandmaster-full-own"), TestDir::new("grandmaster-no-room"));
    let fake = start(&dir.join("ptp4l"));
    fake.set_class(6);
    let long = own.join(&"x".repeat(150)); // no socket's path can be as long
    fs::create_dir(&long).unwrap();
    let config = config(&dir.join("ptp4l"));
    let link = Link::with_own(config, &long);
    let error = Session::new(link, Policy::new(PolicyConfig::default())).withdraw(raw_now()).unwrap_err();
    let sentence = error.to_string();
    assert!(matches!(error, LinkError::Own { .. }) && sentence.contains("xxx/grandmaster."), "{sentence}");
    soon(|| fake.settings().clock_class == 52);
}

#[test]
fn an_empty_runtime_directory_counts_as_none() {
    let cases = [(None, "/run/gnss2shm"), (Some(""), "/run/gnss2shm"), (Some("/run/a:/run/b"), "/run/a")];
    for (given, expected) in cases {
        assert_eq!(directory(given), Path::new(expected), "{given:?}");
    }
}

#[test]
fn root_without_capabilities_is_told_to_run_as_the_owner() {
    if !is_root() {
        println!("skipped: takes root");
        return;
    }
    let dir = TestDir::new("grandmaster-owned");
    let socket = dir.join("ptp4l");
    let _ptp4l = UnixDatagram::bind(&socket).unwrap();
    fs::set_permissions(&socket, std::os::unix::fs::PermissionsExt::from_mode(0o660)).unwrap();
    std::os::unix::fs::chown(&socket, Some(NOBODY), Some(NOBODY)).unwrap();
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(std::env::current_exe().unwrap());
    setpriv.args(["library::grandmaster::names::denied_to_root", "--exact", "--ignored"]).env("SOCKET", &socket);
    let output = output(&mut setpriv);
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "run by root_without_capabilities_is_told_to_run_as_the_owner"]
fn denied_to_root() {
    let socket = std::env::var_os("SOCKET").unwrap();
    let own = TestDir::new("grandmaster-powerless");
    let error = link(Path::new(&socket), &own).within(PATIENCE).settings().unwrap_err().to_string();
    assert!(error.contains("run this as the user who owns it, or let its group write (uds_file_mode)"), "{error}");
}
