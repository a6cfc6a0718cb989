//! The settings file: TOML to [`Given`], or one sentence with the line and column of what is wrong.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::given::Given;
use crate::core::printable::printable;
use crate::sys::error::{OpenError, Problem};

/// Maximum size of a file.
const SIZE_MAX: u64 = 256 * 1024;
/// Characters of a line that an error repeats.
const QUOTED_MAX: usize = 80;
/// The tables, which may also be empty.
const TABLES: &str = "[serial], [gpsd], [tcp], [fifo], [stdin], [phc], [pps], [pulse], [sentences], [shm], [sock], [record], [status], \
     [metrics], [gate]";

/// A settings file that can be understood.
#[derive(Clone, Debug)]
pub struct File {
    name: String,
    text: String,
    pub(super) given: Given,
    /// Each key of a table, as in `[serial] baud`, and where it is: a byte of the text.
    places: BTreeMap<String, usize>,
}

impl File {
    /// Reads the file at this path.
    ///
    /// # Errors
    /// [`Problem::Denied`] and [`Problem::NotThere`] if it cannot be read, [`Problem::Wrong`] if it is wrong.
    pub fn read(path: &Path) -> Result<Self, OpenError> {
        let (name, mut bytes) = (path.display().to_string(), Vec::new());
        if let Err(error) = fs::File::open(path).and_then(|file| file.take(SIZE_MAX + 1).read_to_end(&mut bytes)) {
            let problem = match error.kind() {
                ErrorKind::IsADirectory => Problem::Wrong,
                ErrorKind::PermissionDenied => Problem::Denied,
                _ => Problem::NotThere,
            };
            return Err(OpenError::new(problem, format!("{name} cannot be read: {error}")));
        }
        Self::from_bytes(&name, &bytes)
    }

    /// Parses the content of a file of this name.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, OpenError> {
        if bytes.len() as u64 > SIZE_MAX {
            let limit = SIZE_MAX / 1024;
            return Err(OpenError::new(Problem::Wrong, format!("{name} is larger than {limit} KiB")));
        }
        let text = str::from_utf8(bytes).map_err(|error| {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let (line, column) = line_and_column(&String::from_utf8_lossy(good));
            OpenError::new(Problem::Wrong, format!("{name}:{line}:{column}: this is not UTF-8: save the file as UTF-8"))
        })?;
        Self::parse(name, text)
    }

    /// Parses the text of a file of this name.
    pub fn parse(name: &str, text: &str) -> Result<Self, OpenError> {
        // Some editors write a byte order mark first; columns are counted without it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (name, places) = (name.to_owned(), BTreeMap::new());
        let mut file = Self { name, text: text.to_owned(), given: Given::default(), places };
        let root = DeTable::parse(text).map_err(|error| file.refuse(&error))?;
        // serde sees one table, whose keys have names like `[serial] baud`.
        let mut keys = DeTable::new();
        for (name, value) in root.into_inner() {
            let table = format!("[{}]", name.get_ref());
            let (span, is_table) = (value.span(), TABLES.contains(&table));
            match value.into_inner() {
                DeValue::Table(content) if is_table => {
                    for (key, value) in content {
                        let (at, key) = (key.span(), format!("{table} {}", key.get_ref()));
                        file.places.insert(key.clone(), at.start);
                        keys.insert(Spanned::new(at, key.into()), value);
                    }
                }
                _ if is_table || name.get_ref().starts_with('[') => {
                    return Err(file.wrong(span.start, &format!("allowed is a line {table} and its keys below it")));
                }
                value => {
                    keys.insert(name, Spanned::new(span, value));
                }
            }
        }
        file.given =
            Given::deserialize(Deserializer::from(Spanned::new(0..0, keys))).map_err(|error| file.refuse(&error))?;
        Ok(file)
    }

    /// Where this key is, or the first of a table's.
    pub(super) fn place(&self, key: &str) -> usize {
        self.places.iter().filter(|(name, _)| name.starts_with(key)).map(|(_, at)| *at).min().unwrap_or_default()
    }

    /// Refuses the file without naming a line.
    pub(super) fn lacks(&self, why: &str) -> OpenError {
        OpenError::new(Problem::Wrong, format!("{}: {why}", self.name))
    }

    /// Refuses what is at this byte of the text.
    pub(super) fn wrong(&self, at: usize, why: &str) -> OpenError {
        let (before, after) = self.text.split_at_checked(at).unwrap_or((&self.text, ""));
        let (line, column) = line_and_column(before);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = before.len() + after.find('\n').unwrap_or(after.len());
        let quoted = self.text.get(start..end).unwrap_or_default().trim();
        let quoted: String = quoted.chars().take(QUOTED_MAX).collect();
        let sentence = format!("{}:{line}:{column}: `{quoted}`: {why}", self.name);
        OpenError::new(Problem::Wrong, printable(&sentence))
    }

    /// What toml and serde refuse, in an operator's words.
    fn refuse(&self, error: &Error) -> OpenError {
        let (what, expected) = error.message().split_once(", expected ").unwrap_or((error.message(), ""));
        let why = match what {
            _ if what.starts_with("unknown field `") => {
                let table = |key: &str| key.split_once("] ").map(|(table, _)| table.to_owned());
                let unknown = what.trim_start_matches("unknown field `");
                let keys = expected.split('`').skip(1).step_by(2).filter(|key| table(key) == table(unknown));
                let keys = keys.collect::<Vec<_>>().join(", ");
                let tables =
                    if unknown.starts_with('[') { String::new() } else { format!(", and in tables: {TABLES}") };
                format!("there is no such key: allowed is {keys}{tables}")
            }
            _ if what.starts_with("duplicate key") => "this is given twice: leave one out".to_owned(),
            "string values must be quoted" => "text must be in quotes".to_owned(),
            _ if expected.is_empty() => what.to_owned(),
            _ => format!("{what}: allowed here is {expected}"),
        };
        self.wrong(error.span().unwrap_or_default().start, &why)
    }
}

/// Line and column, both from 1, of what follows this text.
fn line_and_column(before: &str) -> (usize, usize) {
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
