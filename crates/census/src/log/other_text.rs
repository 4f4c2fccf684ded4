//! Files beside a log that are none: text of people or of other programs. What could be a log that cannot be read is not one of them.

use super::unread::{Unread, each_candidate, is_whole_format};

/// Text has at least one space in so many bytes. What is encrypted or packed into letters has none.
const MOST_WITHOUT_SPACE: u64 = 40;

/// What a file holds that has no line of a log.
#[derive(Debug, Default)]
pub(super) struct OtherText {
    bytes: u64,
    spaces: u64,
    has_control: bool,
    has_message: bool,
    /// Words of messages about connections, wherever they are.
    words: Unread,
}

impl OtherText {
    /// Looks at the next bytes.
    pub(super) fn look(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.spaces += bytes.iter().filter(|byte| byte.is_ascii_whitespace()).count() as u64;
        // Those of colors and of editors are text.
        let is_control =
            |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace() && !matches!(byte, 0x0b | 0x1b);
        self.has_control |= bytes.iter().any(is_control);
        self.words.skip(bytes);
        each_candidate(bytes, b'\n', |line| self.has_message |= is_whole_format(line));
    }

    /// Whether it is certainly no log of a server.
    pub(super) fn is_other(&self) -> bool {
        let has_words = self.words.has_skipped() || self.has_message;
        self.bytes > 0 && !self.has_control && !has_words && self.spaces * MOST_WITHOUT_SPACE >= self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_log_is_no_other_text() {
        let is_other = |text: &[u8]| {
            [1, 7, 4_096].map(|size| {
                let mut other = OtherText::default();
                text.chunks(size).for_each(|piece| other.look(piece));
                other.is_other()
            })
        };
        for text in [
            "Logs of the server, one a day.\nAsk the team of the database before you remove one.\n",
            "2026-11-30 10:00:00,123 INFO: no action. I am (pg-1), the leader with the lock\n",
            "\x1b[32mok\x1b[0m the connection was closed\r\n",
        ] {
            assert_eq!(is_other(text.as_bytes()), [true; 3], "{text}");
        }
        for text in [
            &b""[..],
            b"\xfd7zXZ\0 packed \x01 bytes",
            b"(\xb5/\xfd packed \x02 bytes",
            b"U2FsdGVkX19zb21lIGxvZyBvZiBhIHNlcnZlciB0aGF0IHdhcyBlbmNyeXB0ZWQgYW5kIGFybW9yZWQ=\n",
            b"a b c connection authorized: user=app database=shop\n",
            b"x\0y\0 \0z\0",
        ] {
            assert!(!is_other(text).contains(&true), "{text:?}");
        }
        let foreign = b"2026-09-16 19:02:12 UTC [7] LOKI:  yhteys vastaanotettu: osoite=::1 portti=50123\n";
        let mut other = OtherText::default();
        other.look(foreign);
        assert!(!other.is_other());
    }
}
