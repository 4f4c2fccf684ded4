//! Reads an archive that may be anything. Names are found in any ordinary ZIP file, so that what was changed, removed or
//! added can be named; but only one that is to the byte as [`super::PackArchive`] writes it is as it was written.

use super::MAX_DIRECTORY;
use super::zip_headers::{
    CENTRAL, CENTRAL_LENGTH, COMMENT_LENGTH, DEFLATE, DosTime, END, END_64, END_64_LENGTH, END_LENGTH, EntryHeader,
    LOCAL, LOCAL_LENGTH, LOCATOR_64, LOCATOR_64_LENGTH, SEAL, ending,
};
use crate::InvalidPack;
use crate::manifest::Hash;
use flate2::Crc;
use flate2::read::DeflateDecoder;
use hostssl_model::hex;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read, Seek, SeekFrom};

/// The longest comment of a ZIP file.
const LONGEST_COMMENT: u64 = 65_535;
/// The most bytes that all files together may unpack to.
const MAX_UNPACKED: u64 = 16 << 30;

/// An archive of which the directory was read.
#[derive(Debug)]
pub(crate) struct Archive<S> {
    source: S,
    entries: Vec<Entry>,
    /// Whether every byte around the files is as hostssl writes it, and the seal is right.
    as_written: bool,
    /// Bytes that may still be unpacked.
    budget: u64,
}

#[derive(Debug)]
struct Entry {
    header: EntryHeader,
    method: u16,
    is_encrypted: bool,
}

/// What a file contains.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) hash: Hash,
    /// Whether the length and the CRC of the headers are right.
    pub(crate) as_declared: bool,
    /// The bytes, if they were wanted.
    pub(crate) bytes: Vec<u8>,
}

impl<S: Read + Seek> Archive<S> {
    pub(crate) fn open(mut source: S) -> Result<Self, InvalidPack> {
        let length = source.seek(SeekFrom::End(0))?;
        let (tail, place) = tail(&mut source, length)?;
        let found = find_end(&tail).ok_or(InvalidPack::NotAnArchive)?;
        let end_at = place + found as u64;
        let last = tail.get(found..).unwrap_or_default();
        let (count, size, offset) = (u16_at(last, 10), u32_at(last, 12), u32_at(last, 16));
        if size > MAX_DIRECTORY || u64::from(offset) + u64::from(size) > end_at {
            return Err(InvalidPack::Damaged("it does not lie before the end"));
        }
        let directory = read_at(&mut source, offset.into(), size as usize)?;
        let count = match count {
            u16::MAX => count_64(&mut source, end_at)?.unwrap_or_else(|| count.into()),
            count => count.into(),
        };
        let entries = read_entries(&directory, count)?;
        let mut archive = Self { source, entries, as_written: false, budget: MAX_UNPACKED };
        archive.as_written = archive.is_as_written(&directory, offset, length)? && archive.is_sealed(length)?;
        Ok(archive)
    }

    /// Whether every byte around the files is as hostssl writes it.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.as_written
    }

    /// The names of the files, in the order of the directory, as the bytes that they are.
    pub(crate) fn names(&self) -> Vec<Vec<u8>> {
        self.entries.iter().map(|entry| entry.header.name.clone()).collect()
    }

    /// What a file contains: its bytes too, if they are wanted and not more than `wanted`.
    pub(crate) fn content(&mut self, index: usize, wanted: usize) -> Result<Content, &'static str> {
        let entry = self.entries.get(index).ok_or("it is not there")?;
        if entry.is_encrypted {
            return Err("it is encrypted");
        }
        let declared = u64::from(entry.header.size);
        self.budget = self.budget.checked_sub(declared).ok_or("the files unpack to more than 16 GiB")?;
        let torn = |_: io::Error| "it is damaged or truncated";
        let offset = u64::from(entry.header.offset);
        let local = read_at(&mut self.source, offset, LOCAL_LENGTH).map_err(torn)?;
        if u32_at(&local, 0) != LOCAL {
            return Err("its header is not where the directory says");
        }
        let before = LOCAL_LENGTH as u64 + u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        self.source.seek(SeekFrom::Start(offset + before)).map_err(torn)?;
        let packed = (&mut self.source).take(entry.header.packed.into());
        let (content, used) = match entry.method {
            0 => (digest(packed, declared, wanted).map_err(torn)?, entry.header.packed.into()),
            DEFLATE => {
                let mut decoder = DeflateDecoder::new(packed);
                (digest(&mut decoder, declared, wanted).map_err(torn)?, decoder.total_in())
            }
            _ => return Err("it is compressed in a way that hostssl does not use"),
        };
        let (hash, length, crc, bytes) = content;
        // Nothing lies behind the end of the content, either.
        let as_declared = length == declared && crc == entry.header.crc && used == u64::from(entry.header.packed);
        Ok(Content { hash, as_declared, bytes })
    }

    /// Whether the headers, written again, are the bytes of the file: then the files follow each other without a gap, and
    /// the directory has each of them once and in order.
    fn is_as_written(&mut self, directory: &[u8], offset: u32, length: u64) -> io::Result<bool> {
        let mut at = 0_u64;
        let mut expected = Vec::with_capacity(directory.len());
        for entry in &self.entries {
            let header = &entry.header;
            let local = header.local();
            if entry.method != DEFLATE || u64::from(header.offset) != at {
                return Ok(false);
            }
            match read_at(&mut self.source, at, local.len()) {
                Ok(actual) if actual == local => {}
                Ok(_) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(error) => return Err(error),
            }
            at += local.len() as u64 + u64::from(header.packed);
            expected.extend(header.central());
        }
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let ends = ending(count, u32::try_from(directory.len()).unwrap_or(u32::MAX), offset);
        // Nothing lies between the directory and its end, nor behind the comment.
        let end_at = at + directory.len() as u64;
        let is_whole =
            at == u64::from(offset) && expected == directory && length == end_at + (ends.len() + COMMENT_LENGTH) as u64;
        Ok(is_whole && read_at(&mut self.source, end_at, ends.len())? == ends)
    }

    /// Whether the comment has the SHA-256 of all bytes before it. It finds what no header shows: DEFLATE has several
    /// encodings of the same content.
    fn is_sealed(&mut self, length: u64) -> io::Result<bool> {
        let Some(before) = length.checked_sub(COMMENT_LENGTH as u64) else { return Ok(false) };
        self.source.seek(SeekFrom::Start(0))?;
        let (hash, ..) = digest((&mut self.source).take(before), before, 0)?;
        let comment = read_at(&mut self.source, before, COMMENT_LENGTH)?;
        Ok(comment == format!("{SEAL}{}", hex(&hash)).as_bytes())
    }
}

