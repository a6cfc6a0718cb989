//! A server that sends the receiver's bytes to whoever connects: ser2net, gpsd's raw port, `nc -lk`.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::brief::{self, Said};
use crate::core::event::Lost;
use crate::source::feed::{Closed, Feed, RETRY};
use crate::source::server::Server;
use crate::sys::bytes::ByteFile;
use crate::sys::tcp::keep_alive;

/// A host that does not answer by then is tried anew.
const ANSWER: Duration = Duration::from_secs(5);
/// The first attempts after a loss come this soon; each further one waits twice as long, up to [`RETRY`].
const AT_FIRST: Duration = Duration::from_millis(125);
/// A host that says nothing for so many seconds is asked whether it is still there, and again after so many.
const KEEP_ALIVE: (i32, i32) = (10, 5);

/// Connects, reads to the end, and connects again.
pub(super) async fn follow(server: &Server, feed: &Feed) -> Result<Infallible, Closed> {
    let (mut said, mut is_told) = (Said::default(), false);
    let mut pause = AT_FIRST;
    loop {
        let why = match connect(server).await {
            Ok(file) => {
                is_told = false;
                let ended = brief::pump(feed, &file, None, &mut said, &format!("connected to {server}")).await?;
                // Who takes a connection only to close it, or says no more than a word, is not hurried.
                pause = if ended.lived && ended.end.heard { AT_FIRST } else { pause };
                ended.end.error.map_or("closed the connection".into(), |error| format!("is lost: {error}"))
            }
            Err(why) => why,
        };
        said.lose(&format!("{server} {why}; it is tried again"));
        if !is_told {
            feed.lost(Lost::Server).await?;
            is_told = true;
        }
        sleep(pause).await;
        pause = (pause * 2).min(RETRY);
    }
}

/// A connection; or what is said of the server.
async fn connect(server: &Server) -> Result<ByteFile, String> {
    let stream = match timeout(ANSWER, TcpStream::connect((server.host.as_str(), server.port))).await {
        Err(_) => {
            return Err(
                "does not answer: check the host, what lies between, and for the service IPAddressAllow=".into()
            );
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err("refuses the connection: check that the server runs, and the port".into());
        }
        Ok(Err(error)) => return Err(format!("cannot be reached: {error}")),
        Ok(Ok(stream)) => stream,
    };
    let (idle, interval) = KEEP_ALIVE;
    let watched = keep_alive(&stream, idle, interval).and_then(|()| stream.into_std()).map(ByteFile::from_socket);
    watched.map_err(|error| format!("cannot be watched: {error}"))
}
