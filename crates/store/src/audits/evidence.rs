//! What is kept of the evidence of a server, as JSON. Frozen like the other documents.

use super::codes::Code as _;
use super::document;
use super::listener::StoredListener;
use crate::StoreError;
use hostssl_model::{
    Acceptance, Coded as _, CurrentState, Enforcement, Evidence, Reading, SwitchChange, WireListener, WireObservation,
    WireVersion,
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
    answered: BTreeMap<u16, Dated<Vec<StoredListener>>>,
    /// Each of one port and one zone, which its looks name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    carried: Vec<Dated<Vec<StoredListener>>>,
    changed: Option<Dated<(i64, i64)>>,
    /// The controls that the newest audit with a probe found failing.
    failing: Vec<String>,
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

/// When the switch of a server was known to be off, and since when it is known to be on again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchTimes {
    /// The key of the server.
    pub server: String,
    /// The newest time at which it was known to be off, in milliseconds since 1970.
    pub off_ms: Option<i64>,
    /// The newest time at which it is known to have been changed since: by a run, or because it was off and is declared on. In
    /// milliseconds since 1970.
    pub changed_ms: Option<i64>,
}

/// What is known of every switch over time.
pub(crate) fn switch_times(connection: &Connection) -> Result<Vec<SwitchTimes>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT s.key, e.document FROM evidence e JOIN servers s ON s.num = e.server")?;
    let mut rows = statement.query([])?;
    let mut switches = Vec::new();
    while let Some(row) = rows.next()? {
        let ServerEvidence { state, .. } = ServerEvidence::read(&row.get::<_, String>(1)?)?;
        let by_run = state.changed.as_ref().map(|change| change.at_ms);
        let turned_on = state.off_ms.filter(|_| state.declared() == Enforcement::Enforced);
        switches.push(SwitchTimes { server: row.get(0)?, off_ms: state.off_ms, changed_ms: by_run.max(turned_on) });
    }
    Ok(switches)
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

impl ServerEvidence {
    /// Whether what a control said of the wire is from before the switch was turned, and depends on it.
    pub(crate) fn is_outdated(&self, control: &str) -> bool {
        self.state.probed_before_the_change() && Enforcement::ON_THE_WIRE.iter().any(|one| one.as_str() == control)
    }

    fn listeners(&self) -> impl Iterator<Item = &WireListener> {
        let looks = self.state.seen().flat_map(|(_, seen)| &seen.what);
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
            answered: state.answered.iter().map(|(port, one)| (*port, dated(one, listeners))).collect(),
            carried: state.carried.values().map(|one| dated(one, listeners)).collect(),
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
        Ok(Self {
            state: CurrentState {
                looked: stored.looked.map(|one| evidence(one, code)).transpose()?,
                read: stored.read.map(|one| evidence(one, code)).transpose()?,
                off_ms: stored.off_ms,
                probe: stored.probe.map(|one| evidence(one, looks)).transpose()?,
                answered: answered.collect::<Result<_, StoreError>>()?,
                carried: carried.collect::<Result<_, StoreError>>()?,
                changed: stored.changed.map(|one| evidence(one, change)).transpose()?,
            },
            failing: stored.failing,
        })
    }
}
