//! What is kept of the evidence of a server, as JSON. Frozen like the other documents.

use super::AuditStore;
use super::column_codes::Code as _;
use super::document;
use super::listener::StoredListener;
use crate::StoreError;
use hostssl_model::{
    Acceptance, Coded as _, CurrentState, Enforcement, Evidence, LastLooks, LookEnd, Reading, SwitchChange,
    WireListener, WireObservation, WireVersion, ZonesSeen,
};
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The evidence of one server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stored {
    looked: Option<Dated<i64>>,
    read: Option<Dated<i64>>,
    off_ms: Option<i64>,
    probe: Option<Dated<Vec<StoredListener>>>,
    /// The ports that the newest probe found that got an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    listed: Option<Dated<Vec<u16>>>,
    answered: BTreeMap<u16, Dated<Vec<StoredListener>>>,
    /// Each of one port and one zone, which its looks name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    carried: Vec<Dated<Vec<StoredListener>>>,
    /// What else is known of zones; nothing in a state of a version that did not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    zones: Option<StoredZones>,
    changed: Option<Dated<(i64, i64)>>,
    /// The controls that the newest audit with a probe found failing.
    failing: Vec<String>,
}

/// Which audits had looks from zones, and which knew their rules.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StoredZones {
    last: Vec<StoredLast>,
    rules: Option<Dated<Vec<String>>>,
    /// A name of its own: what an earlier version kept as `settled` has the time of the audit, which may be later than its looks.
    settled_by_look: BTreeMap<u16, Dated<Vec<String>>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    disowned: BTreeMap<String, i64>,
}

/// The newest audit that had looks at a port from a zone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredLast {
    port: u16,
    zone: String,
    addresses: Dated<Vec<Option<String>>>,
    failed: Vec<StoredListener>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dated<T> {
    what: T,
    at_ms: i64,
    source: String,
}

/// The evidence of one server, and the controls that the newest audit with a probe found failing.
#[derive(Debug, Default)]
pub(crate) struct ServerEvidence {
    pub(crate) state: CurrentState,
    pub(crate) failing: Vec<String>,
}

/// What has to be known of a server before looks from zones are taken in: when its switch was known to be off, since when it is
/// known to be on again, and what zones saw of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFromZones {
    /// The key of the server.
    pub server: String,
    /// Its name.
    pub name: String,
    /// What zones saw that stands, newest of each place.
    pub looks: Vec<WireObservation>,
    /// What zones saw that counts no more, and why.
    pub ended: Vec<EndedLook>,
    /// The newest time at which it was known to be off, in milliseconds since 1970.
    pub off_ms: Option<i64>,
    /// The newest time at which it is known to have been changed since: by a run, or because it was off and is declared on. In
    /// milliseconds since 1970.
    pub changed_ms: Option<i64>,
}

/// A look from a zone that counts no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedLook {
    /// What was seen.
    pub look: WireObservation,
    /// Why it counts no more.
    pub end: LookEnd,
    /// Since the audit that began then, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What is known of every server that matters to looks from zones.
pub(crate) fn known_from_zones(connection: &Connection) -> Result<Vec<KnownFromZones>, StoreError> {
    let mut statement = connection
        // Of most servers there is nothing to know, and their documents need not be read.
        .prepare_cached(
            "SELECT s.key, s.name, e.document FROM evidence e JOIN servers s ON s.num = e.server WHERE NOT \
             (instr(e.document, '\"offMs\":null') > 0 AND instr(e.document, '\"changed\":null') > 0 \
             AND instr(e.document, '\"carried\":') = 0)",
        )?;
    let mut rows = statement.query([])?;
    let mut switches = Vec::new();
    while let Some(row) = rows.next()? {
        let ServerEvidence { state, .. } = ServerEvidence::read(&row.get::<_, String>(2)?)?;
        let by_run = state.changed.as_ref().map(|change| change.at_ms);
        let turned_on = state.off_ms.filter(|_| state.declared() == Enforcement::Enforced);
        let (mut looks, mut ended) = (Vec::new(), Vec::new());
        for (look, _, end) in state.looks().filter(|(look, ..)| look.vantage.is_some()) {
            match end {
                None => looks.push(look.clone()),
                Some((end, at_ms)) => ended.push(EndedLook { look: look.clone(), end, at_ms }),
            }
        }
        let (server, name) = (row.get(0)?, row.get(1)?);
        switches.push(KnownFromZones {
            server,
            name,
            looks,
            ended,
            off_ms: state.off_ms,
            changed_ms: by_run.max(turned_on),
        });
    }
    Ok(switches)
}

