//! A PTP hardware clock: `/dev/ptpN` and the ioctls of `<linux/ptp_clock.h>`. Only `source::phc` and `probe` call it;
//! what an error means and which reading is the best is decided there.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use libc::{c_uint, ptp_clock_time};
use rustix::event::PollFlags;

use super::eventfd::{EventFd, poll, readable};
use super::interrupt::Interrupt;
use super::ioctl::ioctl;
use crate::core::time::{Instant, Phc, Sys};
use abi::{ENABLE, EVENTS_PER_READ, ExttsEvent, FALLING, OFFSET, RISING};

pub mod abi;
mod types;

pub use types::{Bracket, Caps, Crosststamp, Function, PinState, Precise, Queue, Request, Stamp, Woken};

/// Reads that empty a queue: the kernel keeps 128 events and gives 30 at a time.
const DRAIN_READS: usize = 6;

/// How long a read waits for events that somebody else has taken meanwhile.
const TAKEN: Duration = Duration::from_millis(500);

/// An open PTP hardware clock. One thread owns it: its `read` blocks even where it was told not to.
#[derive(Debug)]
pub struct Ptp(File);

impl Ptp {
    /// Opens the node for reading and writing: pins and channels cannot be set on a descriptor that only reads
    /// (`EACCES`, Linux 6.15 and stable kernels). A node of another kind is opened without side effects as far as that
    /// is possible; [`Self::caps`] answers `ENOTTY` there.
    pub fn open(path: &Path) -> io::Result<Self> {
        // The standard library adds O_CLOEXEC.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).map(Self)
    }

    /// What it can do.
    pub fn caps(&self) -> io::Result<Caps> {
        let mut caps = libc::ptp_clock_caps {
            max_adj: 0,
            n_alarm: 0,
            n_ext_ts: 0,
            n_per_out: 0,
            pps: 0,
            n_pins: 0,
            cross_timestamping: 0,
            adjust_phase: 0,
            max_phase_adj: 0,
            rsv: [0; 11],
        };
        // SAFETY: PTP_CLOCK_GETCAPS writes a ptp_clock_caps.
        unsafe { ioctl(&self.0, libc::PTP_CLOCK_GETCAPS, &raw mut caps)? };
        let missing = caps.cross_timestamping == 0;
        Ok(Caps {
            n_ext_ts: u32::try_from(caps.n_ext_ts).unwrap_or(0),
            n_pins: u32::try_from(caps.n_pins).unwrap_or(0),
            cross_timestamping: if missing { Crosststamp::Missing } else { Crosststamp::Offered },
            max_adj: caps.max_adj,
        })
    }

    /// A pin, by its number. `EINVAL` where there is none of this number.
    pub fn pin(&self, index: u32) -> io::Result<PinState> {
        let mut pin = pin_desc(index, libc::PTP_PF_NONE, 0);
        // SAFETY: PTP_PIN_GETFUNC reads and writes a ptp_pin_desc.
        unsafe { ioctl(&self.0, libc::PTP_PIN_GETFUNC, &raw mut pin)? };
        let name = pin.name.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect::<Vec<_>>();
        Ok(PinState {
            name: String::from_utf8_lossy(&name).into_owned(),
            index: pin.index,
            function: match pin.func {
                libc::PTP_PF_NONE => Function::None,
                libc::PTP_PF_EXTTS => Function::ExtTs,
                other => Function::Other(other),
            },
            channel: pin.chan,
        })
    }

    /// Gives a pin a function. Another pin that has this function for this channel loses it. `EOPNOTSUPP` where the pin
    /// cannot do it.
    pub fn set_pin(&self, index: u32, function: Function, channel: u32) -> io::Result<()> {
        let number = match function {
            Function::None => libc::PTP_PF_NONE,
            Function::ExtTs => libc::PTP_PF_EXTTS,
            Function::Other(number) => number,
        };
        let mut pin = pin_desc(index, number, channel);
        // SAFETY: PTP_PIN_SETFUNC reads a ptp_pin_desc.
        unsafe { ioctl(&self.0, libc::PTP_PIN_SETFUNC, &raw mut pin) }
    }

