//! The files of a PTP grandmaster for what was found: those in /usr/share/gnss2shm/grandmaster, with this machine's
//! interface, pin, pulse width, and SHM unit.

use std::path::Path;
use std::slice;

use super::Findings;
use crate::core::time::Span;
use crate::source::phc::choose_pin;
use crate::source::sysfs::{Finder, PTP, each_reader_gets_every_edge, refuse};
use crate::sys::error::{OpenError, Problem};
use crate::sys::ptp::Ptp;

const PTP4L: &str = include_str!("../../../files/usr/share/gnss2shm/grandmaster/ptp4l.conf");
const TS2PHC: &str = include_str!("../../../files/usr/share/gnss2shm/grandmaster/ts2phc.conf");
const CHRONY: &str = include_str!("../../../files/usr/share/gnss2shm/grandmaster/chrony.conf");
const PTP4L_UNIT: &str = include_str!("../../../files/usr/share/gnss2shm/grandmaster/grandmaster-ptp4l.service");
const TS2PHC_UNIT: &str = include_str!("../../../files/usr/share/gnss2shm/grandmaster/grandmaster-ts2phc.service");
const PHC2SYS_UNIT: &str = include_str!("../../../files/usr/share/gnss2shm/grandmaster/grandmaster-phc2sys.service");

/// What the files depend on.
pub(crate) struct Machine {
    /// The interface of the clock.
    pub(crate) interface: String,
    /// The pin and channel of the pulse.
    pub(crate) pin: u32,
    pub(crate) channel: u32,
    /// Width of the pulse; `None` if the NIC timestamps one edge.
    pub(crate) width: Option<Span>,
    /// If not, ts2phc would take edges from gnss2shm.
    pub(crate) each_reader_gets_every_edge: bool,
    /// Whether chronyd can take TAI - UTC from the time zone right/UTC.
    pub(crate) has_right_utc: bool,
    /// The unit of the SHM refclock.
    pub(crate) unit: u8,
}

