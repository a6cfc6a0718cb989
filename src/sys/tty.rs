//! A serial port as an asynchronous byte source. `serialport` opens and configures it: any baud rate, raw mode,
//! exclusive. Reading does not go through that crate, because its `read` waits in `ppoll` with an empty signal mask.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};

use serialport::{SerialPort, TTYPort};
use tokio::io::unix::AsyncFd;

/// An open serial port. Dropping it clears the exclusive flag (which outlives the last close on a pseudo terminal) and
/// closes it.
#[derive(Debug)]
pub struct Tty {
    fd: AsyncFd<File>,
}

impl Tty {
    /// Opens `path` at `baud` bits a second, 8 data bits, no parity, 1 stop bit, exclusively, and drops what was
    /// received before. Must be called within a tokio runtime.
    pub fn open(path: &str, baud: u32) -> serialport::Result<Self> {
        let port = TTYPort::open(&serialport::new(path, baud))?;
        port.clear(serialport::ClearBuffer::Input)?;
        let raw = port.into_raw_fd();
        // SAFETY: the descriptor is open and `into_raw_fd` gave up its ownership, so this `File` is its only owner.
        let file = unsafe { File::from_raw_fd(raw) };
        set_nonblocking(&file)?;
        // SAFETY: a `File` returns the same open descriptor for as long as it lives, and `AsyncFd` owns the `File`.
        let fd = unsafe { AsyncFd::register(file) }.map_err(io::Error::from)?;
        Ok(Self { fd })
    }

    /// Waits for bytes and reads what is there. Zero means that the device is gone.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.fd.readable().await?;
            if let Ok(done) = ready.try_io(|fd| fd.get_ref().read(buffer)) {
                // A short read emptied the port: do not read again only to hear so. Bytes that came meanwhile have
                // made the port ready anew, which this does not clear.
                if matches!(done, Ok(length) if length < buffer.len()) {
                    ready.clear_ready();
                }
                return done;
            }
        }
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // SAFETY: TIOCNXCL takes no argument and the descriptor is open. It fails only where the device is gone.
        unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TIOCNXCL) };
    }
}

fn set_nonblocking(file: &File) -> io::Result<()> {
    // SAFETY: F_GETFL takes no argument and the descriptor is open.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: F_SETFL takes an int and the descriptor is open.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
