//! Where samples go. A sink takes finished samples and knows nothing of where they came from.

pub mod record;
pub mod shm;
