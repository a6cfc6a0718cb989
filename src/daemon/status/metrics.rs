//! The board as OpenMetrics, over HTTP on loopback: `GET /metrics`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::io::{self, ErrorKind};
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
use crate::core::event::{Reason, State};
use crate::sys::claim::{Claim, ClaimError};

/// Connections at a time. One more closes the oldest, so that idle connections cannot lock out a scraper.
const CONNECTIONS: usize = 8;
/// Pause between two attempts at an address that is not available.
const RETRY: Duration = Duration::from_secs(10);
/// Time limit of a connection, from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(10);
/// The content type of OpenMetrics 1.0.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The listening end.
#[derive(Debug)]
pub struct MetricsServer {
    listener: TcpListener,
    /// Tells another instance who has the address. The listener keeps it out, not the claim.
    _claim: Option<Claim>,
}

impl MetricsServer {
    /// Listens at this address. The error is the sentence for the operator.
    pub async fn bind(address: SocketAddr) -> Result<Self, String> {
        let claim = Claim::take(&format!("metrics-{address}"));
        match TcpListener::bind(address).await {
            Ok(listener) => Ok(Self { listener, _claim: claim.ok() }),
            Err(error) => Err(refused(address, claim, &error)),
        }
    }

    /// Answers requests for as long as it is polled.
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
                    .half_close(true) // a client that has shut down its sending side still gets its answer
                    .keep_alive(false)
                    .max_buf_size(16 * 1024)
                    .serve_connection(TokioIo::new(client), answer);
                let _ = tokio::time::timeout(PATIENCE, connection).await; // a client's errors are ignored
            });
            connections.push_back(connection.abort_handle());
        }
    }
}

/// Why metrics cannot be served, and what to do.
fn refused(at: SocketAddr, claim: Result<Claim, ClaimError>, error: &io::Error) -> String {
    let cure = match (error.kind(), claim) {
        (ErrorKind::AddrInUse, Err(ClaimError::Taken(rival))) => {
            format!("{rival} serves its own there; give each its own port")
        }
        (ErrorKind::AddrInUse, _) => format!(
            "another program listens there (`ss -ltnp sport = :{}` as root names it); stop that one, or give another port",
            at.port()
        ),
        (ErrorKind::PermissionDenied, _) => format!("{error}; give a port that is not root's, from 1024 on"),
        _ => error.to_string(),
    };
    format!("metrics cannot be served at {at}: {cure}")
}

/// Serves metrics at this address for as long as it is polled. Retries an address that is not available, and says so
/// once: the time service does not depend on monitoring.
pub async fn serve(address: SocketAddr, board: SharedBoard) {
    let mut said = String::new();
    loop {
        match MetricsServer::bind(address).await {
            Ok(server) => return server.run(board).await,
            Err(error) => {
                if error != said {
                    warn!("{error}; samples are published regardless, and gnss2shm tries again");
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

/// The board, read at every scrape.
#[derive(Debug)]
struct Metrics(SharedBoard);

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (now, state) = {
            let board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (board.snapshot(), board.state)
        };
        let (receiver, pulse, sample) = (&now.receiver, &now.pulse, now.sample.as_ref());
        let version = [("version", now.version.as_str())];
        encoder.encode_descriptor("gnss2shm_build", "The program", None, MetricType::Info)?.encode_info(&version)?;

        let age = |ms: Option<i64>| ms.map(|ms| seconds(ms.saturating_mul(1_000_000)));
        let ns = |ns: Option<i64>| ns.map(seconds);
        for (name, help, value) in [
            ("gnss2shm_gate_open", "1 while programs may rely on the time", Some(f64::from(now.gate.open))),
            ("gnss2shm_offset_seconds", "UTC minus system clock, last sample", ns(sample.map(|s| s.offset_ns))),
            ("gnss2shm_error_bound_seconds", "Bound of the error of the last sample", ns(sample.map(|s| s.error_ns))),
            (
                "gnss2shm_sentence_delay_seconds",
                "From the pulse to the first byte of its sentence",
                ns(receiver.delay_ns),
            ),
            ("gnss2shm_pulse_width_seconds", "Measured pulse width", ns(pulse.width_ns)),
            (
                "gnss2shm_cross_timestamp_window_seconds",
                "Window of the last cross timestamp",
                ns(pulse.cross_window_ns),
            ),
            ("gnss2shm_last_edge_age_seconds", "Age of the last edge", age(pulse.last_edge_ms)),
            ("gnss2shm_last_time_age_seconds", "Age of the last valid second received", age(receiver.last_time_ms)),
            ("gnss2shm_last_sample_age_seconds", "Age of the last sample", age(sample.map(|s| s.age_ms))),
        ] {
            // Nothing if there is no value yet.
            if let Some(value) = value {
                encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
            }
        }
        for (name, help, count) in [
            ("gnss2shm_samples", "Samples published", now.samples),
            ("gnss2shm_edges", "Pulse edges read", pulse.edges),
            ("gnss2shm_sentences", "Sentences with a correct checksum", receiver.sentences),
            ("gnss2shm_broken_lines", "Lines that are not sentences", receiver.broken),
            ("gnss2shm_rearms", "Times that pin and channel were set again", pulse.rearmed),
        ] {
            let mut counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            counter.encode_counter::<[(&str, &str); 0], _, f64>(&count, None)?;
        }

        let states = State::NAMES.iter().map(|name| (*name, u64::from(*name == state.name()))).collect();
        // Every reason from the start: a counter that begins with its first event shows no increase for that one.
        let times = |reason: &Reason| (reason.key(), now.rejected.get(reason.key()).copied().unwrap_or(0));
        let rejected = Reason::ALL.iter().map(times).collect();
        let reason = state.reason().iter().map(|reason| (reason.key(), 1)).collect();
        let opened = vec![("receiver", receiver.opened), ("pulse", pulse.opened)];
        let open = vec![("receiver", u64::from(receiver.open)), ("pulse", u64::from(pulse.open))];
        let families: [(_, _, _, Vec<(&str, u64)>, _); 5] = [
            ("gnss2shm_state", "1 for the current state", "state", states, MetricType::Gauge),
            ("gnss2shm_rejected", "Pulses, edges and sentences not used", "reason", rejected, MetricType::Counter),
            ("gnss2shm_reason", "Why nothing is published", "reason", reason, MetricType::Gauge),
            ("gnss2shm_source_opened", "Times that a source was opened", "source", opened, MetricType::Counter),
            ("gnss2shm_source_open", "1 while a source is open", "source", open, MetricType::Gauge),
        ];
        for (name, help, label, values, kind) in families {
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (which, value) in values {
                let labels = [(label, which)];
                let mut metric = family.encode_family(&labels)?;
                match kind {
                    MetricType::Counter => metric.encode_counter::<[(&str, &str); 0], _, f64>(&value, None)?,
                    _ => metric.encode_gauge(&(value as i64))?,
                }
            }
        }
        Ok(())
    }
}

/// The one place where time becomes a floating-point number: OpenMetrics has no other.
#[allow(clippy::cast_precision_loss)] // 52 bits hold every difference that is shown here
fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}
