//! Keeps the probers in zones: who they are, what they were asked, and what they saw.
//!
//! What they saw is kept as the JSON that a probe writes (`hostssl/probe/v1`), and not parsed here.

mod kept_looks;
mod prober_entries;

pub use kept_looks::{KeptAnswer, KeptLook, LookToKeep, ProberReason};
pub use prober_entries::{KnownProber, ProberEntry, ProberRefusal, ZoneProbers};

use crate::audits::disowned::disown;
use crate::believed::MAX_VIOLATIONS;
use crate::{AuditStore, StoreError};
use rusqlite::{Connection, OptionalExtension as _, params};

/// Refusals that are kept of each prober, and of all that are not known together: no one pushes out what is kept of another.
const MAX_REFUSALS: u32 = 200;

/// A prober that asks to be known.
#[derive(Debug, Clone)]
pub struct NewProber {
    /// The id that it gets.
    pub id: String,
    /// The SHA-256 of its key, in hexadecimal digits.
    pub key_sha256: String,
    /// Its version.
    pub version: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What came of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolment {
    /// The prober is known now, in this zone.
    Done(String),
    /// No such secret was given out.
    Unknown,
    /// The secret was used before.
    Used,
    /// The secret has expired.
    Expired,
    /// The key is known already.
    KnownKey,
}

impl AuditStore {
    /// Keeps the hash of a secret with which one prober may enrol in a zone, until it expires.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn add_join_secret(&self, sha256: &str, zone: &str, expires_ms: i64) -> Result<(), StoreError> {
        self.write(|connection| {
            let add = "INSERT INTO join_secrets (sha256, zone, expires_ms) VALUES (?1, ?2, ?3)";
            connection.execute(add, params![sha256, zone, expires_ms])?;
            Ok(())
        })
    }

    /// Makes a prober known, if the secret with this hash allows it. A refusal is kept too, unless the secret is unknown: anyone
    /// can make up as many of those as he likes, so they write nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn enrol_prober(&self, secret_sha256: &str, new: &NewProber) -> Result<Enrolment, StoreError> {
        let is_made = self.read(|connection| {
            let find = "SELECT 1 FROM join_secrets WHERE sha256 = ?1";
            Ok(connection.prepare_cached(find)?.query_row([secret_sha256], |_| Ok(())).optional()?.is_some())
        })?;
        if !is_made {
            return Ok(Enrolment::Unknown);
        }
        self.write(|transaction| {
            let find = "SELECT zone, expires_ms, used_ms FROM join_secrets WHERE sha256 = ?1";
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let found: Option<(String, i64, Option<i64>)> =
                transaction.query_row(find, [secret_sha256], row).optional()?;
            let known = "SELECT 1 FROM probers WHERE key_sha256 = ?1";
            let is_known = transaction.query_row(known, [&new.key_sha256], |_| Ok(())).optional()?.is_some();
            let done = match found {
                None => Enrolment::Unknown,
                Some((_, _, Some(_))) => Enrolment::Used,
                Some((_, expires_ms, None)) if expires_ms <= new.at_ms => Enrolment::Expired,
                Some(_) if is_known => Enrolment::KnownKey,
                Some((zone, ..)) => Enrolment::Done(zone),
            };
            if let Enrolment::Done(zone) = &done {
                let used = "UPDATE join_secrets SET used_ms = ?2 WHERE sha256 = ?1";
                transaction.execute(used, params![secret_sha256, new.at_ms])?;
                let add = "INSERT INTO probers (id, zone, key_sha256, version, enrolled_ms, seen_ms) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
                transaction.execute(add, params![new.id, zone, new.key_sha256, new.version, new.at_ms])?;
            } else {
                let key = new.key_sha256.get(..16).unwrap_or_default();
                refuse(transaction, None, new.at_ms, &format!("a prober with the key {key}… {}", done.words()))?;
            }
            Ok(done)
        })
    }

    /// Keeps that a prober was heard of.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn saw_prober(&self, id: &str, version: Option<&str>, at_ms: i64) -> Result<(), StoreError> {
        self.write(|connection| {
            let seen = "UPDATE probers SET seen_ms = ?2, version = coalesce(?3, version) WHERE id = ?1";
            connection.execute(seen, params![id, at_ms, version])?;
            Ok(())
        })
    }

    /// Ends what a prober may do, and what it saw: of looks that audits have counted too, nothing stands. Returns whether it was
    /// known and not revoked before.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn revoke_prober(&self, id: &str, at_ms: i64) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let revoke = "UPDATE probers SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL";
            let is_revoked = transaction.execute(revoke, params![id, at_ms])? > 0;
            transaction.execute("DELETE FROM prober_looks WHERE prober = ?1", [id])?;
            transaction.execute("DELETE FROM prober_targets WHERE prober = ?1", [id])?;
            if is_revoked {
                disown(transaction, id, at_ms)?;
            }
            Ok(is_revoked)
        })
    }

    /// Keeps that something of a prober was refused; a violation is what no honest prober sends.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn refuse_of_prober(&self, id: &str, at_ms: i64, why: &str, is_violation: bool) -> Result<(), StoreError> {
        self.write(|transaction| {
            refuse(transaction, Some(id), at_ms, why)?;
            if is_violation {
                let count = "UPDATE probers SET violations = violations + 1 WHERE id = ?1 RETURNING violations";
                let violations: Option<u32> = transaction.query_row(count, [id], |row| row.get(0)).optional()?;
                if violations == Some(MAX_VIOLATIONS) {
                    disown(transaction, id, at_ms)?;
                }
            }
            Ok(())
        })
    }
}

impl Enrolment {
    /// What came of it, behind the name of who asked.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::Done(_) => "was enrolled",
            Self::Unknown => "gave a secret that this console did not make",
            Self::Used => "gave a secret that was used before",
            Self::Expired => "gave a secret that has expired",
            Self::KnownKey => "is known already",
        }
    }
}

fn refuse(connection: &Connection, prober: Option<&str>, at_ms: i64, why: &str) -> Result<(), StoreError> {
    let add = "INSERT INTO prober_refusals (prober, at_ms, why) VALUES (?1, ?2, ?3)";
    connection.execute(add, params![prober, at_ms, why])?;
    let old = "DELETE FROM prober_refusals WHERE prober IS ?1 AND num NOT IN \
               (SELECT num FROM prober_refusals WHERE prober IS ?1 ORDER BY num DESC LIMIT ?2)";
    connection.execute(old, params![prober, MAX_REFUSALS])?;
    Ok(())
}
