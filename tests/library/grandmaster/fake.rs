//! A ptp4l that answers as a test tells it to.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use gnss2shm::grandmaster::management::GrandmasterSettings;

/// What it has, shared with its thread.
#[derive(Clone)]
pub(super) struct Has(Arc<Mutex<State>>);

struct State {
    /// The bytes of its settings.
    settings: [u8; 8],
    /// The states of its two ports.
    ports: [u8; 2],
    /// The number of ports that it claims.
    count: u16,
    /// How often it was set.
    sets: usize,
}

/// The fake; its socket is removed when it is dropped.
pub(super) struct FakePtp4l {
    has: Has,
    path: PathBuf,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FakePtp4l {
    /// Listens at this path with ptp4l's defaults, and sends what `script` makes of each request.
    pub(super) fn start(path: &Path, mut script: impl FnMut(&[u8], &Has) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let has = Has(Arc::new(Mutex::new(State {
            settings: [248, 0xfe, 0xff, 0xff, 0, 37, 0, 0xa0],
            ports: [6, 6],
            count: 2,
            sets: 0,
        })));
        let is_over = Arc::new(AtomicBool::new(false));
        let (of_thread, ends) = (has.clone(), is_over.clone());
        let thread = std::thread::spawn(move || {
            let mut request = [0; 1_500];
            while !ends.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut request) else { continue };
                for answer in script(&request[..length], &of_thread) {
                    // A client that did not wait is gone, and its own socket's name with it.
                    let _ = from
                        .as_pathname()
                        .map_or_else(|| socket.send_to_addr(&answer, &from), |path| socket.send_to(&answer, path));
                }
            }
        });
        Self { has, path: path.into(), is_over, thread: Some(thread) }
    }

    pub(super) fn settings(&self) -> GrandmasterSettings {
        self.has.settings()
    }

    /// How often it was set.
    pub(super) fn sets(&self) -> usize {
        self.has.0.lock().unwrap().sets
    }

    /// Another program sets its class.
    pub(super) fn set_class(&self, class: u8) {
        self.has.set_class(class);
    }

    /// The number of ports that it claims to have.
    pub(super) fn set_port_count(&self, count: u16) {
        self.has.0.lock().unwrap().count = count;
    }

    pub(super) fn set_port_state(&self, port: usize, state: u8) {
        self.has.0.lock().unwrap().ports[port - 1] = state;
    }
}

impl Drop for FakePtp4l {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        let _ = std::fs::remove_file(&self.path); // a test can have removed it
    }
}

impl Has {
    pub(super) fn settings(&self) -> GrandmasterSettings {
        let [clock_class, clock_accuracy, high, low, utc_high, utc_low, flags, time_source] =
            self.0.lock().unwrap().settings;
        GrandmasterSettings {
            clock_class,
            clock_accuracy,
            offset_scaled_log_variance: u16::from_be_bytes([high, low]),
            current_utc_offset: i16::from_be_bytes([utc_high, utc_low]),
            leap61: flags & 1 != 0,
            leap59: flags & 2 != 0,
            current_utc_offset_valid: flags & 4 != 0,
            ptp_timescale: flags & 8 != 0,
            time_traceable: flags & 16 != 0,
            frequency_traceable: flags & 32 != 0,
            time_source,
        }
    }

    /// Another program sets its class.
    pub(super) fn set_class(&self, class: u8) {
        self.0.lock().unwrap().settings[0] = class;
    }
}

/// ptp4l's answer. Requests are as `src/grandmaster/management/tests.rs` compares them with pmc's.
pub(super) fn answer(request: &[u8], has: &Has) -> Vec<u8> {
    let mut has = has.0.lock().unwrap();
    let id = [request[52], request[53]];
    if request[46] == 1 {
        has.settings.copy_from_slice(&request[54..62]);
        has.sets += 1;
    }
    let port = u16::from_be_bytes([request[42], request[43]]);
    let state = has.ports.get(usize::from(port).wrapping_sub(1)).map_or(6, |state| *state);
    let data = match id {
        [0xc0, 0x01] => has.settings.to_vec(),
        [0x20, 0x00] => [&[1, 0], &has.count.to_be_bytes()[..], &[0; 16]].concat(),
        [0x20, 0x04] => [&[0; 8][..], &port.to_be_bytes(), &[state], &[0; 15]].concat(),
        _ => panic!("{request:?}"),
    };
    reply(request, &[&[0, 1], &(2 + data.len() as u16).to_be_bytes()[..], &id, &data].concat())
}

/// A management error.
pub(super) fn refusal(request: &[u8], error: u8) -> Vec<u8> {
    reply(request, &[0, 2, 0, 8, 0, error, request[52], request[53], 0, 0, 0, 0])
}

fn reply(request: &[u8], tlv: &[u8]) -> Vec<u8> {
    let mut answer = [&request[..48], tlv].concat();
    let length = answer.len() as u16;
    answer[2..4].copy_from_slice(&length.to_be_bytes());
    answer[20..28].copy_from_slice(&[6, 0x82, 0x4c, 0xff, 0xfe, 0xd9, 0x95, 0xfc]);
    answer[28..30].copy_from_slice(&[0, 0]);
    answer[34..42].fill(0);
    answer[42..44].copy_from_slice(&request[28..30]);
    answer[46] = 2;
    answer
}
