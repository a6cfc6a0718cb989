//! Makes untrusted text safe for a terminal or the log: text from a server, another process, or a file may contain
//! escape sequences, or a line break that forges a log line.

use std::borrow::Cow;
use std::io::{self, Write};

/// Escapes characters that a terminal interprets, including line breaks: `\u{1b}[31m`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Control characters, and those that change the direction of text.
fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Makes each line [printable].
#[derive(Debug)]
pub(crate) struct Printable<W>(pub(crate) W);

impl<W: Write> Write for Printable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.iter().all(|byte| matches!(byte, b'\n' | b' '..=b'~')) {
            self.0.write_all(bytes)?; // nearly always, and much faster
        } else {
            let text = String::from_utf8_lossy(bytes);
            self.0.write_all(text.split('\n').map(printable).collect::<Vec<_>>().join("\n").as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        for (text, shown) in [
            ("/dev/ttyS0", "/dev/ttyS0"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\r\nb\t\0", "a\\r\\nb\\t\\u{0}"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("ab\u{202e}dc", "ab\\u{202e}dc"),
            ("Empf\u{e4}nger", "Empf\u{e4}nger"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn our_own_lines_stay_lines() {
        let mut written = Printable(Vec::new());
        written.write_all(b"state Locked\n\x1b[0m\n").unwrap();
        assert_eq!(written.0, b"state Locked\n\\u{1b}[0m\n");
    }
}
