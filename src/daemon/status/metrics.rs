//! The same board as OpenMetrics, over HTTP on loopback: `GET /metrics`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tracing::warn;

use super::PAUSE;
use super::server::SharedBoard;
use super::snapshot::Snapshot;
use crate::core::event::Reason;
use crate::sys::claim::{Claim, ClaimError, Rival};

/// Connections at a time. One more closes the oldest, so that idle connections cannot lock out a scraper.
const CONNECTIONS: usize = 8;
/// Where the address is not to be had, it is tried again this often.
const RETRY: Duration = Duration::from_secs(10);
/// A connection may take this long, from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(10);
/// The content type of OpenMetrics 1.0.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The listening end.
#[derive(Debug)]
pub struct MetricsServer {
    listener: TcpListener,
    /// By this another one learns who we are. It is not what keeps it out.
    _claim: Option<Claim>,
}

/// Why metrics cannot be served.
#[derive(Debug)]
pub enum MetricsError {
    /// Another process listens there; who it is, where it is one of ours.
    InUse(SocketAddr, Option<Rival>),
    /// The address is not to be had.
    Io(SocketAddr, io::Error),
}

impl fmt::Display for MetricsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(at, Some(rival)) => {
                write!(f, "metrics cannot be served at {at}: {rival} serves its own there; give each its own port")
            }
            Self::InUse(at, None) => write!(
                f,
                "metrics cannot be served at {at}: another program listens there (`ss -ltnp sport = :{}` as root names \
                 it); end that one, or give another port",
                at.port()
            ),
            Self::Io(at, error) if error.kind() == io::ErrorKind::PermissionDenied => {
                write!(f, "metrics cannot be served at {at}: {error}; give a port that is not root's, from 1024 on")
            }
            Self::Io(at, error) => write!(f, "metrics cannot be served at {at}: {error}"),
        }
    }
}

impl std::error::Error for MetricsError {}

impl MetricsServer {
    /// Listens at this address.
    pub async fn bind(address: SocketAddr) -> Result<Self, MetricsError> {
        let name = format!("metrics-{address}");
        match TcpListener::bind(address).await {
            Ok(listener) => Ok(Self { listener, _claim: Claim::take(&name).ok() }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let rival = match Claim::take(&name) {
                    Err(ClaimError::Taken(rival)) => Some(rival),
                    Ok(_) | Err(ClaimError::Os(_)) => None,
                };
                Err(MetricsError::InUse(address, rival))
            }
            Err(error) => Err(MetricsError::Io(address, error)),
        }
    }

    /// Answers for as long as it is polled.
    pub async fn run(self, board: SharedBoard) {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Metrics(board)));
        let registry = Arc::new(registry);
        let mut connections: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let Ok((client, _)) = self.listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            connections.retain(|connection| !connection.is_finished());
            if connections.len() >= CONNECTIONS
                && let Some(oldest) = connections.pop_front()
            {
                oldest.abort();
            }
            let registry = Arc::clone(&registry);
            let connection = tokio::spawn(async move {
                let answer = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&registry, &request))));
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .half_close(true) // one that has said all waits for its answer all the same
                    .keep_alive(false)
                    .max_buf_size(16 * 1024)
                    .serve_connection(TokioIo::new(client), answer);
                let _ = tokio::time::timeout(PATIENCE, connection).await; // a client's trouble is his own
            });
            connections.push_back(connection.abort_handle());
        }
    }
}

