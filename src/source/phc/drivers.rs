//! Which edges each driver timestamps, whatever it grants: one table from the drivers' source. No device is touched
//! here.
//!
//! A granted strict request (`PTP_EXTTS_REQUEST2`, Linux 5.4) is a guarantee only if the driver checks it. Before Linux
//! 6.16 (commit 7c571ac57d9d) the PTP core passed the flags on, and drivers that ignored them granted everything; since
//! then the core refuses strict requests for drivers that do not list what they support.

use crate::core::event::Edges;
use crate::source::sysfs::Device;
use crate::sys::ptp::Request;

/// How a driver handles a strict request.
enum Strict {
    /// Grants only what it supports.
    Checked,
    /// Grants it unchecked, in some kernel that is in use.
    Unread,
}

use Edges::{Both, RisingOnly, Unknown};
use Strict::{Checked, Unread};

/// The names of a driver (the kernel's, or that of its clock), which edges it timestamps if `PTP_EXTTS_REQUEST`
/// requests rising ones, and how it handles a strict request: every driver whose source was read. Paths are in the
/// Linux source.
static DRIVERS: &[(&[&str], Edges, Strict)] = &[
    // drivers/net/ethernet/intel/igb/igb_ptp.c. Any level change of an SDP is latched (82580, i350, i210 data
    // sheets), and there is no setting for one edge. The i210 is strict since 5.4; 82580, i350 and i354 grant
    // anything before 6.15 (commit 5eada2aabf13). One register for each channel: it keeps its value until AUXSTMPH is
    // read (i210 data sheet, 7.8.3), so of two edges before the interrupt is served the first stays.
    (&["igb"], Both, Unread),
    // drivers/net/ethernet/intel/igc/igc_ptp.c. The registers of the i210; strict from the start.
    (&["igc"], Both, Checked),
    // drivers/net/ethernet/intel/ice/ice_ptp.c, ice_ptp_cfg_extts(): the edges of the flags, both if asked. One
    // register (GLTSYN_EVNT) for each channel.
    (&["ice"], RisingOnly, Checked),
    // drivers/net/ethernet/intel/i40e/i40e_ptp.c. Rising edges; flags unread until "i40e: set supported_extts_flags
    // for rising edge".
    (&["i40e"], RisingOnly, Unread),
    // drivers/net/ethernet/mellanox/mlx5/core/lib/clock.c, mlx5_extts_configure(): MTPPS pattern, falling if asked,
    // else rising. Both are refused since 5.4.
    (&["mlx5_core"], RisingOnly, Checked),
    // drivers/net/phy/bcm-phy-ptp.c (CM4, CM5). Rising edges, as reports from the field prove; flags unread before
    // 6.16, strict requests refused from then until supported_extts_flags was set. One register, polled every 250 ms.
    (&["bcm_phy_ptp"], RisingOnly, Unread),
    // drivers/net/ethernet/stmicro/stmmac/stmmac_ptp.c, under many platform drivers. Rising edge of
    // ptp_aux_ts_trig_i, into a FIFO of 16 at most (Intel Stratix 10 HPS manual 17.6.5.6; a full FIFO drops the
    // latest). Flags unread.
    (&["stmmac ptp", "stmmac_ptp_clock"], RisingOnly, Unread),
    // drivers/ptp/ptp_ocp.c: supported_extts_flags. Flags unread before.
    (&["ptp_ocp"], RisingOnly, Unread),
    // drivers/ptp/ptp_clockmatrix.c: supported_extts_flags. Flags unread before.
    (&["IDT CM TOD0", "IDT CM TOD1", "IDT CM TOD2", "IDT CM TOD3"], RisingOnly, Unread),
    // drivers/ptp/ptp_netc.c, netc_timer_enable_extts(): TMR_ETEP, falling if asked, else rising; both are refused. A
    // FIFO, of which the driver passes on the last.
    (&["NETC Timer PTP clock"], RisingOnly, Checked),
    // drivers/net/ethernet/microchip/lan743x_ptp.c, lan743x_ptp_io_event_cap_en(): falling if asked, else rising;
    // both are refused. PTP_IO_CAP_CONFIG_LOCK_RE is set for the channel.
    (&["lan743x"], RisingOnly, Checked),
    // drivers/net/ethernet/microchip/lan966x/lan966x_ptp.c: supported_extts_flags.
    (&["lan966x ptp"], RisingOnly, Checked),
    // drivers/net/phy/dp83640.c: falling if asked, else rising; both are refused since 5.4. Status frames.
    (&["dp83640 timer"], RisingOnly, Checked),
    // drivers/net/dsa/mv88e6xxx/ptp.c, mv88e6352_config_eventcap(): rising if asked, else falling; both are refused
    // since 5.4. One register (CAP_OVERWRITE: the last stays), polled.
    (&["mv88e6085"], RisingOnly, Checked),
    // drivers/net/dsa/sja1105/sja1105_ptp.c, sja1105_extts_enable(): "We can only enable time stamping on both edges,
    // sadly". One register, polled every 250 ms: of a shorter pulse one edge is seen.
    (&["sja1105", "SJA1105 PHC"], Both, Checked),
    // drivers/net/ethernet/renesas/ravb_ptp.c. Its authors do not say (commit 51d58c0c7921, 6.15: strict requests are
    // refused until somebody does).
    (&["ravb", "ravb clock"], Unknown, Unread),
    // drivers/ptp/ptp_qoriq.c, also below gianfar, DPAA and enetc: it sets no polarity and reads no flags. A FIFO
    // only with fsl,extts-fifo.
    (&["qoriq ptp clock", "ENETC PTP clock"], Unknown, Unread),
    // drivers/net/ethernet/ti/am65-cpts.c and cpts.c: HWx_TS_PUSH; no polarity, no flags. An event FIFO.
    (&["CTPS timer"], Unknown, Unread),
    // drivers/net/ethernet/marvell/octeontx2/nic/otx2_ptp.c: no polarity, no flags. One register, polled every 200
    // ms.
    (&["rvu_nicpf", "OcteonTX2 PTP"], Unknown, Unread),
];

