//! A file that bytes are read from asynchronously: a serial port, a FIFO, a character device, a connection.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An open file with `O_NONBLOCK` that epoll(7) can watch: not a regular file, not a directory.
///
/// It is watched only while `read` waits: bytes that arrive at any other time cause no wake-up.
#[derive(Debug)]
pub struct ByteFile(pub(super) File);

impl ByteFile {
    /// Opens `path` for reading. Opening a FIFO does not wait for a writer.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).map(Self)
    }

    /// Reads what is there, or waits for it. Zero is the end: the device is gone, the last writer has closed. Must be
    /// called within a tokio runtime.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.try_read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable().await?,
                read => return read,
            }
        }
    }

    /// Waits until there is something to read, or the end. Must be called within a tokio runtime.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        // SAFETY: the descriptor is borrowed for as long as `watched` lives, so it stays open and the same.
        let watched = unsafe { AsyncFd::register_with_interest(self.as_fd(), Interest::READABLE) };
        watched.map_err(io::Error::from)?.readable().await.map(drop)
    }

    /// Reads what is there now. `WouldBlock` if there is nothing; zero from a FIFO if it has no writer.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }
}

/// Takes a file or a socket that has `O_NONBLOCK` set.
impl From<OwnedFd> for ByteFile {
    fn from(fd: OwnedFd) -> Self {
        Self(fd.into())
    }
}

impl AsFd for ByteFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
