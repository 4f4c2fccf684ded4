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
}
