//! The headers of a ZIP file, as a pack has them. Sections are those of APPNOTE.TXT 6.3.10.

use jiff::civil::DateTime;

/// Section 4.3.7.
pub(super) const LOCAL: u32 = 0x0403_4b50;
/// Section 4.3.12.
pub(super) const CENTRAL: u32 = 0x0201_4b50;
/// Section 4.3.16.
pub(super) const END: u32 = 0x0605_4b50;
/// Section 4.3.14.
pub(super) const END_64: u32 = 0x0606_4b50;
/// Section 4.3.15.
pub(super) const LOCATOR_64: u32 = 0x0706_4b50;
pub(super) const LOCAL_LENGTH: usize = 30;
pub(super) const CENTRAL_LENGTH: usize = 46;
pub(super) const END_LENGTH: usize = 22;
pub(super) const END_64_LENGTH: usize = 56;
pub(super) const LOCATOR_64_LENGTH: usize = 20;

/// Section 4.4.3: 2.0, which has DEFLATE and folders.
const VERSION: u16 = 20;
/// Section 4.4.3: 4.5, which has the end for many files.
const VERSION_64: u16 = 45;
/// Section 4.4.2: made on Unix, so that the attributes are permissions.
const MADE_BY: u16 = (3 << 8) | VERSION;
/// Section 4.4.5.
pub(super) const DEFLATE: u16 = 8;
/// A file that its owner may write and all may read.
const ATTRIBUTES: u32 = 0o100_644 << 16;

/// What the comment of the archive begins with; behind it stands the SHA-256 of all bytes before the comment.
pub(super) const SEAL: &str = "hostssl/evidence/v1 sha256:";
/// The length of the comment.
pub(super) const COMMENT_LENGTH: usize = SEAL.len() + 64;

/// A time as ZIP files have it: section 4.4.6.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DosTime {
    pub(super) time: u16,
    pub(super) date: u16,
}

impl DosTime {
    /// The time to two seconds. A year that it cannot hold is the nearest one that it can.
    pub(super) fn of(at: DateTime) -> Self {
        let part = |number: i8| u16::try_from(number).unwrap_or_default();
        let year = u16::try_from(at.year().clamp(1980, 2107) - 1980).unwrap_or_default();
        Self {
            time: (part(at.hour()) << 11) | (part(at.minute()) << 5) | (part(at.second()) / 2),
            date: (year << 9) | (part(at.month()) << 5) | part(at.day()),
        }
    }
}

/// What the headers say of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryHeader {
    pub(crate) name: Vec<u8>,
    pub(super) time: DosTime,
    pub(super) crc: u32,
    /// Bytes in the archive.
    pub(super) packed: u32,
    /// Bytes of the file.
    pub(super) size: u32,
    /// Where its local header is.
    pub(super) offset: u32,
}

impl EntryHeader {
    fn common(&self, out: &mut Vec<u8>) {
        out.extend(VERSION.to_le_bytes());
        out.extend([0; 2]);
        out.extend(DEFLATE.to_le_bytes());
        out.extend(self.time.time.to_le_bytes());
        out.extend(self.time.date.to_le_bytes());
        out.extend(self.crc.to_le_bytes());
        out.extend(self.packed.to_le_bytes());
        out.extend(self.size.to_le_bytes());
        out.extend(u16::try_from(self.name.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend([0; 2]);
    }

    /// The header before its content.
    pub(super) fn local(&self) -> Vec<u8> {
        let mut out = LOCAL.to_le_bytes().to_vec();
        self.common(&mut out);
        out.extend(&self.name);
        out
    }

    /// The header in the directory.
    pub(super) fn central(&self) -> Vec<u8> {
        let mut out = CENTRAL.to_le_bytes().to_vec();
        out.extend(MADE_BY.to_le_bytes());
        self.common(&mut out);
        // The comment, the disk, and the internal attributes.
        out.extend([0; 6]);
        out.extend(ATTRIBUTES.to_le_bytes());
        out.extend(self.offset.to_le_bytes());
        out.extend(&self.name);
        out
    }
}

/// What stands behind the directory, without the comment: its end, and before that the number of files where the end cannot
/// hold it.
pub(super) fn ending(entries: u32, directory: u32, offset: u32) -> Vec<u8> {
    let small = u16::try_from(entries).ok().filter(|entries| *entries < u16::MAX);
    let mut out = if small.is_some() { Vec::new() } else { end_64(entries, directory, offset) };
    out.extend(END.to_le_bytes());
    out.extend([0; 4]);
    out.extend(small.unwrap_or(u16::MAX).to_le_bytes());
    out.extend(small.unwrap_or(u16::MAX).to_le_bytes());
    out.extend(directory.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out.extend(u16::try_from(COMMENT_LENGTH).unwrap_or_default().to_le_bytes());
    out
}

/// The end for more than 65,534 files, and where it is: sections 4.3.14 and 4.3.15.
fn end_64(entries: u32, directory: u32, offset: u32) -> Vec<u8> {
    let mut out = END_64.to_le_bytes().to_vec();
    out.extend((END_64_LENGTH as u64 - 12).to_le_bytes());
    out.extend(((3 << 8) | VERSION_64).to_le_bytes());
    out.extend(VERSION_64.to_le_bytes());
    out.extend([0; 8]);
    for number in [entries, entries, directory, offset] {
        out.extend(u64::from(number).to_le_bytes());
    }
    out.extend(LOCATOR_64.to_le_bytes());
    out.extend([0; 4]);
    out.extend((u64::from(offset) + u64::from(directory)).to_le_bytes());
    out.extend(1_u32.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_their_lengths() {
        let header =
            EntryHeader { name: b"abc".to_vec(), time: DosTime::default(), crc: 1, packed: 2, size: 3, offset: 4 };
        assert_eq!(header.local().len(), LOCAL_LENGTH + 3);
        assert_eq!(header.central().len(), CENTRAL_LENGTH + 3);
        assert_eq!(ending(1, 2, 3).len(), END_LENGTH);
        assert_eq!(ending(65_535, 2, 3).len(), END_64_LENGTH + LOCATOR_64_LENGTH + END_LENGTH);
    }

    #[test]
    fn times_are_those_of_msdos() {
        let at = jiff::civil::date(2026, 11, 24).at(9, 30, 59, 0);
        assert_eq!(DosTime::of(at), DosTime { time: (9 << 11) | (30 << 5) | 29, date: (46 << 9) | (11 << 5) | 24 });
        assert_eq!(DosTime::of(jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0)).date, (1 << 5) | 1);
    }
}