/// Serves metrics at this address for as long as it is polled. One that is not to be had is tried again, and said once:
/// the time does not depend on who looks at it.
pub async fn serve(address: SocketAddr, board: SharedBoard) {
    let mut said = String::new();
    loop {
        match MetricsServer::bind(address).await {
            Ok(server) => return server.run(board).await,
            Err(error) => {
                let error = error.to_string();
                if error != said {
                    warn!("{error}; samples are published all the same, and it is tried again");
                    said = error;
                }
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn answer(registry: &Registry, request: &Request<Incoming>) -> Response<String> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let mut body = String::new();
            match text::encode(&mut body, registry) {
                Ok(()) => (StatusCode::OK, OPENMETRICS, body),
                Err(fmt::Error) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", String::new()),
            }
        }
        (&Method::GET, _) => (StatusCode::NOT_FOUND, "text/plain", "gnss2shm: see /metrics\n".into()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "gnss2shm: only GET\n".into()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

/// The board, as it is asked for at every scrape.
#[derive(Debug)]
struct Metrics(SharedBoard);

const STATES: [&str; 6] = ["Searching", "Measuring", "Pairing", "Locked", "Coasting", "Refusing"];

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let snapshot = self.0.lock().unwrap_or_else(PoisonError::into_inner).snapshot();
        Page(encoder).write(&snapshot)
    }
}

struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn write(&mut self, now: &Snapshot) -> fmt::Result {
        let Snapshot { receiver, pulse, sample, gate, .. } = now;
        let version = [("version", now.version.as_str())];
        self.0.encode_descriptor("gnss2shm_build", "The program", None, MetricType::Info)?.encode_info(&version)?;
        let states = STATES.map(|state| (state, u64::from(now.state == state)));
        self.family("gnss2shm_state", "1 for the state that it is in", "state", &states, MetricType::Gauge)?;
        self.gauge("gnss2shm_gate_open", "1 while programs may rely on the time", Some(f64::from(gate.open)))?;
        self.counter("gnss2shm_samples", "Samples published", now.samples)?;
        // Every reason from the start: a counter that begins with its first event shows no increase for that one.
        let times = |reason: &Reason| (reason.key(), now.rejected.get(reason.key()).copied().unwrap_or(0));
        let rejected: Vec<_> = Reason::ALL.iter().map(times).collect();
        self.family(
            "gnss2shm_rejected",
            "Pulses, edges and sentences not used",
            "reason",
            &rejected,
            MetricType::Counter,
        )?;
        let reason = now.reason.iter().map(|reason| (reason.as_str(), 1)).collect::<Vec<_>>();
        self.family("gnss2shm_reason", "Why nothing is published", "reason", &reason, MetricType::Gauge)?;

        self.gauge("gnss2shm_offset_seconds", "How far UTC is ahead of the system clock, last sample", {
            sample.as_ref().map(|sample| seconds(sample.offset_ns))
        })?;
        self.gauge("gnss2shm_error_bound_seconds", "Bound of the error of the last sample", {
            sample.as_ref().map(|sample| seconds(sample.error_ns))
        })?;
        self.gauge("gnss2shm_sentence_delay_seconds", "From the pulse to the first byte of its sentence", {
            receiver.delay_ns.map(seconds)
        })?;
        self.gauge("gnss2shm_pulse_width_seconds", "Measured pulse width", pulse.width_ns.map(seconds))?;
        self.gauge("gnss2shm_cross_timestamp_window_seconds", "Window of the last cross timestamp", {
            pulse.cross_window_ns.map(seconds)
        })?;

        let age = |ms: Option<i64>| ms.map(|ms| seconds(ms.saturating_mul(1_000_000)));
        self.gauge("gnss2shm_last_edge_age_seconds", "Age of the last edge", age(pulse.last_edge_ms))?;
        self.gauge("gnss2shm_last_time_age_seconds", "Age of the last valid second named by the receiver", {
            age(receiver.last_time_ms)
        })?;
        self.gauge("gnss2shm_last_sample_age_seconds", "Age of the last sample", {
            age(sample.as_ref().map(|sample| sample.age_ms))
        })?;

        self.counter("gnss2shm_edges", "Pulse edges read", pulse.edges)?;
        self.counter("gnss2shm_sentences", "Sentences with a right checksum", receiver.sentences)?;
        self.counter("gnss2shm_broken_lines", "Lines that are no sentence", receiver.broken)?;
        self.counter("gnss2shm_rearms", "Times that pin and channel were set again", pulse.rearmed)?;
        let opened = [("receiver", receiver.opened), ("pulse", pulse.opened)];
        self.family(
            "gnss2shm_source_opened",
            "Times that a source was opened",
            "source",
            &opened,
            MetricType::Counter,
        )?;
        let open = [("receiver", u64::from(receiver.open)), ("pulse", u64::from(pulse.open))];
        self.family("gnss2shm_source_open", "1 while a source is open", "source", &open, MetricType::Gauge)
    }

    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<[(&str, &str); 0], _, f64>(&count, None)
    }

    /// Nothing where there is no value yet.
    fn gauge(&mut self, name: &str, help: &str, value: Option<f64>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn family(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)], kind: MetricType) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (which, value) in values {
            let labels = [(label, *which)];
            let mut metric = family.encode_family(&labels)?;
            match kind {
                MetricType::Counter => metric.encode_counter::<[(&str, &str); 0], _, f64>(value, None)?,
                _ => metric.encode_gauge(&(*value as i64))?,
            }
        }
        Ok(())
    }
}

/// The one place where time becomes a floating point number: OpenMetrics has no other.
#[allow(clippy::cast_precision_loss)] // 52 bits hold every difference that is shown here
fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}
