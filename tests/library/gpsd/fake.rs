//! A fake gpsd: sends what gpsd 3.22 sends (recorded) or what 3.26 to 3.27.5 send (from their source) for a receiver on
//! a pseudo terminal; and stops, restarts, and sends garbage on request.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gnss2shm::core::time::{Date, UtcSecond};
use gnss2shm::source::gpsd::GpsdConfig;
use gnss2shm::source::stream::Server;

/// The imitated gpsd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Debian 12's.
    R3_22,
    /// A newer one: more fields, other fields.
    R3_26,
    /// The same with another version, as in 3.27 to 3.27.2.
    R3_27,
    /// And with yet another one.
    R3_27_5,
    /// The same without versions.
    Unnumbered,
}

impl Release {
    fn version(self) -> &'static str {
        match self {
            Self::R3_22 => r#"{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}"#,
            Self::R3_26 => r#"{"class":"VERSION","release":"3.26","rev":"3.26","proto_major":3,"proto_minor":15}"#,
            Self::R3_27 => r#"{"class":"VERSION","release":"3.27","rev":"3.27","proto_major":0,"proto_minor":16}"#,
            Self::R3_27_5 => {
                r#"{"class":"VERSION","release":"3.27.5","rev":"3.27.5","proto_major":16,"proto_minor":1}"#
            }
            Self::Unnumbered => r#"{"class":"VERSION","release":"3.28"}"#,
        }
    }
}

#[derive(Default)]
struct Shared {
    clients: Vec<TcpStream>,
    is_up: bool,
    has_device: bool,
    is_over: bool,
    /// Sent after each second's `TPV`.
    nonsense: Vec<u8>,
}

/// The server. Its threads end when it is dropped.
pub struct FakeGpsd {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

const DEVICE: &str = "/dev/ttyUSB0";

impl FakeGpsd {
    /// For a receiver that sends RMC first and GSA last.
    pub fn start(release: Release, receiver: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared { is_up: true, has_device: true, ..Shared::default() }));
        let line = BufReader::new(File::open(receiver).unwrap());
        let (serving, reading) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![
            std::thread::spawn(move || serve(release, port, Some(listener), &serving)),
            std::thread::spawn(move || read(release, line, &reading)),
        ];
        Self { port, shared, threads }
    }

    pub fn config(&self) -> GpsdConfig {
        GpsdConfig { server: Server { host: "localhost".into(), port: self.port }, device: None }
    }

    /// gpsd is stopped, or started again.
    pub fn is_up(&self, is_up: bool) {
        self.shared.lock().unwrap().is_up = is_up;
    }

    /// The receiver's device is unplugged, or plugged in again.
    pub fn has_device(&self, has_device: bool) {
        let mut shared = self.shared.lock().unwrap();
        shared.has_device = has_device;
        if !has_device {
            shared.send(format!("{{\"class\":\"DEVICE\",\"path\":\"{DEVICE}\",\"activated\":0}}\r\n").as_bytes());
        }
    }

    /// Additional output in each second.
    pub fn nonsense(&self, bytes: Vec<u8>) {
        self.shared.lock().unwrap().nonsense = bytes;
    }
}

