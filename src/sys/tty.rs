//! Asynchronous sources of bytes: a serial port (raw, 8 data bits, no parity, 1 stop bit, exclusive, any rate), and any
//! other file except regular ones.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::termios::{
    ControlModes, InputModes, OptionalActions, QueueSelector, ioctl_tiocexcl, ioctl_tiocnxcl, tcflush, tcgetattr,
    tcsetattr,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{ioctl, open};

/// An open serial port, or a device without a baud rate. Drop clears the exclusive flag, which on a pseudo terminal
/// survives the last close.
#[derive(Debug)]
pub(crate) struct Tty {
    /// What is received.
    pub(crate) bytes: ByteFile,
}

impl Tty {
    /// Opens `path` at `baud` bits per second and discards earlier input.
    ///
    /// `is_held` is called if the port already has the exclusive flag but can be opened, as by root: a pseudo terminal
    /// keeps the flag of a process that was killed. A port that is held is not changed.
    ///
    /// # Errors
    /// `ResourceBusy`: another process has it locked. `ENOTTY`: not a terminal. `EIO`: a node without hardware, which
    /// root can open. Otherwise those of open(2).
    pub(crate) fn open(path: &str, baud: u32, is_held: impl FnOnce() -> bool) -> io::Result<Self> {
        let file = open(Path::new(path), File::options().write(true))?;
        tcgetattr(&file)?;
        if has_exclusive_flag(&file) && is_held() {
            return Err(Errno::BUSY.into());
        }
        // The advisory lock, and the flag that excludes all other programs.
        let is_locked = |error| if error == Errno::WOULDBLOCK { Errno::BUSY } else { error };
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(is_locked)?;
        ioctl_tiocexcl(&file)?;
        let tty = Self { bytes: ByteFile(file) };
        tty.set_baud(baud)?;
        Ok(tty)
    }

    /// Sets the rate and all other modes, and discards earlier input. Returns the rate that the driver chose: the
    /// nearest one that it supports, or the previous one.
    pub(crate) fn set_baud(&self, baud: u32) -> io::Result<u32> {
        let mut termios = tcgetattr(&self.bytes.0)?;
        termios.make_raw();
        termios.input_modes = InputModes::empty();
        // HUPCL, which lowers DTR at the last close, is not changed.
        termios.control_modes &= ControlModes::HUPCL;
        termios.control_modes |= ControlModes::CS8 | ControlModes::CREAD | ControlModes::CLOCAL;
        termios.set_speed(baud)?;
        tcsetattr(&self.bytes.0, OptionalActions::Now, &termios)?;
        self.discard_received()?;
        self.baud()
    }

    /// The rate that the port is set to.
    pub(crate) fn baud(&self) -> io::Result<u32> {
        Ok(tcgetattr(&self.bytes.0)?.output_speed())
    }

    /// Discards unread input.
    pub(crate) fn discard_received(&self) -> io::Result<()> {
        Ok(tcflush(&self.bytes.0, QueueSelector::IFlush)?)
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        let _device_is_gone = ioctl_tiocnxcl(&self.bytes.0);
    }
}

fn has_exclusive_flag(file: &File) -> bool {
    // SAFETY: TIOCGEXCL (Linux 3.8) writes one int.
    unsafe { ioctl(file, libc::TIOCGEXCL, c_int::default()) }.is_ok_and(|is_set| is_set != 0)
}

/// An open file with `O_NONBLOCK` that epoll(7) can watch: not a regular file, not a directory.
///
/// It is watched only while `read` waits: bytes that arrive at any other time cause no wake-up.
#[derive(Debug)]
pub(crate) struct ByteFile(pub(crate) File);

impl ByteFile {
    /// Opens `path` for reading. Opening a FIFO does not wait for a writer.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        open(path, &mut File::options()).map(Self)
    }

    /// Reads available bytes, or waits for some. Zero is the end: the device is gone, or the last writer has closed.
    /// Must be called within a tokio runtime.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.try_read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable().await?,
                read => return read,
            }
        }
    }

    /// Waits for input or its end. Must be called within a tokio runtime.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        // SAFETY: the descriptor is borrowed while `watched` lives, so it stays open and the same.
        let watched = unsafe { AsyncFd::register_with_interest(self.0.as_fd(), Interest::READABLE) };
        watched.map_err(io::Error::from)?.readable().await.map(drop)
    }

    /// Reads available bytes. `WouldBlock` if there are none; zero from a FIFO if it has no writer.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use serialport::{SerialPort, TTYPort};

    use super::*;

    /// Why the serialport crate does not open the real port.
    #[test]
    fn a_port_that_is_held_is_left_as_it_is_which_serialport_does_not_do() {
        let (_receiver, machine) = TTYPort::pair().unwrap();
        let device = machine.name().unwrap();
        let holder = File::options().read(true).write(true).open(&device).unwrap();
        let mut termios = tcgetattr(&holder).unwrap();
        termios.set_speed(4_800).unwrap();
        tcsetattr(&holder, OptionalActions::Now, &termios).unwrap();
        ioctl_tiocexcl(&holder).unwrap();
        let has_rate_and_flag = || (tcgetattr(&holder).unwrap().output_speed(), has_exclusive_flag(&holder));

        let refused = Tty::open(&device, 9_600, || true).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
        assert_eq!(has_rate_and_flag(), (4_800, true));
        if rustix::process::geteuid().is_root() {
            drop(serialport::new(&device, 9_600).open_native().unwrap());
            assert_eq!(has_rate_and_flag(), (9_600, false), "the holder reads garbage, and anyone may open the port");
        }
    }

    #[test]
    fn any_rate_can_be_set_and_a_stale_flag_keeps_nobody_out() {
        let (_receiver, machine) = TTYPort::pair().unwrap();
        let device = machine.name().unwrap();
        ioctl_tiocexcl(File::options().read(true).open(&device).unwrap()).unwrap();
        if rustix::process::geteuid().is_root() {
            let tty = Tty::open(&device, 123_456, || false).unwrap();
            assert_eq!(tty.baud().unwrap(), 123_456);
            drop(tty);
            let after = File::options().read(true).open(&device).unwrap();
            assert!(
                !has_exclusive_flag(&after) && tcgetattr(&after).unwrap().control_modes.contains(ControlModes::CS8)
            );
        }
    }
}
