//! Why a segment cannot be used, in the operator's words: what is wrong, where, what to do.

use std::fmt;
use std::io;

use super::{SIZE, Status, key};
use crate::sys::claim::Rival;
use crate::sys::sysv_shm::{Segment, effective_uid};

/// Why a unit's segment cannot be used. `Display` is the sentence for the operator.
#[derive(Debug)]
pub enum ShmError {
    /// There is no segment for this unit (only a reader meets this).
    Missing {
        /// Which unit.
        unit: u8,
    },
    /// This user may not do that to the segment.
    Denied {
        /// Which unit.
        unit: u8,
        /// What was tried.
        access: Access,
        /// Who tried.
        uid: u32,
        /// The segment, where the kernel shows it to everybody.
        status: Option<Status>,
    },
    /// The segment has fewer than 96 bytes: it is not a refclock's, and it would end chronyd at its start.
    TooSmall {
        /// Which unit.
        unit: u8,
        /// The segment.
        status: Status,
    },
    /// A user who is neither root nor us nor the service's made the segment or owns it, and could feed chronyd any time.
    Stranger {
        /// Which unit.
        unit: u8,
        /// Which user.
        stranger: u32,
        /// The segment.
        status: Status,
    },
    /// Users who are neither owner nor creator may write to the segment, and nobody has allowed that.
    WorldWritable {
        /// Which unit.
        unit: u8,
        /// The segment.
        status: Status,
    },
    /// Another gnss2shm writes to this unit.
    Taken {
        /// Which unit.
        unit: u8,
        /// Which process.
        rival: Rival,
    },
    /// A system call failed for another reason.
    Os {
        /// Which unit.
        unit: u8,
        /// Which call.
        call: &'static str,
        /// What it answered.
        source: io::Error,
    },
}

/// What is to be done with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look at it.
    Read,
    /// Publish in it.
    Write,
}

impl ShmError {
    /// Describes the refusal with what can be seen of the segment without any right on it.
    pub(super) fn denied(unit: u8, access: Access) -> Self {
        let status = Segment::find(unit).and_then(Segment::public_status).ok();
        Self::Denied { unit, access, uid: effective_uid(), status }
    }
}

impl fmt::Display for ShmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Missing { unit }
        | Self::Denied { unit, .. }
        | Self::TooSmall { unit, .. }
        | Self::Stranger { unit, .. }
        | Self::WorldWritable { unit, .. }
        | Self::Taken { unit, .. }
        | Self::Os { unit, .. }) = self;
        let key = key(*unit);
        write!(f, "SHM unit {unit} (key {key:#x}): ")?;
        match self {
            Self::Missing { .. } => {
                write!(f, "there is no such segment: start gnss2shm or chronyd with this unit, or check the number")
            }
            Self::Denied { access: Access::Read, uid, status, .. } => {
                write!(f, "uid {uid} may not read the segment{}: look at it as root", Described(status.as_ref()))
            }
            Self::Denied { access: Access::Write, uid, status, .. } => write!(
                f,
                "uid {uid} may not write to the segment{}; three cures: start gnss2shm before chronyd, so that the \
                 segment is ours; or, as an existing one outlives chronyd, stop chronyd, remove it with `ipcrm -M \
                 {key:#x}`, and start gnss2shm, then chronyd; or give another unit with --shm, here and in \
                 chrony.conf",
                Described(status.as_ref())
            ),
            Self::TooSmall { status, .. } => write!(
                f,
                "the segment{} is smaller than the {SIZE} bytes of a refclock, and chronyd would not start with it \
                 either: stop what made it (pid {}), then remove it with `ipcrm -M {key:#x}`",
                Described(Some(status)),
                status.cpid
            ),
            Self::Stranger { stranger, status, .. } => write!(
                f,
                "the segment{} is uid {stranger}'s, who could feed chronyd any time: stop chronyd and what made it \
                 (pid {}), then remove it with `ipcrm -M {key:#x}`, or give another unit with --shm",
                Described(Some(status)),
                status.cpid
            ),
            Self::WorldWritable { status, .. } => write!(
                f,
                "other users may write to the segment{}, and so set the clock: take `perm=` out of chrony.conf, stop \
                 chronyd, and remove it with `ipcrm -M {key:#x}`; gpsd makes such ones at units 2 to 11; or allow it \
                 with --shm-world-writable",
                Described(Some(status))
            ),
            Self::Taken { rival, .. } => write!(
                f,
                "{rival} writes to it, and chronyd would take the samples of both: end that one, or give \
                 another unit with --shm"
            ),
            Self::Os { call, source, .. } => {
                write!(
                    f,
                    "{call} failed: {source}: check the limits that `ipcs -l` shows and that the kernel has SysV IPC"
                )
            }
        }
    }
}

impl std::error::Error for ShmError {}

/// Owner, mode and size in the middle of a sentence; nothing where they are not known.
struct Described<'a>(Option<&'a Status>);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(s) = self.0 else { return Ok(()) };
        let Status { uid, cuid, mode, size, .. } = s;
        write!(f, " (owner uid {uid}, creator uid {cuid}, mode {:04o}, {size} bytes)", mode & 0o777)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_names_unit_key_and_a_cure() {
        let status = Status {
            id: 12,
            uid: 0,
            gid: 4,
            cuid: 998,
            cgid: 997,
            mode: 0o640,
            size: 96,
            cpid: 812,
            lpid: 900,
            nattch: 2,
        };
        for (error, parts) in [
            (ShmError::Missing { unit: 0 }, vec!["no such segment", "start gnss2shm"]),
            (
                ShmError::Denied { unit: 0, access: Access::Write, uid: 998, status: Some(status) },
                vec!["uid 998 may not write", "mode 0640", "before chronyd", "--shm", "ipcrm -M 0x4e545030"],
            ),
            (ShmError::Denied { unit: 0, access: Access::Read, uid: 998, status: None }, vec!["as root"]),
            (ShmError::TooSmall { unit: 0, status }, vec!["owner uid 0", "96 bytes", "ipcrm -M 0x4e545030"]),
            (
                ShmError::Stranger { unit: 0, stranger: 998, status },
                vec!["is uid 998's", "owner uid 0, creator uid 998, mode 0640", "ipcrm -M 0x4e545030"],
            ),
            (
                ShmError::WorldWritable { unit: 0, status },
                vec!["other users", "perm=", "ipcrm -M 0x4e545030", "--shm-world-writable"],
            ),
            (ShmError::Taken { unit: 0, rival: Rival::default() }, vec!["another program", "--shm"]),
            (
                ShmError::Os { unit: 0, call: "shmget", source: io::Error::from_raw_os_error(libc::ENOSPC) },
                vec!["shmget", "ipcs -l"],
            ),
        ] {
            let text = error.to_string();
            assert!(text.starts_with("SHM unit 0 (key 0x4e545030): ") && !text.ends_with('.'), "{text}");
            for part in parts {
                assert!(text.contains(part), "{part:?} is not in {text:?}");
            }
        }
    }
}