/// Which edges of this clock are timestamped after a grant, if that is certain.
///
/// A driver that ignores the flags of a strict request always timestamps the same edges. Otherwise, a strict grant is
/// reliable, and after a loose one, the table decides.
pub(super) fn granted(clock: &Device, grant: Request) -> Edges {
    // igb names its clock after the port's MAC address, a PHY's clock has the driver of an MDIO device above it.
    let known = |name: &str| DRIVERS.iter().find(|(names, ..)| names.contains(&name));
    let driver = known(&clock.driver().unwrap_or_default()).or_else(|| known(&clock.name));
    match (driver, grant) {
        (Some((_, stamps, Unread)), _) | (Some((_, stamps, Checked)), Request::Loose) => *stamps,
        (_, Request::StrictRising) => RisingOnly,
        (_, Request::StrictBoth) => Both,
        (None, Request::Loose) => Unknown,
    }
}

/// Why this clock must not be armed now: igb and igc deliver no timestamps while the interface is down, as the interrupt
/// is off then. An edge that is captured meanwhile stays in the channel's register, unread, and blocks later ones:
/// permanently, if the driver does not reset the NIC.
pub(crate) fn deaf(clock: &Device) -> Option<String> {
    let is_deaf = clock.driver().is_some_and(|driver| driver == "igb" || driver == "igc");
    let interfaces = clock.interfaces();
    let is_down = |name: &String| clock.value(&format!("device/net/{name}/flags")).is_some_and(|flags| !is_up(&flags));
    let name = interfaces.first().filter(|_| is_deaf && interfaces.iter().all(is_down))?;
    Some(format!("{name} is down, and {clock} does not timestamp in that state: run `ip link set {name} up`"))
}

