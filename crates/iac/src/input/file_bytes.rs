//! The bytes of a file: how many there may be, and what they begin with.

use super::InvalidIac;
use std::io::{self, Cursor, Read};

/// A reader that ends with an error after so many bytes.
pub(crate) struct Limited<R> {
    inner: R,
    left: u64,
    exceeded: bool,
}

impl<R: Read> Limited<R> {
    pub(crate) fn new(inner: R, limit: u64) -> Self {
        Self { inner, left: limit, exceeded: false }
    }

    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let read = u64::try_from(count).unwrap_or(u64::MAX);
        if read > self.left {
            self.exceeded = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.left -= read;
        Ok(count)
    }
}

/// The mark that Windows programs put before UTF-8.
const UTF8_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// The first bytes of a file.
pub(crate) struct Beginning(Vec<u8>);

impl Beginning {
    /// Reads them.
    pub(crate) fn of(input: &mut impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        input.take(4).read_to_end(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Refuses what is known by its first bytes.
    pub(crate) fn refuse(&self) -> Result<(), InvalidIac> {
        match self.0.as_slice() {
            [] => Err(InvalidIac::Empty),
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, b'{', ..] | [b'{', 0, ..] => Err(InvalidIac::Utf16),
            // A saved plan is a ZIP archive.
            [b'P', b'K', 3, 4] => Err(InvalidIac::SavedPlan),
            _ => Ok(()),
        }
    }

    /// The bytes without the mark.
    pub(crate) fn without_mark(self) -> Cursor<Vec<u8>> {
        let start = if self.0.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 };
        let mut cursor = Cursor::new(self.0);
        cursor.set_position(start as u64);
        cursor
    }
}
