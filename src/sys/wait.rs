//! Waiting: a task for a time ([`Alarm`]), a thread for input or another thread's signal ([`wait`]), a command for its
//! input or the closing of its output.

use std::io::{self, PipeReader};
use std::mem::zeroed;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::stdio::stdout;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

use super::check;

/// Wakes a task once at one time: a timerfd. tokio's timers sort what is more than 64 ms ahead into slots and wake the
/// thread at the beginning of each slot only to sort again: two or three wake-ups instead of one. Must be created
/// within a tokio runtime.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// Expires at `due`. None if no descriptor is left: then tokio's own timers are used.
    timer: Option<AsyncFd<OwnedFd>>,
    due: Instant,
}

impl Alarm {
    /// Rings after `time`, instead of at the time that was set before.
    pub(crate) fn set(&mut self, time: Duration) {
        self.due = Instant::now() + time;
        // All zero would disarm it.
        let at = Timespec::try_from(time.max(Duration::from_nanos(1)));
        self.timer = self
            .timer
            .take()
            .filter(|timer| at.is_ok_and(|at| arm(timer.get_ref(), TimerfdTimerFlags::empty(), at).is_ok()));
    }

    /// Waits until it rings. Cancel safe.
    pub(crate) async fn rung(&self) {
        while Instant::now() < self.due {
            match &self.timer {
                // The count of expiries is not read, which saves a system call. An expiry of an earlier time may ring
                // here.
                Some(timer) if timer.readable().await.map(|mut ready| ready.clear_ready()).is_ok() => {}
                _ => sleep_until(self.due).await,
            }
        }
    }

    /// Sleeps for `time`.
    pub(crate) async fn sleep(&mut self, time: Duration) {
        self.set(time);
        self.rung().await;
    }
}

impl Default for Alarm {
    /// An alarm that is due immediately.
    fn default() -> Self {
        Self { timer: timer(TimerfdClockId::Monotonic).ok(), due: Instant::now() }
    }
}

/// A timer that is not armed yet. Must be called within a tokio runtime.
pub(super) fn timer(clock: TimerfdClockId) -> io::Result<AsyncFd<OwnedFd>> {
    let fd = timerfd_create(clock, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    // SAFETY: an `OwnedFd` is the same open descriptor for as long as it lives, and `AsyncFd` owns it.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)
}

/// Arms it to expire once.
pub(super) fn arm(timer: &OwnedFd, flags: TimerfdTimerFlags, at: Timespec) -> rustix::io::Result<()> {
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    timerfd_settime(timer, flags, &Itimerspec { it_interval: never, it_value: at }).map(drop)
}

/// Why a thread's wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The time is over, or a signal interrupted the wait.
    Timeout,
    /// There is input.
    Input,
    /// The bell was rung.
    Rung,
}

/// Sleeps until `device` has input, the bell rings, or for `time`. The bell is one end of a pipe: it rings permanently
/// once the other end is dropped, and takes precedence. `ENODEV` if the device is gone.
pub(crate) fn wait(device: &impl AsFd, bell: &PipeReader, time: Duration) -> io::Result<Woken> {
    let [input, rung] = poll([readable(device), readable(bell)], time)?;
    match input {
        _ if !rung.is_empty() => Ok(Woken::Rung),
        PollFlags::IN => Ok(Woken::Input),
        _ if input.is_empty() => Ok(Woken::Timeout),
        _ => Err(Errno::NODEV.into()),
    }
}

/// Interrupts this thread's blocking system calls (`EINTR`) at every expiry of a timer, until it is dropped:
/// `timer_create(2)` with a signal to the calling thread.
pub(super) struct Interrupt(libc::timer_t);

impl Interrupt {
    /// Starts the timer.
    pub(super) fn every(time: Duration) -> io::Result<Self> {
        let signal = libc::SIGRTMIN();
        // SAFETY: a sigaction is an address, flags, and a bit set, for which zero is valid.
        let mut action: libc::sigaction = unsafe { zeroed() };
        action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize; // no SA_RESTART
        // SAFETY: the handler does nothing, so it may run at any time; the old action is not requested.
        check(unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) })?;
        // SAFETY: a sigevent is numbers and addresses, for which zero is valid.
        let mut event: libc::sigevent = unsafe { zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event.sigev_notify_thread_id = rustix::thread::gettid().as_raw_nonzero().get();
        let mut timer: libc::timer_t = ptr::null_mut();
        // SAFETY: both pointers are to local values.
        check(unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) })?;
        let this = Self(timer);
        let span = libc::timespec {
            tv_sec: time.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        let each = libc::itimerspec { it_interval: span, it_value: span };
        // SAFETY: the timer belongs to this value; the old setting is not requested.
        check(unsafe { libc::timer_settime(timer, 0, &raw const each, ptr::null_mut()) })?;
        Ok(this)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        // SAFETY: the timer belongs to this value, and nothing uses it after this.
        let _it_is_ours = unsafe { libc::timer_delete(self.0) };
    }
}