/// Whether an interface is up, by its `flags` in sysfs: `IFF_UP` of `<linux/if.h>`. Unreadable flags count as up.
pub(crate) fn is_up(flags: &str) -> bool {
    u32::from_str_radix(flags.trim_start_matches("0x"), 16).map_or(true, |flags| flags & 1 != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::source::sysfs::Finder;

    #[test]
    fn no_driver_is_named_twice_and_each_has_a_name() {
        let names: Vec<_> = DRIVERS.iter().flat_map(|(names, ..)| *names).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        assert!(DRIVERS.iter().all(|(names, ..)| !names.is_empty()));
        assert!(names.iter().all(|name| !name.is_empty() && name.trim() == **name));
    }

    #[test]
    fn a_strict_grant_speaks_for_itself_unless_the_driver_does_not_read_it() {
        for (name, rising, both, loose) in [
            ("igb", Both, Both, Both),
            ("igc", RisingOnly, Both, Both),
            ("ice", RisingOnly, Both, RisingOnly),
            ("mlx5_core", RisingOnly, Both, RisingOnly),
            ("bcm_phy_ptp", RisingOnly, RisingOnly, RisingOnly),
            ("stmmac ptp", RisingOnly, RisingOnly, RisingOnly),
            ("sja1105", RisingOnly, Both, Both),
            ("ravb", Unknown, Unknown, Unknown),
            ("qoriq ptp clock", Unknown, Unknown, Unknown),
            ("of tomorrow", RisingOnly, Both, Unknown),
            ("", RisingOnly, Both, Unknown),
        ] {
            let grants = [Request::StrictRising, Request::StrictBoth, Request::Loose];
            let all = clock(name, "none", &[], |clock| grants.map(|grant| granted(clock, grant)));
            assert_eq!(all, [rising, both, loose], "{name}");
        }
    }

    /// A clock in a tree of files: its name, its driver's, and its interfaces with their flags.
    fn clock<T>(name: &str, driver: &str, interfaces: &[(&str, &str)], look: impl Fn(&Device) -> T) -> T {
        let root = std::env::temp_dir().join(format!("gnss2shm-drivers-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let sysfs = root.join("sys/class/ptp/ptp0");
        fs::create_dir_all(sysfs.join("device/net")).unwrap();
        fs::write(sysfs.join("clock_name"), format!("{name}\n")).unwrap();
        std::os::unix::fs::symlink(format!("../../{driver}"), sysfs.join("device/driver")).unwrap();
        for (name, flags) in interfaces {
            fs::create_dir_all(sysfs.join("device/net").join(name)).unwrap();
            fs::write(sysfs.join("device/net").join(name).join("flags"), flags).unwrap();
        }
        let looked = look(&Finder { root: &root, phc_index: |_| Ok(Some(0)) }.phc("eth0").unwrap());
        fs::remove_dir_all(&root).unwrap();
        looked
    }

    #[test]
    fn the_kernels_name_of_the_driver_comes_before_the_clocks() {
        let stamps = |name: &str, driver: &str| clock(name, driver, &[], |clock| granted(clock, Request::Loose));
        assert_eq!(stamps("a0:36:9f:00:00:01", "igb"), Both);
        assert_eq!(stamps("ravb", "igb"), Both);
        assert_eq!(stamps("bcm_phy_ptp", "Broadcom BCM54210E"), RisingOnly);
        assert_eq!(stamps("igb2", "IGB"), Unknown);
    }

    #[test]
    fn igb_is_deaf_while_all_interfaces_of_the_clock_are_down() {
        let down = |driver: &str, interfaces: &[(&str, &str)]| clock("down", driver, interfaces, deaf);
        assert_eq!(down("igb", &[]), None);
        assert_eq!(down("igb", &[("eth0", "0x1003\n")]), None);
        assert!(down("igb", &[("eth0", "0x1002\n")]).unwrap().contains("`ip link set eth0 up`"));
        assert_eq!(down("igb", &[("eth0", "0x1002\n"), ("eth1", "0x1003\n")]), None);
        assert_eq!(down("igb", &[("eth0", "what\n")]), None);
        assert_eq!(down("ice", &[("eth0", "0x1002\n")]), None);
    }
}
