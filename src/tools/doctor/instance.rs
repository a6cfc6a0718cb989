//! The instance of the service that is checked, and its configuration.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Finding, System};
use crate::config::{File, Given, Settings};
use crate::daemon::status::SOCKETS;

pub(super) const ITEM: &str = "configuration";
/// Directory of the configurations.
const CONFIGURATIONS: &str = "/etc/gnss2shm";
/// The instance whose configuration is in the package.
const DEFAULT: &str = "default";

/// An instance of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name, as in `gnss2shm@NAME.service`.
    pub name: String,
    /// Path of its configuration.
    pub config: PathBuf,
}

impl Instance {
    /// The instance with this name, or with this configuration, or the only one, or the package's.
    ///
    /// # Errors
    /// There are several to choose from: their names.
    pub fn find(system: &System, name: Option<&str>, config: Option<PathBuf>) -> Result<Self, Vec<String>> {
        let stem = config.as_ref().and_then(|config| config.file_stem());
        let name = match name.map(str::to_owned).or_else(|| stem.map(|stem| stem.to_string_lossy().into_owned())) {
            Some(name) => name,
            None => match names(system).as_slice() {
                [] => DEFAULT.to_owned(),
                [only] => only.clone(),
                several => return Err(several.to_vec()),
            },
        };
        Ok(Self { config: config.unwrap_or_else(|| configured(&name)), name })
    }

    /// Whether its configuration is where the unit looks for it.
    pub(super) fn is_of_unit(&self) -> bool {
        self.config == configured(&self.name)
    }

    /// Status socket given in the unit.
    pub(super) fn socket(&self) -> PathBuf {
        Path::new(SOCKETS).join(format!("{}.sock", self.name))
    }
}

fn configured(name: &str) -> PathBuf {
    Path::new(CONFIGURATIONS).join(format!("{name}.toml"))
}

/// The instances that have a configuration.
fn names(system: &System) -> Vec<String> {
    system.names(CONFIGURATIONS).iter().filter_map(|file| file.strip_suffix(".toml")).map(str::to_owned).collect()
}

/// The settings, or why there are none.
pub(super) fn settings(system: &System, instance: &Instance) -> Result<Settings, Finding> {
    if instance.name.contains('/') {
        let says = format!("{} is not a name of an instance, for it has a slash", instance.name);
        let cure = "name it as in gnss2shm@NAME.service, or its file with --config FILE";
        return Err(Finding::failure(ITEM, says, cure));
    }
    let path = instance.config.display();
    let bytes = fs::read(system.at(&instance.config)).map_err(|error| {
        if error.kind() == ErrorKind::PermissionDenied {
            return Finding::unseen(ITEM, format!("{path}, and the devices that it names"));
        }
        let says = format!("{path} cannot be read ({error}), so devices and refclock are not looked at");
        let cure = "install the package and fill in its configuration, or have `gnss2shm probe --write FILE` make one";
        Finding::failure(ITEM, says, format!("{cure}; {CONFIGURATIONS} has [{}]", names(system).join(", ")))
    })?;
    let file = File::from_bytes(&path.to_string(), &bytes);
    file.and_then(|file| Settings::new(Given::default(), Some(&file))).map_err(|error| {
        let cure = "correct it, as in gnss2shm.toml(5), and ask again: devices and refclock are not looked at";
        Finding::failure(ITEM, error.to_string(), cure)
    })
}
