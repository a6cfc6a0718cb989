//! Why there is no sample: one list shared by tests, log, metrics, and recordings.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $key:literal: $sentence:literal,)*) => {
        /// Why there is no sample. One list for tests, log, metrics and status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* #[doc = ""] #[doc = $sentence] $name,)*
        }

        impl Reason {
            /// Every reason, in the order of the enum.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The short name, as in counters.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// The operator's sentence: what is wrong, what to check.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

reasons! {
    // Something is missing.
    /// Just started.
    Starting = "starting": "just started: waiting for the first pulse and the first sentence",
    /// Neither pulse nor sentences.
    NothingArrives = "nothing-arrives": "neither pulse nor sentences arrive: check the receiver's power, data connection, and pulse wire",
    /// The PHC does not exist.
    PhcLost = "phc-lost": "the PTP hardware clock does not exist: check that the NIC's driver is loaded; gnss2shm waits for it",
    /// No edge.
    NoPulse = "no-pulse": "no pulse edges arrive: check the pulse wiring, --pin and --channel, that the NIC's interface is up (`ip link`), that the receiver outputs its pulse even without a fix, and that no other program reads this PHC's timestamps",
    /// Cross timestamps stopped.
    NoCrossTs = "no-cross-timestamps": "the PTP hardware clock cannot be read: edges arrive but no cross timestamps; check dmesg for messages from its driver",
    // ... of a kernel PPS device.
    /// The kernel PPS device does not exist.
    PpsLost = "pps-lost": "the kernel PPS device does not exist: check that its port's driver is loaded, or that the line discipline is attached (ldattach pps /dev/ttyS0); gnss2shm waits for it",
    /// No edge on that device.
    NoPpsEdge = "no-pps-edge": "no pulse edges arrive on the kernel PPS device: check the pulse wiring (DCD on a serial port), its level, and that the receiver outputs its pulse even without a fix",
    /// The serial device does not exist.
    SerialLost = "serial-lost": "the receiver's device does not exist: check its cable and name; gnss2shm waits for it",
    /// Another program has the serial device open.
    SerialHeld = "serial-held": "another program has the receiver's device open: stop that program; gnss2shm waits for the device",
    /// No TCP connection.
    ServerLost = "server-lost": "not connected to the server that sends the sentences: check that it is running, and its host and port; gnss2shm retries",
    /// No program writes to the FIFO.
    WriterLost = "writer-lost": "no program writes to the FIFO, or the FIFO does not exist: start the program that sends the receiver's sentences; gnss2shm waits for it",
    /// Standard input has ended.
    StdinEnded = "stdin-ended": "standard input has ended, so no more sentences can arrive: restart gnss2shm together with the program that sends them",
    /// gpsd cannot be reached.
    GpsdLost = "gpsd-lost": "gpsd cannot be reached: check that it is running and where it listens (--gpsd HOST:PORT); gnss2shm waits for it",
    /// gpsd does not have the receiver.
    GpsdDeviceLost = "gpsd-device-lost": "gpsd does not have the receiver's device: check its cable and its name, both in gpsd and here; gnss2shm waits for it",
    /// gpsd has several receivers.
    GpsdDevicesSeveral = "gpsd-devices-several": "gpsd has several devices: name the one that outputs this pulse (--gpsd HOST:PORT:DEVICE)",
    /// No byte.
    NoBytes = "no-bytes": "nothing arrives from the receiver: check its power and wiring, and the port or program that its sentences come from",
    /// Bytes, but not one valid sentence.
    NoSentence = "no-sentence": "bytes arrive but no valid sentence: the baud rate may be wrong; set the receiver's rate, or baud = \"auto\", and check that it sends NMEA",
    /// The same on an input without a baud rate.
    NotNmea = "not-nmea": "the data is not NMEA 0183 (lines of ASCII text from $ to a checksum): check what is being sent and, with --tcp, the port",
    /// Sentences, none with a correct checksum.
    WrongChecksum = "wrong-checksum": "sentences arrive, but their checksums are wrong or missing: enable checksums in the receiver, and check its line for noise, a second sender, or a program that modifies the sentences",
    /// Binary protocol.
    BinaryProtocol = "binary-protocol": "the receiver speaks u-blox's binary protocol: switch its port to NMEA, or enable UBX-NAV-TIMEUTC (gpsd may have switched it to binary)",
    /// Septentrio's binary protocol.
    SbfProtocol = "sbf-protocol": "the receiver speaks Septentrio's binary protocol SBF: have it send NMEA on this port (RMC, or ZDA with GGA)",
    /// SiRF's binary protocol.
    SirfProtocol = "sirf-protocol": "the receiver speaks SiRF's binary protocol: switch it to NMEA with the manufacturer's tool (gpsd may have switched it to binary)",
    /// SkyTraq's binary protocol.
    SkytraqProtocol = "skytraq-protocol": "the receiver speaks SkyTraq's binary protocol: switch its output to NMEA (gpsd may have switched it to binary)",
    /// CASIC.
    CasicProtocol = "casic-protocol": "the receiver speaks the CASIC binary protocol: have it send NMEA on this port (RMC, or ZDA with GGA)",
    /// Motorola's protocol.
    OncoreProtocol = "oncore-protocol": "the receiver speaks Motorola's Oncore protocol: switch it to NMEA, or use gpsd, which supports it (--gpsd)",
    /// Trimble's protocol.
    TsipProtocol = "tsip-protocol": "the receiver speaks Trimble's TSIP: switch this port to NMEA with RMC, or ZDA with GGA, or use gpsd, which supports it (--gpsd)",
    /// Javad's protocol.
    GreisProtocol = "greis-protocol": "the receiver speaks Javad's binary protocol GREIS: have it send NMEA on this port (RMC, or ZDA with GGA)",
    /// Only corrections.
    RtcmOnly = "rtcm-only": "only RTCM 3 corrections arrive, which do not name the second: have the receiver send NMEA on this port as well, or read the port where it does",
    /// gpsd's protocol.
    GpsdProtocol = "gpsd-protocol": "the data is gpsd's own protocol: use --gpsd HOST:PORT instead of --tcp, --fifo or --stdin",
    /// Sentences, but none with a time and a date.
    NoTime = "no-time": "valid sentences arrive, but something needed to determine the second is missing (UTC time, date, or fix): enable RMC, or ZDA with GGA, GNS, or GLL",
    /// No time is a whole second.
    NoWholeSecond = "no-whole-second": "the sentences' times are never a whole second: set the receiver to one fix per second, aligned to UTC",
    /// The receiver reports that it has no fix.
    NoFix = "no-fix": "the receiver reports no valid fix: check its antenna, or wait until it has acquired one",
    /// The receiver reports that it does not know UTC.
    UtcUnknown = "utc-unknown": "the receiver does not know the current leap seconds yet and uses its firmware's default: waiting until it receives them (up to 12.5 minutes after a cold start)",

    // The pulse cannot be trusted.
    /// Edges without a period.
    Noise = "noise": "edges arrive, but none repeats every second: check the pulse's level and termination, and that it is set to 1 Hz",
    /// More than two edges a second.
    NotOneHertz = "not-1-hz": "more edges arrive every second than one pulse has: set the receiver's pulse to 1 Hz, and look for crosstalk from other wires",
    /// The pulse wanders.
    UnevenPulse = "uneven-pulse": "the pulse repeats every second but wanders by more than 5 us (45 us on a kernel PPS device): check its level and termination, and that the receiver has a fix",
    /// Two gaps of about the same length.
    AmbiguousWidth = "ambiguous-width": "the pulse is about half a second long, so its two edges cannot be told apart: set the receiver to a shorter pulse, or set delay",
    /// The configured width does not fit.
    WidthMismatch = "width-mismatch": "the configured width fits neither of the two parts into which the edges divide the second: correct or remove width",
    /// One edge of two.
    EdgeLost = "edge-lost": "only one of the pulse's two edges arrives, and it may be the wrong one: the other one is lost or is read by another program, or the pulse is too short for this NIC; set the receiver to a longer pulse, such as 100ms",
    /// One edge; which one is unknown.
    LoneEdge = "lone-edge": "only one edge per second arrives, and the driver does not report that it is the on-time edge: set edges = \"one\" if this NIC timestamps only the on-time edge; otherwise the other edge is lost",
    /// Several edges at the on-time position.
    Ringing = "ringing": "one edge of the pulse is timestamped several times within 50 us: check the pulse's level and termination, and look for crosstalk from other wires",
    /// The pulse must be steady for a while.
    Settling = "settling": "the pulse moved or runs free, or the receiver recently had no fix: waiting until the pulse has been steady for 12 s",

    // The label cannot be trusted.
    /// Delays at both ends of the second.
    StraddlingDelay = "straddling-delay": "the sentences arrive so close to the next pulse that their second cannot be determined: send fewer sentences, raise the baud rate, or set delay",
    /// The delay moved past the end of the second.
    DelayMoved = "delay-moved": "the sentence delay moved past the end of the second: send fewer sentences, raise the baud rate, or set delay",
    /// More data than the line can carry.
    LineSaturated = "line-saturated": "the serial line is hardly ever idle, because the receiver sends as much per second as the line can carry, or more: send fewer sentences or raise the baud rate",
    /// Sentences contradict each other.
    SentencesDisagree = "sentences-disagree": "the sentences name different seconds at the same time: check that only one receiver is wired to the serial line",
    /// Sentences contradict the count.
    LabelDissent = "label-dissent": "the sentences name a different second than the pulse count: waiting until they agree; if that lasts, check that only one receiver is connected",
    /// A date before this program was released.
    DateTooEarly = "date-too-early": "the sentences' date is before this program was released: the receiver has no fix yet, or its week number rolled over (then set rollover = \"correct\")",
    /// A date too far in the future.
    DateTooLate = "date-too-late": "the sentences' date is more than 19 years after this program was released: the receiver's week number is wrong, so restart it and let it get a fix, or update its firmware",
    /// The configured delay does not fit.
    DelayMismatch = "delay-mismatch": "the configured delay does not fit the sentences: correct or remove delay",
    /// A leap second may occur.
    LeapWindow = "leap-window": "the end of a month: a leap second may occur, so nothing is published until sentences have confirmed the count after it",
    /// The announced leap second did not appear.
    LeapContradiction = "leap-contradiction": "the announced leap second differs from the one in the sentences, or sentences were missing around it: nothing is published until the sentences have been consistent for two minutes; check that the leap second table is current (package tzdata), and compare the receiver with another clock",
    /// The system clock disagrees.
    WitnessDisagrees = "witness-disagrees": "the system clock is synchronized and disagrees: the sentences are a second late, the receiver's leap second count is stale, or the pulse is the longer part of the second; set delay or width, or witness = \"off\" if the system clock is wrong",
    /// The conventions were neither configured nor confirmed.
    Unconfirmed = "unconfirmed": "conventions = \"confirm\" is set, and nothing has confirmed them: set width and delay, or let chronyd synchronize the system clock from another source first",

    // Samples do not reach a reader.
    /// Another segment has replaced ours.
    SegmentLost = "segment-lost": "the SHM segment was removed, and its replacement cannot be used, so no sample reaches chronyd: remove the replacement (gnss2shm doctor shows its owner and how to remove it), then restart chronyd",

    // A single pulse is skipped.
    /// The pulse arrived before it had a label.
    NotYet = "not-yet": "the pulse arrived before its on-time edge and second were known: nothing to do",
    /// An edge that fits no track.
    Stray = "stray-edge": "an edge that fits no pulse: if there are many, check the pulse's level and termination",
    /// An edge delivered again, or too late.
    StaleEdge = "stale-edge": "a duplicate edge, or one too old to be dated: if there are many, check dmesg for messages from the driver",
    /// PHC stepped.
    PhcStepped = "phc-stepped": "the PTP hardware clock was stepped or changed its rate around the pulse: if that happens often, find out which program steers it (ptp4l, phc2sys, ts2phc)",
    /// System clock stepped.
    SysStepped = "system-clock-stepped": "the system clock was stepped or changed its rate around the pulse: if that happens often, find out which program besides chronyd steers it",
    /// Reading the clocks took too long.
    ErrorTooLarge = "error-too-large": "reading the clocks took too long to date the pulse accurately: if that happens often, the machine or the PCI bus is overloaded",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.sentence())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reason_has_a_key_of_its_own_and_one_sentence() {
        let keys: HashSet<_> = Reason::ALL.iter().map(|r| r.key()).collect();
        assert_eq!(keys.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert!(!reason.sentence().ends_with('.') && reason.sentence().len() > 20, "{reason:?}");
        }
    }
}
