//! JSON as Microsoft's tools read templates: with comments, and with commas after the last member.

use std::io::{self, BufRead, BufReader, Read};

/// What a byte is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommentSpot {
    Outside,
    InText,
    /// After a backslash in a text.
    Escaped,
    /// After a slash that may begin a comment.
    Slash,
    LineComment,
    BlockComment,
    /// After a star that may end a comment.
    Star,
}

/// A comma that is written once it is known what comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LateComma {
    None,
    /// Nothing came after it yet.
    Fresh,
    /// A space was written for it, and this byte after it is held back.
    Held(u8),
}

/// A reader of JSON that writes spaces for comments and for commas that nothing follows. Everything else is as it was, and where it was:
/// lines and columns of errors stay right. It keeps what one read of the file gives, and no more.
pub(crate) struct Uncommented<R> {
    input: BufReader<R>,
    spot: CommentSpot,
    comma: LateComma,
    /// The last byte that is neither a space nor in a comment.
    previous: u8,
    ready: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl<R: Read> Uncommented<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(64 << 10, input),
            spot: CommentSpot::Outside,
            comma: LateComma::None,
            previous: b'[',
            ready: Vec::new(),
            taken: 0,
            ended: false,
        }
    }

    fn byte(&mut self, byte: u8) {
        self.spot = match (self.spot, byte) {
            (CommentSpot::InText, _) => {
                self.ready.push(byte);
                match byte {
                    b'\\' => CommentSpot::Escaped,
                    b'"' => CommentSpot::Outside,
                    _ => CommentSpot::InText,
                }
            }
            (CommentSpot::Escaped, _) => {
                self.ready.push(byte);
                CommentSpot::InText
            }
            (CommentSpot::Outside, b'/') => CommentSpot::Slash,
            (CommentSpot::Outside, _) => self.outside(byte),
            (CommentSpot::Slash, b'/' | b'*') => {
                self.space(b' ');
                self.space(b' ');
                if byte == b'/' { CommentSpot::LineComment } else { CommentSpot::BlockComment }
            }
            (CommentSpot::Slash, _) => {
                self.sign(b'/');
                self.outside(byte)
            }
            (CommentSpot::LineComment, b'\n') => {
                self.space(byte);
                CommentSpot::Outside
            }
            (CommentSpot::Star, b'/') => {
                self.space(b' ');
                CommentSpot::Outside
            }
            (CommentSpot::BlockComment | CommentSpot::Star, b'*') => {
                self.space(b' ');
                CommentSpot::Star
            }
            (comment, _) => {
                self.space(if matches!(byte, b'\n' | b'\r') { byte } else { b' ' });
                if comment == CommentSpot::Star { CommentSpot::BlockComment } else { comment }
            }
        };
    }

    fn outside(&mut self, byte: u8) -> CommentSpot {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => self.space(byte),
            // One that follows nothing is a mistake, which the parser names.
            b',' if self.comma == LateComma::None && !matches!(self.previous, b'[' | b'{' | b':' | b',') => {
                (self.comma, self.previous) = (LateComma::Fresh, byte);
            }
            _ => self.sign(byte),
        }
        if byte == b'"' { CommentSpot::InText } else { CommentSpot::Outside }
    }

    fn space(&mut self, byte: u8) {
        match self.comma {
            LateComma::None => self.ready.push(byte),
            // Its place is filled, so that what follows stays where it is.
            LateComma::Fresh => {
                self.ready.push(b' ');
                self.comma = LateComma::Held(byte);
            }
            LateComma::Held(before) => {
                self.ready.push(before);
                self.comma = LateComma::Held(byte);
            }
        }
    }

    fn sign(&mut self, byte: u8) {
        let closes = matches!(byte, b'}' | b']');
        match self.comma {
            LateComma::None => {}
            LateComma::Fresh => self.ready.push(if closes { b' ' } else { b',' }),
            LateComma::Held(before) if closes => self.ready.push(before),
            LateComma::Held(before @ (b'\n' | b'\r')) => self.ready.extend([before, b',']),
            LateComma::Held(_) => self.ready.push(b','),
        }
        self.ready.push(byte);
        (self.comma, self.previous) = (LateComma::None, byte);
    }

    /// What is open at the end is a mistake, which the parser names.
    fn end(&mut self) {
        if matches!(self.spot, CommentSpot::Slash | CommentSpot::BlockComment | CommentSpot::Star) {
            self.sign(b'/');
        }
        if self.comma != LateComma::None {
            self.ready.push(b',');
        }
        self.ended = true;
    }

    fn fill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.taken = 0;
        while self.ready.is_empty() && !self.ended {
            let chunk = self.input.fill_buf()?.to_vec();
            self.input.consume(chunk.len());
            if chunk.is_empty() {
                self.end();
            }
            chunk.into_iter().for_each(|byte| self.byte(byte));
        }
        Ok(())
    }
}

