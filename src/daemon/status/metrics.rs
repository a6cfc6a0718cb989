//! The status as OpenMetrics 1.0, over HTTP on loopback: `GET /metrics`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch::Receiver;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::snapshot::Snapshot;
use super::{Board, PAUSE};
use crate::core::engine::audit::Timescale;
use crate::core::event::text::Word;
use crate::core::event::{Reason, State};

/// Maximum number of connections. A further one closes the oldest, so that idle connections cannot lock out a scraper.
const CONNECTIONS: usize = 8;
/// Retry interval for an address that is not available.
const RETRY: Duration = Duration::from_secs(10);
/// Time limit of a connection, from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(10);
/// Types of metrics and the suffixes of their series.
const GAUGE: (&str, &str) = ("gauge", "");
const COUNTER: (&str, &str) = ("counter", "_total");
const INFO: (&str, &str) = ("info", "_info");
/// The content type of OpenMetrics 1.0.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain";

/// Serves metrics at this address for as long as it is polled. Retries an address that is not available, and logs this
/// once: the time service does not depend on monitoring.
pub(crate) async fn serve(address: SocketAddr, board: Receiver<Board>) {
    let mut said = String::new();
    loop {
        let error = match TcpListener::bind(address).await {
            Ok(listener) => return run(listener, board).await,
            Err(error) => error,
        };
        let sentence = format!(
            "cannot serve metrics at {address}: {error}; use another port, 1024 or higher \
             (`ss -ltnp sport = :{}` as root shows the program that has this one); samples are not affected, and \
                 gnss2shm retries",
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
pub(crate) async fn run(listener: TcpListener, board: Receiver<Board>) {
    let mut connections = VecDeque::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let board = board.clone();
        let connection = tokio::spawn(async move {
            let answer = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&board, &request))));
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .half_close(true) // a client that has shut down its sending side still gets the response
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

fn answer(board: &Receiver<Board>, request: &Request<Incoming>) -> Response<String> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (StatusCode::OK, OPENMETRICS, page(&board.borrow().snapshot())),
        (&Method::GET, _) => (StatusCode::NOT_FOUND, TEXT, "gnss2shm: see /metrics\n".into()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, TEXT, "gnss2shm: only GET\n".into()),
    };
    Response::builder().status(status).header(CONTENT_TYPE, kind).body(body).unwrap_or_default()
}

/// The page: for each metric its name (after `gnss2shm_`), type and help, and its series, which are labels and a value.
///
/// The only place where time becomes a floating-point number, as OpenMetrics requires.
#[allow(clippy::cast_precision_loss)] // 52 bits hold every number that is shown here
fn page(now: &Snapshot) -> String {
    let Snapshot { receiver, pulse, sample, .. } = now;
    // Omit series without a value.
    let one = |value: Option<f64>| value.map(|value| (String::new(), value)).into_iter().collect::<Vec<_>>();
    let number = |value: u64| one(Some(value as f64));
    let ns = |value: Option<i64>| one(value.map(|ns| ns as f64 / 1e9));
    let ms = |value: Option<i64>| one(value.map(|ms| ms as f64 / 1e3));
    let series = |label, which, value: u64| (format!("{{{label}=\"{which}\"}}"), value as f64);
    let sources = |receiver, pulse| vec![series("source", "receiver", receiver), series("source", "pulse", pulse)];
    // Every reason from the start: a counter that first appears with a value of 1 shows no increase.
    let rejected = |reason: &Reason| now.rejected.get(reason.key()).copied().unwrap_or(0);
    let rejected = Reason::ALL.iter().map(|reason| series("reason", reason.key(), rejected(reason))).collect();
    let phc = now.phc.as_ref();
    let is_shown = |scale: &str| phc.is_some_and(|phc| phc.timescale == scale);
    let timescales =
        Timescale::ALL.iter().map(|scale| series("timescale", scale.word(), is_shown(scale.word()).into())).collect();
    let states = State::NAMES.iter().map(|name| series("state", name, (*name == now.state).into())).collect();
    let reason = now.reason.iter().map(|reason| series("reason", reason, 1)).collect();
    let metrics = [
        ("build", INFO, "The program", vec![series("version", &now.version, 1)]),
        ("gate_open", GAUGE, "1 while programs may rely on the time", number(now.gate.open.into())),
        ("offset_seconds", GAUGE, "UTC minus system clock", ns(sample.as_ref().map(|sample| sample.offset_ns))),
        ("error_bound_seconds", GAUGE, "Sample error bound", ns(sample.as_ref().map(|sample| sample.error_ns))),
        ("sentence_delay_seconds", GAUGE, "From the pulse to its sentence", ns(receiver.delay_ns)),
        ("pulse_width_seconds", GAUGE, "Measured pulse width", ns(pulse.width_ns)),
        ("cross_timestamp_window_seconds", GAUGE, "Last cross timestamp's window", ns(pulse.cross_window_ns)),
        ("phc_utc_offset_seconds", GAUGE, "UTC minus PHC", ns(phc.and_then(|phc| phc.utc_offset_ns))),
        ("phc_tai_offset_seconds", GAUGE, "TAI minus PHC", ns(phc.and_then(|phc| phc.tai_offset_ns))),
        ("phc_error_bound_seconds", GAUGE, "Error bound of the PHC's offsets", ns(phc.map(|phc| phc.error_ns))),
        ("phc_rate_ratio", GAUGE, "How much faster than GNSS the PHC runs", ns(phc.and_then(|phc| phc.rate_ppb))),
        ("phc_age_seconds", GAUGE, "Age of the PHC's offsets", ms(phc.map(|phc| phc.age_ms))),
        ("phc_timescale", GAUGE, "1 for the time scale that the PHC shows", timescales),
        ("last_edge_age_seconds", GAUGE, "Age of the last edge", ms(pulse.last_edge_ms)),
        ("last_time_age_seconds", GAUGE, "Age of the last valid second received", ms(receiver.last_time_ms)),
        ("last_sample_age_seconds", GAUGE, "Age of the last sample", ms(sample.as_ref().map(|sample| sample.age_ms))),
        ("samples", COUNTER, "Samples published", number(now.samples)),
        ("edges", COUNTER, "Pulse edges read", number(pulse.edges)),
        ("sentences", COUNTER, "Sentences with a correct checksum", number(receiver.sentences)),
        ("broken_lines", COUNTER, "Lines that are not sentences", number(receiver.broken)),
        ("rearms", COUNTER, "Times the pin and channel were set again", number(pulse.rearmed)),
        ("state", GAUGE, "1 for the current state", states),
        ("reason", GAUGE, "Why nothing is published", reason),
        ("rejected", COUNTER, "Events rejected", rejected),
        ("source_opened", COUNTER, "Times the source was opened", sources(receiver.opened, pulse.opened)),
        ("source_open", GAUGE, "1 while the source is open", sources(receiver.open.into(), pulse.open.into())),
    ];
    let mut page = String::new();
    for (name, (kind, suffix), help, series) in metrics {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "# HELP gnss2shm_{name} {help}\n# TYPE gnss2shm_{name} {kind}");
        for (labels, value) in series {
            let _ = writeln!(page, "gnss2shm_{name}{suffix}{labels} {value}");
        }
    }
    page + "# EOF\n"
}
