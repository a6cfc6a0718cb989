//! `--baud auto` on pseudo terminals. These ignore the baud rate, so each is preceded by a model of the line: a
//! sender's bits as sampled by a UART at the reader's rate.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gnss2shm::core::event::{Event, Lost, SourceChange};
use gnss2shm::core::nmea::Framer;
use gnss2shm::source::serial::{self, Baud, RATES, SerialConfig};
use serialport::{SerialPort, TTYPort};
use tokio::sync::mpsc::{Receiver, channel};

use crate::library::chain::{PATIENCE, on_runtime};

/// A receiver's output in each second.
const BURST: &[u8] = b"$GPRMC,120000.00,A,5231.2040,N,01324.6150,E,0.01,,201126,,,A*41\r\n$GPGSV,1,1,00*79\r\n";

/// A line with a sender at one end and the reader's UART at the other.
struct Line {
    rate: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    device: String,
}

impl Line {
    /// The sender's first burst follows `silence`, then one each second.
    fn new(rate: u32, silence: Duration) -> Self {
        let (receiver, machine) = TTYPort::pair().unwrap();
        let device = machine.name().unwrap();
        let (rate, stop) = (Arc::new(AtomicU32::new(rate)), Arc::new(AtomicBool::new(false)));
        let (its_rate, stopped) = (Arc::clone(&rate), Arc::clone(&stop));
        let thread = std::thread::spawn(move || carry(receiver, &machine, &its_rate, silence, &stopped));
        Self { rate, stop, thread: Some(thread), device }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Carries the sender's bits to the reader's UART until it is stopped.
fn carry(mut line: TTYPort, _keeps_it_open: &TTYPort, rate: &AtomicU32, silence: Duration, stop: &AtomicBool) {
    let began = Instant::now();
    let mut uart = 0.0;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(2));
        let now = began.elapsed().as_secs_f64();
        let sender = f64::from(rate.load(Ordering::Relaxed));
        let level = |at: f64| level(at - silence.as_secs_f64(), sender);
        let bit = 1.0 / f64::from(line.baud_rate().unwrap());
        let mut heard = Vec::new();
        // Ends one byte before now, so that all its bits have been transmitted.
        while uart + 10.0 * bit < now {
            if level(uart) {
                uart = if is_idle(uart - silence.as_secs_f64(), sender) { uart + 0.5e-3 } else { uart + bit / 16.0 };
            } else if level(uart + bit / 2.0) {
                uart += bit / 16.0; // too short for a start bit
            } else {
                let byte = (0..8).fold(0, |byte, n| byte | u8::from(level(uart + bit * (f64::from(n) + 1.5))) << n);
                heard.push(byte); // without a stop bit, too: a raw terminal does not look
                uart += 9.5 * bit;
            }
        }
        line.write_all(&heard).unwrap();
    }
}

/// Whether the line is high this long after the start of the first burst.
fn level(at: f64, rate: f64) -> bool {
    let bits = at.rem_euclid(1.0) * rate;
    let (byte, bit) = ((bits / 10.0) as usize, bits as usize % 10);
    match bit {
        _ if at < 0.0 || byte >= BURST.len() => true,
        0 => false,
        9 => true,
        bit => BURST[byte] >> (bit - 1) & 1 == 1,
    }
}

/// Whether nothing is sent, and nothing will be for a millisecond.
fn is_idle(at: f64, rate: f64) -> bool {
    let sent = f64::from(BURST.len() as u32) * 10.0 / rate;
    at < -1e-3 || (sent..1.0 - 1e-3).contains(&at.rem_euclid(1.0))
}

/// The byte time of the next valid sentence, as a rate.
async fn rate_of_next_sentence(events: &mut Receiver<Event>) -> u32 {
    let mut framer = Framer::default();
    let search = async {
        loop {
            let Event::Bytes(bytes) = events.recv().await.expect("the source ended") else { continue };
            let mut sentences = 0;
            framer.push(&bytes, |_| sentences += 1);
            if sentences > 0 {
                return (10_000_000_000 / bytes.byte_time.nanos()) as u32;
            }
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("no valid sentence")
}

fn start(device: &str) -> (tokio::task::JoinHandle<()>, Receiver<Event>) {
    let (sender, events) = channel(1_024);
    let config = SerialConfig { device: device.to_owned(), baud: Baud::Auto };
    (tokio::spawn(serial::run(config, None, sender)), events)
}

/// Integer byte times round the rate.
fn assert_rate(found: u32, rate: u32) {
    assert!(found.abs_diff(rate) * 100 <= rate, "found {found} instead of {rate}");
}

#[test]
fn every_rate_is_found_twenty_times_of_twenty_whether_the_receiver_speaks_at_once_or_not() {
    on_runtime(async {
        let silences = [130_u64, 3_000];
        let runs = RATES.iter().flat_map(|&rate| silences.map(|silence| (rate, silence)));
        let runs: Vec<_> = runs.chain([(115_200, 790), (4_800, 3_560)]).collect();
        assert_eq!(runs.len(), 20);
        let tasks: Vec<_> = runs
            .into_iter()
            .map(|(rate, silence)| {
                tokio::spawn(async move {
                    let silence = Duration::from_millis(silence);
                    let line = Line::new(rate, silence);
                    let began = Instant::now();
                    let (source, mut events) = start(&line.device);
                    assert_rate(rate_of_next_sentence(&mut events).await, rate);
                    let took = began.elapsed().saturating_sub(silence);
                    for _ in 0..3 {
                        assert_rate(rate_of_next_sentence(&mut events).await, rate);
                    }
                    source.abort();
                    (rate, silence, took)
                })
            })
            .collect();
        let mut worst = Duration::ZERO;
        for task in tasks {
            let (rate, silence, took) = task.await.unwrap();
            println!("{rate} baud, silent for {silence:?}: found {took:.1?} after the first byte");
            worst = worst.max(took);
        }
        println!("the slowest took {worst:.1?}");
    });
}

#[test]
fn a_receiver_that_changes_its_rate_is_found_again_and_after_a_loss_its_last_rate_comes_first() {
    on_runtime(async {
        let name = std::env::temp_dir().join(format!("gnss2shm-autobaud-{}", std::process::id()));
        let plug = |line: &Line| {
            let _ = std::fs::remove_file(&name);
            std::os::unix::fs::symlink(&line.device, &name).unwrap();
        };
        let line = Line::new(9_600, Duration::ZERO);
        plug(&line);
        let (source, mut events) = start(name.to_str().unwrap());
        assert_rate(rate_of_next_sentence(&mut events).await, 9_600);
        line.rate.store(57_600, Ordering::Relaxed);
        assert_rate(rate_of_next_sentence(&mut events).await, 57_600);

        drop(line);
        let lost = async {
            while !matches!(
                events.recv().await.expect("the source ended"),
                Event::Source { change: SourceChange::SentencesLost(Lost::Device), .. }
            ) {}
        };
        tokio::time::timeout(PATIENCE, lost).await.expect("the loss is not noticed");
        let line = Line::new(57_600, Duration::ZERO);
        plug(&line);
        let first = loop {
            if let Event::Bytes(bytes) = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap() {
                break (10_000_000_000 / bytes.byte_time.nanos()) as u32;
            }
        };
        assert_rate(first, 57_600);
        assert_rate(rate_of_next_sentence(&mut events).await, 57_600);
        source.abort();
        std::fs::remove_file(&name).unwrap();
    });
}