impl<R: Read> Read for Uncommented<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.ready.len() {
            self.fill()?;
        }
        let mut rest = self.ready.get(self.taken..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(text: &str) -> String {
        let mut out = String::new();
        Uncommented::new(text.as_bytes()).read_to_string(&mut out).unwrap();
        out
    }

    /// One byte at a time: nothing depends on where a read ends.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let (Some((first, rest)), Some(place)) = (self.0.split_first(), buffer.first_mut()) else { return Ok(0) };
            (*place, self.0) = (*first, rest);
            Ok(1)
        }
    }

    #[test]
    fn comments_and_last_commas_are_spaces() {
        for (text, expected) in [
            ("// a\n{\"a\": 1} // b", json!({"a": 1})),
            ("/* a\n * b **/ {\"a\": /*,*/ 1, // c\n}", json!({"a": 1})),
            ("[1, 2 , /* d */ 3 , ]", json!([1, 2, 3])),
            ("[1,2,\n3,\n]", json!([1, 2, 3])),
            ("[\n1,// x\n2,/**/]", json!([1, 2])),
            (
                r#"{"a": "// no /* comment */, }", "b\\": "\"//",}"#,
                json!({"a": "// no /* comment */, }", "b\\": "\"//"}),
            ),
        ] {
            let read = read(text);
            assert_eq!(serde_json::from_str::<Value>(&read).unwrap(), expected, "{text} became {read}");
            let mut slow = String::new();
            Uncommented::new(Slow(text.as_bytes())).read_to_string(&mut slow).unwrap();
            assert_eq!(slow, read);
        }
    }

    #[test]
    fn mistakes_stay_mistakes_where_they_are() {
        for text in [
            "[,]",
            "{,}",
            "[1,,]",
            "[1,,2]",
            "[1 2]",
            "{\"a\":,}",
            "[1],",
            "[1] /* open",
            "[1] /",
            "[/ 1]",
            "[1, 2",
            "[1]*/",
        ] {
            assert!(serde_json::from_str::<Value>(&read(text)).is_err(), "{text}");
        }
        let error = serde_json::from_str::<Value>(&read("{ // a\n  \"a\": 1, /* b */ \"c\": oh }")).unwrap_err();
        assert_eq!((error.line(), error.column()), (2, 24));
    }

    proptest! {
        #[test]
        fn json_without_comments_means_what_it_did(text in r#"([\[\]{}:, \n0-9]|"([a-z/*, ]|\\["\\/])*"|true|null){0,24}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(serde_json::from_str::<Value>(&read(&text)).unwrap(), value);
            }
        }

        #[test]
        fn nothing_grows_by_more_than_a_comma_a_line(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            Uncommented::new(bytes.as_slice()).read_to_end(&mut out).unwrap();
            let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
            prop_assert!(out.len() <= bytes.len() + lines + 1);
        }
    }
}
