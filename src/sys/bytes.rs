//! A descriptor that bytes are read from, asynchronously: a serial port, a FIFO, a character device, a
//! connection.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tokio::io::unix::AsyncFd;

/// An open file that never blocks. It must be one that epoll(7) can watch: no regular file, no directory.
#[derive(Debug)]
pub struct ByteFile {
    fd: AsyncFd<File>,
}

impl ByteFile {
    /// Opens `path` for reading only. A FIFO opens at once, whether anybody writes to it or not. Must be called within
    /// a tokio runtime.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        Self::watch(options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?)
    }

    /// Takes a connection that is non-blocking. A socket is read like a file.
    pub fn from_socket(socket: TcpStream) -> io::Result<Self> {
        Self::watch(File::from(OwnedFd::from(socket)))
    }

    /// Takes a file that was opened with `O_NONBLOCK`.
    pub(super) fn watch(file: File) -> io::Result<Self> {
        // SAFETY: a `File` returns the same open descriptor for as long as it lives, and `AsyncFd` owns the `File`.
        let fd = unsafe { AsyncFd::register(file) }.map_err(io::Error::from)?;
        Ok(Self { fd })
    }

    /// Waits for bytes and reads what is there. Zero is the end: the device is gone, the last writer has closed.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.fd.readable().await?;
            if let Ok(done) = ready.try_io(|fd| fd.get_ref().read(buffer)) {
                // A short read emptied the file: do not read again only to hear so. Bytes that came meanwhile have
                // made it ready anew, which this does not clear.
                if matches!(done, Ok(length) if length < buffer.len()) {
                    ready.clear_ready();
                }
                return done;
            }
        }
    }

    /// Reads what is there now. `WouldBlock` where nothing is; of a FIFO, zero means that nobody writes to it.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fd.get_ref().read(buffer)
    }
}

impl AsRawFd for ByteFile {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
