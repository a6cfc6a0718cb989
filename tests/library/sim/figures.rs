//! The envelope: inside it every published sample is right. docs/envelope.md quotes these figures, as a test checks;
//! `inside` decides which simulated worlds lie inside, `draw` draws one.

use gnss2shm::core::time::Span;

/// Limits of a receiver, a NIC, and a machine. Ranges are inclusive.
#[derive(Clone, Copy, Debug)]
pub struct Envelope;

impl Envelope {
    /// Time from the pulse to the read of the burst's first byte, on average.
    pub const DELAY: [Span; 2] = [Span::from_millis(5), Span::from_millis(950)];
    /// Maximum deviation of a sentence from that, in both directions.
    pub const JITTER: Span = Span::from_millis(50);
    /// Maximum jump of the delay.
    pub const DELAY_JUMP: Span = Span::from_millis(200);
    /// Baud rate of the line.
    pub const BAUD: [u32; 2] = [4_800, 921_600];
    /// How long the pulse is active, on a NIC that timestamps both edges.
    pub const WIDTH: [Span; 2] = [Span::from_micros(1), Span::from_millis(450)];
    /// Upper bound of the pulse's jitter.
    pub const PULSE_WANDER: Span = Span::from_micros(5);
    /// Maximum additional latency of edges.
    pub const EDGES_LATE: Span = Span::from_millis(250);
    /// Maximum error of the PHC's rate: a diverged servo leaves an igb there (`max_adj` in `igb_ptp.c`).
    pub const PHC_PPM: i64 = 62_500;
    /// Maximum change of the PHC's rate by a servo, alternating in sign.
    pub const SERVO_PPM: i64 = 100;
    /// Maximum slew rate of the system clock.
    pub const SLEW_PPM: i64 = 100_000;
    /// Maximum error of the machine's oscillator.
    pub const OSCILLATOR_PPM: i64 = 100;
}
