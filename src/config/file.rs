//! The settings file. A key is an alias of an option, and its value is parsed like that option's. An error is one
//! sentence with its line and column.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::given::{Given, GrandmasterGiven};
use crate::core::printable::printable;
use crate::sys::error::{OpenError, Problem};

/// Maximum size of a file.
const SIZE_MAX: u64 = 256 * 1024;
/// Maximum number of characters of a line that an error quotes.
const QUOTED_MAX: usize = 80;
/// Only names and paths may be longer; a longer value is not quoted in an error.
const TEXT_MAX: usize = 300;

/// The only key that is not an option: on the command line, it is part of --gpsd.
const GPSD_DEVICE: &str = "[gpsd] device";
/// The tables, which may also be empty.
const TABLES: &str = "[serial], [gpsd], [tcp], [fifo], [stdin], [phc], [pps], [pulse], [sentences], [shm], [sock], [record], [status], \
     [metrics], [gate], [grandmaster]";
/// The table whose keys are options of another command.
const GRANDMASTER: &str = "[grandmaster] ";

/// A settings file without errors.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(super) name: String,
    text: String,
    pub(super) given: Given,
    pub(super) grandmaster: GrandmasterGiven,
    /// The position of each key, such as `[serial] baud`, as a byte offset in the text.
    places: BTreeMap<String, usize>,
}

impl File {
    /// Reads the file at this path.
    ///
    /// # Errors
    /// [`Problem::Denied`] and [`Problem::NotThere`] if it cannot be read, [`Problem::Wrong`] if it is wrong.
    pub(crate) fn read(path: &Path) -> Result<Self, OpenError> {
        let (name, mut bytes) = (path.display().to_string(), Vec::new());
        if let Err(error) = fs::File::open(path).and_then(|file| file.take(SIZE_MAX + 1).read_to_end(&mut bytes)) {
            let mut error = OpenError::io(format_args!("{name} cannot be read"), error);
            if error.problem == Problem::Failed {
                error.problem = Problem::Wrong; // as a directory is
            }
            return Err(error);
        }
        Self::from_bytes(&name, &bytes)
    }

