//! Writes the archive.

use super::zip_headers::{DosTime, EntryHeader, SEAL, end};
use crate::PackFile;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use hostssl_model::hex;
use hostssl_model::{Advice, Fault, Hint};
use jiff::civil::DateTime;
use sha2::{Digest as _, Sha256};
use std::io::Write as _;

/// More files, or more bytes, than a ZIP file of version 2.0 holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// Too many files.
    #[error("the pack would have {0} files, and at most 65,534 fit")]
    Files(usize),
    /// Too many bytes.
    #[error("the pack would have more than {0} bytes, and at most 4 GiB fit")]
    Bytes(usize),
}

impl Advice for TooLarge {
    fn advice(&self) -> Hint {
        "audit a part of the scope, such as one `--subscription`, and pack that audit".into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// The bytes of the archive of these files, in their order, each with this time in UTC. The same files at the same time
/// give the same bytes.
///
/// # Errors
///
/// [`TooLarge`] when there are too many files or bytes.
pub fn write_archive(files: &[PackFile], at: DateTime) -> Result<Vec<u8>, TooLarge> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    let too_large = TooLarge::Bytes;
    let entries = u16::try_from(files.len()).ok().filter(|count| *count < u16::MAX);
    let entries = entries.ok_or(TooLarge::Files(files.len()))?;
    let number = |length: usize| u32::try_from(length).ok().filter(|number| *number < u32::MAX);
    for file in files {
        let offset = number(out.len()).ok_or_else(|| too_large(out.len()))?;
        let packed = deflated(&file.bytes);
        let mut crc = Crc::new();
        crc.update(&file.bytes);
        let header = EntryHeader {
            name: file.path.as_bytes().to_vec(),
            time: DosTime::of(at),
            crc: crc.sum(),
            packed: number(packed.len()).ok_or_else(|| too_large(out.len()))?,
            size: number(file.bytes.len()).ok_or_else(|| too_large(out.len()))?,
            offset,
        };
        out.extend(header.local());
        out.extend(packed);
        directory.extend(header.central());
    }
    let offset = number(out.len()).ok_or_else(|| too_large(out.len()))?;
    let length = number(directory.len()).ok_or_else(|| too_large(out.len()))?;
    out.extend(directory);
    out.extend(end(entries, length, offset));
    number(out.len()).ok_or_else(|| too_large(out.len()))?;
    let seal = format!("{SEAL}{}", hex(&Sha256::digest(&out)));
    out.extend(seal.as_bytes());
    Ok(out)
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    // A vector takes what it is given.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Archive;
    use std::io::Cursor;

    fn small(count: usize) -> Vec<PackFile> {
        (0..count).map(|number| PackFile { path: format!("{number:05}"), bytes: Vec::new() }).collect()
    }

    #[test]
    fn as_many_files_as_fit_are_packed_and_one_more_is_refused() {
        let at = jiff::civil::date(2026, 11, 24).at(0, 0, 0, 0);
        let archive = Archive::open(Cursor::new(write_archive(&small(65_534), at).unwrap())).unwrap();
        assert!(archive.is_unchanged());
        assert_eq!((archive.names().len(), archive.names().last().map(Vec::as_slice)), (65_534, Some(&b"65533"[..])));
        let refused = write_archive(&small(65_535), at).unwrap_err();
        assert_eq!(refused, TooLarge::Files(65_535));
        assert_eq!(refused.to_string(), "the pack would have 65535 files, and at most 65,534 fit");
    }
}
