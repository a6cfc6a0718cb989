//! What becomes of the sources that facts come from: opened, lost, armed again.

use super::Reason;

/// What happened to a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceChange {
    /// The receiver's device is open.
    SentencesOpen,
    /// What the sentences come through is not there, or gone; the source keeps trying.
    SentencesLost(Lost),
    /// The PHC is open and timestamps edges.
    PulseOpen(Edges),
    /// The PHC is not there, or gone; the source keeps trying.
    PulseLost,
    /// No edge came for a while: the PHC's pin and channel were set again.
    PulseRearmed,
    /// The kernel PPS device is open and captures edges: `CLOCK_REALTIME`, read by an interrupt's handler, is the PHC.
    PpsOpen(Edges),
    /// The kernel PPS device is not there, or gone; the source keeps trying.
    PpsLost,
}

/// What the sentences do not come through any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The receiver's device is not there.
    Device,
    /// Another program has the receiver's device.
    Held,
    /// The TCP server cannot be reached, or has closed the connection.
    Server,
    /// Nobody writes to the FIFO, or it is not there.
    Writer,
    /// Standard input has ended, for good.
    Stdin,
    /// gpsd does not answer, or what answers is not a gpsd.
    Gpsd,
    /// gpsd answers but does not have the receiver's device.
    GpsdDevice,
    /// gpsd has several devices and nobody chose one.
    GpsdDevices,
}

impl Lost {
    /// Why there are no sentences then.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Device => Reason::SerialLost,
            Self::Held => Reason::SerialHeld,
            Self::Server => Reason::ServerLost,
            Self::Writer => Reason::WriterLost,
            Self::Stdin => Reason::StdinEnded,
            Self::Gpsd => Reason::GpsdLost,
            Self::GpsdDevice => Reason::GpsdDeviceLost,
            Self::GpsdDevices => Reason::GpsdDevicesSeveral,
        }
    }
}

/// Which edges the driver grants, as far as that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Edges {
    /// The on-time edge alone: the driver has granted a strict request for it, or is known to stamp no other.
    RisingOnly,
    /// Both: the driver has granted a strict request for both, or is known to stamp both whatever is asked. One edge
    /// alone means that the other one is lost.
    Both,
    /// Nothing is certain: one edge alone proves nothing.
    #[default]
    Unknown,
}
