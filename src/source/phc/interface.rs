//! The network interface of a PHC: whether it is up, and what its driver does while it is not.

use std::fs;
use std::path::Path;

use super::{drivers, named, resolve};

/// Why this clock must not be armed now. An edge that is captured while its driver delivers none stays in the channel's
/// register, unread, and keeps others out of it: for good, where the driver does not reset the NIC.
pub fn deaf(node: &Path) -> Option<String> {
    let driver = drivers::known(&resolve::driver_names(node));
    let device = fs::metadata(node).map(|found| resolve::sysfs(&found)).ok()?;
    let name = drivers::is_deaf_while_down(driver).then(|| down_among(&device.join("device/net")))??;
    Some(format!("{name} is down, and {} timestamps nothing while it is: run `ip link set {name} up`", named(node)))
}

/// The first of these interfaces, if all are down.
fn down_among(interfaces: &Path) -> Option<String> {
    let names = resolve::entries(interfaces);
    let is_down =
        |name: &String| fs::read_to_string(interfaces.join(name).join("flags")).is_ok_and(|flags| !is_up(&flags));
    names.iter().all(is_down).then(|| names.into_iter().next())?
}

/// Whether an interface is up, by its `flags` in sysfs: `IFF_UP` of `<linux/if.h>`. Taken for up where they are odd.
pub fn is_up(flags: &str) -> bool {
    u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).map_or(true, |flags| flags & 1 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_down_if_all_of_the_clock_are() {
        let net = std::env::temp_dir().join(format!("gnss2shm-net-{}", std::process::id()));
        let down = |interfaces: &[(&str, &str)]| {
            let _ = fs::remove_dir_all(&net);
            for (name, flags) in interfaces {
                fs::create_dir_all(net.join(name)).unwrap();
                fs::write(net.join(name).join("flags"), flags).unwrap();
            }
            down_among(&net)
        };
        assert_eq!(down(&[]), None);
        assert_eq!(down(&[("eth0", "0x1003\n")]), None);
        assert_eq!(down(&[("eth0", "0x1002\n")]).as_deref(), Some("eth0"));
        assert_eq!(down(&[("eth0", "0x1002\n"), ("eth1", "0x1003\n")]), None);
        assert_eq!(down(&[("eth0", "what\n")]), None);
        let _ = fs::remove_dir_all(&net);
    }
}
