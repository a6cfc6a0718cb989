//! Trusted users: any other user with write access to a segment or a claim could set the clock or stop us.

use std::fs;

use rustix::process::geteuid;

/// The account that the packaged service runs as.
pub const SERVICE: &str = "gnss2shm";

/// Root, ourselves, and the service account, whose segments root may use.
#[derive(Clone, Copy, Debug)]
pub struct Trusted {
    /// Ourselves.
    pub me: u32,
    /// The service account, if the package is installed.
    pub service: Option<u32>,
}

impl Trusted {
    /// Those of this process, on this machine. The package creates the service account in `/etc/passwd`, sysusers.d(5).
    pub fn now() -> Self {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self { me: geteuid().as_raw(), service: user(&passwd, SERVICE).map(|(uid, _)| uid) }
    }

    /// Whether this user is one of them.
    pub fn has(self, uid: u32) -> bool {
        uid == 0 || uid == self.me || Some(uid) == self.service
    }
}

/// Numbers of a user and their group in the text of `/etc/passwd`, passwd(5).
pub fn user(passwd: &str, wanted: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut field = line.split(':');
        let (name, uid, gid) = (field.next()?, field.nth(1)?, field.next()?);
        (name == wanted).then_some(())?;
        Some((uid.parse().ok()?, gid.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ngnss2shmx:x:7:8::/:\ngnss2shm:x:998:997:gnss2shm:/:/bin/false\n";
        assert_eq!(user(passwd, "gnss2shm"), Some((998, 997)));
        assert_eq!(user(passwd, "gnss"), None);
        assert_eq!(user("gnss2shm:x:-1:0\n:::", "gnss2shm"), None);
    }
}