impl AuditStore {
    /// What is known of every server that matters to looks from zones.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn known_from_zones(&self) -> Result<Vec<KnownFromZones>, StoreError> {
        self.read(known_from_zones)
    }
}

/// The evidence that is kept of a server.
pub(crate) fn known(connection: &Connection, server: i64) -> Result<ServerEvidence, StoreError> {
    let found: Option<String> = connection
        .prepare_cached("SELECT document FROM evidence WHERE server = ?1")?
        .query_row([server], |row| row.get(0))
        .optional()?;
    found.map_or_else(|| Ok(ServerEvidence::default()), |text| ServerEvidence::read(&text))
}

fn dated<T, U>(evidence: &Evidence<T>, what: impl FnOnce(&T) -> U) -> Dated<U> {
    Dated { what: what(&evidence.what), at_ms: evidence.at_ms, source: evidence.source.to_string() }
}

fn evidence<T, U>(
    dated: Dated<T>,
    what: impl FnOnce(T, i64) -> Result<U, StoreError>,
) -> Result<Evidence<U>, StoreError> {
    Ok(Evidence { what: what(dated.what, dated.at_ms)?, at_ms: dated.at_ms, source: dated.source.into() })
}

#[expect(clippy::ptr_arg, reason = "it is handed to functions over the whole list")]
fn listeners(looks: &Vec<WireObservation>) -> Vec<StoredListener> {
    looks.iter().map(StoredListener::from).collect()
}

/// The observations with the time of their audit, which replaces their own.
fn looks(stored: Vec<StoredListener>, at_ms: i64) -> Result<Vec<WireObservation>, StoreError> {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default().to_string();
    stored.iter().map(|one| one.observation(&at)).collect()
}

/// The ports of a probe that got an answer: a state of an earlier version has the probe alone.
fn listed_by(probe: &Evidence<Vec<WireObservation>>) -> Option<Evidence<Vec<u16>>> {
    let answered = probe.what.iter().any(|look| matches!(look.listener, Reading::Known(_)));
    let what = probe.what.iter().map(|look| look.port).collect();
    answered.then(|| Evidence { what, at_ms: probe.at_ms, source: probe.source.clone() })
}

impl StoredZones {
    fn of(zones: &ZonesSeen) -> Option<Self> {
        let names = |zones: &Vec<Arc<str>>| zones.iter().map(ToString::to_string).collect();
        let last = zones.last.iter().map(|((port, zone), last)| StoredLast {
            port: *port,
            zone: zone.to_string(),
            addresses: dated(last, |last| last.addresses.iter().map(|one| one.as_deref().map(Into::into)).collect()),
            failed: last.what.failed.iter().map(StoredListener::from).collect(),
        });
        let stored = Self {
            last: last.collect(),
            rules: zones.rules.as_ref().map(|one| dated(one, names)),
            settled_by_look: zones.settled.iter().map(|(port, one)| (*port, dated(one, names))).collect(),
            disowned: zones.disowned.iter().map(|(prober, since_ms)| (prober.to_string(), *since_ms)).collect(),
        };
        let is_empty = stored.last.is_empty() && stored.rules.is_none() && stored.disowned.is_empty();
        (!is_empty).then_some(stored)
    }

    fn zones(self) -> Result<ZonesSeen, StoreError> {
        let names = |zones: Vec<String>, _: i64| Ok(zones.into_iter().map(Into::into).collect());
        let last = self.last.into_iter().map(|StoredLast { port, zone, addresses, failed }| {
            let last = evidence(addresses, |addresses, at_ms| {
                let addresses = addresses.into_iter().map(|one| one.map(Into::into)).collect();
                Ok(LastLooks { addresses, failed: looks(failed, at_ms)? })
            })?;
            Ok(((port, zone.into()), last))
        });
        let settled = self.settled_by_look.into_iter().map(|(port, one)| Ok((port, evidence(one, names)?)));
        Ok(ZonesSeen {
            seen: BTreeMap::new(),
            last: last.collect::<Result<_, StoreError>>()?,
            rules: self.rules.map(|one| evidence(one, names)).transpose()?,
            settled: settled.collect::<Result<_, StoreError>>()?,
            disowned: self.disowned.into_iter().map(|(prober, since_ms)| (prober.into(), since_ms)).collect(),
        })
    }
}

