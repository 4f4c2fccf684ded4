//! A kept census as JSON: `hostssl/kept-census/v1`, frozen, with structs of its own.

use super::{KeptCensus, KeptClient, KeptSource};
use crate::client_key::Key;
use crate::observed_time::MeasuredSpan;
use crate::refused::{Attempts, Refusals, RefusedKey};
use crate::sessions::DailySessions;
use crate::verdict::Unlisted;
use crate::{Backend, Doubt, Interval, Millis, MissingReason, SessionTls, SourceKind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const SCHEMA: &str = "hostssl/kept-census/v1";

/// The text is not a kept census.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKeptCensus {
    /// It is not of the form that this version writes.
    #[error("it is not in the format {SCHEMA}")]
    Malformed(#[from] serde_json::Error),
    /// It is of another version.
    #[error("it has the format `{0}`, this hostssl supports {SCHEMA}")]
    OtherVersion(String),
    /// The sessions of a day cannot be read.
    #[error("the sessions of a day cannot be read")]
    BadSessions,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentV1 {
    schema: String,
    looked_at: Millis,
    unlisted: [u64; 4],
    /// When the last of each was seen.
    #[serde(default, skip_serializing_if = "is_nowhere")]
    unlisted_until: [Option<Millis>; 4],
    sources: Vec<SourceV1>,
    clients: Vec<ClientV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused: Vec<RefusedV1>,
    #[serde(default, skip_serializing_if = "is_zero")]
    refused_unlisted: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SourceV1 {
    kind: SourceKind,
    looked_at: Millis,
    complete: Vec<SpanV1>,
    parts: Vec<(Interval, MissingReason, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unplaced: Vec<(Millis, MissingReason, String)>,
    notes: BTreeMap<MissingReason, String>,
}

#[derive(Serialize, Deserialize)]
struct SpanV1 {
    from: Millis,
    to: Millis,
    /// The longest time between two lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silence: Option<Millis>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    backend: Backend,
    tls: SessionTls,
    first: Option<Millis>,
    last: Option<Millis>,
    sources: BTreeSet<SourceKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doubt: Option<Doubt>,
    /// The hashes of the sessions of each day since 1970, eight hexadecimal digits each.
    days: Vec<(Option<i64>, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    protocols: Vec<(String, Option<Millis>, Option<String>)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusedV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    backend: Backend,
    first: Option<Millis>,
    last: Option<Millis>,
    /// The hashes of the attempts of each day, as of sessions.
    days: Vec<(Option<i64>, String)>,
}

impl KeptCensus {
    /// The census as text, to be kept.
    #[must_use]
    pub fn to_json(&self) -> String {
        let sources = self.sources.iter().map(|(kind, source)| SourceV1 {
            kind: *kind,
            looked_at: source.looked_at,
            complete: source.complete.iter().map(span_to).collect(),
            parts: source.parts.iter().cloned().collect(),
            unplaced: source.unplaced.iter().cloned().collect(),
            notes: source.notes.clone(),
        });
        let document = DocumentV1 {
            schema: SCHEMA.to_owned(),
            looked_at: self.looked_at,
            unlisted: self.unlisted.counts,
            unlisted_until: self.unlisted.until,
            sources: sources.collect(),
            clients: self.clients.iter().map(|(key, client)| client_to(key, client)).collect(),
            refused: self.refused.clients.iter().map(|(key, attempts)| refused_to(key, attempts)).collect(),
            refused_unlisted: self.refused.unlisted,
        };
        // Numbers, texts and maps with texts as keys can always be written.
        serde_json::to_string(&document).unwrap_or_default()
    }

    /// Reads what [`Self::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// [`InvalidKeptCensus`] for anything else.
    pub fn from_json(text: &str) -> Result<Self, InvalidKeptCensus> {
        let document: DocumentV1 = serde_json::from_str(text)?;
        if document.schema != SCHEMA {
            return Err(InvalidKeptCensus::OtherVersion(document.schema.chars().take(80).collect()));
        }
        let sources = document.sources.into_iter().map(|source| {
            let kept = KeptSource {
                complete: source.complete.iter().map(span_from).collect(),
                parts: source.parts.into_iter().collect(),
                unplaced: source.unplaced.into_iter().collect(),
                notes: source.notes,
                looked_at: source.looked_at,
            };
            (source.kind, kept)
        });
        let mut unlisted = Unlisted { counts: document.unlisted, until: document.unlisted_until };
        // The first documents did not say when: no later than the look.
        for (until, count) in unlisted.until.iter_mut().zip(unlisted.counts) {
            *until = until.or((count > 0).then_some(document.looked_at));
        }
        let mut refused = Refusals::default();
        refused.unlisted = document.refused_unlisted;
        for one in document.refused {
            let (key, attempts) = refused_from(one)?;
            refused.clients.insert(key, attempts);
        }
        let looked_at = document.looked_at;
        let mut kept = Self { clients: BTreeMap::new(), sources: sources.collect(), unlisted, refused, looked_at };
        for client in document.clients {
            let (key, client) = client_from(client)?;
            kept.clients.insert(key, client);
        }
        Ok(kept)
    }
}

fn span_to(span: &MeasuredSpan) -> SpanV1 {
    let MeasuredSpan { time: Interval { from, to }, silence } = *span;
    SpanV1 { from, to, silence }
}

fn span_from(span: &SpanV1) -> MeasuredSpan {
    let SpanV1 { from, to, silence } = *span;
    MeasuredSpan { time: Interval { from, to }, silence }
}

fn is_nowhere(until: &[Option<Millis>; 4]) -> bool {
    until.iter().all(Option::is_none)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn refused_to(key: &RefusedKey, attempts: &Attempts) -> RefusedV1 {
    let RefusedKey { user, database, address, backend } = key.clone();
    let Attempts { first, last, days } = attempts;
    RefusedV1 { user, database, address, backend, first: *first, last: *last, days: days_to(days) }
}

fn refused_from(refused: RefusedV1) -> Result<(RefusedKey, Attempts), InvalidKeptCensus> {
    let RefusedV1 { user, database, address, backend, first, last, days } = refused;
    Ok((RefusedKey { user, database, address, backend }, Attempts { first, last, days: days_from(days)? }))
}

fn days_to(days: &BTreeMap<Option<i64>, DailySessions>) -> Vec<(Option<i64>, String)> {
    days.iter().map(|(day, sessions)| (*day, to_hex(sessions.hashes()))).collect()
}

fn days_from(days: Vec<(Option<i64>, String)>) -> Result<BTreeMap<Option<i64>, DailySessions>, InvalidKeptCensus> {
    let read = |(day, text): (Option<i64>, String)| Some((day, DailySessions::of(from_hex(&text)?)));
    days.into_iter().map(|day| read(day).ok_or(InvalidKeptCensus::BadSessions)).collect()
}

fn client_to(key: &Key, client: &KeptClient) -> ClientV1 {
    let Key { user, database, application, address, backend, tls } = key.clone();
    ClientV1 {
        user,
        database,
        application,
        address,
        backend,
        tls,
        first: client.first,
        last: client.last,
        sources: client.sources.clone(),
        doubt: client.doubt,
        days: days_to(&client.days),
        protocols: client
            .protocols
            .iter()
            .map(|(protocol, (at, cipher))| (protocol.clone(), *at, cipher.clone()))
            .collect(),
    }
}

fn client_from(client: ClientV1) -> Result<(Key, KeptClient), InvalidKeptCensus> {
    let ClientV1 { user, database, application, address, backend, tls, .. } = client;
    let kept = KeptClient {
        first: client.first,
        last: client.last,
        days: days_from(client.days)?,
        protocols: client.protocols.into_iter().map(|(protocol, at, cipher)| (protocol, (at, cipher))).collect(),
        sources: client.sources,
        doubt: client.doubt,
    };
    Ok((Key { user, database, application, address, backend, tls }, kept))
}

fn to_hex(hashes: &[u32]) -> String {
    let mut text = String::with_capacity(hashes.len() * 8);
    for hash in hashes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{hash:08x}");
    }
    text
}

fn from_hex(text: &str) -> Option<Vec<u32>> {
    if !text.len().is_multiple_of(8) {
        return None;
    }
    text.as_bytes().chunks(8).map(|digits| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).collect()
}
