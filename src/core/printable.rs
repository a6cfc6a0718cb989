//! Makes untrusted text safe for a terminal or the log: text from a server, another process, or a file may contain
//! escape sequences, or a line break that forges a log line.

use std::borrow::Cow;

/// Escapes characters that a terminal interprets, including line breaks: `\u{1b}[31m`.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if is_obeyed(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Control characters, and those that change the direction of text.
fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Escapes them in each line, and leaves the line breaks.
pub(crate) fn printable_lines(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')) {
        return Cow::Borrowed(text); // nearly always, and much faster
    }
    Cow::Owned(text.split('\n').map(printable).collect::<Vec<_>>().join("\n"))
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
        assert_eq!(printable_lines("state Locked\n\x1b[0m\n"), "state Locked\n\\u{1b}[0m\n");
    }
}
