//! Bytes to lines, within bounds: gpsd's own lines are up to 10,240 bytes, JSON of many satellites up to 16,384; what
//! is longer is not a gpsd's and is passed over to its end.

/// Longest line.
pub(super) const LINE_MAX: usize = 32_768;

/// A line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Its bytes.
    Whole(&'a [u8]),
    /// It is longer than [`LINE_MAX`]; said when that is noticed, once.
    TooLong,
}

/// Cuts bytes into lines. Never holds more than [`LINE_MAX`] bytes.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    /// Passing over the rest of a line that was too long.
    skipping: bool,
}

impl Lines {
    /// Takes the bytes of one read and hands over each line that they complete.
    pub(super) fn push(&mut self, bytes: &[u8], mut found: impl FnMut(Line<'_>)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (piece, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |piece| (piece, true));
            if !self.skipping && self.line.len() + piece.len() > LINE_MAX {
                self.skipping = true;
                self.line = Vec::new();
                found(Line::TooLong);
            }
            if !self.skipping {
                self.line.extend_from_slice(piece);
            }
            if ends {
                let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
                if !self.skipping && !line.is_empty() {
                    found(Line::Whole(line));
                }
                self.line.clear();
                self.skipping = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(reads: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for read in reads {
            lines.push(read, |line| {
                found.push(match line {
                    Line::Whole(line) => Some(line.to_vec()),
                    Line::TooLong => None,
                });
            });
        }
        found
    }

    #[test]
    fn lines_come_whole_however_they_were_read() {
        for reads in [&[&b"one\r\n\r\ntwo\n"[..]][..], &[b"o", b"ne\r", b"\n\ntwo", b"\nthr"]] {
            assert_eq!(lines(reads), [Some(b"one".to_vec()), Some(b"two".to_vec())]);
        }
    }

    #[test]
    fn a_line_of_a_megabyte_is_passed_over_without_being_kept() {
        let (mut lines, mut found) = (Lines::default(), 0);
        for _ in 0..1_024 {
            lines.push(&[b'x'; 1_024], |_| found += 1);
            assert!(lines.line.capacity() <= 2 * LINE_MAX);
        }
        assert_eq!(found, 1, "said once");
        lines.push(b"\nnext\n", |line| assert_eq!(line, Line::Whole(b"next")));
    }
}
