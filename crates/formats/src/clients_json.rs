//! The census of clients as JSON, version 1: frozen.
//!
//! These structs are apart from the census on purpose: what programs read may only grow. The schema is committed as
//! `docs/schemas/clients-v1.schema.json`.

use crate::clients::{ClientsReport, ServerClients, rfc3339};
use hostssl_census as census;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/clients/v1";

/// A census of clients.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// The run.
    run: Run<'a>,
    /// The servers.
    servers: Vec<Server<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    /// A UUID.
    id: &'a str,
    /// RFC 3339.
    started_at: &'a str,
    /// RFC 3339.
    finished_at: &'a str,
    /// The signed-in identity; null if no sign-in was needed.
    principal: Option<&'a str>,
    /// The version of hostssl.
    tool_version: &'static str,
    /// The observation that `safe` needs, in seconds.
    required_window_seconds: i64,
    /// Sightings before this time do not count. RFC 3339; null without a limit.
    since: Option<String>,
    /// Whether every source of every server contains every connection in its period.
    complete: bool,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Server<'a> {
    /// The resource id, in Azure's spelling; null for log files of a server that was not named.
    id: Option<&'a str>,
    /// The name of the server, or of the first log file.
    name: &'a str,
    /// Whether enforcement is safe.
    verdict: Verdict,
    /// Why, in one sentence.
    reason: &'a str,
    /// From the first observation to the last; null if there is no observation.
    window: Option<Window>,
    /// How much of the window was observed, in seconds.
    observed_seconds: i64,
    /// Where the sightings come from.
    sources: Vec<Source<'a>>,
    /// The distinct clients, those in plaintext first.
    clients: Vec<Client<'a>>,
    /// Clients that were last seen before the window, in plaintext or unknown whether with TLS, and not with TLS since: while
    /// there are any, the server is not safe. Absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    earlier: Vec<Client<'a>>,
    /// Sightings of clients beyond those that are listed, by their encryption.
    unlisted: Unlisted,
    /// Clients that the server refused because they did not use TLS, the most recent first; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    refused: Vec<RefusedV1<'a>>,
}

/// A client that the server refused because it did not use TLS.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct RefusedV1<'a> {
    /// Null if it is not known.
    user: Option<&'a str>,
    /// Null for replication, or if it is not known.
    database: Option<&'a str>,
    /// An address or host name.
    address: Option<&'a str>,
    /// The kind of backend that was asked for.
    backend: Backend,
    /// RFC 3339; null if the source has no times.
    first_seen: Option<String>,
    /// RFC 3339; null if the source has no times.
    last_seen: Option<String>,
    /// How often it was refused.
    attempts: u64,
    /// Whether `attempts` is an estimate, because there were more than 63 on a day.
    estimated: bool,
    /// Whether the same user has connected from there with TLS since.
    connected_since: bool,
}

