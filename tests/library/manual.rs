//! What is installed beside the program says what the program does: manual pages, completions, settings, units.
//!
//! `GNSS2SHM_BLESS=1 cargo test --lib manual` writes the generated files anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::library::common::{TestDir, output};
use crate::library::keys::keys;
use clap::{CommandFactory, Parser};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use gnss2shm::cli::{Cli, ExitCode};
use gnss2shm::config::{File, Given, Settings};

fn in_tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(in_tree(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The file in the tree is what it is generated to be.
fn is_kept(path: &str, generated: &str) {
    if std::env::var_os("GNSS2SHM_BLESS").is_some() {
        fs::create_dir_all(in_tree(path).parent().unwrap()).unwrap();
        fs::write(in_tree(path), generated).unwrap();
    }
    let kept = fs::read_to_string(in_tree(path)).unwrap_or_default();
    assert!(kept == generated, "{path} is not up to date: GNSS2SHM_BLESS=1 cargo test --lib manual writes it");
}

/// The command line with its verbs under their full names.
fn command() -> clap::Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

/// A manual page as clap knows it; `extra` is what it cannot know.
fn page(command: &clap::Command, extra: &str) -> String {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = Man::new(command.clone()).title(name.to_uppercase()).source("gnss2shm").manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page).unwrap();
    }
    String::from_utf8(page).unwrap() + &notes(command) + extra
}

/// What --help says below the options.
fn notes(command: &clap::Command) -> String {
    let said = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    if said.is_empty() {
        return said;
    }
    let paragraphs: Vec<_> = said.replace('\\', "\\e").replace('-', "\\-").lines().map(str::to_owned).collect();
    let line = |line: &String| if line.is_empty() { ".PP\n".to_owned() } else { format!("\\&{line}\n") };
    format!(".SH NOTES\n{}", paragraphs.iter().map(line).collect::<String>())
}

#[test]
fn manual_pages_of_the_program_and_of_each_verb_are_kept() {
    let command = command();
    is_kept("files/usr/share/man/man1/gnss2shm.1", &page(&command, &text("tests/manual/program.roff")));
    let mut pages = BTreeSet::from(["gnss2shm.1".to_owned()]);
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = format!("gnss2shm-{}.1", verb.get_name());
        let extra = ".SH SEE ALSO\n.BR gnss2shm (1),\n.BR gnss2shm.toml (5)\n";
        is_kept(&format!("files/usr/share/man/man1/{name}"), &page(verb, extra));
        pages.insert(name);
    }
    let kept = fs::read_dir(in_tree("files/usr/share/man/man1")).unwrap();
    let kept: BTreeSet<_> = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(kept, pages, "a page for each verb, and no other");
}

#[test]
fn completions_of_bash_zsh_and_fish_are_kept() {
    for (shell, path) in [
        (Shell::Bash, "bash-completion/completions/gnss2shm"),
        (Shell::Zsh, "zsh/vendor-completions/_gnss2shm"),
        (Shell::Fish, "fish/vendor_completions.d/gnss2shm.fish"),
    ] {
        let mut script = Vec::new();
        generate(shell, &mut Cli::command(), "gnss2shm", &mut script);
        is_kept(&format!("files/usr/share/{path}"), &String::from_utf8(script).unwrap());
    }
}

#[test]
fn every_exit_status_is_in_the_manual() {
    use ExitCode::{
        CannotCreate, Config, Data, No, NoInput, NoPermission, Os, OutputClosed, Software, Unavailable, Usage, Warnings,
    };
    let manual = text("tests/manual/program.roff");
    let section = manual.split(".SH EXIT STATUS").nth(1).unwrap().split(".SH").next().unwrap();
    let said: Vec<u8> = section.lines().filter_map(|line| line.strip_prefix(".B ")?.parse().ok()).collect();
    let codes = [
        OutputClosed,
        No,
        Warnings,
        Usage,
        Data,
        NoInput,
        Unavailable,
        Software,
        Os,
        CannotCreate,
        NoPermission,
        Config,
    ];
    // A new one has to be added above, too.
    let _ = |code| match code {
        OutputClosed | No | Warnings | Usage | Data | NoInput | Unavailable | Software | Os => (),
        CannotCreate | NoPermission | Config => (),
    };
    let codes = codes.map(|code| code as u8);
    assert_eq!(said, codes);
}

