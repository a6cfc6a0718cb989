//! A serial port as an asynchronous byte source: raw, eight data bits, no parity, one stop bit, ours alone, at any
//! rate.

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_ushort};
use std::fs::OpenOptions;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::ptr;

use super::bytes::ByteFile;
use super::flock;

/// An open serial port. Dropping it leaves it as it was found: the exclusive flag (which outlives the last close on a
/// pseudo terminal) and the low-latency flag are cleared again.
#[derive(Debug)]
pub struct Tty {
    file: ByteFile,
    /// The driver's flags before ours, where ours was set.
    flags: Option<c_int>,
}

/// Why a serial port cannot be had.
#[derive(Debug)]
pub enum TtyError {
    /// Another process has it locked.
    Locked,
    /// It is no terminal.
    NotATty,
    /// Anything else that the kernel says.
    Os(io::Error),
}

/// Whom an exclusive flag that is already set belongs to. Only root gets as far as to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusive {
    /// A process that still has the port open.
    Held,
    /// Nobody any more: a pseudo terminal keeps the flag of a process that was killed.
    Stale,
}

impl Tty {
    /// Opens `path` at `baud` bits a second and drops what was received before. `exclusive` is asked where the port has
    /// the exclusive flag and may be opened all the same.
    pub fn open(path: &str, baud: u32, exclusive: impl FnOnce() -> Exclusive) -> Result<Self, TtyError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        let file = options.open(path).map_err(|error| match error.raw_os_error() {
            Some(libc::EBUSY) => TtyError::Locked,
            _ => TtyError::Os(error),
        })?;
        let fd = file.as_raw_fd();
        // A port that has a name but no hardware opens for root, and fails here with EIO.
        termios(fd).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOTTY) => TtyError::NotATty,
            _ => TtyError::Os(error),
        })?;
        if has_exclusive_flag(fd) && exclusive() == Exclusive::Held {
            return Err(TtyError::Locked);
        }
        lock(fd)?;
        let tty = Self { file: ByteFile::new(file), flags: low_latency(fd) };
        tty.set_baud(baud).map_err(TtyError::Os)?;
        Ok(tty)
    }

    /// Reads what is there, or waits for it. Zero means that the device is gone. Bytes that arrive while nobody waits
    /// wake nobody. Must be called within a tokio runtime.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.file.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.file.read(buffer).await,
            read => read,
        }
    }

    /// Sets the rate, and everything else along with it, and drops what was received before. Returns the rate that the
    /// driver chose: the nearest that it can do, or the one before.
    pub fn set_baud(&self, baud: u32) -> io::Result<u32> {
        let fd = self.file.as_raw_fd();
        let mut termios = termios(fd)?;
        termios.c_iflag = 0;
        termios.c_oflag = 0;
        termios.c_lflag = 0;
        // What it does with its modem lines at the last close (HUPCL) is its owner's affair.
        termios.c_cflag = (termios.c_cflag & libc::HUPCL) | libc::CS8 | libc::CREAD | libc::CLOCAL | libc::BOTHER;
        // Without at least one byte to wait for, a read of nothing would look like the end.
        for (index, value) in [(libc::VMIN, 1), (libc::VTIME, 0)] {
            if let Some(slot) = termios.c_cc.get_mut(index) {
                *slot = value;
            }
        }
        (termios.c_ispeed, termios.c_ospeed) = (baud, baud);
        // SAFETY: TCSETS2 reads one `termios2`, which outlives the call.
        done(unsafe { libc::ioctl(fd, libc::TCSETS2, ptr::from_ref(&termios)) })?;
        self.drop_received()?;
        self.baud()
    }

    /// The rate that the port is set to.
    pub fn baud(&self) -> io::Result<u32> {
        termios(self.file.as_raw_fd()).map(|termios| termios.c_ospeed)
    }

    /// Drops what was received and not read yet.
    pub fn drop_received(&self) -> io::Result<()> {
        // SAFETY: TCFLSH takes a number.
        done(unsafe { libc::ioctl(self.file.as_raw_fd(), libc::TCFLSH, libc::TCIFLUSH) })
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        let fd = self.file.as_raw_fd();
        if let (Some(flags), Some(serial)) = (self.flags, serial(fd)) {
            set_serial(fd, &SerialStruct { flags, ..serial });
        }
        // SAFETY: TIOCNXCL takes no argument and the descriptor is open. It fails only where the device is gone.
        unsafe { libc::ioctl(fd, libc::TIOCNXCL) };
    }
}