    /// Parses the content of a file of this name.
    pub(crate) fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, OpenError> {
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
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, OpenError> {
        // Some editors write a byte order mark first; columns are counted without it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (name, text_of, places) = (name.to_owned(), text.to_owned(), BTreeMap::new());
        let (given, grandmaster) = (Given::default(), GrandmasterGiven::default());
        let mut file = Self { name, text: text_of, given, grandmaster, places };
        let root = DeTable::parse(text).map_err(|error| file.refuse_toml(&error))?;
        for (name, value) in root.get_ref() {
            let table = format!("[{}]", name.get_ref());
            let is_table = TABLES.contains(&table);
            match value.get_ref() {
                DeValue::Table(keys) if is_table => {
                    keys.iter().try_for_each(|(name, value)| file.set(&format!("{table} "), name, value))?;
                }
                _ if is_table || name.get_ref().starts_with('[') => {
                    let why = format!("this must be a line {table} with its keys below it");
                    return Err(file.wrong(value.span().start, &why));
                }
                _ => file.set("", name, value)?,
            }
        }
        Ok(file)
    }

    /// Sets the option of which this key, in a table or at top level, is an alias.
    fn set(&mut self, table: &str, name: &Spanned<DeString<'_>>, to: &Spanned<DeValue<'_>>) -> Result<(), OpenError> {
        let (at, name) = (name.span().start, format!("{table}{}", name.get_ref()));
        let gpsd_device = Arg::new(GPSD_DEVICE).long(GPSD_DEVICE).value_parser(NonEmptyStringValueParser::new());
        let options = if table == GRANDMASTER {
            GrandmasterGiven::augment_args(Command::new(""))
        } else {
            Given::augment_args(Command::new("").arg(gpsd_device))
        };
        let Some(option) = options.get_arguments().find(|option| key(option) == name) else {
            let keys = options.get_arguments().map(key);
            let keys: Vec<_> =
                keys.filter(|key| key.starts_with(table) && key.starts_with('[') != table.is_empty()).collect();
            let tables = if table.is_empty() { format!(", or a key in {TABLES}") } else { String::new() };
            return Err(self.wrong(at, &format!("there is no such key: it must be one of {}{tables}", keys.join(", "))));
        };
        let is = |id: TypeId| option.get_value_parser().type_id() == id;
        let is_switch = is(TypeId::of::<bool>());
        let is_name = is(TypeId::of::<String>()) || is(TypeId::of::<PathBuf>());
        let argument = match to.get_ref() {
            DeValue::Boolean(true) if is_switch => format!("--{name}"),
            DeValue::Boolean(false) if is_switch => return Ok(()),
            DeValue::String(text) if is_name || text.len() <= TEXT_MAX => format!("--{name}={text}"),
            DeValue::Integer(digits) if !is_name => {
                let number = i64::from_str_radix(digits.as_str(), digits.radix());
                format!("--{name}={}", number.map_or_else(|_| String::new(), |number| number.to_string()))
            }
            // No option accepts an empty value.
            _ => format!("--{name}="),
        };
        let mut set = |matches: ArgMatches| {
            if table == GRANDMASTER {
                return self.grandmaster.update_from_arg_matches(&matches);
            }
            self.given.gpsd_device = matches.get_one(GPSD_DEVICE).cloned().or(self.given.gpsd_device.take());
            self.given.update_from_arg_matches(&matches)
        };
        options.try_get_matches_from(["", &argument]).and_then(&mut set).map_err(|error| {
            let why = match (error.source(), error.get(ContextKind::ValidValue)) {
                (Some(why), _) => why.to_string().replace("`` ", "this "),
                (None, Some(ContextValue::Strings(words))) if !words.is_empty() => {
                    format!("this must be \"{}\"", words.join("\" or \""))
                }
                (None, _) if is_switch => "this must be true or false, without quotes".to_owned(),
                (None, _) => "this must be a name or path in quotes, such as \"/dev/ttyS0\" or \"eth0\"".to_owned(),
            };
            self.wrong(to.span().start, &why)
        })?;
        self.places.insert(name, at);
        Ok(())
    }

    /// Position of the first key with this prefix.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        self.places.iter().filter(|(name, _)| name.starts_with(key)).map(|(_, at)| *at).min()
    }

    /// An error at this byte offset of the text.
    pub(super) fn wrong(&self, at: usize, why: &str) -> OpenError {
        let (line, column) = line_and_column(self.text.get(..at).unwrap_or(&self.text));
        let quoted = self.text.lines().nth(line - 1).unwrap_or_default().trim();
        let quoted: String = quoted.chars().take(QUOTED_MAX).collect();
        let sentence = format!("{}:{line}:{column}: `{quoted}`: {why}", self.name);
        OpenError::new(Problem::Wrong, printable(&sentence))
    }

    /// A TOML syntax error, in the operator's terms.
    fn refuse_toml(&self, error: &toml::de::Error) -> OpenError {
        let why = match error.message().split_once(", expected ") {
            Some(("string values must be quoted", _)) => "text must be in quotes".to_owned(),
            Some((what, expected)) => format!("{what}: this must be {expected}"),
            None if error.message().starts_with("duplicate key") => "this is given twice: remove one".to_owned(),
            None => error.message().to_owned(),
        };
        self.wrong(error.span().unwrap_or_default().start, &why)
    }
}

/// The option's name in the file.
fn key(option: &Arg) -> &str {
    let alias = option.get_all_aliases().and_then(|aliases| aliases.first().copied());
    alias.or(option.get_long()).unwrap_or_default()
}

/// Line and column, both from 1, of the position after this text.
fn line_and_column(before: &str) -> (usize, usize) {
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