#[test]
fn the_manual_of_the_settings_has_every_key_and_invents_none() {
    let place = |table: Option<String>| table.map_or_else(String::new, |table| format!("[{table}] "));
    let known: BTreeSet<_> = keys().into_iter().map(|(table, name)| place(table) + &name).collect();
    assert!(known.len() > 15 && known.contains("[serial] baud") && known.contains("holdover"), "{known:?}");

    let manual = text("files/usr/share/man/man5/gnss2shm.toml.5").replace("\\-", "-");
    let (mut table, mut said) = (String::new(), BTreeSet::new());
    let mut lines = manual.lines();
    while let Some(line) = lines.next() {
        if let Some(section) = line.strip_prefix(".SH ") {
            table = if section.starts_with('[') { format!("{section} ") } else { String::new() };
        }
        if line == ".TP" {
            said.insert(table.clone() + lines.next().unwrap().strip_prefix(".B ").unwrap());
        }
    }
    assert_eq!(said, known);
}

/// With its commented settings in force, too.
fn uncommented(settings: &str) -> String {
    let is_setting = |rest: &str| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if is_setting(rest) => format!("{rest}\n"),
        Some(_) | None => format!("{line}\n"),
    };
    settings.lines().map(line).collect()
}

#[test]
fn the_installed_settings_are_read_by_the_real_parser_and_comments_name_real_keys() {
    let default = text("files/etc/gnss2shm/default.toml");
    let in_force = uncommented(&default);
    assert!(in_force.lines().count() == default.lines().count() && in_force.contains("\ndelay ="), "{in_force}");
    for settings in [&default, &in_force] {
        let file = File::parse("default.toml", settings).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(Settings::new(Given::default(), Some(&file)).unwrap().shm, Some(0));
    }
    let manual = text("files/usr/share/man/man5/gnss2shm.toml.5");
    let example = manual.split(".EX\n").nth(1).unwrap().split(".EE").next().unwrap();
    let settled = |text: &str| Settings::new(Given::default(), Some(&File::parse("example", text).unwrap())).unwrap();
    settled(example);
    let readme = text("README.md");
    let shown = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(settled(shown), settled(&default), "what it shows is the default");
}

/// What `key=` says in a unit, each time.
fn said<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn units_start_the_program_as_it_wants_to_be_started() {
    for unit in ["gnss2shm@.service", "gnss2shm-wait@.service"] {
        let unit = text(&format!("files/usr/lib/systemd/system/{unit}"));
        let start = said(&unit, "ExecStart")[0].replace("%i", "default");
        let arguments = start.strip_prefix("/usr/bin/").unwrap().split(' ');
        Cli::try_parse_from(arguments).unwrap_or_else(|error| panic!("{start}: {error}"));
    }
}

/// The drop-in of the readme for services that need the time.
fn drop_in() -> String {
    let readme = text("README.md");
    readme.split("```ini\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

#[test]
fn the_drop_in_for_services_that_need_the_time_is_the_manuals_and_asks_as_the_program_wants_to_be_asked() {
    let drop_in = drop_in();
    assert!(
        text("tests/manual/program.roff").replace("\\-", "-").contains(&format!(".EX\n{drop_in}.EE\n")),
        "{drop_in}"
    );
    let asks = said(&drop_in, "ExecCondition")[0];
    let arguments = asks.strip_prefix("/usr/bin/").unwrap().split(' ');
    Cli::try_parse_from(arguments).unwrap_or_else(|error| panic!("{asks}: {error}"));
}

#[test]
fn the_unit_keeps_the_segment_that_chronyd_reads() {
    let unit = text("files/usr/lib/systemd/system/gnss2shm@.service");
    assert!(said(&unit, "DynamicUser").is_empty() && said(&unit, "PrivateIPC").is_empty());
    assert_eq!(said(&unit, "RemoveIPC"), ["no"]);
    assert_eq!(said(&unit, "ProtectClock"), [""; 0], "it would forbid adjtimex(2), and silence the witness");
    for code in [ExitCode::Usage, ExitCode::NoInput, ExitCode::CannotCreate, ExitCode::NoPermission, ExitCode::Config] {
        let code = (code as u8).to_string();
        assert!(said(&unit, "RestartPreventExitStatus")[0].split(' ').any(|status| status == code), "{code}");
    }
}

#[test]
fn the_line_for_chronyd_is_the_one_of_the_readme_and_chronyd_takes_it() {
    let snippet = text("files/usr/share/gnss2shm/chrony.conf");
    let line = snippet.lines().find(|line| !line.starts_with('#')).unwrap();
    assert!(text("README.md").contains(&format!("```\n{line}\n```")), "{line}");
    let dir = TestDir::new("chrony-snippet");
    fs::write(dir.join("chrony.conf"), &snippet).unwrap();
    let mut chronyd = Command::new("chronyd");
    chronyd.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").args(["-p", "-f"]).arg(dir.join("chrony.conf"));
    let chronyd = output(&mut chronyd);
    assert!(chronyd.status.success() && String::from_utf8_lossy(&chronyd.stdout).contains(line), "{chronyd:?}");
}