    /// Asks for external timestamps on a channel. A driver that cannot do what is asked answers `EOPNOTSUPP` or
    /// `EINVAL`, a kernel without the strict request `ENOTTY`.
    pub fn enable_extts(&self, channel: u32, request: Request) -> io::Result<()> {
        match request {
            Request::StrictRising => self.extts(libc::PTP_EXTTS_REQUEST2, channel, ENABLE | RISING),
            Request::StrictBoth => self.extts(libc::PTP_EXTTS_REQUEST2, channel, ENABLE | RISING | FALLING),
            Request::Loose => self.extts(libc::PTP_EXTTS_REQUEST, channel, ENABLE | RISING),
        }
    }

    /// Switches external timestamps of a channel off, by the request that every kernel has and no driver is strict at.
    pub fn disable_extts(&self, channel: u32) -> io::Result<()> {
        self.extts(libc::PTP_EXTTS_REQUEST, channel, 0)
    }

    /// Has this descriptor queue the events of one channel only. Before Linux 6.7 (`ENOTTY`) it has no queue of its
    /// own.
    pub fn only_channel(&self, channel: u32) -> io::Result<Queue> {
        let mut channel: c_uint = channel;
        // SAFETY: PTP_MASK_CLEAR_ALL ignores its argument.
        match unsafe { ioctl(&self.0, abi::MASK_CLEAR_ALL, &raw mut channel) } {
            Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => return Ok(Queue::Shared),
            cleared => cleared?,
        }
        // SAFETY: PTP_MASK_EN_SINGLE reads an unsigned int.
        unsafe { ioctl(&self.0, abi::MASK_EN_SINGLE, &raw mut channel) }.map(|()| Queue::Own)
    }

    /// Sleeps until events are queued, the bell is rung, or `time` is over. The bell wins.
    pub fn wait(&self, bell: &EventFd, time: Duration) -> io::Result<Woken> {
        let [events, rung] = poll([readable(&self.0), bell.readable()], time)?;
        Ok(match events {
            _ if !rung.is_empty() => Woken::Rung,
            PollFlags::IN => Woken::Events,
            _ if events.is_empty() => Woken::Timeout,
            _ => Woken::Gone,
        })
    }

    /// Reads queued events of all channels, 30 at most. Blocks where none is queued: [`Self::wait`] first. Where another
    /// program took them in between, there are none after half a second.
    pub fn read(&self) -> io::Result<Vec<Stamp>> {
        let _in_time = Interrupt::every(TAKEN)?;
        let zero = ptp_clock_time { sec: 0, nsec: 0, reserved: 0 };
        let mut events = [ExttsEvent { t: zero, index: 0, flags: 0, rsv: [0; 2] }; EVENTS_PER_READ];
        let room = size_of_val(&events);
        // SAFETY: the array is ours and `room` bytes long, and any bytes are a valid ExttsEvent.
        let got = unsafe { libc::read(self.0.as_raw_fd(), events.as_mut_ptr().cast(), room) };
        let got = match usize::try_from(got).map_err(|_| io::Error::last_os_error()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            got => got?,
        };
        let whole = events.iter().take(got / size_of::<ExttsEvent>());
        let edges = whole.filter(|event| event.flags & OFFSET == 0);
        Ok(edges.map(|event| Stamp { phc: phc_time(event.t), channel: event.index }).collect())
    }

    /// Throws away what is queued.
    pub fn drain(&self) -> io::Result<()> {
        let silent = EventFd::new()?;
        for _ in 0..DRAIN_READS {
            if self.wait(&silent, Duration::ZERO)? != Woken::Events {
                break;
            }
            self.read()?;
        }
        Ok(())
    }