extern "C" fn on_signal(_signal: libc::c_int) {}

/// Sleeps for `time`. `BrokenPipe` as soon as standard output has no reader: a pipe may be closed long before the next
/// line is due, and poll(2) reports it immediately, a write only then. A file, a terminal, and /dev/null always have a
/// reader.
pub(crate) fn rest(time: Duration) -> io::Result<()> {
    let [stdout] = poll([PollFd::from_borrowed_fd(stdout(), PollFlags::empty())], time)?;
    has_reader(stdout)
}

/// Waits for `input` to have data or end, or for a signal. `BrokenPipe` as soon as standard output has no
/// reader.
pub(crate) fn await_input(input: &impl AsFd) -> io::Result<()> {
    let stdout = PollFd::from_borrowed_fd(stdout(), PollFlags::empty());
    let [stdout, _] = poll([stdout, readable(input)], Duration::MAX)?;
    has_reader(stdout)
}

fn has_reader(stdout: PollFlags) -> io::Result<()> {
    // Reported even if not requested.
    if stdout.intersects(PollFlags::ERR | PollFlags::HUP) { Err(Errno::PIPE.into()) } else { Ok(()) }
}

fn readable(fd: &impl AsFd) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::IN)
}

/// poll(2): the events of each descriptor within `time`. A signal ends it without events, like a timeout.
fn poll<const N: usize>(mut fds: [PollFd<'_>; N], time: Duration) -> io::Result<[PollFlags; N]> {
    let time = Timespec::try_from(time).ok(); // longer than an i64 has seconds is forever
    match rustix::event::poll(&mut fds, time.as_ref()) {
        Ok(_) => Ok(fds.map(|fd| fd.revents())),
        Err(Errno::INTR) => Ok([PollFlags::empty(); N]),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, pipe};
    use std::time::Instant as StdInstant;

    fn on_runtime(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    }

    /// How often this thread has gone to sleep.
    fn sleeps() -> u32 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse().unwrap()
    }

    #[test]
    fn a_wait_wakes_the_thread_once() {
        on_runtime(async {
            let mut alarm = Alarm::default();
            alarm.sleep(Duration::ZERO).await;
            let before = sleeps();
            for _ in 0..10 {
                alarm.sleep(Duration::from_millis(70)).await;
            }
            let woken = sleeps() - before;
            assert!((10..=13).contains(&woken), "{woken} for 10 waits");
        });
    }

    #[test]
    fn it_rings_at_its_time_and_not_at_one_that_was_replaced() {
        on_runtime(async {
            let mut alarm = Alarm::default();
            alarm.rung().await; // due at once
            let begin = StdInstant::now();
            alarm.set(Duration::from_millis(10));
            std::thread::sleep(Duration::from_millis(20)); // it has expired, and nobody has waited
            alarm.set(Duration::from_millis(60));
            let canceled = tokio::time::timeout(Duration::from_millis(5), alarm.rung()).await;
            assert!(canceled.is_err());
            alarm.rung().await;
            assert!(begin.elapsed() >= Duration::from_millis(80));
        });
    }

    #[test]
    fn without_a_descriptor_it_rings_all_the_same() {
        on_runtime(async {
            let mut alarm = Alarm { timer: None, due: Instant::now() };
            alarm.rung().await;
            let begin = StdInstant::now();
            alarm.sleep(Duration::from_millis(20)).await;
            assert!(begin.elapsed() >= Duration::from_millis(20));
        });
    }

    #[test]
    fn once_rung_it_stays_rung() {
        let (bell, other) = pipe().unwrap();
        let begin = StdInstant::now();
        assert_eq!(wait(&bell, &bell, Duration::from_micros(9_500)).unwrap(), Woken::Timeout);
        assert!(begin.elapsed() >= Duration::from_micros(9_500));
        std::thread::spawn(move || drop(other)).join().unwrap();
        for _ in 0..2 {
            assert_eq!(wait(&bell, &bell, Duration::from_secs(3600)).unwrap(), Woken::Rung);
        }
    }

    #[test]
    fn a_read_without_input_ends() {
        let (mut from, _to) = pipe().unwrap();
        let _interrupt = Interrupt::every(Duration::from_millis(20)).unwrap();
        for _ in 0..3 {
            assert_eq!(from.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::Interrupted);
        }
    }
}
