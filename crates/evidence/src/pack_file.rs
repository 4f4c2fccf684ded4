//! One file of a pack, compressed as soon as it is made: a pack of 20,000 servers holds a gigabyte.

use crate::manifest::Hash;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use hostssl_model::hex;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read as _, Write};

/// One file of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackFile {
    /// Its path in the pack, with `/` between the parts.
    pub path: String,
    pub(crate) hash: Hash,
    pub(crate) crc: u32,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// Its content, compressed by DEFLATE.
    pub(crate) packed: Vec<u8>,
}

impl PackFile {
    /// A file with this content.
    ///
    /// # Errors
    ///
    /// None: it is written to memory.
    pub fn new(path: impl Into<String>, content: &[u8]) -> io::Result<Self> {
        Self::write(path, |out| out.write_all(content))
    }

    /// A file with what is written.
    ///
    /// # Errors
    ///
    /// That of what writes.
    pub fn write(path: impl Into<String>, how: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Self> {
        let mut content = Content::default();
        // Serialised values are written by the byte.
        let mut buffered = io::BufWriter::with_capacity(16 << 10, &mut content);
        how(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        let Content { hash, crc, size, encoder } = content;
        let mut packed = encoder.0.finish()?;
        packed.shrink_to_fit();
        Ok(Self { path: path.into(), hash: hash.finalize().into(), crc: crc.sum(), size, packed })
    }

    /// Its content.
    ///
    /// # Errors
    ///
    /// None: it is what was written.
    pub fn content(&self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        DeflateDecoder::new(self.packed.as_slice()).read_to_end(&mut content)?;
        Ok(content)
    }

    /// The SHA-256 of its content, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&self.hash)
    }
}

/// What was written so far.
#[derive(Default)]
struct Content {
    hash: Sha256,
    crc: Crc,
    size: u64,
    encoder: Deflated,
}

struct Deflated(DeflateEncoder<Vec<u8>>);

impl Default for Deflated {
    fn default() -> Self {
        // The level is part of the format: design record 007.
        Self(DeflateEncoder::new(Vec::new(), Compression::default()))
    }
}

impl Write for Content {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.encoder.0.write_all(part)?;
        self.hash.update(part);
        self.crc.update(part);
        self.size += part.len() as u64;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
