//! The System V shared memory segment of chrony's and ntpd's SHM refclock, as an owned attachment.
//!
//! Finds, creates, describes, and attaches segments, and loads and stores their fields. It never removes a segment and
//! does not implement the protocol: all loads and stores are relaxed, the caller's fences order them. Called by
//! `sink::shm` only. Sources: shmget(2), shmop(2), shmctl(2); chrony's `refclock_shm.c` for key and layout.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::zeroed;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI32, AtomicI64};

use super::check;

/// The key of a unit's segment: `0x4e545030` (the letters `NTP0`) plus the unit.
pub(crate) const fn key(unit: u8) -> i32 {
    0x4e54_5030 + unit as i32
}

/// `struct shmTime` on a 64-bit machine. Another process may change any field at any time: all are atomics. [`Fields`]
/// has their values. Public for a test that compares the offsets with a C compiler's.
#[allow(missing_docs)]
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct ShmTime {
    pub mode: AtomicI32,
    pub count: AtomicI32,
    pub clock_sec: AtomicI64,
    pub clock_usec: AtomicI32,
    pub receive_sec: AtomicI64,
    pub receive_usec: AtomicI32,
    pub leap: AtomicI32,
    pub precision: AtomicI32,
    pub nsamples: AtomicI32,
    pub valid: AtomicI32,
    pub clock_nsec: AtomicI32,
    pub receive_nsec: AtomicI32,
    pub dummy: [AtomicI32; 8],
}

/// Bytes of the segment.
pub(crate) const SIZE: usize = 96;

// A target with another layout or a 32-bit time_t must not compile: chronyd would misread the fields.
const _: () = assert!(size_of::<ShmTime>() == SIZE && size_of::<libc::time_t>() == 8);

/// A sample: all fields but `count` and `valid`, which guard them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Fields {
    /// Protocol: 1 means that `count` shows whether a reading is consistent.
    pub mode: i32,
    /// True time, POSIX seconds.
    pub clock_sec: i64,
    /// True time, microseconds after the second.
    pub clock_usec: i32,
    /// System time of the same moment, POSIX seconds.
    pub receive_sec: i64,
    /// System time, microseconds after the second.
    pub receive_usec: i32,
    /// NTP's leap indicator, 0 to 3.
    pub leap: i32,
    /// Precision, as a power of two in seconds.
    pub precision: i32,
    /// Number of samples for a reader's filter.
    pub nsamples: i32,
    /// True time, nanoseconds after the second.
    pub clock_nsec: i32,
    /// System time, nanoseconds after the second.
    pub receive_nsec: i32,
}

/// A segment that exists, attached or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    id: i32,
}

/// The kernel's description of a segment (`struct shmid_ds`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// The kernel's ID of the segment; a new one each time it is created.
    pub id: i32,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// Creating user; always keeps the owner's rights.
    pub cuid: u32,
    /// Creating group.
    pub cgid: u32,
    /// Permission bits, and `SHM_DEST` after it was removed.
    pub mode: u32,
    /// Bytes.
    pub size: usize,
    /// Process that created it, 0 if in another PID namespace.
    pub cpid: i32,
    /// Process that last attached or detached it.
    pub lpid: i32,
    /// Number of attachments.
    pub nattch: u64,
}

