//! Keeps the clients of servers: one document a server, which every look adds to.

use crate::probes::{deflated, inflated};
use crate::{AuditStore, StoreError, StoreReader, server_key};
use hostssl_census::{CensusVerdict, KeptCensus, Millis, Requirements, SessionTls};
use hostssl_model::ResourceId;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::collections::BTreeMap;

/// An observation that ended longer ago than this says nothing about today; the census itself judges the same.
const STALE: Millis = 24 * 60 * 60 * 1_000;

/// What the kept census of a server says, for lists. The verdict is that of the usual window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusEntry {
    /// The server's resource id.
    pub server: String,
    /// When it was looked at last, in milliseconds since 1970-01-01T00:00:00Z.
    pub looked_ms: Millis,
    /// The end of what was observed, in the same unit; `None` when nothing was.
    pub until_ms: Option<Millis>,
    /// Whether enforcement is safe, as of the moment that was asked about.
    pub verdict: CensusVerdict,
    /// Why, in one sentence.
    pub reason: String,
    /// Clients in plaintext.
    pub plaintext: u64,
    /// Clients for which that is unknown.
    pub unknown: u64,
    /// Clients with TLS.
    pub tls: u64,
    /// Clients over a local socket.
    pub local: u64,
}

/// One kept census, as it is told before it is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCensusOf {
    /// What it is kept under.
    pub key: String,
    /// The server's resource id, or the name that a person gave.
    pub server: String,
    /// Whether a person gave the name.
    pub is_named: bool,
    /// When it was looked at last, in milliseconds since 1970-01-01T00:00:00Z.
    pub looked_ms: Millis,
    /// How many clients it has.
    pub clients: u64,
}

impl AuditStore {
    /// Merges an observation into what is stored of each server, all or nothing. Returns the merged censuses, in the
    /// same order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written; [`StoreError::Corrupt`] when the stored data is damaged.
    pub fn merge_censuses(&self, looks: Vec<(ResourceId, KeptCensus)>) -> Result<Vec<KeptCensus>, StoreError> {
        self.write(|transaction| {
            let mut merged = Vec::with_capacity(looks.len());
            for (server, look) in looks {
                merged.push(merge(transaction, &server_key(&server), server.as_str(), look)?);
            }
            Ok(merged)
        })
    }

    /// The same for a server that a person has named, which no plan, page or list knows: logs on disk do not say whose they are,
    /// so nothing that changes a server in Azure rests on them. Names are the same in any letter case.
    ///
    /// # Errors
    ///
    /// As [`Self::merge_censuses`].
    pub fn merge_named_census(&self, name: &str, look: KeptCensus) -> Result<KeptCensus, StoreError> {
        self.write(|transaction| {
            let merged = merge(transaction, &format!("{NAMED}{}", name.to_lowercase()), name, look)?;
            Ok(merged)
        })
    }

    /// Every census that is kept, those under a person's name too, by the key that [`Self::forget_census`] takes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn kept_censuses(&self) -> Result<Vec<KeptCensusOf>, StoreError> {
        self.read(|connection| {
            let sql =
                "SELECT key, server, looked_ms, plaintext + unknown + tls + local FROM census ORDER BY server, key";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                let (key, clients): (String, i64) = (row.get(0)?, row.get(3)?);
                let clients = u64::try_from(clients).unwrap_or_default();
                let is_named = key.starts_with(NAMED);
                Ok(KeptCensusOf { key, server: row.get(1)?, is_named, looked_ms: row.get(2)?, clients })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Forgets all that is kept of the clients of a server. Says whether there was anything.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn forget_census(&self, key: &str) -> Result<bool, StoreError> {
        self.write(|connection| {
            let forgotten = connection.prepare_cached("DELETE FROM census WHERE key = ?1")?.execute([key])?;
            Ok(forgotten > 0)
        })
    }

    /// What is kept of the clients of a server, by its key.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the stored data is damaged, and every error of the disk.
    pub fn census(&self, key: &str) -> Result<Option<KeptCensus>, StoreError> {
        self.read(|connection| census_of(connection, key))
    }

    /// When the newest look at clients was, in milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn newest_census(&self) -> Result<Option<Millis>, StoreError> {
        self.read(|connection| {
            Ok(connection.prepare_cached("SELECT max(looked_ms) FROM census")?.query_row([], |row| row.get(0))?)
        })
    }

    /// What the censuses say of each server in Azure that has one, by key, as of `now_ms`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn census_entries(&self, now_ms: Millis) -> Result<BTreeMap<String, CensusEntry>, StoreError> {
        self.read(|connection| entries(connection, now_ms))
    }
}

