//! One receiver and one pulse: which options and which lines of the file name them, and what contradicts what.

use super::file::{File, Place};
use super::tables::{Given, KEYS, Key};
use super::{ConfigError, listed};

/// Something of which there must be exactly one, and the tables that name it.
struct Kind {
    name: &'static str,
    tables: &'static [&'static str],
}

const RECEIVER: Kind = Kind { name: "receiver", tables: &["serial", "gpsd", "tcp", "fifo", "stdin"] };
const PULSE: Kind = Kind { name: "pulse", tables: &["phc", "pps"] };

impl Kind {
    fn has(&self, key: &Key) -> bool {
        key.table.is_some_and(|table| self.tables.contains(&table))
    }
}

/// Something that is said: by an option, or else in a place of the file.
struct Said<'a> {
    key: &'static Key,
    place: Option<&'a Place>,
}

impl Said<'_> {
    fn table(&self) -> &'static str {
        self.key.table.unwrap_or_default()
    }

    /// As the operator wrote it.
    fn name(&self) -> String {
        match self.place {
            Some(_) => self.key.name(),
            None => self.key.option().unwrap_or_default(),
        }
    }
}

/// Whether this key names a source; others only say more of it.
fn can_name(key: &Key) -> bool {
    matches!(key.name().as_str(), "device" | "server" | "path" | "enabled")
}

fn names(key: &Key, given: &Given) -> bool {
    can_name(key) && (key.is_said)(given) && (key.table != Some("stdin") || given.stdin.enabled == Some(true))
}

/// Takes from the file what a source on the command line replaces: its own, and what goes with that one.
pub(super) fn replace(flags: &Given, file: &mut Given) {
    for kind in [RECEIVER, PULSE] {
        let named: Vec<_> =
            KEYS.iter().filter(|key| kind.has(key) && names(key, flags)).filter_map(|key| key.table).collect();
        let stays = |key: &Key| !can_name(key) && key.table.is_some_and(|table| named.contains(&table));
        if !named.is_empty() {
            KEYS.iter().filter(|key| kind.has(key) && !stays(key)).for_each(|key| (key.forget)(file));
        }
    }
}

/// Refuses two of a kind, and what goes with another than the one that is named. `rest` is what [`replace`] left of
/// the file.
pub(super) fn check(flags: &Given, rest: &Given, file: Option<&File>) -> Result<(), ConfigError> {
    for kind in [RECEIVER, PULSE] {
        let (mut sources, mut others) = (Vec::<Said>::new(), vec![]);
        for key in KEYS.iter().filter(|key| kind.has(key)) {
            let by_option = (key.is_said)(flags);
            let place = file.and_then(|file| file.places.iter().find(|place| std::ptr::eq(place.key, key)));
            let said = Said { key, place: place.filter(|_| !by_option) };
            if names(key, if by_option { flags } else { rest }) {
                // Server and device of gpsd are one.
                if sources.last().is_none_or(|last| last.table() != said.table()) {
                    sources.push(said);
                }
            } else if (by_option || (key.is_said)(rest)) && !can_name(key) {
                others.push(said);
            }
        }
        sources.sort_by_key(|source| source.place.map(|place| (place.line, place.column)));
        match sources.as_slice() {
            [] => {}
            [source] => {
                if let Some(stray) = others.iter().find(|other| other.table() != source.table()) {
                    return Err(astray(&kind, stray, source, file));
                }
            }
            several => return Err(too_many(&kind, several, file)),
        }
    }
    one_device(rest, file)?;
    size_of_nothing(flags, rest, file)
}

