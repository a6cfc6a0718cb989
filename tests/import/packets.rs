//! satpulse's packet logs: one packet per line, with the host's time at which its first bytes were read. Sentences and
//! times are real; the pulse is invented at the seconds of the host's synchronized clock.

use gnss2shm::time::{Date, Span, UtcSecond};
use serde::Deserialize;

use crate::imported::Imported;
use crate::invented::{Invention, Pace, Piece};

/// Number of pulses before the first packet.
const BEFORE: i64 = 2;
/// Default rate for the end of a packet.
const USUAL_RATE: u32 = 38_400;
/// Size of the read with a packet's first bytes.
const FIRST_READ: usize = 8;

#[derive(Deserialize)]
struct Line {
    t: String,
    ascii: Option<String>,
    bin: Option<String>,
    /// Whether the host sent it.
    #[serde(default)]
    out: bool,
}

pub(crate) fn import(text: &str, invention: &Invention) -> Result<Imported, String> {
    let mut packets = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let wrong = || format!("line {}: no packet of satpulse", number + 1);
        let Line { t, ascii, bin, out } =
            serde_json::from_str(line).map_err(|error| format!("{}: {error}", wrong()))?;
        let data = ascii.map(|ascii| Some(ascii.into_bytes())).or_else(|| bin.map(|bin| bytes(&bin)));
        if let Some(data) = data.filter(|_| !out) {
            packets.push((host_time(&t).ok_or_else(wrong)?, data.ok_or_else(wrong)?));
        }
    }
    packets.sort_by_key(|(at, _)| *at);
    let (began, _) = packets.first().ok_or("no packet in it")?;
    let first = UtcSecond::from_posix(began.div_rem(Span::SECOND).0 - BEFORE);
    let invention = &Invention { baud: invention.baud.or(Some(USUAL_RATE)), ..*invention };
    let since_first = |at: Span| at - Span::from_secs(first.posix());
    let mut pieces: Vec<Piece> = Vec::new();
    for (n, (at, data)) in packets.iter().enumerate() {
        let next = packets.get(n + 1).map(|(at, _)| *at);
        pieces.extend(reads(since_first(*at), data, next.map(since_first), invention));
    }
    let notes = vec![
        "receiver: a packet log of satpulse: sentences and their times are real".into(),
        format!("nic: invented, {invention:?}"),
        "truth: a second begins where the host's clock says so".into(),
    ];
    Ok(invention.record(first, pieces, notes))
}

/// The log has the time of a packet's first bytes; the rest arrived at the line's rate, before the next packet.
fn reads(at: Span, data: &[u8], next: Option<Span>, invention: &Invention) -> Vec<Piece> {
    let (head, rest) = data.split_at(FIRST_READ.min(data.len()));
    let byte_time = if invention.pace == Pace::Relay { Span::ZERO } else { invention.byte_time() };
    let piece = |at, data: &[u8]| Piece { at, byte_time, data: data.into() };
    if invention.pace != Pace::Uart || rest.is_empty() {
        return vec![piece(at, data)];
    }
    let end = at + byte_time.times(rest.len() as i64);
    vec![piece(at, head), piece(next.map_or(end, |next| next.min(end)), rest)]
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// RFC 3339 in UTC, since 1970: `2026-05-01T11:07:22.141898Z`.
pub(crate) fn host_time(text: &str) -> Option<Span> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, by: char| text.split(by).map(|n| n.parse().ok()).collect::<Option<Vec<u32>>>();
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let ([year, month, day], [hour, minute, second]) =
        (numbers(date, '-')?.try_into().ok()?, numbers(whole, ':')?.try_into().ok()?);
    let date = Date::new(i32::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)?;
    let second = UtcSecond::from_civil(date, hour * 3_600 + minute * 60 + second);
    let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some(Span::from_secs(second.posix()) + Span::from_nanos(nanos))
}
