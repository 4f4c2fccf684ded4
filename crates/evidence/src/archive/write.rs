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
#[derive(Debug, thiserror::Error)]
#[error("the pack would have {files} files and more than {bytes} bytes; at most 65,534 files and 4 GiB fit")]
pub struct TooLarge {
    /// How many files it would have.
    pub files: usize,
    /// How many bytes.
    pub bytes: usize,
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
    let too_large = |bytes: usize| TooLarge { files: files.len(), bytes };
    let entries = u16::try_from(files.len()).ok().filter(|count| *count < u16::MAX).ok_or_else(|| too_large(0))?;
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
