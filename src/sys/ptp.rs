//! A PTP hardware clock: `/dev/ptpN` and the ioctls of `<linux/ptp_clock.h>`, and which one belongs to a network
//! interface (`<linux/ethtool.h>`). Called by `source::phc`, `source::sysfs` and `probe`, which interpret errors and
//! choose the best reading. `tests/ptp_layout.rs` checks every number and struct against the kernel's headers.

use std::fs::File;
use std::io::{self, PipeReader};
use std::mem::zeroed;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use libc::{Ioctl, c_uint, ptp_clock_time};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::wait::{Interrupt, Woken, wait};
use super::{check, ioctl, open};
use crate::core::time::{EdgeClock, Instant, Raw, Sys};

// What the libc crate lacks or keeps private.
/// `PTP_ENABLE_FEATURE`: the request enables timestamps.
pub(crate) const ENABLE: c_uint = 1 << 0;
/// `PTP_RISING_EDGE`.
pub(crate) const RISING: c_uint = 1 << 1;
/// `PTP_FALLING_EDGE`.
pub(crate) const FALLING: c_uint = 1 << 2;
/// `PTP_EXT_OFFSET` (Linux 6.8): the event carries an offset, not a timestamp.
pub(crate) const OFFSET: c_uint = 1 << 4;
/// `PTP_MASK_CLEAR_ALL` (Linux 6.7): this descriptor's queue takes no channel's events.
pub(crate) const MASK_CLEAR_ALL: Ioctl = libc::_IO(b'=' as u32, 19);
/// `PTP_MASK_EN_SINGLE` (Linux 6.7): this descriptor's queue takes this channel's events too.
pub(crate) const MASK_EN_SINGLE: Ioctl = libc::_IOW::<c_uint>(b'=' as u32, 20);

/// Maximum number of events returned by one `read(2)` (`PTP_BUF_TIMESTAMPS` in the kernel's `ptp_private.h`).
const EVENTS_PER_READ: usize = 30;
/// How long a read waits if another program has taken the events since [`Ptp::wait`] saw them.
const TAKEN: Duration = Duration::from_millis(500);

/// `struct ptp_extts_event`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExttsEvent {
    /// When, on the PHC.
    pub t: ptp_clock_time,
    /// The channel.
    pub index: c_uint,
    /// `PTP_EXTTS_EVENT_VALID` and [`OFFSET`]; zero before Linux 6.8.
    pub flags: c_uint,
    /// Zero.
    pub rsv: [c_uint; 2],
}

const _: () = assert!(size_of::<ExttsEvent>() == 32);

/// A pin and its setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinState {
    /// The driver's name for it.
    pub name: String,
    /// Its number, from 0.
    pub index: u32,
    /// What it does.
    pub function: Function,
    /// The channel of that function.
    pub channel: u32,
}

/// A pin's function (`enum ptp_pin_function`): one of these, or another number, usually a periodic output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Function(pub(crate) c_uint);

impl Function {
    /// Nothing.
    pub(crate) const NONE: Self = Self(libc::PTP_PF_NONE);
    /// Timestamps incoming edges.
    pub(crate) const EXT_TS: Self = Self(libc::PTP_PF_EXTTS);
}

/// A request for external timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// `PTP_EXTTS_REQUEST2`: rising edges only, or an error.
    StrictRising,
    /// `PTP_EXTTS_REQUEST2`: both edges, or an error. The only strict request that igb and igc grant.
    StrictBoth,
    /// `PTP_EXTTS_REQUEST`: rising edges; the driver may ignore this. The only request before Linux 5.4.
    Loose,
}

/// The queue that a descriptor's events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Its own: it gets every event.
    Own,
    /// One queue for all descriptors: each event goes to one reader (before Linux 6.7).
    Shared,
}

/// A reading of the PHC between two readings of the system clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bracket {
    /// System clock before.
    pub(crate) before: Instant<Sys>,
    /// PHC.
    pub(crate) phc: Instant<EdgeClock>,
    /// System clock after.
    pub(crate) after: Instant<Sys>,
}

/// An open PTP hardware clock. One thread owns it: its `read` ignores `O_NONBLOCK`.
pub(crate) struct Ptp(File);