/// A file: where it belongs, and its text.
pub(crate) type Placed = (&'static str, String);

impl Machine {
    /// This machine, or what it lacks.
    pub(crate) fn find(found: &Findings, unit: u8) -> Result<Self, OpenError> {
        let Some(pulse) = &found.pulse else {
            return refuse(Problem::NotThere, "no pulse was found".into(), "try again");
        };
        let clock = Finder::live().phc(&pulse.device)?;
        let cannot = |error| PTP.unusable(&clock.node, &error);
        let pins = Ptp::open(&clock.node).map_err(cannot)?.pins().map_err(cannot)?;
        let Some(interface) = clock.interfaces().into_iter().next() else {
            let says = format!("{clock} belongs to no network interface, so ptp4l cannot use it");
            return refuse(Problem::Unsupported, says, "connect the pulse to a NIC with a PTP hardware clock");
        };
        Ok(Self {
            interface,
            pin: choose_pin(&clock, pulse, &pins)?.map_or(0, |pin| pin.index),
            channel: pulse.channel,
            width: found.pairing.engine.on_time().and_then(|on_time| on_time.width),
            each_reader_gets_every_edge: each_reader_gets_every_edge(Path::new("/")),
            has_right_utc: Path::new("/usr/share/zoneinfo/right/UTC").exists(),
            unit,
        })
    }

    /// The files.
    pub(crate) fn files(&self) -> Vec<Placed> {
        let Self { interface, pin, channel, unit, .. } = self;
        let section = ("[eth0]".to_owned(), format!("[{interface}]"));
        let ptp4l = replaced(PTP4L, slice::from_ref(&section));
        let chrony = replaced(CHRONY, &[("SHM 0".into(), format!("SHM {unit}")), self.tai_offset()]);
        let steering = if self.each_reader_gets_every_edge {
            let [width, edges] = self.edges();
            let ts2phc = replaced(
                TS2PHC,
                &[
                    section,
                    ("ts2phc.pin_index\t0".into(), format!("ts2phc.pin_index\t{pin}")),
                    ("ts2phc.channel\t\t0".into(), format!("ts2phc.channel\t\t{channel}")),
                    width,
                    edges,
                ],
            );
            vec![
                ("/etc/linuxptp/ts2phc-grandmaster.conf", ts2phc),
                ("/etc/systemd/system/grandmaster-ts2phc.service", TS2PHC_UNIT.to_owned()),
            ]
        } else {
            let interface = ("INTERFACE=eth0".to_owned(), format!("INTERFACE={interface}"));
            vec![("/etc/systemd/system/grandmaster-phc2sys.service", replaced(PHC2SYS_UNIT, &[interface]))]
        };
        let mut files = vec![
            ("/etc/linuxptp/grandmaster.conf", ptp4l),
            ("/etc/systemd/system/grandmaster-ptp4l.service", PTP4L_UNIT.to_owned()),
            ("/etc/chrony/conf.d/gnss2shm.conf", chrony),
        ];
        files.extend(steering);
        files
    }

    /// What to do with the files, which are below this directory.
    pub(crate) fn next(&self, directory: &Path) -> String {
        let copy = if directory == Path::new("/") { String::new() } else { "copy them to / as root; ".to_owned() };
        let steering = if self.each_reader_gets_every_edge { "ts2phc" } else { "phc2sys" };
        format!(
            "{copy}systemctl daemon-reload; systemctl enable --now gnss2shm@default; systemctl restart chrony (or chronyd); \
             systemctl enable --now grandmaster-{steering} grandmaster-ptp4l gnss2shm-grandmaster@default; then gnss2shm \
             doctor"
        )
    }

    /// Where chronyd takes TAI - UTC from.
    fn tai_offset(&self) -> (String, String) {
        let (zone, list) = ("leapsectz right/UTC", "leapseclist /usr/share/zoneinfo/leap-seconds.list");
        let both = format!("#{list}\n{zone}");
        let kept = if self.has_right_utc { both.clone() } else { format!("{list}\n#{zone}") };
        (both, kept)
    }

    /// The lines for the width of the pulse and the edges that the NIC timestamps.
    fn edges(&self) -> [(String, String); 2] {
        let (width, edges) = ("ts2phc.pulsewidth\t100000000\n", "ts2phc.extts_polarity\tboth");
        match self.width {
            Some(measured) => {
                let line = format!("ts2phc.pulsewidth\t{}\n", measured.nanos());
                [(width.into(), line), (edges.into(), edges.into())]
            }
            None => [(width.into(), String::new()), (edges.into(), "ts2phc.extts_polarity\trising".into())],
        }
    }
}

fn replaced(text: &str, changes: &[(String, String)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            interface: "enp1s0".into(),
            pin: 2,
            channel: 1,
            width: Some(Span::from_millis(200)),
            each_reader_gets_every_edge: true,
            has_right_utc: true,
            unit: 12,
        }
    }

    fn text(machine: &Machine, of: &str) -> String {
        machine.files().into_iter().find(|(path, _)| path.ends_with(of)).map(|(_, text)| text).unwrap()
    }

    #[test]
    fn every_place_of_the_files_is_filled_in() {
        let machine = machine();
        for (of, lines) in [
            ("/grandmaster.conf", &["\n[enp1s0]\n"][..]),
            (
                "/ts2phc-grandmaster.conf",
                &[
                    "\n[enp1s0]\n",
                    "\nts2phc.pin_index\t2\n",
                    "\nts2phc.channel\t\t1\n",
                    "\nts2phc.pulsewidth\t200000000\n",
                    "\nts2phc.extts_polarity\tboth\n",
                ],
            ),
            ("/gnss2shm.conf", &["\nrefclock SHM 12 ", "\nleapsectz right/UTC\n", "\n#leapseclist "]),
        ] {
            let text = text(&machine, of);
            assert!(lines.iter().all(|line| text.contains(line)) && !text.contains("[eth0]"), "{of}:\n{text}");
        }
    }

    #[test]
    fn other_machines_get_what_they_need() {
        let machine = Machine { width: None, has_right_utc: false, ..machine() };
        let ts2phc = text(&machine, "/ts2phc-grandmaster.conf");
        assert!(
            !ts2phc.contains("\nts2phc.pulsewidth") && ts2phc.contains("\nts2phc.extts_polarity\trising\n"),
            "{ts2phc}"
        );
        let chrony = text(&machine, "/gnss2shm.conf");
        assert!(chrony.contains("\nleapseclist /usr") && chrony.contains("\n#leapsectz"), "{chrony}");
        let old = Machine { each_reader_gets_every_edge: false, ..machine };
        assert!(text(&old, "/grandmaster-phc2sys.service").contains("\nEnvironment=INTERFACE=enp1s0\n"));
        assert!(!old.files().iter().any(|(path, _)| path.contains("ts2phc")));
    }
}