    /// All three clocks at once (`PTP_SYS_OFFSET_PRECISE`). `EOPNOTSUPP` where the driver has it not, `ENODEV` also
    /// where the kernel's clock source is not the counter that the hardware latches.
    pub fn sys_offset_precise(&self) -> io::Result<Precise> {
        let zero = ptp_clock_time { sec: 0, nsec: 0, reserved: 0 };
        let mut offset =
            libc::ptp_sys_offset_precise { device: zero, sys_realtime: zero, sys_monoraw: zero, rsv: [0; 4] };
        // SAFETY: PTP_SYS_OFFSET_PRECISE reads and writes a ptp_sys_offset_precise.
        unsafe { ioctl(&self.0, libc::PTP_SYS_OFFSET_PRECISE, &raw mut offset)? };
        Ok(Precise {
            phc: phc_time(offset.device),
            sys: sys_time(offset.sys_realtime),
            raw: Instant::from_parts(offset.sys_monoraw.sec, i64::from(offset.sys_monoraw.nsec)),
        })
    }

    /// `count` (1 to 25) readings of the PHC, each closely between two of the system clock (`PTP_SYS_OFFSET_EXTENDED`,
    /// Linux 5.0). `EOPNOTSUPP` or `ENOTTY` where driver or kernel have it not.
    pub fn sys_offset_extended(&self, count: u32) -> io::Result<Vec<Bracket>> {
        let zero = ptp_clock_time { sec: 0, nsec: 0, reserved: 0 };
        let mut offset = libc::ptp_sys_offset_extended {
            n_samples: count,
            clockid: libc::CLOCK_REALTIME,
            rsv: [0; 2],
            ts: [[zero; 3]; libc::PTP_MAX_SAMPLES as usize],
        };
        // SAFETY: PTP_SYS_OFFSET_EXTENDED reads and writes a ptp_sys_offset_extended; it refuses a count above 25.
        unsafe { ioctl(&self.0, libc::PTP_SYS_OFFSET_EXTENDED, &raw mut offset)? };
        Ok(offset.ts.iter().take(count as usize).map(|[before, phc, after]| bracket(before, phc, after)).collect())
    }

    /// `count` (1 to 25) readings of the PHC, with readings of the system clock between them (`PTP_SYS_OFFSET`). Every
    /// driver has this one.
    pub fn sys_offset(&self, count: u32) -> io::Result<Vec<Bracket>> {
        let zero = ptp_clock_time { sec: 0, nsec: 0, reserved: 0 };
        let mut offset = libc::ptp_sys_offset { n_samples: count, rsv: [0; 3], ts: [zero; 51] };
        // SAFETY: PTP_SYS_OFFSET reads and writes a ptp_sys_offset; it refuses a count above 25.
        unsafe { ioctl(&self.0, libc::PTP_SYS_OFFSET, &raw mut offset)? };
        let brackets = offset.ts.windows(3).step_by(2).take(count as usize);
        Ok(brackets
            .filter_map(|of| if let [before, phc, after] = of { Some(bracket(before, phc, after)) } else { None })
            .collect())
    }

    fn extts(&self, number: libc::Ioctl, channel: u32, flags: c_uint) -> io::Result<()> {
        let mut request = libc::ptp_extts_request { index: channel, flags, rsv: [0; 2] };
        // SAFETY: both requests, the strict and the loose, read a ptp_extts_request.
        unsafe { ioctl(&self.0, number, &raw mut request) }
    }
}

fn pin_desc(index: u32, func: c_uint, chan: u32) -> libc::ptp_pin_desc {
    libc::ptp_pin_desc { name: [0; 64], index, func, chan, rsv: [0; 5] }
}

fn bracket(before: &ptp_clock_time, phc: &ptp_clock_time, after: &ptp_clock_time) -> Bracket {
    Bracket { before: sys_time(*before), phc: phc_time(*phc), after: sys_time(*after) }
}

fn phc_time(t: ptp_clock_time) -> Instant<Phc> {
    Instant::from_parts(t.sec, i64::from(t.nsec))
}

fn sys_time(t: ptp_clock_time) -> Instant<Sys> {
    Instant::from_parts(t.sec, i64::from(t.nsec))
}
