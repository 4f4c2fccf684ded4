//! One server: its tabs.

mod clients;
mod finding_lines;
mod history;
mod listeners;
mod mismatch;
mod security;

use super::{Asked, Row};
use crate::guard::Session;
use crate::jobs::audit::AuditWork;
use crate::options::Exchange;
use crate::reply::{Failure, page, see_other};
use crate::shared::Shared;
use crate::view::{Ago, Shell, Strip, When};
use crate::waivers::WaiverNote;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
pub(crate) use clients::in_short;
use clients::{Clients, Refused};
use finding_lines::FindingLine;
use history::{Happened, LogRead, happened};
use hostssl_census::KeptCensus;
use hostssl_formats::portal_link;
use hostssl_model::{
    CurrentState, Evidence, Kind, LookEnd, Reading, ResourceId, Scope, Standing, WireObservation, Word,
};
use hostssl_store::{AuditEntry, Enforcement, ServerDetail, StoredReading};
use listeners::{Listener, Matrix, Validity};
use security::{SaveForm, SwitchPage};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Runs in the history.
const RUNS: u32 = 100;
/// Tabs: their names in addresses and their titles.
const TABS: [(&str, &str); 6] = [
    ("", "Overview"),
    ("connection-security", "Connection security"),
    ("clients", "Clients"),
    ("wire", "Wire"),
    ("evidence", "Evidence"),
    ("history", "History"),
];

/// Which audit to look at; the newest that saw the server without one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct At {
    run: String,
}

/// What all tabs need.
struct Head {
    audit: AuditEntry,
    ago: Ago,
    detail: ServerDetail,
    row: Row,
    kind: String,
    tab: &'static str,
    /// Whether this is the newest audit that saw the server.
    newest: bool,
    /// Whether a newer audit of everything did not list it.
    gone: bool,
    /// Its page in the Azure portal, where that is known.
    portal: Option<String>,
    /// What its listeners do, as far as probes saw it.
    listeners: Vec<Listener>,
    /// Each kind of evidence that stands, with its age and its source.
    evidence: Vec<Source>,
}

/// A kind of evidence, when it was gathered, and by which run.
struct Source {
    kind: Cow<'static, str>,
    ago: Ago,
    /// The address and the name of the run.
    link: String,
    run: &'static str,
}

/// What stands of a server, by kind. The past has one kind alone: what that audit saw.
fn sources(detail: &ServerDetail) -> Vec<Source> {
    let Some(state) = &detail.evidence else { return Vec::new() };
    let audit = |kind: &'static str, at_ms, source: &str| Source {
        kind: kind.into(),
        ago: Ago::new(at_ms),
        link: format!("/runs/{source}"),
        run: "audit",
    };
    let mut found = Vec::new();
    let changed = state.changed.as_ref();
    if let Some(read) = state.read.as_ref().filter(|read| changed.is_none_or(|change| change.source != read.source)) {
        found.push(audit("setting read", read.at_ms, &read.source));
    }
    if let Some(failed) =
        state.looked.as_ref().filter(|look| state.read.as_ref().is_none_or(|read| read.at_ms < look.at_ms))
    {
        found.push(audit("could not be read", failed.at_ms, &failed.source));
    }
    let words = if state.probed_before_the_change() { "probed before it was changed" } else { "probed" };
    if let Some(seen) = state.answered.values().max_by_key(|seen| seen.at_ms) {
        found.push(audit(words, seen.at_ms, &seen.source));
    }
    found.extend(from_zones(state, words));
    let has_answer = |look: &WireObservation| matches!(look.listener, Reading::Known(_));
    let is_failed = |probe: &&Evidence<Vec<WireObservation>>| !probe.what.iter().any(has_answer);
    if let Some(failed) = state.probe.as_ref().filter(is_failed) {
        found.push(audit("probe without an answer", failed.at_ms, &failed.source));
    }
    if let Some(change) = changed {
        let link = format!("/applies/{}", change.source);
        found.push(Source { kind: "changed".into(), ago: Ago::new(change.at_ms), link, run: "run" });
    }
    found
}

