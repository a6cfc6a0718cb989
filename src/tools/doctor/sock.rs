//! The socket of the SOCK refclock, which chronyd creates.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::account::READ_WRITE;
use super::system::fits;
use super::{Finding, Patient};

const ITEM: &str = "SOCK socket";
/// Debian's profile, by which chronyd may create sockets in few places.
const PROFILE: &str = "/etc/apparmor.d/usr.sbin.chronyd";
const ALLOWED: [&str; 2] = ["/run/chrony.*.sock", "/run/chrony/*"];

pub(super) fn check(patient: &Patient<'_>, path: &Path) -> Finding {
    let (system, shown) = (patient.system, path.display().to_string());
    if system.has(PROFILE) && !is_allowed(&shown) {
        let says = format!("AppArmor does not allow chronyd to create {shown}");
        return Finding::failure(ITEM, says, "name it /run/chrony.NAME.sock, in [sock] and in chrony.conf");
    }
    let missing = format!("write `refclock SOCK {shown}` in chrony.conf and restart chronyd, which creates it");
    match system.node(path) {
        Ok(node) if !node.meta.file_type().is_socket() => {
            Finding::failure(ITEM, format!("{shown} is not a socket"), missing)
        }
        Ok(node) => {
            let cure = "chronyd creates it for root: write `ExecStartPost=+chmod 0666` with its path below [Service] \
                        with `systemctl edit chrony`, and restart chrony";
            let account = patient.account.as_ref();
            let denied = account.and_then(|account| account.check(system, ITEM, READ_WRITE, &node, cure));
            denied.unwrap_or_else(|| Finding::ok(ITEM, shown))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::unseen(ITEM, &shown),
        Err(_) => Finding::failure(ITEM, format!("{shown} is not there"), missing),
    }
}

fn is_allowed(path: &str) -> bool {
    let path = path.strip_prefix("/var").filter(|rest| rest.starts_with("/run/")).unwrap_or(path);
    ALLOWED.iter().any(|allowed| fits(allowed, path))
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
            assert_eq!(is_allowed(path), allowed, "{path}");
        }
    }
}
