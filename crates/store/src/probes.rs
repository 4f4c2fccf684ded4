//! Keeps what stand-alone probes saw: endpoints by the batch, so that a long probe that is killed leaves what it had.
//!
//! The endpoints are kept as the JSON that a probe writes (`hostssl/probe/v1`), and not parsed here. What they say of
//! servers that audits have found is handed over beside it.

use crate::audits::clock_set_back::{AuditTimes, date_back};
use crate::audits::current::fold_probe;
use crate::{AuditStore, Page, StoreError, StoreReader};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use hostssl_model::{Outcome, WireObservation};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::io::{Read as _, Write as _};

/// The longest report that is read back, in bytes: one with a transcript of everything is far below.
const MAX_DOCUMENT: u64 = 64 << 20;

/// A probe that begins.
#[derive(Debug, Clone)]
pub struct NewProbe {
    /// Its id.
    pub id: String,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// The version of the program.
    pub tool_version: String,
    /// What was asked, in JSON: users, databases, kinds of replication.
    pub asked: String,
}

/// One probed endpoint.
#[derive(Debug, Clone)]
pub struct ProbedEndpoint {
    /// What its verdict means: proven, not proven, refuted.
    pub outcome: Outcome,
    /// Its report, in JSON.
    pub document: String,
    /// What it says of a server that may be known here, with the name that the server was probed by.
    pub listener: Option<(String, WireObservation)>,
    /// When it was probed, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A probe that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeEntry {
    /// Its id.
    pub id: String,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended; `None` when it did not, because it runs or was killed.
    pub finished_ms: Option<i64>,
    /// The version of the program.
    pub tool_version: String,
    /// What was asked, in JSON.
    pub asked: String,
    /// Whether everything that was asked for was done.
    pub complete: bool,
    /// Endpoints that are proven to enforce TLS.
    pub pass: u64,
    /// Endpoints that are proven not to.
    pub fail: u64,
    /// Endpoints of which neither is proven.
    pub unknown: u64,
}

impl ProbeEntry {
    /// How many endpoints were probed.
    #[must_use]
    pub fn endpoints(&self) -> u64 {
        self.pass + self.fail + self.unknown
    }
}

impl AuditStore {
    /// Keeps that a probe has begun.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn begin_probe(&self, probe: &NewProbe) -> Result<(), StoreError> {
        self.write(|connection| {
            connection.execute(
                "INSERT INTO probes (id, started_ms, tool_version, asked, complete, pass, fail, unknown) \
                 VALUES (?1, ?2, ?3, ?4, 0, 0, 0, 0)",
                params![probe.id, probe.started_ms, probe.tool_version, probe.asked],
            )?;
            Ok(())
        })
    }

    /// Keeps more endpoints of a probe, all or none of them, and adds what they say to what is known of the servers
    /// that audits have found.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn add_endpoints(&self, probe: &str, endpoints: &[ProbedEndpoint]) -> Result<(), StoreError> {
        self.write(|transaction| {
            let find = "SELECT num, pass + fail + unknown FROM probes WHERE id = ?1";
            let (num, done): (i64, i64) = transaction.query_row(find, [probe], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let times = endpoints.iter().map(|endpoint| endpoint.at_ms);
            if let (Some(started_ms), Some(finished_ms)) = (times.clone().min(), times.max()) {
                let now_ms = jiff::Timestamp::now().as_millisecond();
                date_back(transaction, AuditTimes { started_ms, finished_ms, now_ms })?;
            }
            let mut insert =
                transaction.prepare_cached("INSERT INTO probe_endpoints (probe, seq, document) VALUES (?1, ?2, ?3)")?;
            let (mut tally, mut deflater) = ([0_i64; 3], Deflater::new());
            let mut present = false;
            for (seq, endpoint) in (done..).zip(endpoints) {
                insert.execute(params![num, seq, deflater.deflated(&endpoint.document)])?;
                if let Some((host, look)) = &endpoint.listener {
                    present |= fold_probe(transaction, probe, host, look, endpoint.at_ms)?;
                }
                let [pass, fail, unknown] = &mut tally;
                *match endpoint.outcome {
                    Outcome::Pass => pass,
                    Outcome::Fail => fail,
                    Outcome::Unknown | Outcome::NotApplicable => unknown,
                } += 1;
            }
            drop(insert);
            let [pass, fail, unknown] = tally;
            let count = "UPDATE probes SET pass = pass + ?2, fail = fail + ?3, unknown = unknown + ?4 WHERE num = ?1";
            transaction.execute(count, params![num, pass, fail, unknown])?;
            if present {
                transaction.execute("UPDATE present SET version = version + 1", [])?;
            }
            Ok(())
        })
    }

    /// Keeps that a probe has ended, at `finished_ms` since 1970.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn end_probe(&self, probe: &str, finished_ms: i64, complete: bool) -> Result<(), StoreError> {
        self.write(|connection| {
            let end = "UPDATE probes SET finished_ms = ?2, complete = ?3 WHERE id = ?1";
            connection.execute(end, params![probe, finished_ms, complete])?;
            Ok(())
        })
    }

    /// Deletes all but the newest `retain` probes. Returns how many were deleted.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn prune_probes(&self, retain: u32) -> Result<u64, StoreError> {
        self.write(|transaction| {
            let old: Vec<i64> = transaction
                .prepare("SELECT num FROM probes ORDER BY num DESC LIMIT -1 OFFSET ?1")?
                .query_map([retain], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for num in &old {
                transaction.execute("DELETE FROM probe_endpoints WHERE probe = ?1", [num])?;
                transaction.execute("DELETE FROM probes WHERE num = ?1", [num])?;
            }
            Ok(old.len() as u64)
        })
    }

    /// One kept probe.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn probe(&self, id: &str) -> Result<Option<ProbeEntry>, StoreError> {
        self.read(|connection| probe_of(connection, id))
    }

    /// Endpoints of a probe in the order in which they were done, each as its report in JSON.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn endpoints(&self, probe: &str, page: Page) -> Result<Vec<String>, StoreError> {
        self.read(|connection| endpoints(connection, probe, page))
    }
}

