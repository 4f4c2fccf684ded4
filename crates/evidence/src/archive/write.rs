//! Writes the archive.

use super::MAX_DIRECTORY;
use super::zip_headers::{DosTime, EntryHeader, SEAL, ending};
use crate::PackFile;
use hostssl_model::hex;
use hostssl_model::{Advice, Fault, Hint};
use jiff::civil::DateTime;
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

/// More files, or more bytes, than a pack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// Too many files.
    #[error("the pack would have {0} files, and the list of their names is longer than the 64 MiB that fit")]
    Files(usize),
    /// Too many bytes.
    #[error("the pack would have {0} bytes or more, and at most 4 GiB fit")]
    Bytes(u64),
}

impl Advice for TooLarge {
    fn advice(&self) -> Hint {
        "audit a part of the scope, such as one `--subscription`, and pack that audit".into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// The archive of a pack, laid out.
#[derive(Debug)]
pub struct PackArchive<'a> {
    files: Vec<(EntryHeader, &'a PackFile)>,
    directory: Vec<u8>,
    end: Vec<u8>,
}

impl<'a> PackArchive<'a> {
    /// The archive of these files, in their order, each with this time in UTC. The same files at the same time give the
    /// same bytes.
    ///
    /// # Errors
    ///
    /// [`TooLarge`] when there are too many files or bytes.
    pub fn of(files: &'a [PackFile], at: DateTime) -> Result<Self, TooLarge> {
        let mut length = 0_u64;
        let mut directory = Vec::new();
        let mut laid_out = Vec::with_capacity(files.len());
        for file in files {
            let header = EntryHeader {
                name: file.path.as_bytes().to_vec(),
                time: DosTime::of(at),
                crc: file.crc,
                packed: number(file.packed.len() as u64)?,
                size: number(file.size)?,
                offset: number(length)?,
            };
            length += (header.local().len() + file.packed.len()) as u64;
            directory.extend(header.central());
            laid_out.push((header, file));
        }
        let (Ok(entries), Ok(of_directory)) = (u32::try_from(files.len()), u32::try_from(directory.len())) else {
            return Err(TooLarge::Files(files.len()));
        };
        if of_directory > MAX_DIRECTORY {
            return Err(TooLarge::Files(files.len()));
        }
        let end = ending(entries, of_directory, number(length)?);
        number(length + (directory.len() + end.len()) as u64)?;
        Ok(Self { files: laid_out, directory, end })
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// That of what it is written to.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = Sealed { out, hash: Sha256::new() };
        for (header, file) in &self.files {
            out.put(&header.local())?;
            out.put(&file.packed)?;
        }
        out.put(&self.directory)?;
        out.put(&self.end)?;
        let Sealed { out, hash } = out;
        write!(out, "{SEAL}{}", hex(&hash.finalize()))
    }
}

/// A length as the headers have it.
fn number(length: u64) -> Result<u32, TooLarge> {
    u32::try_from(length).ok().filter(|number| *number < u32::MAX).ok_or(TooLarge::Bytes(length))
}

/// What is written, with the SHA-256 of it.
struct Sealed<'a> {
    out: &'a mut dyn Write,
    hash: Sha256,
}

impl Sealed<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Archive;
    use std::io::Cursor;

    fn small(count: usize) -> Vec<PackFile> {
        let empty = PackFile::new("", &[]).unwrap();
        (0..count).map(|number| PackFile { path: format!("{number:05}"), ..empty.clone() }).collect()
    }

    #[test]
    fn more_files_than_the_end_can_count_are_packed_and_counted() {
        let at = jiff::civil::date(2026, 11, 24).at(0, 0, 0, 0);
        for count in [65_534, 65_535, 70_000] {
            let files = small(count);
            let mut bytes = Vec::new();
            PackArchive::of(&files, at).unwrap().write(&mut bytes).unwrap();
            let archive = Archive::open(Cursor::new(bytes)).unwrap();
            assert!(archive.is_unchanged());
            assert_eq!(archive.names().len(), count);
        }
    }

    #[test]
    fn a_list_of_names_that_is_not_read_is_not_written() {
        let at = jiff::civil::date(2026, 11, 24).at(0, 0, 0, 0);
        let file = PackFile::new("x".repeat(60_000), &[]).unwrap();
        let refused = PackArchive::of(&vec![file; 1_200], at).unwrap_err();
        assert_eq!(refused, TooLarge::Files(1_200));
    }
}
