//! A segment mapped into this process: loads and stores of its fields.

use std::io;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::Relaxed;

use super::Segment;
use super::layout::{Fields, SIZE, ShmTime};

/// The right to read.
#[derive(Debug)]
pub struct ReadOnly;
/// The right to read and write.
#[derive(Debug)]
pub struct ReadWrite;

/// A segment mapped into this process until this is dropped.
#[derive(Debug)]
pub struct Attachment<A> {
    address: NonNull<ShmTime>,
    access: PhantomData<A>,
}

// SAFETY: a mapping belongs to the process, not to the thread that made it, and all access to it is atomic.
unsafe impl<A> Send for Attachment<A> {}

impl<A> Attachment<A> {
    /// Maps a segment; `flags` are those of shmat(2).
    pub(super) fn map(segment: Segment, flags: i32) -> io::Result<Self> {
        // A segment's size never changes, and its number is not used again while we go on, so checking once is enough.
        if segment.stat(libc::IPC_STAT)?.shm_segsz < SIZE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the segment is too small"));
        }
        // SAFETY: with a null address the kernel chooses a free place, so no memory of ours is mapped over.
        let address = unsafe { libc::shmat(segment.id, ptr::null(), flags) };
        if address.addr() == usize::MAX {
            return Err(io::Error::last_os_error()); // shmat(2) answers (void *) -1
        }
        let address = NonNull::new(address.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { address, access: PhantomData })
    }

    fn memory(&self) -> &ShmTime {
        // SAFETY: `map` checked that the segment holds a ShmTime, shmat(2) aligns to pages, the mapping lives until
        // `drop`, and all fields are atomics, so that other processes may write to them meanwhile. On a read-only
        // mapping only `load` with `Relaxed` is reachable, which std documents as sound there.
        unsafe { self.address.as_ref() }
    }

    /// The counter that a writer raises before and after it changes the fields.
    pub fn count(&self) -> i32 {
        self.memory().count.load(Relaxed)
    }

    /// 1 while there is a sample that nobody took; a reader sets 0.
    pub fn valid(&self) -> i32 {
        self.memory().valid.load(Relaxed)
    }

    /// The fields, in no particular order among each other.
    pub fn fields(&self) -> Fields {
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
    /// Stores `count`.
    pub fn set_count(&mut self, count: i32) {
        self.memory().count.store(count, Relaxed);
    }

    /// Stores `valid`.
    pub fn set_valid(&mut self, valid: i32) {
        self.memory().valid.store(valid, Relaxed);
    }

    /// Stores the fields, in no particular order among each other.
    pub fn set_fields(&mut self, fields: &Fields) {
        let m = self.memory();
        m.mode.store(fields.mode, Relaxed);
        m.clock_sec.store(fields.clock_sec, Relaxed);
        m.clock_usec.store(fields.clock_usec, Relaxed);
        m.receive_sec.store(fields.receive_sec, Relaxed);
        m.receive_usec.store(fields.receive_usec, Relaxed);
        m.leap.store(fields.leap, Relaxed);
        m.precision.store(fields.precision, Relaxed);
        m.nsamples.store(fields.nsamples, Relaxed);
        m.clock_nsec.store(fields.clock_nsec, Relaxed);
        m.receive_nsec.store(fields.receive_nsec, Relaxed);
    }
}

impl<A> Drop for Attachment<A> {
    fn drop(&mut self) {
        // SAFETY: the address is what shmat(2) returned, is detached only here, and no reference outlives `self`.
        // It can fail only for an address that is not attached.
        let _ = unsafe { libc::shmdt(self.address.as_ptr().cast()) };
    }
}