/// A size is that of a recording.
fn size_of_nothing(flags: &Given, rest: &Given, file: Option<&File>) -> Result<(), ConfigError> {
    let why = "goes with a recording, and nothing is recorded: leave it out, or name a file";
    if flags.record.path.is_some() || rest.record.path.is_some() {
        return Ok(());
    }
    let is_it = |place: &&Place| place.key.table == Some("record") && place.key.name() == "size";
    match file.and_then(|file| Some((file, file.places.iter().find(is_it)?))) {
        _ if flags.record.size.is_some() => Err(ConfigError::Options(format!("--record-size {why} with --record"))),
        Some((file, place)) => Err(file.wrong(place, &format!("size {why} with path"))),
        None => Ok(()),
    }
}

/// gpsd's device may be a part of the server's name, or a key of its own, which options replace: not two devices.
fn one_device(rest: &Given, file: Option<&File>) -> Result<(), ConfigError> {
    let in_server = rest.gpsd.server.as_ref().and_then(|server| server.device.as_ref());
    match (in_server, &rest.gpsd.device, file) {
        (Some(in_server), Some(device), Some(file)) if in_server != device => {
            let is_it = |place: &&Place| place.key.table == Some("gpsd") && place.key.name() == "device";
            let why = format!("server names another device, {in_server}: leave one of the two out");
            Err(file.places.iter().find(is_it).map_or_else(
                || ConfigError::File(format!("{}: {device}: {why}", file.name)),
                |place| file.wrong(place, &why),
            ))
        }
        _ => Ok(()),
    }
}

fn too_many(kind: &Kind, sources: &[Said<'_>], file: Option<&File>) -> ConfigError {
    let named: Vec<_> = sources
        .iter()
        .map(|source| match source.place {
            Some(place) => format!("[{}] (line {})", source.table(), place.line),
            None => source.name(),
        })
        .collect();
    let why =
        format!("{} each name a {}, and only one can be used: leave all but one out", listed(&named, "and"), kind.name);
    match (sources.last().and_then(|last| last.place), file) {
        (Some(place), Some(file)) => file.wrong(place, &why),
        _ => ConfigError::Options(why),
    }
}

fn astray(kind: &Kind, stray: &Said<'_>, source: &Said<'_>, file: Option<&File>) -> ConfigError {
    let (name, home, kind) = (stray.name(), stray.table(), kind.name);
    match (stray.place, source.place, file) {
        (Some(place), source_place, Some(file)) => {
            let line = source_place.map_or_else(String::new, |place| format!(" (line {})", place.line));
            let table = source.table();
            file.wrong(
                place,
                &format!("{name} goes with [{home}], and the {kind} is in [{table}]{line}: leave {name} out"),
            )
        }
        (None, Some(place), Some(file)) => {
            let (file, Place { line, column, .. }, table) = (&file.name, place, source.table());
            // The file is right by itself: the option is what has to go.
            ConfigError::Options(format!(
                "{name} goes with --{home}, and the {kind} is in [{table}] ({file}:{line}:{column}): leave {name} out, \
                 or name another {kind} with --{home}"
            ))
        }
        _ => {
            let source = source.name();
            ConfigError::Options(format!(
                "{name} goes with --{home}, and the {kind} is named with {source}: leave {name} out"
            ))
        }
    }
}

/// Nothing names a receiver.
pub(super) fn no_receiver(file: Option<&File>) -> ConfigError {
    missing(&RECEIVER, file)
}

/// Nothing names a pulse.
pub(super) fn no_pulse(file: Option<&File>) -> ConfigError {
    missing(&PULSE, file)
}

fn missing(kind: &Kind, file: Option<&File>) -> ConfigError {
    let (name, among) = (kind.name, |before, after| {
        let tables: Vec<_> = kind.tables.iter().map(|table| format!("{before}{table}{after}")).collect();
        listed(&tables, "or")
    });
    match file {
        // What a file leaves out is the file's fault, not the command line's.
        Some(file) => ConfigError::File(format!("{}: no {name} is given: name it in {}", file.name, among("[", "]"))),
        None => ConfigError::Options(format!(
            "no {name} is given: name it with {}, or in the --config file",
            among("--", "")
        )),
    }
}