fn done(returned: c_int) -> io::Result<()> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn has_exclusive_flag(fd: RawFd) -> bool {
    let mut set: c_int = 0;
    // SAFETY: TIOCGEXCL (Linux 3.8) writes one int. Where it fails, `set` stays as it is.
    unsafe { libc::ioctl(fd, libc::TIOCGEXCL, &raw mut set) };
    set != 0
}

/// The lock that programs agree on (flock), and the flag that keeps everybody else out (TIOCEXCL).
fn lock(fd: RawFd) -> Result<(), TtyError> {
    flock::try_lock(&fd).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => TtyError::Locked,
        _ => TtyError::Os(error),
    })?;
    // SAFETY: TIOCEXCL takes no argument.
    done(unsafe { libc::ioctl(fd, libc::TIOCEXCL) }).map_err(TtyError::Os)
}

fn termios(fd: RawFd) -> io::Result<libc::termios2> {
    let mut termios = MaybeUninit::<libc::termios2>::uninit();
    // SAFETY: TCGETS2 (Linux 2.6.20) writes one `termios2`.
    done(unsafe { libc::ioctl(fd, libc::TCGETS2, termios.as_mut_ptr()) })?;
    // SAFETY: the kernel has filled it, for the call succeeded.
    Ok(unsafe { termios.assume_init() })
}

/// `struct serial_struct` of linux/serial.h.
#[repr(C)]
#[derive(Clone, Copy)]
struct SerialStruct {
    kind: c_int,
    line: c_int,
    port: c_uint,
    irq: c_int,
    flags: c_int,
    xmit_fifo_size: c_int,
    custom_divisor: c_int,
    baud_base: c_int,
    close_delay: c_ushort,
    io_type: c_char,
    reserved_char: [c_char; 1],
    hub6: c_int,
    closing_wait: c_ushort,
    closing_wait2: c_ushort,
    iomem_base: *mut u8,
    iomem_reg_shift: c_ushort,
    port_high: c_uint,
    iomap_base: c_ulong,
}

/// The driver hands bytes on at once instead of gathering them, a USB adapter's 16 ms for one.
const ASYNC_LOW_LATENCY: c_int = 1 << 13;

fn serial(fd: RawFd) -> Option<SerialStruct> {
    let mut serial = MaybeUninit::<SerialStruct>::uninit();
    // SAFETY: TIOCGSERIAL writes one `serial_struct`, and drivers that know it clear it first.
    done(unsafe { libc::ioctl(fd, libc::TIOCGSERIAL, serial.as_mut_ptr()) }).ok()?;
    // SAFETY: the kernel has filled it, for the call succeeded.
    Some(unsafe { serial.assume_init() })
}

fn set_serial(fd: RawFd, serial: &SerialStruct) -> bool {
    // SAFETY: TIOCSSERIAL reads one `serial_struct`, which outlives the call.
    unsafe { libc::ioctl(fd, libc::TIOCSSERIAL, ptr::from_ref(serial)) == 0 }
}

/// Sets the flag where the driver has it; returns the flags before, if that changed them.
fn low_latency(fd: RawFd) -> Option<c_int> {
    let before = serial(fd)?;
    let flags = before.flags | ASYNC_LOW_LATENCY;
    (flags != before.flags && set_serial(fd, &SerialStruct { flags, ..before })).then_some(before.flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_struct_is_as_the_kernel_has_it() {
        #[cfg(target_pointer_width = "64")]
        assert_eq!(size_of::<SerialStruct>(), 72);
        assert_eq!(std::mem::offset_of!(SerialStruct, flags), 16);
    }
}