impl Drop for FakeGpsd {
    fn drop(&mut self) {
        self.shared.lock().unwrap().is_over = true;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn send(&mut self, bytes: &[u8]) {
        self.clients.retain_mut(|client| client.write_all(bytes).is_ok());
    }
}

fn serve(release: Release, port: u16, mut listener: Option<TcpListener>, shared: &Arc<Mutex<Shared>>) {
    loop {
        sleep(Duration::from_millis(20));
        let mut now = shared.lock().unwrap();
        if now.is_over || !now.is_up {
            listener = None;
            now.clients.drain(..).for_each(|client| drop(client.shutdown(Shutdown::Both)));
            if now.is_over {
                return;
            }
            continue;
        }
        drop(now);
        // Another test's child may hold the port a moment longer.
        listener = listener.or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
        let Some(listening) = &listener else { continue };
        listening.set_nonblocking(true).unwrap();
        if let Ok((client, _)) = listening.accept() {
            client.set_nonblocking(false).unwrap();
            let shared = Arc::clone(shared);
            std::thread::spawn(move || drop(answer(release, client, &shared)));
        }
    }
}

fn answer(release: Release, mut client: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let version = release.version();
    write!(client, "{version}\r\n")?;
    for request in BufReader::new(client.try_clone()?).lines() {
        let request = request?;
        let mut shared = shared.lock().unwrap();
        let device = match (release, shared.has_device) {
            (_, false) => format!(r#"{{"class":"DEVICE","path":"{DEVICE}"}}"#),
            (Release::R3_22, true) => format!(
                r#"{{"class":"DEVICE","path":"{DEVICE}","driver":"NMEA0183","activated":"2026-11-20T12:00:00.000Z","flags":1,"native":0,"bps":9600,"parity":"N","stopbits":1,"cycle":1.00}}"#
            ),
            (_, true) => format!(
                r#"{{"class":"DEVICE","path":"{DEVICE}","driver":"NMEA0183","sernum":"7","subtype":"x","subtype1":"y","readonly":"true","activated":"2026-11-20T12:00:00.000Z","flags":1,"native":0,"bps":115200,"parity":"N","stopbits":1,"cycle":1.00,"mincycle":0.02}}"#
            ),
        };
        let devices = format!(r#"{{"class":"DEVICES","devices":[{device}]}}"#);
        if request.starts_with("?DEVICES;") {
            write!(client, "{devices}\r\n")?;
        } else if request.starts_with("?VERSION;") {
            write!(client, "{version}\r\n")?;
        } else if request.starts_with("?WATCH={") && request.contains(r#""pps":true"#) {
            if shared.has_device {
                let watch = format!(
                    r#"{{"class":"WATCH","enable":true,"json":true,"nmea":true,"raw":0,"scaled":false,"timing":true,"split24":false,"pps":true,"device":"{DEVICE}"}}"#
                );
                write!(client, "{devices}\r\n{watch}\r\n")?;
                let peer = client.peer_addr()?;
                if shared.clients.iter().all(|known| known.peer_addr().ok() != Some(peer)) {
                    shared.clients.push(client.try_clone()?);
                }
            } else {
                write!(client, "{{\"class\":\"ERROR\",\"message\":\"Can't assign {DEVICE}\"}}\r\n")?;
            }
        } else {
            panic!("no request of gpsd's: {request}");
        }
    }
    Ok(())
}

/// Reads the receiver's line and sends gpsd's reports in gpsd's order.
fn read(release: Release, line: BufReader<File>, shared: &Mutex<Shared>) {
    let mut utc = None;
    for sentence in line.lines() {
        let Ok(sentence) = sentence else { return };
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut shared = shared.lock().unwrap();
        if shared.is_over {
            return;
        }
        if !shared.has_device {
            continue;
        }
        if let Some(named) = rmc(&sentence) {
            utc = Some(named);
            let more = if release == Release::R3_22 { "" } else { r#","precision":-1,"shm":"NTP0""# };
            let (sec, nsec) = (clock.as_secs(), clock.subsec_nanos());
            let toff = format!(
                r#"{{"class":"TOFF","device":"{DEVICE}","real_sec":{}, "real_nsec":0,"clock_sec":{sec},"clock_nsec":{nsec}{more}}}"#,
                named.posix()
            );
            shared.send(format!("{toff}\r\n").as_bytes());
        }
        shared.send(format!("{}\r\n", sentence.trim_end()).as_bytes());
        if sentence.contains("GSA,")
            && let Some(utc) = utc.take()
        {
            let time = utc.to_string().replace('Z', ".000Z");
            let (tpv, sky) = match release {
                Release::R3_22 => (
                    format!(
                        r#"{{"class":"TPV","device":"{DEVICE}","mode":3,"time":"{time}","ept":0.005,"lat":52.52,"lon":13.41,"altHAE":81.1,"altMSL":41.5,"alt":41.5,"epx":15.319,"epy":17.054,"epv":32.321,"magtrack":3.6,"magvar":3.6,"speed":0.01,"climb":0.0,"eps":34.11,"epc":64.64,"geoidSep":39.6,"eph":19.0,"sep":26.98}}"#
                    ),
                    format!(
                        r#"{{"class":"SKY","device":"{DEVICE}","hdop":0.9,"pdop":1.7,"nSat":2,"uSat":1,"satellites":[{{"PRN":2,"el":45.0,"az":83.0,"ss":42.0,"used":true,"gnssid":0,"svid":2}},{{"PRN":301,"used":false}}]}}"#
                    ),
                ),
                Release::R3_26 | Release::R3_27 | Release::R3_27_5 | Release::Unnumbered => (
                    format!(
                        r#"{{"class":"TPV","device":"{DEVICE}","status":2,"mode":3,"time":"{time}","leapseconds":18,"ept":0.005,"lat":52.520000012,"lon":13.410000034,"altHAE":81.1000,"altMSL":41.5000,"alt":41.5000,"track":12.5,"magtrack":3.6,"magvar":3.6,"speed":0.010,"climb":0.000,"wspeedt":1.2,"ecefx":3782000.1,"relN":1.0,"clockbias":421,"clockdrift":-12,"temp":31.5,"eph":19.0,"sep":26.98}}"#
                    ),
                    format!(
                        r#"{{"class":"SKY","device":"{DEVICE}","time":"{time}","gdop":2.0,"hdop":0.9,"pdop":1.7,"nSat":1,"uSat":1,"satellites":[{{"PRN":2,"el":45.0,"az":83.0,"ss":42.0,"used":true,"gnssid":0,"svid":2,"sigid":0,"health":1,"pr":21456789.1,"prRate":-12.5}}]}}"#
                    ),
                ),
            };
            shared.send(format!("{sky}\r\n{tpv}\r\n").as_bytes());
            let nonsense = shared.nonsense.clone();
            shared.send(&nonsense);
        }
    }
}

/// `$GPRMC,hhmmss.ss,A,...,ddmmyy,...`
fn rmc(sentence: &str) -> Option<UtcSecond> {
    let fields: Vec<_> = sentence.split(',').collect();
    let pair = |text: &str, n: usize| text.get(2 * n..2 * n + 2)?.parse::<u32>().ok();
    let (time, date) = (fields.get(1)?, fields.get(9)?);
    fields[0].ends_with("RMC").then_some(())?;
    let day = Date::new(2000 + pair(date, 2)? as i32, pair(date, 1)? as u8, pair(date, 0)? as u8)?;
    Some(UtcSecond::from_civil(day, pair(time, 0)? * 3600 + pair(time, 1)? * 60 + pair(time, 2)?))
}
