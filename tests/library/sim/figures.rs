//! The envelope: inside it every published sample is right. docs/envelope.md quotes these figures, and a test holds it to
//! them; `inside` tells which simulated worlds lie inside, `draw` draws one.

use gnss2shm::core::time::Span;

/// What a receiver, a NIC and a machine may be like. Ranges include both their ends.
#[derive(Clone, Copy, Debug)]
pub struct Envelope;

impl Envelope {
    /// Pulse to the read that brings the first byte of the burst, on average.
    pub const DELAY: [Span; 2] = [Span::from_millis(5), Span::from_millis(950)];
    /// How far a sentence may come off that, either way.
    pub const JITTER: Span = Span::from_millis(50);
    /// By how much the delay may jump.
    pub const DELAY_JUMP: Span = Span::from_millis(200);
    /// Bits a second on the line.
    pub const BAUD: [u32; 2] = [4_800, 921_600];
    /// How long the pulse is active, on a NIC that timestamps both edges.
    pub const WIDTH: [Span; 2] = [Span::from_micros(1), Span::from_millis(450)];
    /// By less than this the pulse wanders.
    pub const PULSE_WANDER: Span = Span::from_micros(5);
    /// How much later than usual edges may be delivered.
    pub const EDGES_LATE: Span = Span::from_millis(250);
    /// How far off the PHC's rate may be: a servo gone astray leaves an igb there (`max_adj` in `igb_ptp.c`).
    pub const PHC_PPM: i64 = 62_500;
    /// By how much a servo may change the PHC's rate, to either side by turns.
    pub const SERVO_PPM: i64 = 100;
    /// How fast the system clock may be slewed.
    pub const SLEW_PPM: i64 = 100_000;
    /// How far off the machine's oscillator may be.
    pub const OSCILLATOR_PPM: i64 = 100;
}
