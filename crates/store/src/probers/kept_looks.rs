//! What probers were asked, and what they saw.

use crate::believed::MAX_VIOLATIONS;
use crate::probes::{Deflater, inflated};
use crate::{AuditStore, StoreError, StoreReader};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

/// A target that a prober is not asked about for this long is forgotten, in milliseconds.
const FORGOTTEN_MS: i64 = 7 * 24 * 3_600_000;

/// Addresses of one target whose looks are kept for each prober.
const MAX_KEPT_ADDRESSES: u32 = 64;

/// A prober's answer to one target.
#[derive(Debug, Clone)]
pub struct KeptAnswer {
    /// The host, as it was asked about.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Why there is no look; empty where there is one.
    pub missing: String,
    /// The looks, one for each address.
    pub looks: Vec<LookToKeep>,
}

/// A look to keep.
#[derive(Debug, Clone)]
pub struct LookToKeep {
    /// The address; empty where the name has none.
    pub address: String,
    /// How much it says: a look replaces an older one of the same weight.
    pub weight: u8,
    /// When it was taken, in milliseconds since 1970.
    pub taken_ms: i64,
    /// The look, in JSON.
    pub document: String,
}

/// A look that is kept, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLook {
    /// Who took it.
    pub prober: String,
    /// The zone that it was taken from.
    pub zone: String,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// When it was taken, in milliseconds since 1970.
    pub taken_ms: i64,
    /// The look, in JSON.
    pub document: String,
}

/// Why there is no look: the zone, the host, the port, and what its prober says.
pub type ProberReason = (String, String, u16, String);

impl AuditStore {
    /// Keeps what a prober is asked to probe. Returns `false`, and keeps nothing, where it is revoked or suspended.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn ask_prober(&self, id: &str, targets: &[(&str, u16)], at_ms: i64) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let find = "SELECT 1 FROM probers WHERE id = ?1 AND revoked_ms IS NULL AND violations < ?2";
            let believed = transaction.query_row(find, params![id, MAX_VIOLATIONS], |_| Ok(())).optional()?;
            if believed.is_none() {
                return Ok(false);
            }
            let mut ask = transaction.prepare_cached(
                "INSERT INTO prober_targets (prober, host, port, asked_ms) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET asked_ms = ?4",
            )?;
            for (host, port) in targets {
                ask.execute(params![id, host, port, at_ms])?;
            }
            drop(ask);
            let old = "DELETE FROM prober_targets WHERE prober = ?1 AND asked_ms < ?2";
            if transaction.execute(old, params![id, at_ms - FORGOTTEN_MS])? == 0 {
                return Ok(true);
            }
            let strays = "DELETE FROM prober_looks WHERE prober = ?1 AND NOT EXISTS (SELECT 1 FROM prober_targets AS t \
                          WHERE t.prober = ?1 AND t.host = prober_looks.host AND t.port = prober_looks.port)";
            transaction.execute(strays, [id])?;
            Ok(true)
        })
    }

    /// Keeps what a prober saw, all of it together, and that it was heard of. Returns the targets that it was never asked about: of
    /// these nothing is kept. To send the same twice changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn keep_answers(&self, id: &str, answers: &[KeptAnswer], at_ms: i64) -> Result<Vec<(String, u16)>, StoreError> {
        self.write(|transaction| {
            // In the same commit: each waits for the disk, and is an entry of a shared store.
            let seen = "UPDATE probers SET seen_ms = ?2 WHERE id = ?1";
            transaction.prepare_cached(seen)?.execute(params![id, at_ms])?;
            let (mut strangers, mut deflater) = (Vec::new(), Deflater::new());
            for answer in answers {
                let answered = "UPDATE prober_targets SET answered_ms = ?4, missing = ?5 \
                                WHERE prober = ?1 AND host = ?2 AND port = ?3";
                let to = params![id, answer.host, answer.port, at_ms, answer.missing];
                if transaction.prepare_cached(answered)?.execute(to)? == 0 {
                    strangers.push((answer.host.clone(), answer.port));
                    continue;
                }
                keep_looks(transaction, id, answer, &mut deflater)?;
            }
            Ok(strangers)
        })
    }

    /// How many targets a prober was asked about at `since_ms` or later, and has not answered since.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn unanswered(&self, id: &str, since_ms: i64) -> Result<u64, StoreError> {
        let count = "SELECT count(*) FROM prober_targets WHERE prober = ?1 AND asked_ms >= ?2 \
                     AND coalesce(answered_ms, -1) < asked_ms";
        self.read(|connection| {
            let count: Option<i64> =
                connection.prepare_cached(count)?.query_row(params![id, since_ms], |row| row.get(0)).optional()?;
            Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
        })
    }

    /// Hands over what probers saw that are neither revoked nor suspended, as far as it stands at `oldest_ms`, one look after the
    /// other: together they may be more than fits into memory.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn each_look_of_probers(&self, oldest_ms: i64, take: &mut dyn FnMut(KeptLook)) -> Result<(), StoreError> {
        self.read(|connection| each_look(connection, oldest_ms, take))
    }

    /// Why probers that are neither revoked nor suspended did not look at what they were asked about.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn reasons_of_probers(&self) -> Result<Vec<ProberReason>, StoreError> {
        self.read(reasons)
    }
}

