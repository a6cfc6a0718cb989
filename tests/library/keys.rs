//! The keys of a settings file, as listed in the error for an unknown key.

use std::collections::BTreeSet;

use gnss2shm::config::File;

/// Each key with its table.
pub fn keys() -> BTreeSet<(Option<String>, String)> {
    let listed = |text: &str| -> String {
        let said = File::parse("x.toml", text).map(|_| ()).expect_err(text).to_string();
        said.split("it must be one of ").nth(1).unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    let root = listed("x = 1");
    let (before, tables) = root.split_once(", or a key in ").unwrap();
    let mut keys: BTreeSet<_> = before.split(", ").map(|key| (None, key.to_owned())).collect();
    for table in tables.split(", ") {
        let name = table.trim_matches(['[', ']']);
        let in_table = listed(&format!("{table}\nx = 1"));
        keys.extend(in_table.split(", ").map(|key| {
            let key = key.strip_prefix(&format!("{table} ")).unwrap_or_else(|| panic!("{in_table}"));
            (Some(name.to_owned()), key.to_owned())
        }));
    }
    keys
}
