//! The SOCK refclock's socket: chronyd makes it, where it may.

use std::io::ErrorKind;
use std::path::Path;

use super::account::READ_WRITE;
use super::system::{Kind, fits};
use super::{Finding, Patient};

const ITEM: &str = "SOCK socket";
/// Debian's profile, by which chronyd may make sockets in few places.
const PROFILE: &str = "/etc/apparmor.d/usr.sbin.chronyd";

pub(super) fn check(patient: &Patient<'_>, path: &Path) -> Vec<Finding> {
    let (system, shown) = (patient.system, path.display());
    let mut found = vec![];
    if system.has(PROFILE) && !is_allowed(path) {
        found.push(Finding::failure(
            ITEM,
            format!("AppArmor does not let chronyd make {shown}"),
            "name it /run/chrony.NAME.sock, in [sock] and in chrony.conf",
        ));
    }
    match system.node(path) {
        Ok(node) if node.kind != Kind::Socket => {
            found.push(Finding::failure(
                ITEM,
                format!("{shown} is not a socket"),
                "remove it, and restart chronyd, which makes it",
            ));
        }
        Ok(node) => {
            let cure = "chronyd makes it root's: write `ExecStartPost=+chmod 0666` with its path below [Service] with \
                        `systemctl edit chrony`, and restart chrony";
            found.extend(
                patient.account.as_ref().and_then(|account| account.check(system, ITEM, READ_WRITE, &node, cure)),
            );
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => found.push(Finding::unseen(ITEM, &shown)),
        Err(_) => found.push(Finding::failure(
            ITEM,
            format!("{shown} is not there"),
            format!("write `refclock SOCK {shown}` in chrony.conf and restart chronyd, which makes it"),
        )),
    }
    super::or_ok(found, ITEM, shown.to_string())
}

/// `/run/chrony.NAME.sock`, or something in /run/chrony.
fn is_allowed(path: &Path) -> bool {
    let path = path.to_string_lossy();
    let path = path.strip_prefix("/var").filter(|rest| rest.starts_with("/run/")).unwrap_or(&path);
    match path.strip_prefix("/run/") {
        Some(name) if !name.contains('/') => fits("chrony.*.sock", name),
        Some(name) => name.starts_with("chrony/"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_armor_allows_chronys_names_only() {
        for (path, allowed) in [
            ("/run/chrony.gnss.sock", true),
            ("/var/run/chrony.ttyS0.sock", true),
            ("/run/chrony/gnss.sock", true),
            ("/run/gnss.sock", false),
            ("/tmp/chrony.gnss.sock", false),
            ("/var/lib/chrony.gnss.sock", false),
        ] {
            assert_eq!(is_allowed(Path::new(path)), allowed, "{path}");
        }
    }
}
