//! A find as Rust, for a test, and as a recording, for tests/replay.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::library::simulated::scenario::{FaultKind, Scenario};
use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::World;
use gnss2shm::core::time::{Instant, Span};
use gnss2shm::recording::{Header, LEGEND};

use super::judge::Failure;
use super::worlds::Genome;

/// A recording continues for this long after the find, in seconds.
const AFTER: i64 = 5;

fn span(span: Span) -> String {
    format!("Span::from_nanos({})", span.nanos())
}

fn kind(kind: FaultKind) -> String {
    match kind {
        FaultKind::Crosstalk(by) => format!("FaultKind::Crosstalk({})", span(by)),
        FaultKind::PulseShift(by) => format!("FaultKind::PulseShift({})", span(by)),
        FaultKind::PulseDrift(by) => format!("FaultKind::PulseDrift({})", span(by)),
        FaultKind::LateEdges(by) => format!("FaultKind::LateEdges({})", span(by)),
        FaultKind::Ringing(end, by) => format!("FaultKind::Ringing(PulseEnd::{end:?}, {})", span(by)),
        FaultKind::DelayJump(by) => format!("FaultKind::DelayJump({})", span(by)),
        FaultKind::DelayRamp(by) => format!("FaultKind::DelayRamp({})", span(by)),
        FaultKind::PhcStep(by) => format!("FaultKind::PhcStep({})", span(by)),
        FaultKind::SysServo(ppm, at) => format!("FaultKind::SysServo({ppm}, {})", span(at)),
        FaultKind::PhcServo(ppm, at) => format!("FaultKind::PhcServo({ppm}, {})", span(at)),
        FaultKind::PhcNudge(by, at) => format!("FaultKind::PhcNudge({}, {})", span(by), span(at)),
        FaultKind::SysStep(by) => format!("FaultKind::SysStep({})", span(by)),
        FaultKind::Stall(thread, every) => format!("FaultKind::Stall(SimThread::{thread:?}, {})", span(every)),
        FaultKind::PolarityLoss(end, permille) => format!("FaultKind::PolarityLoss(PulseEnd::{end:?}, {permille})"),
        plain => format!("FaultKind::{plain:?}"),
    }
}

/// The world as Rust: its non-default fields.
pub fn of(genome: &Genome) -> String {
    let (scenario, plain) = (&genome.case.scenario, Scenario::default());
    let mut text = format!("// first: UtcSecond::from_posix({})", genome.case.first.posix());
    for (is_set, name) in [(genome.width_is_set, "width"), (genome.delay_is_set, "delay")] {
        let _ = write!(text, "{}", if is_set { format!(", {name} set to what it is") } else { String::new() });
    }
    text += "\nScenario {\n";
    let mut field = |name: &str, value: String, usual: String| {
        if value != usual {
            let _ = writeln!(text, "    {name}: {value},");
        }
    };
    for (name, of) in [
        ("delay", (|s| s.delay) as fn(&Scenario) -> Span),
        ("jitter", |s| s.jitter),
        ("pause", |s| s.pause),
        ("width", |s| s.width),
        ("noise", |s| s.noise),
        ("sys_ahead", |s| s.sys_ahead),
    ] {
        field(name, span(of(scenario)), span(of(&plain)));
    }
    let witness = |max_error: Option<Span>| max_error.map_or("None".to_owned(), |most| format!("Some({})", span(most)));
    field("sys_max_error", witness(scenario.sys_max_error), witness(plain.sys_max_error));
    field("spread", format!("Spread::{:?}", scenario.spread), format!("Spread::{:?}", plain.spread));
    field("pace", format!("Pace::{:?}", scenario.pace), format!("Pace::{:?}", plain.pace));
    field("polarity", format!("Polarity::{:?}", scenario.polarity), format!("Polarity::{:?}", plain.polarity));
    field("edges", format!("SimEdges::{:?}", scenario.edges), format!("SimEdges::{:?}", plain.edges));
    field("baud", scenario.baud.to_string(), plain.baud.to_string());
    field("phc_ppm", scenario.phc_ppm.to_string(), plain.phc_ppm.to_string());
    field("system_ppm", scenario.system_ppm.to_string(), plain.system_ppm.to_string());
    field("sentences", format!("vec!{:?}", scenario.sentences), format!("vec!{:?}", plain.sentences));
    field("leap", format!("{:?}", scenario.leap), format!("{:?}", plain.leap));
    field("announced", format!("{:?}", scenario.announced), format!("{:?}", plain.announced));
    field("seed", scenario.seed.to_string(), plain.seed.to_string());
    for fault in &scenario.faults {
        let _ = writeln!(
            text,
            "    // Fault {{ from: {}, until: {}, kind: {} }},",
            fault.from,
            fault.until,
            kind(fault.kind)
        );
    }
    text + "    ..Scenario::default()\n}"
}

/// Writes the world's events up to the find.
pub fn record(genome: &Genome, failure: &Failure, file: &Path) {
    let scenario = genome.case.scenario.clone();
    let faults: Vec<String> = scenario
        .faults
        .iter()
        .map(|fault| {
            format!("{} from second {} to {}", crate::library::sim::draw::name(fault.kind), fault.from, fault.until)
        })
        .collect();
    let mut text = format!(
        "# receiver: simulated, {:?} at {} baud, {} after a pulse of {}\n# nic: simulated, {:?}, {} ppm\n# kernel: none: \
         virtual time\n# fault: {}; found by the adversary: {}\n{}\n{LEGEND}",
        scenario.sentences,
        scenario.baud,
        scenario.delay,
        scenario.width,
        scenario.edges,
        scenario.phc_ppm,
        faults.join(", "),
        failure.kind,
        Header::new(genome.config()),
    );
    let mut timeline = Timeline::new(World::new(scenario, genome.case.first, Instant::from_parts(1_000, 0)));
    let end = timeline.world().pulse_number(failure.second + AFTER);
    loop {
        let event = timeline.next_event();
        if event.head().0 >= end {
            break;
        }
        let _ = writeln!(text, "{event}");
    }
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
    println!("recorded in {}", file.display());
}
