//! Structs, flags, and ioctl numbers for PTP hardware clocks, from src/sys and the libc crate, against the kernel's own
//! headers: `ptp_layout.c`, compiled with `cc`, prints them. Needs a C compiler and the kernel's user space headers
//! (linux-libc-dev).

use std::collections::BTreeMap;
use std::mem::offset_of;

use crate::library::common::told_by_c;
use gnss2shm::sys::ptp::{self, ETHTOOL_GET_TS_INFO, ExttsEvent, TsInfo};

/// The newest headers have them, those of Linux 6.1 do not.
const NEWER: [(&str, u64); 3] = [
    ("PTP_MASK_CLEAR_ALL", ptp::MASK_CLEAR_ALL as u64),
    ("PTP_MASK_EN_SINGLE", ptp::MASK_EN_SINGLE as u64),
    ("PTP_EXT_OFFSET", ptp::OFFSET as u64),
];

fn ours() -> BTreeMap<String, u64> {
    let layout = [
        ("ptp_extts_event", size_of::<ExttsEvent>()),
        ("ptp_extts_event.t.sec", offset_of!(ExttsEvent, t.sec)),
        ("ptp_extts_event.t.nsec", offset_of!(ExttsEvent, t.nsec)),
        ("ptp_extts_event.index", offset_of!(ExttsEvent, index)),
        ("ptp_extts_event.flags", offset_of!(ExttsEvent, flags)),
        ("ptp_extts_event.rsv", offset_of!(ExttsEvent, rsv)),
        ("ethtool_ts_info", size_of::<TsInfo>()),
        ("ethtool_ts_info.cmd", offset_of!(TsInfo, cmd)),
        ("ethtool_ts_info.so_timestamping", offset_of!(TsInfo, so_timestamping)),
        ("ethtool_ts_info.phc_index", offset_of!(TsInfo, phc_index)),
        ("ethtool_ts_info.tx_types", offset_of!(TsInfo, tx_types)),
        ("ethtool_ts_info.tx_reserved", offset_of!(TsInfo, tx_reserved)),
        ("ethtool_ts_info.rx_filters", offset_of!(TsInfo, rx_filters)),
        ("ethtool_ts_info.rx_reserved", offset_of!(TsInfo, rx_reserved)),
        ("ptp_clock_caps", size_of::<libc::ptp_clock_caps>()),
        ("ptp_clock_caps.max_adj", offset_of!(libc::ptp_clock_caps, max_adj)),
        ("ptp_clock_caps.n_ext_ts", offset_of!(libc::ptp_clock_caps, n_ext_ts)),
        ("ptp_clock_caps.n_pins", offset_of!(libc::ptp_clock_caps, n_pins)),
        ("ptp_clock_caps.cross_timestamping", offset_of!(libc::ptp_clock_caps, cross_timestamping)),
        ("ptp_extts_request", size_of::<libc::ptp_extts_request>()),
        ("ptp_extts_request.index", offset_of!(libc::ptp_extts_request, index)),
        ("ptp_extts_request.flags", offset_of!(libc::ptp_extts_request, flags)),
        ("ptp_pin_desc", size_of::<libc::ptp_pin_desc>()),
        ("ptp_pin_desc.name", offset_of!(libc::ptp_pin_desc, name)),
        ("ptp_pin_desc.index", offset_of!(libc::ptp_pin_desc, index)),
        ("ptp_pin_desc.func", offset_of!(libc::ptp_pin_desc, func)),
        ("ptp_pin_desc.chan", offset_of!(libc::ptp_pin_desc, chan)),
        ("ptp_sys_offset", size_of::<libc::ptp_sys_offset>()),
        ("ptp_sys_offset.ts", offset_of!(libc::ptp_sys_offset, ts)),
        ("ptp_sys_offset_extended", size_of::<libc::ptp_sys_offset_extended>()),
        ("ptp_sys_offset_extended.ts", offset_of!(libc::ptp_sys_offset_extended, ts)),
        ("ptp_sys_offset_precise", size_of::<libc::ptp_sys_offset_precise>()),
        ("ptp_sys_offset_precise.device", offset_of!(libc::ptp_sys_offset_precise, device)),
        ("ptp_sys_offset_precise.sys_realtime", offset_of!(libc::ptp_sys_offset_precise, sys_realtime)),
        ("ptp_sys_offset_precise.sys_monoraw", offset_of!(libc::ptp_sys_offset_precise, sys_monoraw)),
    ];
    let numbers = [
        ("ETHTOOL_GET_TS_INFO", u64::from(ETHTOOL_GET_TS_INFO)),
        ("PTP_MAX_SAMPLES", u64::from(libc::PTP_MAX_SAMPLES)),
        ("PTP_ENABLE_FEATURE", u64::from(ptp::ENABLE)),
        ("PTP_RISING_EDGE", u64::from(ptp::RISING)),
        ("PTP_FALLING_EDGE", u64::from(ptp::FALLING)),
        ("PTP_PF_NONE", u64::from(libc::PTP_PF_NONE)),
        ("PTP_PF_EXTTS", u64::from(libc::PTP_PF_EXTTS)),
        ("PTP_CLOCK_GETCAPS", libc::PTP_CLOCK_GETCAPS as u64),
        ("PTP_EXTTS_REQUEST", libc::PTP_EXTTS_REQUEST as u64),
        ("PTP_EXTTS_REQUEST2", libc::PTP_EXTTS_REQUEST2 as u64),
        ("PTP_PIN_GETFUNC", libc::PTP_PIN_GETFUNC as u64),
        ("PTP_PIN_SETFUNC", libc::PTP_PIN_SETFUNC as u64),
        ("PTP_SYS_OFFSET", libc::PTP_SYS_OFFSET as u64),
        ("PTP_SYS_OFFSET_EXTENDED", libc::PTP_SYS_OFFSET_EXTENDED as u64),
        ("PTP_SYS_OFFSET_PRECISE", libc::PTP_SYS_OFFSET_PRECISE as u64),
    ];
    let layout = layout.map(|(name, n)| (name, n as u64));
    layout.into_iter().chain(numbers).chain(NEWER).map(|(name, n)| (name.to_owned(), n)).collect()
}

#[test]
fn structs_flags_and_ioctl_numbers_are_the_kernels() {
    let (headers, mut ours) = (told_by_c("ptp_layout.c", &[]), ours());
    for (name, _) in NEWER {
        if !headers.contains_key(name) {
            ours.remove(name);
        }
    }
    assert_eq!(ours, headers);
}

/// The numbers that old headers lack, as computed by `_IO` and `_IOW` of `<asm-generic/ioctl.h>`.
#[test]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm", target_arch = "riscv64"))]
fn the_masks_are_what_the_ioctl_macros_make_of_19_and_20() {
    assert_eq!(NEWER.map(|(_, n)| n), [0x3d13, 0x4004_3d14, 16]);
}
