//! Which PTP hardware clock belongs to a network interface: `ETHTOOL_GET_TS_INFO` (`<linux/ethtool.h>`, Linux 3.5).

use std::io;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::ioctl;

/// `ETHTOOL_GET_TS_INFO` of `<linux/ethtool.h>`.
pub const ETHTOOL_GET_TS_INFO: u32 = 0x41;

/// `struct ethtool_ts_info` of `<linux/ethtool.h>`, checked by `tests/ptp_layout.rs`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct TsInfo {
    /// In: the command.
    pub cmd: u32,
    /// Mask of `SOF_TIMESTAMPING_*`.
    pub so_timestamping: u32,
    /// N of `/dev/ptpN`, or -1.
    pub phc_index: i32,
    /// Mask of `HWTSTAMP_TX_*`.
    pub tx_types: u32,
    /// Zero.
    pub tx_reserved: [u32; 3],
    /// Mask of `HWTSTAMP_FILTER_*`.
    pub rx_filters: u32,
    /// Zero.
    pub rx_reserved: [u32; 3],
}

const _: () = assert!(size_of::<TsInfo>() == 44);

/// N of the `/dev/ptpN` that belongs to the interface; `None` if it has none.
///
/// # Errors
/// `ENODEV` if there is no such interface (in our network namespace); `EINVAL` if no interface can have this name: empty,
/// longer than 15 bytes, or with a NUL.
pub fn phc_index(interface: &str) -> io::Result<Option<u32>> {
    let name = interface.as_bytes();
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.contains(&0) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut info = TsInfo { cmd: ETHTOOL_GET_TS_INFO, phc_index: -1, ..TsInfo::default() };
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data: (&raw mut info).cast() },
    };
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    // SAFETY: SIOCETHTOOL reads an ifreq whose name ends in NUL and, for this command, writes one ethtool_ts_info
    // through its data pointer; both are ours and outlive the call.
    match unsafe { ioctl(socket, libc::SIOCETHTOOL as _, request) } {
        Ok(_) => Ok(u32::try_from(info.phc_index).ok()),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_has_no_phc_and_what_is_absent_says_so() {
        assert_eq!(phc_index("lo").unwrap(), None);
        assert_eq!(phc_index("nosuchif0").unwrap_err().raw_os_error(), Some(libc::ENODEV));
        for name in ["", "sixteen-bytes-xx", "a\0b"] {
            assert_eq!(phc_index(name).unwrap_err().raw_os_error(), Some(libc::EINVAL), "{name:?}");
        }
    }
}