/// The newest look of each zone that counts, and the audit that took it in.
fn from_zones(state: &CurrentState, words: &str) -> Vec<Source> {
    let mut newest: BTreeMap<&str, (i64, &str)> = BTreeMap::new();
    for (look, taken_ms, end) in state.looks() {
        let Some(vantage) = look.vantage.as_ref().filter(|_| matches!(end, None | Some((LookEnd::Switch, _)))) else {
            continue;
        };
        let place = (look.port, Arc::clone(&vantage.zone));
        let source = state.zones.seen.get(&place).map_or("", |seen| &*seen.source);
        let known = newest.entry(&vantage.zone).or_insert((taken_ms, source));
        *known = (*known).max((taken_ms, source));
    }
    let source = |(zone, (taken_ms, source)): (&str, (i64, &str))| Source {
        kind: format!("{words} from zone {zone}").into(),
        ago: Ago::new(taken_ms),
        link: format!("/runs/{source}"),
        run: "audit",
    };
    newest.into_iter().map(source).collect()
}

impl Head {
    /// Whether a zone saw a listener.
    fn has_zones(&self) -> bool {
        self.listeners.iter().any(|listener| listener.vantage.is_some())
    }

    /// When the audit began.
    fn at(&self) -> When {
        When(self.audit.started_ms)
    }

    /// Since when it is as it is, as far as kept audits tell.
    fn since(&self) -> When {
        When(self.row.server.since_ms)
    }

    /// Why it stands where it stands: of the reasons of its standing, the one that holds.
    fn why(&self) -> &'static str {
        let server = &self.row.server;
        match (server.standing, server.enforcement) {
            (Standing::NotEnforced, Enforcement::Unknown) => {
                "The setting could not be read, and a probe connected without TLS."
            }
            (Standing::NotEnforced, _) if server.switch_waits() => {
                "Azure says TLS is required, but only after a restart. Until then, clients can connect without it."
            }
            (Standing::NotEnforced, _) => "Azure says TLS is not required: clients can connect without it.",
            (standing, _) => standing.definition(),
        }
    }

    fn tabs(&self) -> Vec<(String, &'static str, bool)> {
        let run = if self.newest { String::new() } else { format!("?run={}", self.audit.id) };
        let key = &self.row.server.key;
        let address = |tab: &str| match tab {
            "" => format!("/servers/{key}{run}"),
            tab => format!("/servers/{key}/{tab}{run}"),
        };
        TABS.iter().map(|(tab, title)| (address(tab), *title, *tab == self.tab)).collect()
    }
}

#[derive(Template)]
#[template(path = "server_overview.html")]
struct OverviewTab {
    shell: Shell,
    head: Head,
    findings: Vec<FindingLine>,
    /// What is wrong with the file of waivers, if it cannot be read.
    waivers: Option<WaiverNote>,
}

#[derive(Template)]
#[template(path = "server_security.html")]
struct SecurityTab {
    shell: Shell,
    head: Head,
    mismatches: Vec<mismatch::WireMismatch>,
    switch: SwitchPage,
    /// Who would be refused, where TLS is not enforced.
    refused: Option<Refused>,
    /// What *Save* offers, where it is there.
    form: Option<SaveForm>,
}

#[derive(Template)]
#[template(path = "server_clients.html")]
struct ClientsTab {
    shell: Shell,
    head: Head,
    clients: Option<Clients>,
    command: String,
}

#[derive(Template)]
#[template(path = "server_wire.html")]
struct WireTab {
    shell: Shell,
    head: Head,
    /// For each listener, how long its certificate lasts, and what was said to it.
    details: Vec<(Option<Validity>, Vec<Exchange>)>,
    matrix: Matrix,
    command: Option<String>,
    /// Whether a probe from here writes down the exchange.
    writes_down: bool,
}

#[derive(Template)]
#[template(path = "server_evidence.html")]
struct EvidenceTab {
    shell: Shell,
    head: Head,
    readings: Vec<(StoredReading, Option<bool>)>,
}