impl StoreReader {
    /// Hands over what probers saw that are neither revoked nor suspended, as far as it stands at `oldest_ms`, one look after the
    /// other: together they may be more than fits into memory.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn each_look_of_probers(&self, oldest_ms: i64, take: &mut dyn FnMut(KeptLook)) -> Result<(), StoreError> {
        each_look(&self.lock(), oldest_ms, take)
    }

    /// Why probers that are neither revoked nor suspended did not look at what they were asked about.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn reasons_of_probers(&self) -> Result<Vec<ProberReason>, StoreError> {
        reasons(&self.lock())
    }
}

/// Keeps the looks of one answer. A name that has addresses again is no longer one that has none.
fn keep_looks(
    transaction: &Transaction<'_>,
    id: &str,
    answer: &KeptAnswer,
    deflater: &mut Deflater,
) -> Result<(), StoreError> {
    let mut keep = transaction.prepare_cached(
        "INSERT INTO prober_looks (prober, host, port, address, weight, taken_ms, document) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT DO UPDATE SET taken_ms = excluded.taken_ms, document = excluded.document \
         WHERE excluded.taken_ms > taken_ms",
    )?;
    for look in &answer.looks {
        let (document, weight) = (deflater.deflated(&look.document), look.weight);
        keep.execute(params![id, answer.host, answer.port, look.address, weight, look.taken_ms, document])?;
    }
    let resolved = answer.looks.iter().filter(|look| !look.address.is_empty()).map(|look| look.taken_ms).max();
    if let Some(resolved) = resolved {
        let outdated = "DELETE FROM prober_looks WHERE prober = ?1 AND host = ?2 AND port = ?3 AND address = '' \
                        AND taken_ms < ?4";
        transaction.prepare_cached(outdated)?.execute(params![id, answer.host, answer.port, resolved])?;
    }
    // One who invents addresses would fill the disk: those that were looked at longest ago go.
    let many = "SELECT 1 FROM prober_looks WHERE prober = ?1 AND host = ?2 AND port = ?3 LIMIT 1 OFFSET ?4";
    let to = params![id, answer.host, answer.port, MAX_KEPT_ADDRESSES];
    if !transaction.prepare_cached(many)?.exists(to)? {
        return Ok(());
    }
    let surplus = "DELETE FROM prober_looks WHERE prober = ?1 AND host = ?2 AND port = ?3 AND address IN \
                   (SELECT address FROM prober_looks WHERE prober = ?1 AND host = ?2 AND port = ?3 \
                    GROUP BY address ORDER BY max(taken_ms) DESC, address LIMIT -1 OFFSET ?4)";
    transaction.prepare_cached(surplus)?.execute(to)?;
    Ok(())
}

fn reasons(connection: &Connection) -> Result<Vec<ProberReason>, StoreError> {
    let mut find = connection.prepare_cached(
        "SELECT p.zone, t.host, t.port, 'prober ' || p.id || ': ' || t.missing FROM prober_targets AS t \
         JOIN probers AS p ON p.id = t.prober WHERE t.missing <> '' AND p.revoked_ms IS NULL AND p.violations < ?1 ORDER BY t.answered_ms",
    )?;
    let found = find.query_map([MAX_VIOLATIONS], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Of a listener that was looked at again, what is too old to count is left out: it would hide what was seen since.
fn each_look(connection: &Connection, oldest_ms: i64, take: &mut dyn FnMut(KeptLook)) -> Result<(), StoreError> {
    let mut find = connection.prepare_cached(
        "SELECT l.prober, p.zone, l.host, l.port, l.taken_ms, l.document FROM prober_looks AS l \
         JOIN probers AS p ON p.id = l.prober WHERE p.revoked_ms IS NULL AND p.violations < ?2 AND (l.taken_ms >= ?1 OR NOT EXISTS \
         (SELECT 1 FROM prober_looks AS n WHERE n.prober = l.prober AND n.host = l.host AND n.port = l.port \
          AND n.taken_ms >= ?1)) ORDER BY l.prober, l.host, l.port, l.address, l.weight",
    )?;
    let rows = find.query_map(params![oldest_ms, MAX_VIOLATIONS], |row| {
        let look = KeptLook {
            prober: row.get(0)?,
            zone: row.get(1)?,
            host: row.get(2)?,
            port: row.get(3)?,
            taken_ms: row.get(4)?,
            document: String::new(),
        };
        Ok((look, row.get::<_, Vec<u8>>(5)?))
    })?;
    for row in rows {
        let (look, document) = row?;
        take(KeptLook { document: inflated(&document)?, ..look });
    }
    Ok(())
}
