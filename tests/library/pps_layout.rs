//! Structs, flags and ioctl numbers for kernel PPS devices against the kernel's own header: `pps_layout.c`, compiled
//! with `cc`, prints them. Needs a C compiler and the kernel's user space headers (linux-libc-dev).

use std::collections::BTreeMap;
use std::mem::offset_of;

use crate::library::common::told_by_c;
use gnss2shm::sys::pps::{self, FData, KInfo, KParams, KTime};

fn ours() -> BTreeMap<String, u64> {
    let layout = [
        ("pps_ktime", size_of::<KTime>()),
        ("pps_ktime.sec", offset_of!(KTime, sec)),
        ("pps_ktime.nsec", offset_of!(KTime, nsec)),
        ("pps_ktime.flags", offset_of!(KTime, flags)),
        ("pps_kinfo", size_of::<KInfo>()),
        ("pps_kinfo.assert_sequence", offset_of!(KInfo, assert_sequence)),
        ("pps_kinfo.clear_sequence", offset_of!(KInfo, clear_sequence)),
        ("pps_kinfo.assert_tu", offset_of!(KInfo, assert_tu)),
        ("pps_kinfo.clear_tu", offset_of!(KInfo, clear_tu)),
        ("pps_kinfo.current_mode", offset_of!(KInfo, current_mode)),
        ("pps_kparams", size_of::<KParams>()),
        ("pps_kparams.api_version", offset_of!(KParams, api_version)),
        ("pps_kparams.mode", offset_of!(KParams, mode)),
        ("pps_kparams.assert_off_tu", offset_of!(KParams, assert_off_tu)),
        ("pps_kparams.clear_off_tu", offset_of!(KParams, clear_off_tu)),
        ("pps_fdata", size_of::<FData>()),
        ("pps_fdata.info", offset_of!(FData, info)),
        ("pps_fdata.timeout", offset_of!(FData, timeout)),
    ];
    let numbers = [
        ("PPS_CAPTUREASSERT", pps::CAPTURE_ASSERT as u64),
        ("PPS_CAPTURECLEAR", pps::CAPTURE_CLEAR as u64),
        ("PPS_OFFSETASSERT", pps::OFFSET_ASSERT as u64),
        ("PPS_OFFSETCLEAR", pps::OFFSET_CLEAR as u64),
        ("PPS_GETPARAMS", pps::GETPARAMS as u64),
        ("PPS_SETPARAMS", pps::SETPARAMS as u64),
        ("PPS_GETCAP", pps::GETCAP as u64),
        ("PPS_FETCH", pps::FETCH as u64),
    ];
    let layout = layout.map(|(name, n)| (name, n as u64));
    layout.into_iter().chain(numbers).map(|(name, n)| (name.to_owned(), n)).collect()
}

#[test]
fn structs_flags_and_ioctl_numbers_are_the_kernels() {
    assert_eq!(ours(), told_by_c("pps_layout.c", &[]));
}