#[derive(Template)]
#[template(path = "server_history.html")]
struct HistoryTab {
    shell: Shell,
    head: Head,
    strip: Strip,
    audits: usize,
    events: Vec<Happened>,
    /// Audits in which nothing was different from the one before.
    quiet: usize,
    /// How far the Activity Log was read.
    log: LogRead,
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    Asked(at): Asked<At>,
    shell: Shell,
) -> Result<Response, Failure> {
    let (shell, head) = head(&shared, key, at, "", shell).await?;
    let (findings, waivers) = finding_lines::findings(&shared, &head).await?;
    page(&OverviewTab { shell, head, findings, waivers })
}

pub(crate) async fn tab(
    State(shared): State<Shared>,
    Path((key, tab)): Path<(String, String)>,
    Asked(at): Asked<At>,
    shell: Shell,
) -> Result<Response, Failure> {
    let (tab, _) = *TABS.iter().find(|(name, _)| *name == tab && !tab.is_empty()).ok_or_else(Failure::not_found)?;
    let (shell, head) = head(&shared, key, at, tab, shell).await?;
    match tab {
        "connection-security" => {
            let form = SaveForm::of(&head).filter(|_| shell.may_plan());
            let mismatches = mismatch::mismatches(&head.detail, &head.listeners);
            let is_off = head.row.server.enforcement == Enforcement::NotEnforced;
            let refused = match is_off && head.newest {
                true => Some(Refused::of(census(&shared, &head).await?.as_ref(), now_ms())),
                false => None,
            };
            page(&SecurityTab { shell, switch: SwitchPage::of(&head.detail), refused, form, mismatches, head })
        }
        "clients" => {
            let kept = census(&shared, &head).await?;
            let clients = kept.filter(|kept| !kept.is_empty()).map(|kept| Clients::of(&kept, now_ms()));
            let command = format!("hostssl clients --server {}", head.row.server.name);
            page(&ClientsTab { shell, head, clients, command })
        }
        "wire" => {
            let command = head.detail.fqdn.as_ref().map(|fqdn| format!("hostssl probe {fqdn}"));
            let taken = shared.exchanges.find(&head.row.server.key).filter(|taken| taken.run == head.audit.id);
            let writes_down = shared.options.wire.as_ref().is_some_and(|look| look.exchange.is_some());
            let expiry_days = hostssl_ops::expiry_days(&head.audit);
            let details =
                head.listeners.iter().map(|one| (one.validity(expiry_days), one.exchanges(taken.as_deref()))).collect();
            let matrix = Matrix::of(&head.listeners);
            page(&WireTab { shell, head, details, matrix, command, writes_down })
        }
        "evidence" => {
            let sound = |reading: &StoredReading| (reading.clone(), reading.excerpt_is_sound());
            page(&EvidenceTab { shell, readings: head.detail.readings.iter().map(sound).collect(), head })
        }
        _ => {
            let key = head.row.server.key.clone();
            let (history, writes) =
                shared.ask(move |store| Ok((store.history(&key, RUNS)?, store.writes(&key)?))).await?;
            let kept = census(&shared, &head).await?;
            let strip = Strip::of(&history);
            let read = shared.activity.find(&head.row.server.key);
            let events = happened(&history, writes, kept.as_ref(), read.as_deref(), &head.row.server.key);
            let told = events.iter().filter(|event| event.what.starts_with("audit")).count();
            let log = LogRead::of(read.as_deref());
            let (audits, quiet) = (history.len(), history.len().saturating_sub(told));
            page(&HistoryTab { shell, head, strip, audits, events, quiet, log })
        }
    }
}

