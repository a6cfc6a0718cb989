//! The file's text to what it says, and where; or one sentence with the place that is wrong.

use std::fs::File as OpenFile;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::tables::{Given, KEYS, Key};
use super::written::{Written, clipped};
use super::{ConfigError, unknown};
use crate::core::printable::printable;

/// Settings that are longer are something else. Nothing bigger is read.
const SIZE_MAX: u64 = 256 * 1024;

/// What a file says.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path, as errors name it.
    pub(super) name: String,
    pub(super) given: Given,
    /// In the order of the file.
    pub(super) places: Vec<Place>,
}

/// Where the file says something.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) key: &'static Key,
    pub(super) line: usize,
    pub(super) column: usize,
    /// As it stands there.
    pub(super) quoted: String,
}

/// What is wrong, where: a byte, what stands there, and a sentence.
struct Wrong {
    at: usize,
    quoted: String,
    why: String,
}

impl File {
    /// What the file at this path says.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut bytes = Vec::new();
        let name = path.display();
        match OpenFile::open(path).and_then(|file| file.take(SIZE_MAX + 1).read_to_end(&mut bytes)) {
            Ok(_) => Self::from_bytes(&name.to_string(), &bytes),
            Err(error) if error.kind() == ErrorKind::IsADirectory => {
                Err(ConfigError::File(format!("{name} is a directory: name a file in it")))
            }
            Err(error) => Err(ConfigError::Unreadable(path.to_owned(), error)),
        }
    }

    /// What these bytes say, of a file of this name.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        if bytes.len() as u64 > SIZE_MAX {
            let limit = SIZE_MAX / 1024;
            return Err(ConfigError::File(format!("{name} is longer than {limit} KiB, so it holds no settings")));
        }
        match str::from_utf8(bytes) {
            Ok(text) => Self::parse(name, text),
            Err(error) => {
                let (good, bad) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
                let (line, column) = place(str::from_utf8(good).unwrap_or_default(), good.len());
                let byte = bad.first().copied().unwrap_or_default();
                Err(ConfigError::File(format!(
                    "{name}:{line}:{column}: the byte 0x{byte:02x} is no UTF-8 there: save the file as UTF-8"
                )))
            }
        }
    }

    /// What this text says, of a file of this name.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        // Some editors put a byte order mark first; columns are counted without it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let refused = |wrong: Wrong| {
            let (line, column) = place(text, wrong.at);
            let quoted = if wrong.quoted.is_empty() { String::new() } else { format!("`{}`: ", wrong.quoted) };
            ConfigError::File(printable(&format!("{name}:{line}:{column}: {quoted}{}", wrong.why)).into_owned())
        };
        let root = DeTable::parse(text).map_err(|error| refused(no_toml(text, &error)))?;
        let mut reader = Reader { text, given: Given::default(), said: vec![], wrong: vec![] };
        reader.root(root.get_ref());
        match reader.wrong.into_iter().min_by_key(|wrong| wrong.at) {
            Some(wrong) => Err(refused(wrong)),
            None => {
                reader.said.sort_by_key(|(at, ..)| *at);
                let places = (reader.said.into_iter()).map(|(at, key, quoted)| {
                    let (line, column) = place(text, at);
                    Place { key, line, column, quoted }
                });
                Ok(Self { name: name.to_owned(), given: reader.given, places: places.collect() })
            }
        }
    }

    /// Why what is said in this place cannot be used.
    pub(super) fn wrong(&self, place: &Place, why: &str) -> ConfigError {
        let Place { line, column, quoted, .. } = place;
        ConfigError::File(printable(&format!("{}:{line}:{column}: `{quoted}`: {why}", self.name)).into_owned())
    }
}

struct Reader<'a> {
    text: &'a str,
    given: Given,
    said: Vec<(usize, &'static Key, String)>,
    wrong: Vec<Wrong>,
}

type Name<'a> = Spanned<DeString<'a>>;
type Content<'a> = Spanned<DeValue<'a>>;

impl Reader<'_> {
    fn root(&mut self, root: &DeTable<'_>) {
        for (name, value) in root {
            let table = KEYS.iter().find_map(|key| key.table.filter(|table| *table == name.get_ref()));
            match (table, value.get_ref()) {
                (Some(table), DeValue::Table(content)) => {
                    content.iter().for_each(|(name, value)| self.key(Some(table), name, value));
                }
                (Some(table), _) => self.refuse(name.span().start, self.setting(name, value), unknown::no_table(table)),
                (None, _) => self.key(None, name, value),
            }
        }
    }

    fn key(&mut self, table: Option<&'static str>, name: &Name<'_>, value: &Content<'_>) {
        let quoted = self.setting(name, value);
        let known = KEYS.iter().find(|key| key.table == table && key.name() == *name.get_ref());
        match known.map(|key| (key, (key.read)(&mut self.given, &Written::from(value.get_ref())))) {
            Some((key, Ok(()))) => self.said.push((name.span().start, key, quoted)),
            Some((_, Err(why))) if is_header(name, value) => self.refuse(name.span().start, quoted, why),
            Some((_, Err(why))) => self.refuse(value.span().start, quoted, why),
            None => {
                let at = name.span().start;
                let is_table = table.is_none() && value.get_ref().is_table();
                let name = name.get_ref();
                let why = if is_table { unknown::table(name) } else { unknown::key(table, name) };
                self.refuse(at, quoted, why);
            }
        }
    }

    fn refuse(&mut self, at: usize, quoted: String, why: String) {
        self.wrong.push(Wrong { at, quoted, why });
    }

    /// A setting as it stands in the file.
    fn setting(&self, name: &Name<'_>, value: &Content<'_>) -> String {
        if is_header(name, value) {
            return line(self.text, name.span().start);
        }
        let slice = |span: Range<usize>| self.text.get(span).unwrap_or_default();
        clipped(&format!("{} = {}", slice(name.span()), slice(value.span())))
    }
}

/// Whether this is no value behind a key, but begins with a line in brackets: its span is then that line's.
fn is_header(name: &Name<'_>, value: &Content<'_>) -> bool {
    value.span().start < name.span().start
}

/// What is wrong where the text is no TOML: what the parser says, and of a key that there is, what it allows.
fn no_toml(text: &str, error: &toml::de::Error) -> Wrong {
    let at = error.span().unwrap_or_default().start;
    let quoted = line(text, at);
    let why = match error.message().replace('\n', "; ") {
        duplicate if duplicate.starts_with("duplicate key") => "this is given twice: leave one out".to_owned(),
        why => {
            let why = why
                .replace("string values must be quoted, expected literal string", "text must be in quotes")
                .replace(", expected ", ": allowed here is ");
            let said = quoted.split_once('=').map(|(name, _)| name.trim());
            let before = text.get(..at).unwrap_or_default();
            let header = before.lines().rev().find_map(|line| line.trim().strip_prefix('[')?.split(']').next());
            let key = KEYS.iter().find(|key| key.table == header && Some(key.name().as_str()) == said);
            let allowed = key.map_or_else(String::new, |key| format!("; allowed is {}", (key.allowed)()));
            format!("{why}{allowed}")
        }
    };
    Wrong { at, quoted, why }
}

/// The line around this byte.
fn line(text: &str, at: usize) -> String {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = at + after.find('\n').unwrap_or(after.len());
    clipped(text.get(start..end).unwrap_or_default().trim())
}

/// Line and column, both from 1, of a byte in a text.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}