impl StoreReader {
    /// One kept probe.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn probe(&self, id: &str) -> Result<Option<ProbeEntry>, StoreError> {
        probe_of(&self.lock(), id)
    }

    /// Endpoints of a probe in the order in which they were done, each as its report in JSON.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn endpoints(&self, probe: &str, page: Page) -> Result<Vec<String>, StoreError> {
        endpoints(&self.lock(), probe, page)
    }
}

pub(crate) fn probe_of(connection: &Connection, id: &str) -> Result<Option<ProbeEntry>, StoreError> {
    let find = "SELECT id, started_ms, finished_ms, tool_version, asked, complete, pass, fail, unknown FROM probes \
                WHERE id = ?1";
    Ok(connection.prepare_cached(find)?.query_row([id], entry).optional()?)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<ProbeEntry> {
    let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or_default());
    Ok(ProbeEntry {
        id: row.get(0)?,
        started_ms: row.get(1)?,
        finished_ms: row.get(2)?,
        tool_version: row.get(3)?,
        asked: row.get(4)?,
        complete: row.get(5)?,
        pass: count(6)?,
        fail: count(7)?,
        unknown: count(8)?,
    })
}

fn endpoints(connection: &Connection, probe: &str, page: Page) -> Result<Vec<String>, StoreError> {
    let skip = i64::from(page.number) * i64::from(page.size);
    let mut statement = connection.prepare_cached(
        "SELECT document FROM probe_endpoints WHERE probe = (SELECT num FROM probes WHERE id = ?1) AND seq >= ?2 \
         ORDER BY seq LIMIT ?3",
    )?;
    let rows = statement.query_map(params![probe, skip, page.size], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|row| inflated(&row?)).collect()
}

/// Reports are much alike within: a hundred thousand of them take a fraction of their size.
pub(crate) fn deflated(document: &str) -> Vec<u8> {
    Deflater::new().deflated(document)
}

/// Deflates one document after the other. What it works with is several times as large as a document, and is made once.
pub(crate) struct Deflater(ZlibEncoder<Vec<u8>>);

impl Deflater {
    pub(crate) fn new() -> Self {
        Self(ZlibEncoder::new(Vec::new(), Compression::fast()))
    }

    pub(crate) fn deflated(&mut self, document: &str) -> Vec<u8> {
        // A vector takes what it is given.
        let _ = self.0.write_all(document.as_bytes());
        self.0.reset(Vec::new()).unwrap_or_default()
    }
}

pub(crate) fn inflated(bytes: &[u8]) -> Result<String, StoreError> {
    let mut document = String::new();
    ZlibDecoder::new(bytes)
        .take(MAX_DOCUMENT)
        .read_to_string(&mut document)
        .map_err(|error| StoreError::Corrupt(format!("a document cannot be read: {error}")))?;
    Ok(document)
}
