//! The System V shared memory segment of chrony's and ntpd's SHM refclock, as an owned attachment.
//!
//! Finds, creates, describes and attaches segments, and loads and stores their fields. It never removes a segment and
//! knows nothing of the protocol: all loads and stores are relaxed, the caller's fences make the order among them.
//! Called by `sink::shm` only. Sources: shmget(2), shmop(2), shmctl(2); chrony's `refclock_shm.c` for key and layout.

mod attachment;
mod layout;

use std::fmt;
use std::io;
use std::mem::MaybeUninit;

pub use attachment::{Attachment, ReadOnly, ReadWrite};
pub use layout::{Fields, LAYOUT, SIZE};

/// The key of a unit's segment: the letters `NTP0`, and so many units on.
pub const fn key(unit: u8) -> i32 {
    0x4e54_5030 + unit as i32
}

/// A segment that exists, attached or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    id: i32,
}

/// What the kernel says of a segment (`struct shmid_ds`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The kernel's number of the segment; another one each time it is created.
    pub id: i32,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// Creating user; has the owner's rights for ever.
    pub cuid: u32,
    /// Creating group.
    pub cgid: u32,
    /// Permission bits, and `SHM_DEST` once it was removed.
    pub mode: u32,
    /// Bytes.
    pub size: usize,
    /// Process that created it, 0 if in another PID namespace.
    pub cpid: i32,
    /// Process that attached or detached it last.
    pub lpid: i32,
    /// Attachments now.
    pub nattch: u64,
}

impl Status {
    /// Whether somebody removed the segment: those who are attached keep it, nobody else finds it any more.
    pub const fn is_removed(&self) -> bool {
        self.mode & 0o1000 != 0 // SHM_DEST of <linux/shm.h>
    }
}

/// For the middle of a sentence.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uid, cuid, mode, size, .. } = self;
        write!(f, "owner uid {uid}, creator uid {cuid}, mode {:04o}, {size} bytes", mode & 0o777)
    }
}

impl Segment {
    /// The unit's segment. `NotFound` where there is none; needs no permission on it.
    pub fn find(unit: u8) -> io::Result<Self> {
        Self::get(unit, 0, 0)
    }

    /// Creates the unit's segment, `SIZE` zero bytes for the caller alone. `AlreadyExists` where there is one.
    pub fn create(unit: u8) -> io::Result<Self> {
        Self::get(unit, SIZE, libc::IPC_CREAT | libc::IPC_EXCL | 0o600)
    }

    fn get(unit: u8, size: usize, flags: i32) -> io::Result<Self> {
        // SAFETY: shmget(2) takes three numbers and touches no memory of ours.
        let id = unsafe { libc::shmget(key(unit), size, flags) };
        if id < 0 { Err(io::Error::last_os_error()) } else { Ok(Self { id }) }
    }

    /// Owner, mode, size and users. `PermissionDenied` without the right to read it.
    pub fn status(self) -> io::Result<Status> {
        self.stat(libc::IPC_STAT).map(|ds| self.described(&ds))
    }

    /// The same for everybody, without any right on it: since Linux 4.17, shmctl(2).
    pub fn public_status(self) -> io::Result<Status> {
        const SHM_STAT_ANY: i32 = 15; // of <linux/shm.h>; takes an index, which the kernel cuts out of an ID
        self.stat(SHM_STAT_ANY).map(|ds| self.described(&ds))
    }

    fn described(self, ds: &libc::shmid_ds) -> Status {
        Status {
            id: self.id,
            uid: ds.shm_perm.uid,
            gid: ds.shm_perm.gid,
            cuid: ds.shm_perm.cuid,
            cgid: ds.shm_perm.cgid,
            mode: u32::from(ds.shm_perm.mode),
            size: ds.shm_segsz,
            cpid: ds.shm_cpid,
            lpid: ds.shm_lpid,
            nattch: ds.shm_nattch,
        }
    }

    /// Makes that user the owner; group and mode stay. The creator keeps the owner's rights. Only owner, creator and
    /// `CAP_SYS_ADMIN` may do this, others get `PermissionDenied`.
    pub fn give_to(self, uid: u32) -> io::Result<()> {
        let mut ds = self.stat(libc::IPC_STAT)?;
        ds.shm_perm.uid = uid;
        // SAFETY: `ds` is a whole shmid_ds that the kernel reads from during the call only.
        let rc = unsafe { libc::shmctl(self.id, libc::IPC_SET, &raw mut ds) };
        if rc < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn stat(self, how: i32) -> io::Result<libc::shmid_ds> {
        let mut ds = MaybeUninit::<libc::shmid_ds>::zeroed();
        // SAFETY: the pointer is to memory of shmid_ds's size and alignment, which the kernel fills during the call.
        let rc = unsafe { libc::shmctl(self.id, how, ds.as_mut_ptr()) };
        if rc < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was zeroed before and filled by the successful call; it has only integer fields.
        Ok(unsafe { ds.assume_init() })
    }

    /// Attaches for reading and writing. `InvalidData` if it is too small.
    pub fn attach(self) -> io::Result<Attachment<ReadWrite>> {
        Attachment::map(self, 0)
    }

    /// Attaches for reading only: nothing that this process does can change the segment.
    pub fn attach_read_only(self) -> io::Result<Attachment<ReadOnly>> {
        Attachment::map(self, libc::SHM_RDONLY)
    }
}
