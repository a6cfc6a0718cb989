//! The status as OpenMetrics 1.0, over HTTP on loopback: `GET /metrics`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::PAUSE;
use super::server::SharedBoard;
use super::snapshot::Snapshot;
use crate::core::event::{Reason, State};
use crate::sys::claim::Claim;
use crate::sys::error::Problem;

/// Connections at a time. One more closes the oldest, so that idle connections cannot lock out a scraper.
const CONNECTIONS: usize = 8;
/// Pause between two attempts at an address that is not available.
const RETRY: Duration = Duration::from_secs(10);
/// Time limit of a connection, from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(10);
/// The content type of OpenMetrics 1.0.
const OPENMETRICS: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Serves metrics at this address for as long as it is polled. Retries an address that is not available, and says so
/// once: the time service does not depend on monitoring.
pub async fn serve(address: SocketAddr, board: SharedBoard) {
    let mut said = String::new();
    loop {
        // Tells another instance who has the address. The listener keeps it out, not the claim.
        let claim = Claim::take(&format!("metrics-{address}"), |rival| format!("{rival} has it; "));
        let error = match TcpListener::bind(address).await {
            Ok(listener) => return run(listener, board).await,
            Err(error) => error,
        };
        let holder = claim.err().filter(|error| error.problem == Problem::Taken);
        let holder = holder.map(|error| error.to_string()).unwrap_or_default();
        let sentence = format!(
            "metrics cannot be served at {address}: {error}; {holder}give each its own port, from 1024 on (`ss -ltnp sport = \
             :{}` as root names the program that has it); samples are published regardless, and gnss2shm tries again",
            address.port()
        );
        if sentence != said {
            warn!("{sentence}");
            said = sentence;
        }
        sleep(RETRY).await;
    }
}

/// Answers requests for as long as it is polled.
pub async fn run(listener: TcpListener, board: SharedBoard) {
    let mut connections = VecDeque::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let board = Arc::clone(&board);
        let connection = tokio::spawn(async move {
            let answer = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&board, &request))));
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .half_close(true) // a client that has shut down its sending side still gets its answer
                .keep_alive(false)
                .max_buf_size(16 * 1024)
                .serve_connection(TokioIo::new(client), answer);
            let _ = timeout(PATIENCE, connection).await; // a client's errors are ignored
        });
        connections.retain(|connection: &tokio::task::JoinHandle<()>| !connection.is_finished());
        connections.push_back(connection);
        if connections.len() > CONNECTIONS {
            connections.pop_front().into_iter().for_each(|oldest| oldest.abort());
        }
    }
}

fn answer(board: &SharedBoard, request: &Request<Incoming>) -> Response<String> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            (StatusCode::OK, page(&board.lock().unwrap_or_else(PoisonError::into_inner).snapshot()))
        }
        (&Method::GET, _) => (StatusCode::NOT_FOUND, "gnss2shm: see /metrics\n".into()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "gnss2shm: only GET\n".into()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if status == StatusCode::OK {
        response.headers_mut().insert(CONTENT_TYPE, OPENMETRICS);
    }
    response
}

/// The labels of a series, with their braces, and its value.
type Series = (String, String);

/// The page: for each metric its name (after `gnss2shm_`), type and help, and its series.
fn page(now: &Snapshot) -> String {
    let Snapshot { receiver, pulse, sample, .. } = now;
    let states = State::NAMES.iter().map(|name| (*name, (*name == now.state).into()));
    // Every reason from the start: a counter that begins with its first event shows no increase for that one.
    let rejected =
        Reason::ALL.iter().map(|reason| (reason.key(), now.rejected.get(reason.key()).copied().unwrap_or(0)));
    let reasons = now.reason.iter().map(|reason| (reason.as_str(), 1));
    let metrics = [
        ("gate_open", "gauge", "1 while programs may rely on the time", number(now.gate.open.into())),
        ("offset_seconds", "gauge", "UTC minus system clock", ns(sample.as_ref().map(|sample| sample.offset_ns))),
        ("error_bound_seconds", "gauge", "Bound of the error", ns(sample.as_ref().map(|sample| sample.error_ns))),
        ("sentence_delay_seconds", "gauge", "From the pulse to its sentence", ns(receiver.delay_ns)),
        ("pulse_width_seconds", "gauge", "Measured pulse width", ns(pulse.width_ns)),
        ("cross_timestamp_window_seconds", "gauge", "Last cross timestamp's window", ns(pulse.cross_window_ns)),
        ("last_edge_age_seconds", "gauge", "Age of the last edge", ms(pulse.last_edge_ms)),
        ("last_time_age_seconds", "gauge", "Age of the last valid second received", ms(receiver.last_time_ms)),
        ("last_sample_age_seconds", "gauge", "Age of the last sample", ms(sample.as_ref().map(|sample| sample.age_ms))),
        ("samples", "counter", "Samples published", number(now.samples)),
        ("edges", "counter", "Pulse edges read", number(pulse.edges)),
        ("sentences", "counter", "Sentences with a correct checksum", number(receiver.sentences)),
        ("broken_lines", "counter", "Lines that are not sentences", number(receiver.broken)),
        ("rearms", "counter", "Times that pin and channel were set again", number(pulse.rearmed)),
        ("state", "gauge", "1 for the current state", labeled("state", states)),
        ("reason", "gauge", "Why nothing is published", labeled("reason", reasons)),
        ("rejected", "counter", "Events not used", labeled("reason", rejected)),
        ("source_opened", "counter", "Times that it was opened", sources(receiver.opened, pulse.opened)),
        ("source_open", "gauge", "1 while it is open", sources(receiver.open.into(), pulse.open.into())),
    ];
    let mut page = "# HELP gnss2shm_build The program\n# TYPE gnss2shm_build info\n".to_owned();
    // Writing to a String cannot fail.
    let _ = writeln!(page, "gnss2shm_build_info{{version=\"{}\"}} 1", now.version);
    for (name, kind, help, series) in metrics {
        let suffix = if kind == "counter" { "_total" } else { "" };
        let _ = writeln!(page, "# HELP gnss2shm_{name} {help}\n# TYPE gnss2shm_{name} {kind}");
        for (labels, value) in series {
            let _ = writeln!(page, "gnss2shm_{name}{suffix}{labels} {value}");
        }
    }
    page + "# EOF\n"
}

fn labeled<'a>(label: &str, values: impl IntoIterator<Item = (&'a str, u64)>) -> Vec<Series> {
    values.into_iter().map(|(which, value)| (format!("{{{label}=\"{which}\"}}"), value.to_string())).collect()
}

fn sources(receiver: u64, pulse: u64) -> Vec<Series> {
    labeled("source", [("receiver", receiver), ("pulse", pulse)])
}

fn number(value: u64) -> Vec<Series> {
    vec![(String::new(), value.to_string())]
}

/// Seconds. No series if there is no value yet.
///
/// The one place where time becomes a floating-point number: OpenMetrics has no other.
#[allow(clippy::cast_precision_loss)] // 52 bits hold every difference that is shown here
fn ns(value: Option<i64>) -> Vec<Series> {
    value.map(|ns| (String::new(), (ns as f64 / 1e9).to_string())).into_iter().collect()
}

fn ms(value: Option<i64>) -> Vec<Series> {
    ns(value.map(|ms| ms.saturating_mul(1_000_000)))
}
