//! Sources of events. A source only creates events and does not depend on their use.

pub(crate) mod feed;
pub mod gpsd;
pub(crate) mod link;
pub mod phc;
pub mod pps;
pub mod pulse;
pub mod receiver;
pub mod serial;
pub mod stream;
pub(crate) mod sysfs;
pub mod witness;
