//! The search itself: listens, tries and judges all at once, until enough is known or the time is up.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::gpsd::{self, Gpsd};
use super::heard::Heard;
use super::pins::{Restorer, Saw, Trial, Tried};
use super::survey::{self, Found};
use super::{Findings, Options, Pairing, Port, Searched};
use crate::core::event::{Event, SourceChange};
use crate::source::gpsd::GpsdConfig;
use crate::source::pulse::{Pulse, PulseConfig};
use crate::source::receiver::{self, ReceiverConfig};
use crate::source::serial::{self, Baud, SerialConfig};
use crate::source::thread::PulseThread;
use crate::source::witness;
use crate::sys::clock::raw_now;
use crate::sys::error::Problem;

/// Events that may wait.
const QUEUED: usize = 1_024;
/// Time passes for the engine even where nothing happens.
const TICK: Duration = Duration::from_millis(500);
/// By then every port was heard at every rate, and every pin of an ordinary NIC was tried.
const FIND: Duration = Duration::from_secs(13);
/// By then all is over, whatever is still missing.
const TOTAL: Duration = Duration::from_secs(26);

/// What a trial of a clock's pins hands over: which clock, what came of it, and what gives the pins back.
type TrialEnd = (usize, std::io::Result<Vec<Tried>>, Restorer);

/// The search. Fields are dropped in this order: first what uses the pins, then what gives them back.
struct Search {
    pulse_thread: Option<PulseThread>,
    trials: Vec<Trial>,
    trials_left: usize,
    restorers: Vec<Restorer>,
    tasks: JoinSet<()>,
    events: Sender<(From, Event)>,
    trial_ends: UnboundedSender<TrialEnd>,
    chosen: Option<From>,
    asking_gpsd: bool,
    began: Instant,
    found: Findings,
}

/// Whose event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Port(usize),
    Gpsd,
    Pulse,
    Machine,
}

/// Searches for half a minute at most.
pub async fn search(options: &Options) -> Findings {
    let (events, mut heard) = mpsc::channel(QUEUED);
    let (trial_ends, mut tried) = mpsc::unbounded_channel();
    let mut search = Search::begin(options, events, trial_ends);
    search.run(gpsd::ask(options.gpsd.clone()), &mut heard, &mut tried).await;
    search.end()
}

impl Search {
    fn begin(options: &Options, events: Sender<(From, Event)>, trial_ends: UnboundedSender<TrialEnd>) -> Self {
        let clocks = survey::clocks(&options.phc).into_iter();
        let mut search = Self {
            pulse_thread: None,
            trials: Vec::new(),
            trials_left: 0,
            restorers: Vec::new(),
            tasks: JoinSet::new(),
            events,
            trial_ends,
            chosen: None,
            asking_gpsd: true,
            began: Instant::now(),
            found: Findings {
                clocks: clocks.map(|clock| Searched { clock, pins: Vec::new(), trouble: None }).collect(),
                ports: Vec::new(),
                asked: options.gpsd.clone(),
                gpsd: None,
                receiver: None,
                pulse: None,
                pairing: Pairing::default(),
            },
        };
        for clock in 0..search.found.clocks.len() {
            search.try_pins(clock);
        }
        search.listen(survey::ports(&options.serial), !options.serial.is_empty());
        let witness = search.forward(From::Machine);
        search.tasks.spawn(witness::run(witness));
        search
    }

    /// A way for a source's events into ours.
    fn forward(&mut self, from: From) -> Sender<Event> {
        let (sender, mut receiver) = mpsc::channel(QUEUED);
        let events = self.events.clone();
        self.tasks.spawn(async move {
            while let Some(event) = receiver.recv().await {
                if events.send((from, event)).await.is_err() {
                    return;
                }
            }
        });
        sender
    }

    /// Listens on all ports at once. A name without hardware behind it is no finding, unless it was asked for.
    fn listen(&mut self, found: Vec<Found>, is_named: bool) {
        for Found { device, leave } in found {
            let config = SerialConfig { device: device.clone(), baud: Baud::Auto };
            let opened = match leave {
                Some(why) => Err(why),
                None => match serial::open(&config) {
                    Err(error) if error.problem == Problem::NotThere && !is_named => continue,
                    opened => opened.map_err(|error| error.to_string()),
                },
            };
            let left = match opened {
                Ok(opened) => {
                    let sender = self.forward(From::Port(self.found.ports.len()));
                    self.tasks.spawn(serial::run(config, Some(opened), sender));
                    None
                }
                Err(why) => Some(why),
            };
            self.found.ports.push(Port { device, left, heard: Heard::default() });
        }
    }

    fn try_pins(&mut self, index: usize) {
        let Some(searched) = self.found.clocks.get_mut(index) else { return };
        let Ok(able) = &searched.clock.able else { return };
        if able.caps.n_ext_ts == 0 {
            return;
        }
        let node = searched.clock.node.display();
        if let [first, ..] = able.readers.as_slice() {
            searched.trouble = Some(format!(
                "{node} is in use by {first}: stop it, for its pins cannot be tried beside another program that \
                 reads timestamps"
            ));
            return;
        }
        let ends = self.trial_ends.clone();
        let started = crate::sys::ptp::Ptp::open(&searched.clock.node).and_then(|ptp| {
            Trial::start(ptp, able.pins.clone(), able.caps.n_ext_ts, move |tried, restorer| {
                // If nobody listens any more, the pins are given back right here.
                let _unheard = ends.send((index, tried, restorer));
            })
        });
        match started {
            Ok(trial) => {
                self.trials.push(trial);
                self.trials_left += 1;
            }
            Err(error) => searched.trouble = Some(format!("the pins of {node} cannot be tried: {error}")),
        }
    }