/// The SHA-256, the length and the CRC of at most one byte more than `most`, and the bytes if they are not more than
/// `wanted`.
fn digest(mut from: impl Read, most: u64, wanted: usize) -> io::Result<(Hash, u64, u32, Vec<u8>)> {
    let (mut hash, mut crc, mut length, mut bytes) = (Sha256::new(), Crc::new(), 0_u64, Vec::new());
    let mut from = (&mut from).take(most.saturating_add(1));
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer)?;
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            if length > wanted as u64 {
                bytes.clear();
            }
            return Ok((hash.finalize().into(), length, crc.sum(), bytes));
        }
        hash.update(part);
        crc.update(part);
        length += part.len() as u64;
        if bytes.len() + part.len() <= wanted {
            bytes.extend_from_slice(part);
        }
    }
}

/// The last bytes, which hold the end of the directory, and where they begin.
fn tail(source: &mut (impl Read + Seek), length: u64) -> io::Result<(Vec<u8>, u64)> {
    let size = length.min(LONGEST_COMMENT + END_LENGTH as u64);
    let place = length - size;
    Ok((read_at(source, place, usize::try_from(size).unwrap_or_default())?, place))
}

/// Where the end of the directory is: the last place that looks like one and whose comment ends with the file.
fn find_end(tail: &[u8]) -> Option<usize> {
    let last = tail.len().checked_sub(END_LENGTH)?;
    (0..=last).rev().find(|&at| {
        let end = tail.get(at..).unwrap_or_default();
        u32_at(end, 0) == END && usize::from(u16_at(end, 20)) == end.len() - END_LENGTH
    })
}

/// The number of files that the end at `end_at` cannot hold, if it is written before it.
fn count_64(source: &mut (impl Read + Seek), end_at: u64) -> io::Result<Option<u32>> {
    let Some(at) = end_at.checked_sub((END_64_LENGTH + LOCATOR_64_LENGTH) as u64) else { return Ok(None) };
    let before = read_at(source, at, END_64_LENGTH + LOCATOR_64_LENGTH)?;
    let is_there = u32_at(&before, 0) == END_64 && u32_at(&before, END_64_LENGTH) == LOCATOR_64;
    // A number that takes more than four bytes is of a directory that is not read.
    Ok((is_there && u32_at(&before, 36) == 0).then(|| u32_at(&before, 32)))
}

fn read_entries(mut directory: &[u8], count: u32) -> Result<Vec<Entry>, InvalidPack> {
    let mut entries = Vec::new();
    while (entries.len() as u64) < u64::from(count) {
        let damaged = InvalidPack::Damaged("it has fewer files than it says");
        if directory.len() < CENTRAL_LENGTH || u32_at(directory, 0) != CENTRAL {
            return Err(damaged);
        }
        let length = |at| usize::from(u16_at(directory, at));
        let (name, behind) = (length(28), length(30) + length(32));
        let whole = CENTRAL_LENGTH + name + behind;
        let Some((this, rest)) = directory.split_at_checked(whole) else { return Err(damaged) };
        entries.push(Entry {
            header: EntryHeader {
                name: this.get(CENTRAL_LENGTH..CENTRAL_LENGTH + name).unwrap_or_default().to_vec(),
                time: DosTime { time: u16_at(this, 12), date: u16_at(this, 14) },
                crc: u32_at(this, 16),
                packed: u32_at(this, 20),
                size: u32_at(this, 24),
                offset: u32_at(this, 42),
            },
            method: u16_at(this, 10),
            is_encrypted: u16_at(this, 8) & 1 != 0,
        });
        directory = rest;
    }
    Ok(entries)
}

fn read_at(source: &mut (impl Read + Seek), at: u64, length: usize) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![0; length];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A number of two bytes; zero behind the end, which no length check lets through.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |two| u16::from_le_bytes(*two))
}

/// The same of four bytes.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_le_bytes(*four))
}
