//! gpsd's regression logs: receivers' output, without times. The log is split into bursts at each change of the named
//! second; each burst follows the pulse that it names by a delay. All times are invented.

use std::collections::BTreeMap;

use gnss2shm::time::{Span, UtcSecond};

use crate::Random;
use crate::imported::Imported;
use crate::invented::{Invention, Piece};
use crate::named::{Named, named};

/// Number of pulses before the first burst.
const BEFORE: i64 = 2;
/// Maximum correction of a receiver's leap seconds.
const BACK: i64 = -20_000;
/// A longer gap starts another log. In ms, like all times here.
const GAP: i64 = 3_600_000;

/// A burst: its bytes and the time that it names.
struct Burst<'a> {
    bytes: &'a [u8],
    time: Option<i64>,
    is_valid: bool,
    /// Its time without the delay, counted from the first second.
    place: i64,
}

/// `starts` is the sentence (its last three letters) that begins each burst, if the log does not show it.
pub(crate) fn import(log: &[u8], invention: &Invention, starts: Option<&str>) -> Result<Imported, String> {
    let log = without_comments(log);
    let sentences = named(&log);
    let leader = leader(&sentences).ok_or("undated: no sentence with a date and a time often enough")?;
    let mut bursts = divided(&log, &sentences, &leader, starts);
    let (seconds, usual) = place(&mut bursts);
    let (true_first, votes) = seconds.iter().max_by_key(|(_, votes)| **votes).ok_or("no second is named as valid")?;
    // Nine of ten bursts take at most half of the line's time.
    let mut sizes: Vec<usize> = bursts.iter().map(|burst| burst.bytes.len()).collect();
    sizes.sort_unstable();
    let most = sizes.get(sizes.len() * 9 / 10).copied().unwrap_or_default();
    let invention = invention.on_a_line(most, Span::from_millis(usual / 2));
    let (mut random, mut free, mut pieces) = (Random(1), Span::ZERO, Vec::new());
    for burst in &bursts {
        let jitter = random.within(invention.jitter);
        let due = Span::from_millis(burst.place + BEFORE * 1_000 + (invention.delay + jitter).max(1));
        let reads = invention.read(due.max(free), burst.bytes);
        free = reads.last().map_or(free, |piece: &Piece| piece.at);
        pieces.extend(reads);
    }
    let notes = vec![
        format!(
            "receiver: a log of gpsd, {} bursts led by {leader}: the bytes are real, their times invented",
            bursts.len()
        ),
        format!("nic: invented, {invention:?}"),
        format!("truth: as {votes} of {} bursts have it", seconds.values().sum::<usize>()),
    ];
    Ok(invention.record(UtcSecond::from_posix(true_first - BEFORE), pieces, notes))
}

/// gpsd skips comments, too: at the beginning, and anywhere in text logs.
fn without_comments(log: &[u8]) -> Vec<u8> {
    let is_text = log.is_ascii();
    let mut is_head = true;
    let mut kept = |line: &&[u8]| {
        is_head &= line.starts_with(b"#") || line.iter().all(u8::is_ascii_whitespace);
        !(line.starts_with(b"#") && (is_head || is_text))
    };
    log.split_inclusive(|&byte| byte == b'\n').filter(&mut kept).flatten().copied().collect()
}

/// The sentence that decides which second a burst names: the one with a date that gnss2shm prefers.
fn leader(sentences: &[Named]) -> Option<String> {
    let of = |key: &str| sentences.iter().filter(|s| s.key == key && s.date.is_some() && s.time.is_some()).count();
    let leader = ["RMC", "TIMEUTC", "PVT", "ZDA"].into_iter().find(|key| of(key) >= 4);
    leader.map(str::to_owned)
}