impl ServerEvidence {
    /// Whether what a control said of the wire is from before the switch was turned, and depends on it.
    pub(crate) fn is_outdated(&self, control: &str) -> bool {
        self.state.probed_before_the_change() && Enforcement::ON_THE_WIRE.iter().any(|one| one.as_str() == control)
    }

    fn listeners(&self) -> impl Iterator<Item = &WireListener> {
        // Its certificate and versions still tell where the switch was turned since.
        let counts = |end: &Option<(LookEnd, i64)>| matches!(end, None | Some((LookEnd::Switch, _)));
        let looks = self.state.looks().filter(move |(_, _, end)| counts(end)).map(|(look, ..)| look);
        looks.filter_map(|look| match &look.listener {
            Reading::Known(listener) => Some(listener),
            Reading::Unknown(_) => None,
        })
    }

    /// When the first certificate of its listeners expires, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn expires_ms(&self) -> Option<i64> {
        let ends = self.listeners().filter_map(|listener| listener.certificate.as_ref()?.not_after.as_deref());
        ends.filter_map(|end| end.parse::<jiff::Timestamp>().ok()).map(jiff::Timestamp::as_millisecond).min()
    }

    /// The word of the lowest version that a listener accepted; empty when none was seen.
    pub(crate) fn accepts(&self) -> &'static str {
        let versions = self.listeners().flat_map(|listener| &listener.versions);
        let accepted = versions.filter(|(_, seen)| *seen == Acceptance::Accepted).map(|(version, _)| *version);
        accepted.min().map_or("", WireVersion::code)
    }

    pub(crate) fn write(&self) -> Result<String, StoreError> {
        let state = &self.state;
        let code = |what: &Enforcement| what.code();
        let stored = Stored {
            looked: state.looked.as_ref().map(|one| dated(one, code)),
            read: state.read.as_ref().map(|one| dated(one, code)),
            off_ms: state.off_ms,
            probe: state.probe.as_ref().map(|one| dated(one, listeners)),
            listed: state.listed.as_ref().map(|one| dated(one, Vec::clone)),
            answered: state.answered.iter().map(|(port, one)| (*port, dated(one, listeners))).collect(),
            carried: state.zones.seen.values().map(|one| dated(one, listeners)).collect(),
            zones: StoredZones::of(&state.zones),
            changed: state.changed.as_ref().map(|one| dated(one, |one| (one.before.code(), one.after.code()))),
            failing: self.failing.clone(),
        };
        serde_json::to_string(&stored).map_err(|error| StoreError::Corrupt(format!("evidence cannot be kept: {error}")))
    }

    pub(crate) fn read(text: &str) -> Result<Self, StoreError> {
        let stored: Stored = document::read(text)?;
        let code = |code: i64, _: i64| Ok(Enforcement::from_code(code));
        let change = |(before, after): (i64, i64), _: i64| {
            Ok(SwitchChange { before: Enforcement::from_code(before), after: Enforcement::from_code(after) })
        };
        let carried = stored.carried.into_iter().map(|one| {
            let seen = evidence(one, looks)?;
            let place = seen.what.iter().find_map(|look| Some((look.port, Arc::clone(&look.vantage.as_ref()?.zone))));
            Ok((place.ok_or_else(|| document::corrupt("the place of a look"))?, seen))
        });
        let answered = stored.answered.into_iter().map(|(port, one)| Ok((port, evidence(one, looks)?)));
        let probe = stored.probe.map(|one| evidence(one, looks)).transpose()?;
        let listed = stored.listed.map(|one| evidence(one, |ports, _| Ok(ports))).transpose()?;
        let zones = match (stored.zones, &probe) {
            (Some(zones), _) => zones.zones()?,
            (None, Some(probe)) => ZonesSeen::of_newest(probe),
            (None, None) => ZonesSeen::default(),
        };
        Ok(Self {
            state: CurrentState {
                looked: stored.looked.map(|one| evidence(one, code)).transpose()?,
                read: stored.read.map(|one| evidence(one, code)).transpose()?,
                off_ms: stored.off_ms,
                listed: listed.or_else(|| probe.as_ref().and_then(listed_by)),
                probe,
                answered: answered.collect::<Result<_, StoreError>>()?,
                zones: ZonesSeen { seen: carried.collect::<Result<_, StoreError>>()?, ..zones },
                changed: stored.changed.map(|one| evidence(one, change)).transpose()?,
            },
            failing: stored.failing,
        })
    }
}
