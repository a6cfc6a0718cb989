//! Where events come from. A source makes events and knows nothing of what becomes of them.

pub mod phc;
pub mod serial;
pub mod simulator;
pub mod witness;