/// A burst ends where a sentence names the time that the next leader names. Sentences that usually have neither
/// leader's time, such as a ZDA that is ahead, do not count.
fn divided<'a>(log: &'a [u8], sentences: &[Named], leader: &str, starts: Option<&str>) -> Vec<Burst<'a>> {
    let mut leaders: Vec<&Named> = sentences.iter().filter(|s| s.key == leader).collect();
    // Several talkers name the same second in turn.
    leaders.dedup_by(|next, before| next.time.is_some() && next.time == before.time);
    let mut agree: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for pair in leaders.windows(2) {
        let [before, next] = pair else { continue };
        for between in sentences.iter().filter(|s| before.at < s.at && s.at < next.at && s.time.is_some()) {
            let (agrees, all) = agree.entry(&between.key).or_default();
            *agrees += usize::from(between.time == before.time || between.time == next.time);
            *all += 1;
        }
    }
    let has_say = |s: &Named| agree.get(s.key.as_str()).is_none_or(|(agrees, all)| agrees * 2 > *all);
    let mut cuts = Vec::new();
    for (n, next) in leaders.iter().enumerate() {
        let after = n.checked_sub(1).and_then(|n| leaders.get(n)).map_or(0, |before| before.at + 1);
        let mut between = sentences.iter().filter(|s| after <= s.at && s.at <= next.at);
        let cut = match starts {
            Some(key) => between.find(|s| s.key == key),
            None => between.find(|s| s.time.is_some() && s.time == next.time && (has_say(s) || s.at == next.at)),
        };
        cuts.push((cut.map_or(next.at, |s| s.at), *next));
    }
    // After the last leader, the log ends within a burst without a leader.
    let tail = leaders.last().and_then(|last| {
        sentences.iter().find(|s| s.at > last.at && s.time.is_some() && s.time != last.time && has_say(s))
    });
    let ends = cuts.iter().skip(1).map(|(at, _)| *at).chain([tail.map_or(log.len(), |s| s.at)]);
    let bursts = cuts.iter().zip(ends);
    bursts
        .map(|((at, leader), end)| Burst {
            bytes: log.get(*at..end).unwrap_or_default(),
            time: leader.absolute(),
            is_valid: leader.is_valid,
            place: 0,
        })
        .collect()
}

/// Keeps the longest part that may be one log, and sets each burst's time. Returns the first second according to each
/// valid burst, with their number, and the usual interval of bursts.
fn place(bursts: &mut Vec<Burst<'_>>) -> (BTreeMap<i64, usize>, i64) {
    let is_step = |step: i64| (1..=GAP).contains(&step);
    let step = |a: &Burst<'_>, b: &Burst<'_>| Some(b.time? - a.time?);
    let mut steps: Vec<i64> = bursts.windows(2).filter_map(|w| step(w.first()?, w.last()?)).collect();
    steps.retain(|&step| is_step(step));
    steps.sort_unstable();
    let usual = steps.get(steps.len() / 2).copied().unwrap_or(1_000);
    let mut parts: Vec<Vec<Burst<'_>>> = Vec::new();
    for mut burst in std::mem::take(bursts) {
        let before = parts.last().and_then(|part| part.last());
        let step = before.and_then(|before| step(before, &burst));
        if before.is_none() || step.is_some_and(|step| !(BACK..=GAP).contains(&step)) {
            burst.place = burst.time.map_or(0, |time| time.rem_euclid(1_000));
            parts.push(vec![burst]);
            continue;
        }
        let place = before.map_or(0, |before| before.place);
        burst.place = step.filter(|&step| is_step(step)).map_or_else(
            || {
                let next = place + usual;
                next + burst.time.map_or(0, |time| (time - next).rem_euclid(1_000) % 1_000)
            },
            |step| place + step,
        );
        if let Some(part) = parts.last_mut() {
            part.push(burst);
        }
    }
    *bursts = parts.into_iter().max_by_key(Vec::len).unwrap_or_default();
    let mut firsts = BTreeMap::new();
    for burst in bursts.iter().filter(|burst| burst.is_valid) {
        if let Some(time) = burst.time {
            *firsts.entry((time - burst.place).div_euclid(1_000)).or_default() += 1;
        }
    }
    (firsts, usual)
}
