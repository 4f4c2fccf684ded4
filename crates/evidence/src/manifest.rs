//! The manifest: the SHA-256 of every file, in the format of `sha256sum`.

use crate::PackFile;
use crate::file_names::is_safe;
use hostssl_model::hex;
use std::collections::BTreeMap;

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// The SHA-256 of every file of a pack, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    pub(crate) hashes: BTreeMap<String, Hash>,
}

impl Manifest {
    /// The manifest of these files.
    #[must_use]
    pub fn of(files: &[PackFile]) -> Self {
        let hashes = files.iter().map(|file| (file.path.clone(), file.hash));
        Self { hashes: hashes.collect() }
    }

    /// The file: a line for each, in the order of the names.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.hashes.iter().map(|(name, hash)| format!("{}  {name}\n", hex(hash))).collect()
    }

    /// Reads a manifest, and returns the numbers of the lines that are not lines of one, from 1.
    pub(crate) fn read(bytes: &[u8]) -> (Self, Vec<usize>) {
        let mut manifest = Self::default();
        let mut bad = Vec::new();
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            match read_line(line) {
                // The first line of a name counts, so that a second one cannot excuse a change.
                Some((name, hash)) if !manifest.hashes.contains_key(name) => {
                    manifest.hashes.insert(name.to_owned(), hash);
                }
                _ => bad.push(index + 1),
            }
        }
        if !bytes.ends_with(b"\n") {
            bad.push(text.split(|byte| *byte == b'\n').count());
            bad.dedup();
        }
        (manifest, bad)
    }
}

fn read_line(line: &[u8]) -> Option<(&str, Hash)> {
    let (hash, name) = std::str::from_utf8(line).ok()?.split_once("  ")?;
    Some((name, unhex(hash)?)).filter(|_| is_safe(name))
}

/// The bytes of 64 lower-case hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Hash> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut hash = Hash::default();
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    if pairs.len() != hash.len() {
        return None;
    }
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let file = |path: &str| PackFile::new(path, path.as_bytes()).unwrap();
        let manifest = Manifest::of(&[file("b"), file("a/c.json")]);
        let text = manifest.to_text();
        assert!(text.ends_with("  b\n") && text.lines().count() == 2, "{text}");
        assert_eq!(Manifest::read(text.as_bytes()), (manifest, vec![]));
    }

    #[test]
    fn a_line_that_is_none_has_its_number() {
        let zero = "0".repeat(64);
        let text = format!("{zero}  a\n{zero}  ../b\n{zero} c\n{zero}  a\n{}  d\n\n", zero.to_uppercase());
        assert_eq!(Manifest::read(text.as_bytes()).1, [2, 3, 4, 6]);
        assert_eq!(Manifest::read(b"").1, [1]);
        assert_eq!(Manifest::read(format!("{zero}  a").as_bytes()).1, [1]);
        assert_eq!(unhex(&"A".repeat(64)), None);
    }
}