    async fn run(
        &mut self,
        gpsd: impl Future<Output = Option<Gpsd>>,
        heard: &mut Receiver<(From, Event)>,
        tried: &mut UnboundedReceiver<TrialEnd>,
    ) {
        let mut gpsd = pin!(gpsd);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_over() {
            tokio::select! {
                biased;
                Some((from, event)) = heard.recv() => self.take(from, &event),
                Some(end) = tried.recv() => self.tried(end),
                answer = &mut gpsd, if self.asking_gpsd => (self.found.gpsd, self.asking_gpsd) = (answer, false),
                _ = tick.tick() => {
                    self.found.pairing.take(&Event::Tick { raw: raw_now() });
                    self.choose_receiver();
                }
            }
        }
    }

    fn take(&mut self, from: From, event: &Event) {
        if let (From::Port(index), Event::Bytes(bytes)) = (from, event)
            && let Some(port) = self.found.ports.get_mut(index)
        {
            port.heard.take(bytes);
        }
        if matches!(from, From::Pulse | From::Machine) || self.chosen == Some(from) {
            self.found.pairing.take(event);
        }
    }

    /// The pins of a clock have been tried: the first pulse found is the one that is followed.
    fn tried(&mut self, (index, tried, restorer): TrialEnd) {
        self.trials_left -= 1;
        self.restorers.push(restorer);
        let Some(searched) = self.found.clocks.get_mut(index) else { return };
        let node = searched.clock.node.display();
        match tried {
            Ok(tried) => searched.pins = tried,
            Err(error) => {
                searched.trouble = Some(format!("the pins of {node} could not be tried to the end: {error}"));
            }
        }
        let Some(wired) = searched.pins.iter().find(|pin| pin.saw == Saw::Pulse) else { return };
        if self.pulse_thread.is_some() {
            return;
        }
        let config = wired.config(&searched.clock.device);
        let pulse = PulseConfig::Phc(config.clone());
        let started = Pulse::open(&pulse).map_err(|error| error.to_string()).and_then(|opened| {
            let events = self.forward(From::Pulse);
            PulseThread::spawn(pulse, Some(opened), events)
                .map_err(|error| format!("no thread can be started: {error}"))
        });
        match started {
            Ok(thread) => {
                self.pulse_thread = Some(thread);
                self.found.pulse = Some(config);
            }
            Err(error) => {
                if let Some(searched) = self.found.clocks.get_mut(index) {
                    searched.trouble = Some(error);
                }
            }
        }
    }

    /// The first port on which a receiver names the time; else, in the end, gpsd, or a port that says anything.
    fn choose_receiver(&mut self) {
        if self.chosen.is_some() {
            return;
        }
        let ports = &self.found.ports;
        let is_late = self.began.elapsed() >= FIND || !self.asking_gpsd && ports.iter().all(|port| port.left.is_some());
        let gpsd = self.found.gpsd.as_ref().and_then(|gpsd| Some((gpsd.server.clone(), gpsd.devices.first()?.clone())));
        let port = |is: fn(&Heard) -> bool| ports.iter().position(|port| is(&port.heard));
        let (from, config) = match (port(Heard::names_time), gpsd, port(Heard::is_understood)) {
            (Some(index), _, _) => (From::Port(index), None),
            (None, Some((server, device)), _) if is_late => {
                (From::Gpsd, Some(ReceiverConfig::Gpsd(GpsdConfig { device: Some(device), ..server })))
            }
            (None, _, Some(index)) if is_late => (From::Port(index), None),
            (None, _, _) => return,
        };
        let receiver = match (config, from) {
            (Some(config), _) => {
                let sender = self.forward(From::Gpsd);
                if let Ok(receiver) = receiver::Receiver::open(config.clone()) {
                    self.tasks.spawn(receiver.run(sender));
                }
                Some(config)
            }
            (None, From::Port(index)) => self.found.ports.get(index).map(Port::config),
            (None, From::Gpsd | From::Pulse | From::Machine) => None,
        };
        self.chosen = Some(from);
        self.found.receiver = receiver;
        // It is open already: the engine has not heard of that.
        self.found.pairing.take(&Event::Source { raw: raw_now(), change: SourceChange::SentencesOpen });
    }

    fn is_over(&self) -> bool {
        let age = self.began.elapsed();
        let pulse = self.pulse_thread.is_some() || self.trials_left > 0;
        let receiver = self.chosen.is_some() || self.found.ports.iter().any(|port| port.left.is_none());
        let is_half = self.pulse_thread.is_none() || self.chosen.is_none();
        self.found.pairing.is_enough() && self.trials_left == 0
            || age >= TOTAL
            || age >= FIND + TICK * 2 && is_half
            || !pulse && !receiver && !self.asking_gpsd && self.found.gpsd.is_none()
    }

    /// What was found. The pins are as they were when it returns.
    fn end(self) -> Findings {
        let Self { pulse_thread, trials, restorers, found, .. } = self;
        drop(pulse_thread);
        drop(trials);
        drop(restorers);
        found
    }
}
