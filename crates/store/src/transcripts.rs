//! Keeps what an audit's probes exchanged with each server. While the audit is in progress, that waits compressed in a file without
//! a name: of a fleet only the places in that file are in memory.

use crate::directory::prepare;
use crate::probes::{deflated, inflated};
use crate::{AuditEntry, AuditStore, StateDirectory, StoreError, StoreReader};
use hostssl_model::ResourceId;
use rusqlite::{OptionalExtension as _, Transaction, params};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;

/// Bytes that are kept at once, unless the transcript of one server alone has more: a commit waits for the disk, and a shared store
/// takes each as one entry.
const BATCH: u64 = 4 << 20;

/// The transcripts of an audit that is in progress.
#[derive(Debug)]
pub struct TranscriptSpool {
    file: File,
    end: u64,
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    server: ResourceId,
    at: u64,
    length: u64,
}

impl TranscriptSpool {
    /// An empty one beside the state, which is made where there is none: a folder for temporary files may be in memory.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the directory cannot be written.
    pub fn open(directory: &StateDirectory) -> Result<Self, StoreError> {
        prepare(directory)?;
        let fail = |source| StoreError::Directory { path: directory.path().into(), source: Arc::new(source) };
        Ok(Self { file: tempfile::tempfile_in(directory.path()).map_err(fail)?, end: 0, places: Vec::new() })
    }

    /// Takes the transcript of a server: a text that [`StoreReader::transcript`] gives back as it is.
    ///
    /// # Errors
    ///
    /// Whatever the disk says. What was taken before is still there.
    pub fn add(&mut self, server: &ResourceId, transcript: &str) -> io::Result<()> {
        let bytes = deflated(transcript);
        // Behind what is whole: a write before may have failed half-way.
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&bytes)?;
        let length = bytes.len() as u64;
        self.places.push(Place { server: server.clone(), at: self.end, length });
        self.end += length;
        Ok(())
    }

    /// How many transcripts it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// The places of one batch after the other.
fn batches(places: &[Place]) -> impl Iterator<Item = &[Place]> {
    let mut rest = places;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |place: &&Place| {
            let is_first = bytes == 0;
            bytes += place.length;
            is_first || bytes <= BATCH
        };
        let (batch, behind) = rest.split_at(rest.iter().take_while(fits).count());
        rest = behind;
        Some(batch).filter(|batch| !batch.is_empty())
    })
}

impl AuditStore {
    /// Keeps transcripts with an audit that is kept, batch by batch. A server that the audit did not see is left out. Returns how many
    /// are kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written; what was kept until then stays.
    pub fn add_transcripts(&self, audit: &str, spool: &mut TranscriptSpool) -> Result<u64, StoreError> {
        let fail = |source| StoreError::Directory { path: self.directory().path().into(), source: Arc::new(source) };
        let TranscriptSpool { file, places, .. } = spool;
        let mut kept = 0;
        for batch in batches(places) {
            let mut read = |place: &Place| -> io::Result<Vec<u8>> {
                let mut bytes = Vec::new();
                file.seek(SeekFrom::Start(place.at))?;
                (&*file).take(place.length).read_to_end(&mut bytes)?;
                Ok(bytes)
            };
            let documents = batch.iter().map(|place| Ok((&place.server, read(place)?))).collect::<io::Result<Vec<_>>>();
            let documents = documents.map_err(fail)?;
            kept += self.write(|transaction| insert(transaction, audit, &documents))?;
        }
        Ok(kept)
    }
}

fn insert(transaction: &Transaction<'_>, audit: &str, documents: &[(&ResourceId, Vec<u8>)]) -> Result<u64, StoreError> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR IGNORE INTO audit_transcripts (audit, server, document) SELECT o.audit, o.server, ?3 FROM observations o \
         WHERE o.audit = (SELECT num FROM audits WHERE id = ?1) AND o.server = (SELECT num FROM servers WHERE id = ?2)",
    )?;
    let mut kept = 0;
    for (server, document) in documents {
        kept += insert.execute(params![audit, server.to_lowercase(), document])? as u64;
    }
    Ok(kept)
}

impl StoreReader {
    /// What an audit exchanged with a server, by its key; `None` where no transcript was kept.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the stored data is damaged.
    pub fn transcript(&self, audit: &AuditEntry, key: &str) -> Result<Option<String>, StoreError> {
        let found: Option<Vec<u8>> = self
            .lock()
            .prepare_cached(
                "SELECT document FROM audit_transcripts WHERE audit = ?1 AND server = (SELECT num FROM servers WHERE key = ?2)",
            )?
            .query_row(params![audit.num, key], |row| row.get(0))
            .optional()?;
        found.map(|bytes| inflated(&bytes)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(length: u64) -> Place {
        Place { server: hostssl_test_support::fleet::flexible("a", "on", "TLSv1.2").server.id.clone(), at: 0, length }
    }

    #[test]
    fn a_batch_is_full_before_the_next_one_begins() {
        let places = [BATCH / 2, BATCH / 2, 1, BATCH * 2, 3, 4].map(place);
        let lengths: Vec<usize> = batches(&places).map(<[Place]>::len).collect();
        assert_eq!(lengths, [2, 1, 1, 2]);
        assert_eq!(batches(&[]).count(), 0);
    }
}
