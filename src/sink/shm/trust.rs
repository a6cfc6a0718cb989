//! Who may stand behind a segment: any user who can write to it can set the clock.

use super::Status;
use crate::sys::trusted::Trusted;

/// The creator or the owner, if that user is not trusted. The creator keeps the owner's rights even after giving the
/// segment away, so both are checked; the creator first, because he chose the owner.
pub fn stranger(status: &Status, trusted: Trusted) -> Option<u32> {
    [status.cuid, status.uid].into_iter().find(|uid| !trusted.has(*uid))
}

/// Whether group or everybody may write to it, as with chrony's `perm=0666` and to what gpsd makes at units 2 and up.
pub const fn is_writable_by_others(status: &Status) -> bool {
    status.mode & 0o022 != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::shm::SIZE;

    #[test]
    fn a_segment_is_a_strangers_whoever_he_gave_it_to() {
        let status = |uid, cuid| Status {
            id: 0,
            uid,
            gid: 0,
            cuid,
            cgid: 0,
            mode: 0o600,
            size: SIZE,
            cpid: 0,
            lpid: 0,
            nattch: 0,
        };
        for (uid, cuid, me, who) in [
            (0, 0, 0, None),
            (0, 0, 998, None),     // chronyd's
            (0, 998, 998, None),   // ours
            (998, 998, 998, None), // ours, not yet given to root
            (0, 998, 0, None),     // our service's, and root looks after it
            (998, 998, 0, None),
            (0, 1000, 0, Some(1000)), // planted and given away: the creator keeps his rights
            (0, 1000, 998, Some(1000)),
            (1000, 0, 998, Some(1000)),
            (1000, 1000, 0, Some(1000)),
            (1001, 1000, 0, Some(1000)),
        ] {
            let trusted = Trusted { me, service: Some(998) };
            assert_eq!(stranger(&status(uid, cuid), trusted), who, "owner {uid} creator {cuid} me {me}");
        }
        // Where the package is not installed, there is no such user.
        assert_eq!(stranger(&status(0, 998), Trusted { me: 0, service: None }), Some(998));
    }
}