impl Ptp {
    /// Opens the node for reading and writing: pins and channels cannot be set on a read-only descriptor (`EACCES`,
    /// Linux 6.15 and stable kernels). On a node of another kind [`Self::channels`] fails with `ENOTTY`.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        open(path, File::options().write(true)).map(Self)
    }

    /// Number of external timestamp channels.
    pub(crate) fn channels(&self) -> io::Result<u32> {
        Ok(self.caps()?.n_ext_ts.unsigned_abs())
    }

    /// The pins with a selectable function; none if the wiring is fixed.
    pub(crate) fn pins(&self) -> io::Result<Vec<PinState>> {
        (0..self.caps()?.n_pins.unsigned_abs()).map(|index| self.pin(index)).collect()
    }

    fn caps(&self) -> io::Result<libc::ptp_clock_caps> {
        // SAFETY: a ptp_clock_caps is integers, so zeros are valid; PTP_CLOCK_GETCAPS writes one.
        unsafe { ioctl(&self.0, libc::PTP_CLOCK_GETCAPS, zeroed()) }
    }

    fn pin(&self, index: u32) -> io::Result<PinState> {
        // SAFETY: PTP_PIN_GETFUNC reads and writes a ptp_pin_desc.
        let pin = unsafe { ioctl(&self.0, libc::PTP_PIN_GETFUNC, pin_desc(index, Function::NONE, 0))? };
        let name: Vec<_> = pin.name.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
        let name = String::from_utf8_lossy(&name).into_owned();
        Ok(PinState { name, index: pin.index, function: Function(pin.func), channel: pin.chan })
    }

    /// Sets a pin's function. Another pin with this function on this channel loses it. `EOPNOTSUPP` if the pin cannot
    /// do it.
    pub(crate) fn set_pin(&self, index: u32, function: Function, channel: u32) -> io::Result<()> {
        // SAFETY: PTP_PIN_SETFUNC reads a ptp_pin_desc.
        unsafe { ioctl(&self.0, libc::PTP_PIN_SETFUNC, pin_desc(index, function, channel)) }.map(drop)
    }

    /// Requests external timestamps on a channel. `EOPNOTSUPP` or `EINVAL` if the driver does not support it, `ENOTTY`
    /// if the kernel lacks the strict request.
    pub(crate) fn enable_extts(&self, channel: u32, request: Request) -> io::Result<()> {
        match request {
            Request::StrictRising => self.extts(libc::PTP_EXTTS_REQUEST2, channel, ENABLE | RISING),
            Request::StrictBoth => self.extts(libc::PTP_EXTTS_REQUEST2, channel, ENABLE | RISING | FALLING),
            Request::Loose => self.extts(libc::PTP_EXTTS_REQUEST, channel, ENABLE | RISING),
        }
    }

    /// Disables external timestamps of a channel, with the request that every kernel has and no driver rejects.
    pub(crate) fn disable_extts(&self, channel: u32) -> io::Result<()> {
        self.extts(libc::PTP_EXTTS_REQUEST, channel, 0)
    }

    fn extts(&self, number: Ioctl, channel: u32, flags: c_uint) -> io::Result<()> {
        let request = libc::ptp_extts_request { index: channel, flags, rsv: [0; 2] };
        // SAFETY: the strict and the loose request read a ptp_extts_request.
        unsafe { ioctl(&self.0, number, request) }.map(drop)
    }

    /// Makes this descriptor queue only one channel's events. Before Linux 6.7 (`ENOTTY`), it does not have its own
    /// queue.
    pub(crate) fn only_channel(&self, channel: u32) -> io::Result<Queue> {
        // SAFETY: PTP_MASK_CLEAR_ALL ignores its argument.
        match unsafe { ioctl(&self.0, MASK_CLEAR_ALL, channel) } {
            Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => return Ok(Queue::Shared),
            cleared => cleared?,
        };
        // SAFETY: PTP_MASK_EN_SINGLE reads an unsigned int.
        unsafe { ioctl(&self.0, MASK_EN_SINGLE, channel) }.map(|_| Queue::Own)
    }

    /// Sleeps until events are queued ([`Woken::Input`]: [`Self::read`] will not block), the bell is rung, or `time` is over.
    pub(crate) fn wait(&self, bell: &PipeReader, time: Duration) -> io::Result<Woken> {
        wait(&self.0, bell, time)
    }

    /// Reads the hardware's timestamps of edges, 30 at most, and keeps those of one channel; none, after half a second,
    /// if another program took them. Call [`Self::wait`] first: with an empty queue it blocks.
    pub(crate) fn read(&self, channel: u32) -> io::Result<Vec<Instant<EdgeClock>>> {
        let _interrupt = Interrupt::every(TAKEN)?;
        // SAFETY: an ExttsEvent is integers, so zeros are valid.
        let mut events: [ExttsEvent; EVENTS_PER_READ] = unsafe { zeroed() };
        let room = size_of_val(&events);
        // SAFETY: the array is local and `room` bytes long, and any bytes are a valid ExttsEvent.
        let got = match check(unsafe { libc::read(self.0.as_raw_fd(), events.as_mut_ptr().cast(), room) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            got => got?.unsigned_abs(),
        };
        let edges = events.iter().take(got / size_of::<ExttsEvent>());
        let ours = edges.filter(|event| event.flags & OFFSET == 0 && event.index == channel);
        Ok(ours.map(|event| phc_time(event.t)).collect())
    }

    /// All three clocks at one moment, latched by hardware (`PTP_SYS_OFFSET_PRECISE`). `EOPNOTSUPP` if the driver lacks
    /// it, also `ENODEV` while the kernel's clock source is not the counter that the hardware latches.
    pub(crate) fn sys_offset_precise(&self) -> io::Result<(Instant<EdgeClock>, Instant<Sys>, Instant<Raw>)> {
        // SAFETY: the struct is integers, so zeros are valid; PTP_SYS_OFFSET_PRECISE reads and writes one.
        let at = unsafe { ioctl(&self.0, libc::PTP_SYS_OFFSET_PRECISE, zeroed::<libc::ptp_sys_offset_precise>())? };
        let raw = Instant::from_parts(at.sys_monoraw.sec, i64::from(at.sys_monoraw.nsec));
        Ok((phc_time(at.device), sys_time(at.sys_realtime), raw))
    }

    /// `count` (1 to 25) readings of the PHC, each closely between two of the system clock (`PTP_SYS_OFFSET_EXTENDED`,
    /// Linux 5.0). `EOPNOTSUPP` or `ENOTTY` if driver or kernel lack it.
    pub(crate) fn sys_offset_extended(&self, count: u32) -> io::Result<Vec<Bracket>> {
        // SAFETY: a ptp_sys_offset_extended is integers, so zeros are valid.
        let mut offset: libc::ptp_sys_offset_extended = unsafe { zeroed() };
        (offset.n_samples, offset.clockid) = (count, libc::CLOCK_REALTIME);
        // SAFETY: PTP_SYS_OFFSET_EXTENDED reads and writes a ptp_sys_offset_extended; it refuses a count above 25.
        let offset = unsafe { ioctl(&self.0, libc::PTP_SYS_OFFSET_EXTENDED, offset)? };
        Ok(offset.ts.iter().take(count as usize).filter_map(|times| bracket(times)).collect())
    }

    /// `count` (1 to 25) readings of the PHC with readings of the system clock between them (`PTP_SYS_OFFSET`), which
    /// every driver supports.
    pub(crate) fn sys_offset(&self, count: u32) -> io::Result<Vec<Bracket>> {
        // SAFETY: a ptp_sys_offset is integers, so zeros are valid.
        let mut offset: libc::ptp_sys_offset = unsafe { zeroed() };
        offset.n_samples = count;
        // SAFETY: PTP_SYS_OFFSET reads and writes a ptp_sys_offset; it refuses a count above 25.
        let offset = unsafe { ioctl(&self.0, libc::PTP_SYS_OFFSET, offset)? };
        Ok(offset.ts.windows(3).step_by(2).take(count as usize).filter_map(bracket).collect())
    }
}

