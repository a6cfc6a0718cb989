//! What to say of a key or a table that there is not: where it belongs, or which one was meant.

use super::listed;
use super::tables::{KEYS, Key};
use super::written::clipped;

/// What is longer is no slip of the fingers, and takes long to compare.
const NAME_MAX: usize = 40;

/// A scalar where a table should be.
pub(super) fn no_table(table: &str) -> String {
    let keys: Vec<_> = keys(Some(table)).map(|key| format!("{} ({})", key.name(), (key.allowed)())).collect();
    format!("allowed is a table, [{table}] on a line of its own, and below it {}", listed(&keys, "and"))
}

/// A table that there is not.
pub(super) fn table(name: &str) -> String {
    let said = clipped(name);
    let tables = tables();
    let homes = homes(name);
    if !homes.is_empty() {
        return format!("{said} is not a table, but a key, and belongs {}", places(&homes));
    }
    match nearest(name, tables.iter().copied()) {
        Some(table) => format!("there is no table [{said}]: did you mean [{table}]?"),
        None => {
            let tables: Vec<_> = tables.iter().map(|table| format!("[{table}]")).collect();
            format!("there is no table [{said}]: allowed are {}", listed(&tables, "and"))
        }
    }
}

/// A key that the table has not.
pub(super) fn key(table: Option<&str>, name: &str) -> String {
    let said = clipped(name);
    let place = table.map_or_else(|| "before the first table".to_owned(), |table| format!("in [{table}]"));
    let homes = homes(name);
    if !homes.is_empty() {
        let cure = match homes.as_slice() {
            [Some(home)] => format!(": write it below a line [{home}]"),
            [None] => ": write it above the first line in brackets".to_owned(),
            _ => ": write it below the right one of them".to_owned(),
        };
        return format!("{said} belongs {}, not {place}{cure}", places(&homes));
    }
    let here: Vec<_> = keys(table).map(Key::name).collect();
    let everywhere: Vec<_> = KEYS.iter().map(Key::name).collect();
    let near_here = nearest(name, here.iter().map(String::as_str));
    let near = near_here.or_else(|| nearest(name, everywhere.iter().map(String::as_str)));
    let meant = match near {
        Some(near) if near_here.is_some() => format!(": did you mean {near}?"),
        Some(near) => format!(": did you mean {near}, which belongs {}?", places(&self::homes(near))),
        None if table.is_none() => match nearest(name, tables().into_iter()) {
            Some(table) => format!(": did you mean the table [{table}]?"),
            None => ", and every other key goes in its table, as in gnss2shm.toml(5)".to_owned(),
        },
        None => String::new(),
    };
    format!("there is no key {said} {place}, where {} allowed{meant}", are(&here))
}

fn keys(table: Option<&str>) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.table == table)
}

fn tables() -> Vec<&'static str> {
    let mut tables: Vec<_> = KEYS.iter().filter_map(|key| key.table).collect();
    tables.dedup();
    tables
}

/// The tables that have such a key; none stands for before the first.
fn homes(name: &str) -> Vec<Option<&'static str>> {
    KEYS.iter().filter(|key| key.name() == name).map(|key| key.table).collect()
}

fn places(homes: &[Option<&str>]) -> String {
    let place = |home: &Option<_>| home.map_or("before the first table".to_owned(), |table| format!("[{table}]"));
    let within = if homes.iter().any(Option::is_some) { "in " } else { "" };
    format!("{within}{}", listed(&homes.iter().map(place).collect::<Vec<_>>(), "or"))
}

fn are(keys: &[String]) -> String {
    format!("{} {}", listed(keys, "and"), if keys.len() == 1 { "is" } else { "are" })
}

/// The one that was probably meant: few letters are different.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > NAME_MAX {
        return None;
    }
    let name = name.to_lowercase();
    known
        .map(|known| (strsim::damerau_levenshtein(&name, known), known))
        .filter(|(letters, known)| *letters <= (known.len() / 3).max(1))
        .min_by_key(|(letters, _)| *letters)
        .map(|(_, known)| known)
}
