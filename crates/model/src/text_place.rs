//! Where something stands in a text, for messages about files that people write.

/// What is wrong with a file that people write, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct FileMistake {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong there.
    pub what: String,
}

impl FileMistake {
    /// A mistake at a byte of the text of a file.
    #[must_use]
    pub fn at(text: &str, byte: usize, what: String) -> Self {
        let (line, column) = line_and_column(text, byte);
        Self { line, column, what }
    }
}

impl FileMistake {
    /// What a parser of TOML said of a part of the text. Of a key that stands there twice it does not say which.
    #[must_use]
    pub fn of_toml(text: &str, part: std::ops::Range<usize>, message: &str) -> Self {
        let mut what = message.lines().collect::<Vec<_>>().join(" ");
        let key = text.get(part.clone()).filter(|key| !key.is_empty() && !key.contains(char::is_whitespace));
        if let ("duplicate key", Some(key)) = (what.as_str(), key) {
            what = format!("duplicate key `{key}`");
        }
        Self::at(text, part.start, what)
    }

    /// The text of a file, or where it is no text: in UTF-8, as all these files are.
    ///
    /// # Errors
    ///
    /// The place of the first byte that is not part of a character.
    pub fn text_of(bytes: Vec<u8>) -> Result<String, Self> {
        String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
            let before = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default());
            Self::at(&before, valid, format!("the byte 0x{byte:02x} is not UTF-8: save the file as UTF-8"))
        })
    }
}

/// The line and the column of a byte, from 1; the column is counted in characters.
#[must_use]
pub fn line_and_column(text: &str, byte: usize) -> (u32, u32) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_characters_are_counted_from_one() {
        let text = "a\näb\n";
        assert_eq!([0, 2, 4, 6].map(|byte| line_and_column(text, byte)), [(1, 1), (2, 1), (2, 2), (3, 1)]);
        assert_eq!(line_and_column(text, 99), (3, 1));
    }

    #[test]
    fn what_is_no_text_has_its_place() {
        assert_eq!(FileMistake::text_of("a\näb".into()), Ok("a\näb".to_owned()));
        let told = FileMistake::text_of(b"a\n\xc3\xa4b\xe4c".to_vec()).unwrap_err().to_string();
        assert_eq!(told, "line 2, column 3: the byte 0xe4 is not UTF-8: save the file as UTF-8");
        assert_eq!(FileMistake::text_of(vec![0xff]).unwrap_err().column, 1);
    }
}
