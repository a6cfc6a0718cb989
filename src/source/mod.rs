//! Sources of events. A source only creates events and does not depend on their use.

pub(crate) mod feed;
pub(crate) mod gpsd;
pub(crate) mod link;
pub(crate) mod phc;
pub(crate) mod pps;
pub(crate) mod pulse;
pub(crate) mod receiver;
pub(crate) mod serial;
pub(crate) mod stream;
pub(crate) mod sysfs;
pub(crate) mod witness;
