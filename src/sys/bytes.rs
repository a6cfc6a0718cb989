//! A descriptor that bytes are read from, asynchronously: a serial port, a FIFO, a character device, a
//! connection.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An open file that never blocks. It must be one that epoll(7) can watch: no regular file, no directory.
///
/// It is watched only while [`Self::read`] waits: bytes that arrive at any other time wake nobody.
#[derive(Debug)]
pub struct ByteFile(File);

impl ByteFile {
    /// Opens `path` for reading only. A FIFO opens at once, whether anybody writes to it or not.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).map(Self)
    }

    /// Takes a connection that is non-blocking. A socket is read like a file.
    pub fn from_socket(socket: TcpStream) -> Self {
        Self(File::from(OwnedFd::from(socket)))
    }

    /// Takes a file that was opened with `O_NONBLOCK`.
    pub(super) fn new(file: File) -> Self {
        Self(file)
    }

    /// Waits for bytes and reads what is there. Zero is the end: the device is gone, the last writer has closed. Must be
    /// called within a tokio runtime.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the descriptor is borrowed for as long as `watched` lives, so it stays open and the same.
        let watched = unsafe { AsyncFd::register_with_interest(self.0.as_fd(), Interest::READABLE) };
        let watched = watched.map_err(io::Error::from)?;
        loop {
            let mut ready = watched.readable().await?;
            if let Ok(done) = ready.try_io(|_| self.try_read(buffer)) {
                return done;
            }
        }
    }

    /// Reads what is there now. `WouldBlock` where nothing is; of a FIFO, zero means that nobody writes to it.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }
}

impl AsRawFd for ByteFile {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
