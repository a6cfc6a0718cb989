//! There must be exactly one receiver and one pulse, and each setting must go with what is used.

use super::{File, Given};
use crate::sys::error::{OpenError, Problem};

/// A table that can name a receiver or a pulse, and whether it does.
type Source = (&'static str, bool);

fn receivers(given: &Given) -> [Source; 5] {
    [
        ("serial", given.serial.is_some()),
        ("gpsd", given.gpsd.is_some() || given.gpsd_device.is_some()),
        ("tcp", given.tcp.is_some()),
        ("fifo", given.fifo.is_some()),
        ("stdin", given.stdin == Some(true)),
    ]
}

fn pulses(given: &Given) -> [Source; 2] {
    [("phc", given.phc.is_some()), ("pps", given.pps.is_some())]
}

/// Removes from the file's settings the receiver and the pulse that an option replaces. A setting that goes with the one
/// that the option names, as `baud` does with --serial, stays.
pub(super) fn replace_sources(options: &Given, file: &mut Given) {
    if receivers(options).iter().any(|(_, is_given)| *is_given) {
        (file.serial, file.gpsd, file.gpsd_device, file.tcp, file.fifo, file.stdin) = Default::default();
        file.baud = file.baud.filter(|_| options.serial.is_some());
    }
    if options.phc.is_some() || options.pps.is_some() {
        (file.phc, file.pps) = (None, None);
    }
    if options.pps.is_some() {
        (file.pin, file.channel) = (None, None);
    }
    if options.phc.is_some() {
        file.pps_capture = None;
    }
}

/// Refuses contradictions. `given` is what [`replace_sources`] left of the file's settings.
pub(super) fn check(options: &Given, given: &Given, file: Option<&File>) -> Result<(), OpenError> {
    exactly_one("receiver", &receivers(options), &receivers(given), file)?;
    exactly_one("pulse", &pulses(options), &pulses(given), file)?;
    if let (Some(file), Some(server), Some(device)) = (file, &given.gpsd, &given.gpsd_device)
        && server.device.as_ref().is_some_and(|other| other != device)
    {
        let why = "server names another device: leave one of the two out";
        return Err(file.wrong(file.place("[gpsd] device"), why));
    }

    let (o, f) = (options, given);
    let is_serial = o.serial.is_some() || f.serial.is_some();
    let is_phc = o.phc.is_some() || f.phc.is_some();
    let is_record = o.record.is_some() || f.record.is_some();
    let is_shm = o.shm.is_some() || f.shm.is_some() || (o.sock.is_none() && f.sock.is_none());
    // An option and whether it is given, its key and whether the file has it, what both go with, and whether that is used.
    for (option, by_option, key, in_file, home, is_used) in [
        ("--baud", o.baud.is_some(), "[serial] baud", f.baud.is_some(), "serial", is_serial),
        ("--pin", o.pin.is_some(), "[phc] pin", f.pin.is_some(), "phc", is_phc),
        ("--channel", o.channel.is_some(), "[phc] channel", f.channel.is_some(), "phc", is_phc),
        ("--pps-capture", o.pps_capture.is_some(), "[pps] capture", f.pps_capture.is_some(), "pps", !is_phc),
        ("--record-size", o.record_size.is_some(), "[record] size", f.record_size.is_some(), "record", is_record),
        // Files with this key and [sock] alone were always accepted.
        ("--shm-world-writable", o.shm_world_writable.is_some(), "[shm] world-writable", false, "shm", is_shm),
    ] {
        let why = |what, table: &str| format!("{what} goes with {table}, which is not used: leave it out");
        match file {
            _ if is_used => {}
            _ if by_option => return Err(OpenError::new(Problem::Options, why(option, &format!("--{home}")))),
            Some(file) if in_file => return Err(file.wrong(file.place(key), &why(key, &format!("[{home}]")))),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses none and several of a kind.
fn exactly_one(kind: &str, options: &[Source], given: &[Source], file: Option<&File>) -> Result<(), OpenError> {
    let named: Vec<_> = options.iter().chain(given).filter(|(_, is_given)| *is_given).collect();
    let by_file = file.filter(|_| options.iter().all(|(_, is_given)| !is_given));
    let (before, after) = if by_file.is_some() { ("[", "]") } else { ("--", "") };
    let list = |sources: &[&Source]| {
        sources.iter().map(|(table, _)| format!("{before}{table}{after}")).collect::<Vec<_>>().join(", ")
    };
    let why = match named.as_slice() {
        [_] => return Ok(()),
        [] => format!("no {kind} is given: name it with one of {}", list(&given.iter().collect::<Vec<_>>())),
        several => format!("only one {kind} can be used: leave out all but one of {}", list(several)),
    };
    Err(match by_file {
        None => OpenError::new(Problem::Options, why),
        Some(file) if named.is_empty() => file.lacks(&why),
        Some(file) => {
            let places = named.iter().map(|(table, _)| file.place(&format!("[{table}]")));
            file.wrong(places.max().unwrap_or_default(), &why)
        }
    })
}
