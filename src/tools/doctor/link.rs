//! The interface whose PHC has the pulse: igb and igc timestamp nothing while it is down, and an adapter that nobody uses
//! may be put to sleep.

use std::path::{Path, PathBuf};

use super::{Finding, System};
use crate::source::phc::{PhcConfig, is_up};

const ITEM: &str = "interface";

/// The interface of a PHC; nothing where it has none.
pub(super) fn check(system: &System, config: &PhcConfig, clock: &str) -> Vec<Finding> {
    let Some(name) = interface(system, config, clock) else { return vec![] };
    let sysfs = Path::new("/sys/class/net").join(&name);
    let of = |file: &str| system.value(sysfs.join(file)).unwrap_or_default();
    let awake = format!("run `echo on > /sys/class/net/{name}/device/power/control` at every boot");
    vec![if of("device/power/runtime_status") == "suspended" {
        let cure = format!("{awake}, and `ip link set {name} up`");
        Finding::failure(ITEM, format!("the adapter of {name} sleeps, and its clock with it"), cure)
    } else if !is_up(&of("flags")) {
        let cure = format!("run `ip link set {name} up`, and make that permanent");
        Finding::warning(ITEM, format!("{name} is down; igb and igc timestamp nothing while it is"), cure)
    } else if of("carrier") == "0" && of("device/power/control") == "auto" {
        // Linux, drivers/net/ethernet/intel/igb/igb_main.c, igb_runtime_idle(): after 5 s without a link.
        Finding::warning(ITEM, format!("{name} has no link, and its adapter may be put to sleep for that"), awake)
    } else {
        Finding::ok(ITEM, format!("{name} is up"))
    }]
}

fn interface(system: &System, config: &PhcConfig, clock: &str) -> Option<String> {
    const CLASS: &str = "/sys/class/net";
    if !config.device.contains(['/', ':']) {
        return Some(config.device.clone());
    }
    let has_clock = |name: &String| system.has(PathBuf::from(CLASS).join(name).join("device/ptp").join(clock));
    system.names(CLASS).into_iter().find(has_clock)
}