impl StoreReader {
    /// What is kept of the clients of a server, by its key.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the stored data is damaged, and every error of the disk.
    pub fn census(&self, key: &str) -> Result<Option<KeptCensus>, StoreError> {
        census_of(&self.lock(), key)
    }

    /// What the censuses say of each server that has one, by key, as of `now_ms`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn census_entries(&self, now_ms: Millis) -> Result<BTreeMap<String, CensusEntry>, StoreError> {
        entries(&self.lock(), now_ms)
    }
}

fn census_of(connection: &Connection, key: &str) -> Result<Option<KeptCensus>, StoreError> {
    let find = "SELECT document FROM census WHERE key = ?1";
    let found: Option<Vec<u8>> = connection.prepare_cached(find)?.query_row([key], |row| row.get(0)).optional()?;
    let Some(packed) = found else { return Ok(None) };
    let read = KeptCensus::from_json(&inflated(&packed)?);
    read.map(Some).map_err(|error| StoreError::Corrupt(format!("the census of a server: {error}")))
}

/// What the keys of servers that a person has named begin with. No resource id does.
const NAMED: &str = "named:";

fn merge(connection: &Connection, key: &str, server: &str, look: KeptCensus) -> Result<KeptCensus, StoreError> {
    let mut kept = census_of(connection, key)?.unwrap_or_default();
    kept.merge(look);
    put(connection, key, server, &kept)?;
    Ok(kept)
}

fn put(connection: &Connection, key: &str, server: &str, kept: &KeptCensus) -> Result<(), StoreError> {
    let report = kept.judge(Requirements::default(), None);
    let count = |tls: SessionTls| {
        let count = report.clients.iter().filter(|client| client.tls == tls).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    };
    let verdict = match report.verdict {
        CensusVerdict::Breaks => 0,
        CensusVerdict::NeedsObservation => 1,
        CensusVerdict::Safe => 2,
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO census (key, server, looked_ms, until_ms, verdict, reason, plaintext, unknown, tls, \
             local, document) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            key,
            server,
            kept.looked_at(),
            report.window.map(|window| window.to),
            verdict,
            report.reason,
            count(SessionTls::Plaintext),
            count(SessionTls::Unknown),
            count(SessionTls::Tls),
            count(SessionTls::Local),
            deflated(&kept.to_json()),
        ])?;
    Ok(())
}

fn entries(connection: &Connection, now_ms: Millis) -> Result<BTreeMap<String, CensusEntry>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT key, server, looked_ms, until_ms, verdict, reason, plaintext, unknown, tls, local FROM census \
         WHERE key NOT LIKE 'named:%'",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, entry(row, now_ms)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn entry(row: &Row<'_>, now_ms: Millis) -> rusqlite::Result<CensusEntry> {
    let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or_default());
    let until_ms: Option<Millis> = row.get(3)?;
    let verdict = match row.get::<_, i64>(4)? {
        0 => CensusVerdict::Breaks,
        2 => CensusVerdict::Safe,
        _ => CensusVerdict::NeedsObservation,
    };
    let is_stale = until_ms.is_none_or(|until| now_ms.saturating_sub(until) > STALE);
    let (verdict, reason) = match verdict {
        CensusVerdict::Safe if is_stale => {
            (CensusVerdict::NeedsObservation, "the newest observation is too old: observe again".to_owned())
        }
        verdict => (verdict, row.get(5)?),
    };
    Ok(CensusEntry {
        server: row.get(1)?,
        looked_ms: row.get(2)?,
        until_ms,
        verdict,
        reason,
        plaintext: count(6)?,
        unknown: count(7)?,
        tls: count(8)?,
        local: count(9)?,
    })
}
