//! The probers as a list shows them.

use crate::believed::MAX_VIOLATIONS;
use crate::{AuditStore, StoreError, StoreReader};
use rusqlite::{Connection, OptionalExtension as _, Row};

/// A prober that is known, without what it was asked: of a zone with many servers, that takes longer to count than a message of
/// looks takes to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownProber {
    /// Its id.
    pub id: String,
    /// The zone that it is in.
    pub zone: String,
    /// When it was revoked, if it was.
    pub revoked_ms: Option<i64>,
    /// How many messages it sent that no honest prober sends.
    pub violations: u32,
}

/// A prober as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProberEntry {
    /// Its id.
    pub id: String,
    /// The zone that it is in.
    pub zone: String,
    /// The SHA-256 of its key, in hexadecimal digits.
    pub key_sha256: String,
    /// Its version.
    pub version: String,
    /// When it was enrolled, in milliseconds since 1970.
    pub enrolled_ms: i64,
    /// When it was last heard of, in milliseconds since 1970.
    pub seen_ms: i64,
    /// When it was revoked, if it was.
    pub revoked_ms: Option<i64>,
    /// How many messages it sent that no honest prober sends.
    pub violations: u32,
    /// How many targets it was asked about lately.
    pub asked: u64,
    /// How many of them it answered with a look.
    pub answered: u64,
    /// How many of them it answered with a reason.
    pub without_look: u64,
    /// One of those reasons, with its target.
    pub example: Option<String>,
}

impl KnownProber {
    /// Whether it sent so much that is wrong that nothing more is taken from it.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.violations >= MAX_VIOLATIONS
    }
}

impl ProberEntry {
    /// Whether it sent so much that is wrong that nothing more is taken from it.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.violations >= MAX_VIOLATIONS
    }
}

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProberRefusal {
    /// Whose it was; nothing where that is not known.
    pub prober: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Why.
    pub why: String,
}

/// Every prober, in the order of their zones, and what was refused lately, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ZoneProbers {
    /// The probers.
    pub probers: Vec<ProberEntry>,
    /// What was refused.
    pub refusals: Vec<ProberRefusal>,
}

impl AuditStore {
    /// Every prober, and what was refused lately.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn probers(&self) -> Result<ZoneProbers, StoreError> {
        self.read(all)
    }

    /// The prober that has a key.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn prober_of_key(&self, key_sha256: &str) -> Result<Option<KnownProber>, StoreError> {
        let find = "SELECT id, zone, revoked_ms, violations FROM probers WHERE key_sha256 = ?1";
        let known = |row: &Row<'_>| {
            Ok(KnownProber { id: row.get(0)?, zone: row.get(1)?, revoked_ms: row.get(2)?, violations: row.get(3)? })
        };
        self.read(|connection| Ok(connection.prepare_cached(find)?.query_row([key_sha256], known).optional()?))
    }
}

impl StoreReader {
    /// Every prober, and what was refused lately.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn probers(&self) -> Result<ZoneProbers, StoreError> {
        all(&self.lock())
    }
}

const ENTRIES: &str = "SELECT id, zone, key_sha256, version, enrolled_ms, seen_ms, revoked_ms, violations, \
    (SELECT count(*) FROM prober_targets WHERE prober = id), \
    (SELECT count(*) FROM prober_targets WHERE prober = id AND answered_ms IS NOT NULL AND missing = ''), \
    (SELECT count(*) FROM prober_targets WHERE prober = id AND missing <> ''), \
    (SELECT host || ':' || port || ': ' || missing FROM prober_targets WHERE prober = id AND missing <> '' LIMIT 1) \
    FROM probers";

/// The newest of each prober, and of all that are not known together: one that is refused all the time hides no other.
const REFUSALS: &str = "SELECT prober, at_ms, why FROM (SELECT num, prober, at_ms, why, \
    row_number() OVER (PARTITION BY prober ORDER BY num DESC) AS own FROM prober_refusals) \
    WHERE own <= 20 ORDER BY num DESC LIMIT 200";

fn all(connection: &Connection) -> Result<ZoneProbers, StoreError> {
    let mut find = connection.prepare_cached(&format!("{ENTRIES} ORDER BY zone, enrolled_ms, id"))?;
    let probers = find.query_map([], entry)?.collect::<Result<_, _>>()?;
    let mut find = connection.prepare_cached(REFUSALS)?;
    let refusal = |row: &Row<'_>| Ok(ProberRefusal { prober: row.get(0)?, at_ms: row.get(1)?, why: row.get(2)? });
    let refusals = find.query_map([], refusal)?.collect::<Result<_, _>>()?;
    Ok(ZoneProbers { probers, refusals })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<ProberEntry> {
    let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or_default());
    Ok(ProberEntry {
        id: row.get(0)?,
        zone: row.get(1)?,
        key_sha256: row.get(2)?,
        version: row.get(3)?,
        enrolled_ms: row.get(4)?,
        seen_ms: row.get(5)?,
        revoked_ms: row.get(6)?,
        violations: row.get(7)?,
        asked: count(8)?,
        answered: count(9)?,
        without_look: count(10)?,
        example: row.get(11)?,
    })
}