/// What is kept of the clients of a server.
async fn census(shared: &Shared, head: &Head) -> Result<Option<KeptCensus>, Failure> {
    let key = head.row.server.key.clone();
    shared.ask(move |store| store.census(&key)).await
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Starts an audit of this server alone that probes it.
pub(crate) async fn probe(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    Extension(session): Extension<Session>,
) -> Result<Response, Failure> {
    if shared.options.wire.is_none() {
        return Err(Failure::not_found());
    }
    audit_one(&shared, key, &session, Extra::Probe).await
}

/// Starts an audit of this server alone that looks for its clients too.
pub(crate) async fn look_for_clients(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    Extension(session): Extension<Session>,
) -> Result<Response, Failure> {
    audit_one(&shared, key, &session, Extra::Clients).await
}

/// Reads from the Activity Log who did what to this server.
pub(crate) async fn read_who(State(shared): State<Shared>, Path(key): Path<String>) -> Result<Response, Failure> {
    let of = key.clone();
    let found = shared
        .ask(move |store| {
            let Some(audit) = store.last_audit_of(&of)? else { return Ok(None) };
            store.server(&audit, &of)
        })
        .await?;
    let id = found.and_then(|detail| ResourceId::try_from(detail.row.id.as_str()).ok()).ok_or_else(never_seen)?;
    shared.activity.read(shared.context.clone(), id).await.map_err(|trouble| Failure::unread_log(&trouble))?;
    Ok(see_other(&format!("/servers/{key}/history")))
}

/// What an audit of one server does beside reading its settings.
enum Extra {
    Probe,
    Clients,
}

async fn audit_one(shared: &Shared, key: String, session: &Session, extra: Extra) -> Result<Response, Failure> {
    let found = shared
        .ask(move |store| {
            let Some(audit) = store.last_audit_of(&key)? else { return Ok(None) };
            store.server(&audit, &key)
        })
        .await?;
    let row = found.ok_or_else(never_seen)?.row;
    let server = Some((row.key.clone(), row.name.clone()));
    let scope = Scope {
        tenants: shared.options.scope.tenants.clone(),
        subscriptions: vec![row.subscription_id],
        resource_groups: vec![row.resource_group],
        servers: vec![row.name],
        ..Scope::default()
    };
    let (probe, clients) = (matches!(extra, Extra::Probe), matches!(extra, Extra::Clients));
    let audit = AuditWork { scope, probe, zones: probe, clients, server };
    let job = shared.audits.start(&shared.context, session.person(), audit);
    Ok(see_other(&format!("/runs/{}", job.id)))
}

fn never_seen() -> Failure {
    Failure::nothing_kept(
        "No kept audit has found this server.",
        "It may be in another state directory, or the audits that found it were deleted. Search all resources.",
    )
}

async fn head(shared: &Shared, key: String, at: At, tab: &'static str, shell: Shell) -> Result<(Shell, Head), Failure> {
    let found = shared
        .ask(move |store| {
            let Some(newest) = store.last_audit_of(&key)? else { return Ok(None) };
            let audit = if at.run.is_empty() { Some(newest.clone()) } else { store.audit(&at.run)? };
            let Some(audit) = audit else { return Ok(None) };
            let gone = store.is_gone(&key)?;
            let detail = store.server(&audit, &key)?;
            Ok(detail.map(|detail| (audit.id == newest.id, gone, audit, detail)))
        })
        .await?;
    let (newest, gone, audit, detail) = found.ok_or_else(never_seen)?;
    let row = Row::from(detail.row.clone());
    // Where several tenants were signed in to, the audit does not say which one is the server's.
    let tenants: BTreeSet<&str> = audit.principals.iter().filter_map(|one| one.tenant.as_deref()).collect();
    let tenant = if tenants.len() == 1 { tenants.first().copied() } else { None };
    let portal = portal_link(&audit.cloud, tenant, &row.server.id);
    let title = match TABS.iter().find(|(name, _)| *name == tab) {
        Some((name, title)) if !name.is_empty() => format!("{} · {title}", row.server.name),
        _ => row.server.name.clone(),
    };
    let head = Head {
        ago: Ago::new(audit.started_ms),
        listeners: Listener::all(&detail),
        evidence: sources(&detail),
        kind: kind_title(&row.server.kind),
        portal,
        audit,
        detail,
        row,
        tab,
        newest,
        gone,
    };
    Ok((shell.titled(title, "resources"), head))
}

/// A kind of server as the portal calls it.
fn kind_title(kind: &Word<Kind>) -> String {
    kind.known().map_or_else(|| kind.to_string(), |kind| kind.offering().title.to_owned())
}
