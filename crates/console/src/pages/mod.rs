//! The pages, one module each: a question to the store, a template, nothing else.

pub(crate) mod account;
pub(crate) mod apply;
pub(crate) mod compare;
pub(crate) mod controls;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod overview;
pub(crate) mod plan;
pub(crate) mod probe;
pub(crate) mod resources;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod server;
pub(crate) mod sign_ins;
mod tag;
pub(crate) mod waiver_form;
mod work_page;
pub(crate) mod zones;

pub use metrics::fleet_figures;

use crate::reply::Failure;
use crate::view::{Ago, Badge, TlsCell, count, kind_word};
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use hostssl_model::Word;
use hostssl_store::{AuditStore, ServerRow, StoreError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Changes that are asked for. The overview shows the first of them: one question, which the store remembers, for both.
pub(crate) const CHANGES: u32 = 50;

/// Whether the next audit is offered with a probe: if the newest one made one. Whatever page it is started from.
pub(crate) fn offers_probe(store: &AuditStore) -> Result<bool, StoreError> {
    store.latest()?.map_or(Ok(false), |audit| store.looked_at_the_wire(&audit))
}

/// What stands behind the question mark.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Self(asked)).map_err(|_: QueryRejection| Failure::bad_address())
    }
}

/// A server in a table.
pub(crate) struct Row {
    pub(crate) server: ServerRow,
    /// Where it stands.
    pub(crate) badge: Badge,
    pub(crate) kind: String,
    pub(crate) tls: TlsCell,
    /// What its worst listener does; `None` when it was not probed.
    pub(crate) wire: Option<Badge>,
    /// When that evidence was gathered, if it is older than the audit that saw the server.
    pub(crate) probed: Option<Ago>,
    /// When a run changed it since that audit.
    pub(crate) changed: Option<Ago>,
    pub(crate) since: Ago,
    /// How many of the controls that fail are waived.
    pub(crate) waived: usize,
}

impl Row {
    /// Whether a probe is known that is older than the change of the switch.
    pub(crate) fn probed_before(&self) -> bool {
        self.server.probed_ms.is_none() && self.server.accepts.is_some()
    }

    /// The controls that fail, by name.
    pub(crate) fn failing(&self) -> String {
        self.server.failing.iter().map(Word::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl From<ServerRow> for Row {
    fn from(server: ServerRow) -> Self {
        Self {
            badge: server.standing.into(),
            kind: kind_word(&server.kind).to_owned(),
            tls: TlsCell::new(server.minimal_tls.as_ref(), server.floor_waits(), server.accepts.as_ref()),
            wire: server.wire.as_ref().map(Badge::from),
            probed: server.probed_ms.filter(|at_ms| *at_ms < server.seen_ms).map(Ago::new),
            changed: server.changed.as_ref().map(|(at_ms, _)| Ago::new(*at_ms)),
            since: Ago::new(server.since_ms),
            waived: 0,
            server,
        }
    }
}

/// Which page of a list is wanted, from 0.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PageQuery {
    pub(crate) page: u32,
}

/// Where a list is, and where it goes on.
pub(crate) struct Paging {
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) total: String,
    /// The address of the page before.
    pub(crate) before: Option<String>,
    /// The address of the next page.
    pub(crate) after: Option<String>,
    /// The address of the first page, where that is not the page before.
    pub(crate) start: Option<String>,
    /// The address of the last page, where that is not the next one.
    pub(crate) end: Option<String>,
}

impl Paging {
    /// For the page of this number, from 0, of so many rows; `link` is the address of a page.
    pub(crate) fn new(number: u32, size: u32, total: u64, link: impl Fn(u32) -> String) -> Self {
        let from = u64::from(number) * u64::from(size);
        let to = (from + u64::from(size)).min(total);
        let pages = total.div_ceil(u64::from(size.max(1)));
        Self {
            first: count(if total == 0 { 0 } else { (from + 1).min(total) }),
            last: count(to),
            total: count(total),
            before: number.checked_sub(1).map(&link),
            after: (to < total).then(|| link(number.saturating_add(1))),
            start: (number > 1).then(|| link(0)),
            end: (pages > u64::from(number) + 2).then(|| u32::try_from(pages - 1).ok().map(&link)).flatten(),
        }
    }

    pub(crate) fn has_pages(&self) -> bool {
        self.before.is_some() || self.after.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_leads_to_both_of_its_ends() {
        let page = |number| Paging::new(number, 100, 1_950, |page| page.to_string());
        let links = |number| {
            let Paging { start, before, after, end, .. } = page(number);
            [start, before, after, end].map(Option::unwrap_or_default)
        };
        assert_eq!(links(0), ["", "", "1", "19"]);
        assert_eq!(links(1), ["", "0", "2", "19"]);
        assert_eq!(links(10), ["0", "9", "11", "19"]);
        assert_eq!(links(18), ["0", "17", "19", ""]);
        assert_eq!(links(19), ["0", "18", "", ""]);
        assert!(!Paging::new(0, 100, 100, |page| page.to_string()).has_pages());
    }
}