impl Status {
    /// Whether a process removed the segment: attached processes keep it, but no other process can find it.
    pub(crate) const fn is_removed(&self) -> bool {
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
    /// The unit's segment. `NotFound` if there is none; needs no permission on it.
    pub(crate) fn find(unit: u8) -> io::Result<Self> {
        Self::get(unit, 0, 0)
    }

    /// The unit's segment; creates it if there is none, `SIZE` zero bytes for the caller alone.
    pub(crate) fn find_or_create(unit: u8) -> io::Result<Self> {
        Self::get(unit, SIZE, libc::IPC_CREAT | 0o600)
    }

    fn get(unit: u8, size: usize, flags: i32) -> io::Result<Self> {
        // SAFETY: shmget(2) takes three numbers and accesses no memory.
        let id = check(unsafe { libc::shmget(key(unit), size, flags) })?;
        Ok(Self { id })
    }

    /// Owner, mode, size, and users. `PermissionDenied` without permission to read it.
    pub(crate) fn status(self) -> io::Result<Status> {
        self.described(libc::IPC_STAT)
    }

    /// The same without any permission on it: since Linux 4.17, shmctl(2).
    pub(crate) fn public_status(self) -> io::Result<Status> {
        const SHM_STAT_ANY: i32 = 15; // of <linux/shm.h>; takes an index, which the kernel cuts out of an ID
        self.described(SHM_STAT_ANY)
    }

    fn described(self, how: i32) -> io::Result<Status> {
        let ds = self.stat(how)?;
        Ok(Status {
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
        })
    }

    /// Makes this user the owner; group and mode do not change. The creator keeps the owner's rights. Only owner,
    /// creator and `CAP_SYS_ADMIN` may do this, others get `PermissionDenied`.
    pub(crate) fn give_to(self, uid: u32) -> io::Result<()> {
        let mut ds = self.stat(libc::IPC_STAT)?;
        ds.shm_perm.uid = uid;
        // SAFETY: `ds` is a whole shmid_ds that the kernel reads from during the call only.
        check(unsafe { libc::shmctl(self.id, libc::IPC_SET, &raw mut ds) }).map(drop)
    }

    fn stat(self, how: i32) -> io::Result<libc::shmid_ds> {
        // SAFETY: a shmid_ds is integers, for which zero is valid.
        let mut ds: libc::shmid_ds = unsafe { zeroed() };
        // SAFETY: the pointer is to a whole shmid_ds, which the kernel fills during the call.
        check(unsafe { libc::shmctl(self.id, how, &raw mut ds) })?;
        Ok(ds)
    }

    /// Attaches for reading and writing. `InvalidData` if it is too small.
    pub(crate) fn attach(self) -> io::Result<Attachment<ReadWrite>> {
        Attachment::map(self, 0)
    }

    /// Attaches for reading only: this process cannot change the segment.
    pub(crate) fn attach_read_only(self) -> io::Result<Attachment<ReadOnly>> {
        Attachment::map(self, libc::SHM_RDONLY)
    }
}

/// Permission to read.
#[derive(Debug)]
pub(crate) struct ReadOnly;
/// Permission to read and write.
#[derive(Debug)]
pub(crate) struct ReadWrite;

/// A segment mapped into this process until this is dropped.
#[derive(Debug)]
pub(crate) struct Attachment<A> {
    address: NonNull<ShmTime>,
    access: PhantomData<A>,
}

// SAFETY: a mapping belongs to the process, not to the thread that made it, and all access to it is atomic.
unsafe impl<A> Send for Attachment<A> {}

impl<A> Attachment<A> {
    /// Maps a segment; `flags` are those of shmat(2).
    fn map(segment: Segment, flags: i32) -> io::Result<Self> {
        // A segment's size never changes, and its ID is not reused during this call, so checking once is enough.
        if segment.stat(libc::IPC_STAT)?.shm_segsz < SIZE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the segment is too small"));
        }
        // SAFETY: with a null address, the kernel chooses a free range, so no existing mapping is replaced.
        let address = unsafe { libc::shmat(segment.id, ptr::null(), flags) };
        check(address.addr().cast_signed())?; // (void *) -1, if it fails
        let address = NonNull::new(address.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { address, access: PhantomData })
    }

    fn memory(&self) -> &ShmTime {
        // SAFETY: `map` checked that the segment holds a ShmTime, shmat(2) aligns to pages, the mapping lives until
        // `drop`, and all fields are atomics, so that other processes may write to them concurrently. On a read-only
        // mapping only `load` with `Relaxed` is reachable, which std documents as sound there.
        unsafe { self.address.as_ref() }
    }

    /// The counter that a writer increments before and after it changes the fields.
    pub(crate) fn count(&self) -> i32 {
        self.memory().count.load(Relaxed)
    }

    /// 1 until a reader takes the sample and sets 0.
    pub(crate) fn valid(&self) -> i32 {
        self.memory().valid.load(Relaxed)
    }

    /// The fields, in no particular order among each other.
    pub(crate) fn fields(&self) -> Fields {
        let m = self.memory();
        Fields {
            mode: m.mode.load(Relaxed),
            clock_sec: m.clock_sec.load(Relaxed),
            clock_usec: m.clock_usec.load(Relaxed),
            receive_sec: m.receive_sec.load(Relaxed),
            receive_usec: m.receive_usec.load(Relaxed),
            leap: m.leap.load(Relaxed),
            precision: m.precision.load(Relaxed),
            nsamples: m.nsamples.load(Relaxed),
            clock_nsec: m.clock_nsec.load(Relaxed),
            receive_nsec: m.receive_nsec.load(Relaxed),
        }
    }
}

impl Attachment<ReadWrite> {
    /// The fields, to load and to store.
    pub(crate) fn writable(&self) -> &ShmTime {
        self.memory()
    }
}

impl<A> Drop for Attachment<A> {
    fn drop(&mut self) {
        // SAFETY: the address is what shmat(2) returned, is detached only here, and no reference outlives `self`.
        // It can fail only for an address that is not attached.
        let _ = unsafe { libc::shmdt(self.address.as_ptr().cast()) };
    }
}