impl<'a> From<&'a census::RefusedClient> for RefusedV1<'a> {
    fn from(one: &'a census::RefusedClient) -> Self {
        Self {
            user: one.user.as_deref(),
            database: one.database.as_deref(),
            address: one.address.as_deref(),
            backend: one.backend.into(),
            first_seen: one.first_seen.map(rfc3339),
            last_seen: one.last_seen.map(rfc3339),
            attempts: one.attempts,
            estimated: one.is_estimate,
            connected_since: one.has_connected_since,
        }
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Window {
    /// RFC 3339.
    from: String,
    /// RFC 3339.
    to: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Unlisted {
    plaintext: u64,
    unknown: u64,
    tls: u64,
    local: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Source<'a> {
    /// What it is.
    kind: SourceKind,
    /// Its name, such as that of the file.
    name: &'a str,
    /// The detected format; null if there is nothing to report.
    format: Option<&'a str>,
    /// The time of the first event in it. RFC 3339; null if it has none.
    from: Option<String>,
    /// The time of the last event in it. RFC 3339; null if it has none.
    to: Option<String>,
    /// Whether it contains every connection in its period.
    complete: bool,
    /// What it cannot contain.
    missing: Vec<Missing<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Missing<'a> {
    /// A stable word. More words may be added.
    reason: &'static str,
    /// One sentence.
    detail: &'a str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Client<'a> {
    /// Null if it is not known.
    user: Option<&'a str>,
    /// Null for physical replication, or if it is not known.
    database: Option<&'a str>,
    /// The name that the client gave itself; null if none.
    application: Option<&'a str>,
    /// An address or host name; null for a local socket, or if it is not known.
    address: Option<&'a str>,
    /// What serves it.
    backend: Backend,
    /// How its sessions were encrypted.
    tls: Tls,
    /// The version of TLS of the newest sighting.
    protocol: Option<&'a str>,
    /// The cipher suite of the newest sighting.
    cipher: Option<&'a str>,
    /// RFC 3339; null if the source has no times.
    first_seen: Option<String>,
    /// RFC 3339; null if the source has no times.
    last_seen: Option<String>,
    /// The number of sessions.
    sightings: u64,
    /// Whether `sightings` is an estimate, because there were more than 63 on a day.
    estimated: bool,
    /// The names of the sources that contain it.
    sources: Vec<&'a str>,
    /// What has to change; null for clients that need no change.
    fix: Option<Fix>,
    /// What the evidence leaves open; null if it leaves nothing open.
    doubt: Option<Doubt>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Fix {
    /// A guess by the application name; a stable word, of which more may be added.
    driver: &'static str,
    /// The change that enforcement needs.
    require: &'static str,
    /// The change that also checks who the server is.
    verify_full: &'static str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Doubt {
    /// A stable word. More words may be added.
    reason: &'static str,
    /// One sentence.
    detail: &'static str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Safe,
    Breaks,
    NeedsObservation,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum SourceKind {
    LogFile,
    ArmLogFile,
    Sessions,
    LogAnalytics,
    Pgbouncer,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::enum_variant_names, reason = "the words of the format")]
enum Tls {
    Tls,
    Plaintext,
    Local,
    Unknown,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Backend {
    Client,
    Replication,
    Pooler,
}

impl From<census::Backend> for Backend {
    fn from(backend: census::Backend) -> Self {
        match backend {
            census::Backend::Client => Self::Client,
            census::Backend::Replication => Self::Replication,
            census::Backend::Pooler => Self::Pooler,
        }
    }
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    crate::schema::of::<Document<'_>>(SCHEMA)
}

/// The census as one JSON value, for writing, queries and other formats.
///
/// # Errors
///
/// None that a census can cause.
pub fn value(report: &ClientsReport) -> Result<serde_json::Value, serde_json::Error> {
    let run = Run {
        id: &report.id,
        started_at: &report.started_at,
        finished_at: &report.finished_at,
        principal: report.principal.as_deref(),
        tool_version: env!("CARGO_PKG_VERSION"),
        required_window_seconds: report.window / 1_000,
        since: report.since.map(rfc3339),
        complete: report.is_complete(),
    };
    let servers = report.servers.iter().map(server).collect();
    serde_json::to_value(Document { schema: SCHEMA, run, servers })
}

fn server(server: &ServerClients) -> Server<'_> {
    let census = &server.census;
    let [plaintext, unknown, tls, local] = census.unlisted;
    Server {
        id: server.id.as_deref(),
        name: &server.name,
        verdict: match census.verdict {
            census::CensusVerdict::Safe => Verdict::Safe,
            census::CensusVerdict::Breaks => Verdict::Breaks,
            census::CensusVerdict::NeedsObservation => Verdict::NeedsObservation,
        },
        reason: &census.reason,
        window: census.window.map(|window| Window { from: rfc3339(window.from), to: rfc3339(window.to) }),
        observed_seconds: census.observed / 1_000,
        sources: census.sources.iter().map(source).collect(),
        clients: census.clients.iter().map(|one| client(one, &census.sources)).collect(),
        earlier: census.earlier.iter().map(|one| client(one, &census.sources)).collect(),
        unlisted: Unlisted { plaintext, unknown, tls, local },
        refused: census.refused.iter().map(RefusedV1::from).collect(),
    }
}

fn source(source: &census::Source) -> Source<'_> {
    let window = source.coverage.window();
    Source {
        kind: match source.kind {
            census::SourceKind::LogFile => SourceKind::LogFile,
            census::SourceKind::ArmLogFile => SourceKind::ArmLogFile,
            census::SourceKind::Sessions => SourceKind::Sessions,
            census::SourceKind::LogAnalytics => SourceKind::LogAnalytics,
            census::SourceKind::Pgbouncer => SourceKind::Pgbouncer,
        },
        name: &source.name,
        format: Some(source.format.as_str()).filter(|format| !format.is_empty()),
        from: window.map(|window| rfc3339(window.from)),
        to: window.map(|window| rfc3339(window.to)),
        complete: source.is_complete,
        missing: source
            .missing
            .iter()
            .map(|missing| Missing { reason: missing.reason.as_str(), detail: &missing.detail })
            .collect(),
    }
}

fn client<'a>(client: &'a census::Client, sources: &'a [census::Source]) -> Client<'a> {
    Client {
        user: client.user.as_deref(),
        database: client.database.as_deref(),
        application: client.application.as_deref(),
        address: client.address.as_deref(),
        backend: client.backend.into(),
        tls: match client.tls {
            census::SessionTls::Tls => Tls::Tls,
            census::SessionTls::Plaintext => Tls::Plaintext,
            census::SessionTls::Local => Tls::Local,
            census::SessionTls::Unknown => Tls::Unknown,
        },
        protocol: client.protocol.as_deref(),
        cipher: client.cipher.as_deref(),
        first_seen: client.first_seen.map(rfc3339),
        last_seen: client.last_seen.map(rfc3339),
        sightings: client.sightings,
        estimated: client.is_estimate,
        sources: client.sources.iter().filter_map(|at| sources.get(*at)).map(|source| source.name.as_str()).collect(),
        fix: census::Fix::of(client).map(|fix| Fix {
            driver: fix.driver.as_str(),
            require: fix.change.require,
            verify_full: fix.change.verify_full,
        }),
        doubt: client.doubt.map(|doubt| Doubt { reason: doubt.as_str(), detail: doubt.explanation() }),
    }
}