fn pin_desc(index: u32, Function(func): Function, chan: u32) -> libc::ptp_pin_desc {
    libc::ptp_pin_desc { name: [0; 64], index, func, chan, rsv: [0; 5] }
}

fn bracket(times: &[ptp_clock_time]) -> Option<Bracket> {
    let [before, phc, after] = times else { return None };
    Some(Bracket { before: sys_time(*before), phc: phc_time(*phc), after: sys_time(*after) })
}

fn phc_time(t: ptp_clock_time) -> Instant<EdgeClock> {
    Instant::from_parts(t.sec, i64::from(t.nsec))
}

fn sys_time(t: ptp_clock_time) -> Instant<Sys> {
    Instant::from_parts(t.sec, i64::from(t.nsec))
}

/// `ETHTOOL_GET_TS_INFO` of `<linux/ethtool.h>`.
pub(crate) const ETHTOOL_GET_TS_INFO: u32 = 0x41;

/// `struct ethtool_ts_info` of `<linux/ethtool.h>`, checked by `tests/ptp_layout.rs`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TsInfo {
    /// In: the command.
    pub cmd: u32,
    /// Mask of `SOF_TIMESTAMPING_*`.
    pub so_timestamping: u32,
    /// N of `/dev/ptpN`, or -1.
    pub phc_index: i32,
    /// Mask of `HWTSTAMP_TX_*`.
    pub tx_types: u32,
    /// Zero.
    pub tx_reserved: [u32; 3],
    /// Mask of `HWTSTAMP_FILTER_*`.
    pub rx_filters: u32,
    /// Zero.
    pub rx_reserved: [u32; 3],
}

const _: () = assert!(size_of::<TsInfo>() == 44);

/// N of the `/dev/ptpN` that belongs to the interface; `None` if it has none.
///
/// # Errors
/// `ENODEV` if there is no such interface (in our network namespace); `EINVAL` if no interface can have this name: empty,
/// longer than 15 bytes, or with a NUL.
pub(crate) fn phc_index(interface: &str) -> io::Result<Option<u32>> {
    let name = interface.as_bytes();
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.contains(&0) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut info = TsInfo { cmd: ETHTOOL_GET_TS_INFO, phc_index: -1, ..TsInfo::default() };
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data: (&raw mut info).cast() },
    };
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    // SAFETY: SIOCETHTOOL reads an ifreq whose name ends in NUL and, for this command, writes one ethtool_ts_info
    // through its data pointer; both are ours and outlive the call.
    match unsafe { ioctl(socket, libc::SIOCETHTOOL as _, request) } {
        Ok(_) => Ok(u32::try_from(info.phc_index).ok()),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_has_no_phc_and_what_is_absent_says_so() {
        assert_eq!(phc_index("lo").unwrap(), None);
        assert_eq!(phc_index("nosuchif0").unwrap_err().raw_os_error(), Some(libc::ENODEV));
        for name in ["", "sixteen-bytes-xx", "a\0b"] {
            assert_eq!(phc_index(name).unwrap_err().raw_os_error(), Some(libc::EINVAL), "{name:?}");
        }
    }
}
