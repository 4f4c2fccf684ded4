//! One server: its tabs.

use super::{Asked, Row};
use crate::exchanges::Taken;
use crate::guard::Session;
use crate::jobs::audit::Audit;
use crate::options::Exchange;
use crate::reply::{Failure, page, see_other};
use crate::state::Shared;
use crate::view::{Ago, Badge, Shell, Strip, When, kind_words, outcome_badge, tls_word};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_model::Scope;
use hostssl_store::{AuditEntry, HistoryEntry, ServerDetail, StoredFinding, StoredListener, StoredReading};
use serde::Deserialize;

/// Runs in the history.
const RUNS: u32 = 100;
/// Tabs: their names in addresses and their titles.
const TABS: [(&str, &str); 5] = [
    ("", "Overview"),
    ("connection-security", "Connection security"),
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
}

impl Head {
    /// Since when it is as it is, as far as kept audits tell.
    fn since(&self) -> When {
        When(self.row.server.since_ms)
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
    findings: Vec<(StoredFinding, Badge)>,
}

#[derive(Template)]
#[template(path = "server_security.html")]
struct SecurityTab {
    shell: Shell,
    head: Head,
    switch: Switch,
    /// What *Save* offers, where it is there.
    form: Option<SaveForm>,
}

/// The portal's form for this kind of server.
struct SaveForm {
    /// Azure's words for the floors that this kind offers, and people's.
    floors: &'static [(&'static str, &'static str)],
    /// Whether the floor is none of these, or was not seen.
    other: bool,
}

#[derive(Template)]
#[template(path = "server_wire.html")]
struct WireTab {
    shell: Shell,
    head: Head,
    listeners: Vec<Listener>,
    command: Option<String>,
    /// Whether a probe from here writes down the exchange.
    writes_down: bool,
}

/// A listener with what was said to it.
struct Listener {
    seen: StoredListener,
    until: Option<When>,
    exchanges: Vec<Exchange>,
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
    entries: Vec<(HistoryEntry, Badge, When, String)>,
}

/// The portal's page for both generations: what the switch is, what it really sets, and where to set it.
struct Switch {
    /// The setting that enforces; `None` where the platform does.
    setting: Option<&'static str>,
    floor: &'static str,
    enforce: Option<StoredReading>,
    minimum: Option<StoredReading>,
    command: Option<String>,
    portal: &'static str,
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    Asked(at): Asked<At>,
    shell: Shell,
) -> Result<Response, Failure> {
    let (shell, head) = head(&shared, key, at, "", shell).await?;
    let badge = |finding: StoredFinding| {
        let badge = outcome_badge(&finding.outcome);
        (finding, badge)
    };
    let findings = head.detail.findings.iter().cloned().map(badge).collect();
    page(&OverviewTab { shell, head, findings })
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
            let form = SaveForm::of(&head).filter(|_| shell.allow_changes);
            page(&SecurityTab { shell, switch: Switch::of(&head.detail), form, head })
        }
        "wire" => {
            let command = head.detail.fqdn.as_ref().map(|fqdn| format!("hostssl probe {fqdn}"));
            let taken = shared.exchanges.find(&head.row.server.key).filter(|taken| taken.run == head.audit.id);
            let listeners = head.detail.wire.iter().map(|seen| Listener::of(seen, taken.as_deref())).collect();
            let writes_down = shared.options.wire.as_ref().is_some_and(|look| look.exchange.is_some());
            page(&WireTab { shell, head, listeners, command, writes_down })
        }
        "evidence" => {
            let sound = |reading: &StoredReading| (reading.clone(), reading.excerpt_is_sound());
            page(&EvidenceTab { shell, readings: head.detail.readings.iter().map(sound).collect(), head })
        }
        _ => {
            let key = head.row.server.key.clone();
            let history = shared.ask(move |store| store.history(&key, RUNS)).await?;
            let strip = Strip::of(&history);
            let entry = |entry: HistoryEntry| {
                let at = entry.started_at.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond);
                let tls = tls_word(&entry.minimal_tls).to_owned();
                let badge = entry.enforcement.into();
                (entry, badge, When(at), tls)
            };
            page(&HistoryTab { shell, head, strip, entries: history.into_iter().map(entry).collect() })
        }
    }
}

/// Starts an audit of this server alone that looks at the wire.
pub(crate) async fn probe(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    Extension(session): Extension<Session>,
) -> Result<Response, Failure> {
    if shared.options.wire.is_none() {
        return Err(Failure::not_found());
    }
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
    let audit = Audit { scope, probe: true, server };
    let job = shared.audits.start(&shared.context, session.person(), audit);
    Ok(see_other(&format!("/runs/{}", job.id)))
}

impl Listener {
    fn of(seen: &StoredListener, taken: Option<&Taken>) -> Self {
        let certificate = seen.seen.as_ref().and_then(|wire| wire.certificate.as_ref());
        let until = certificate.and_then(|one| one.not_after.as_deref()?.parse::<jiff::Timestamp>().ok());
        let said = taken.iter().flat_map(|taken| &taken.listeners);
        let here = |one: &&Exchange| {
            one.port == seen.port && (one.address.is_none() || seen.address.is_none() || one.address == seen.address)
        };
        Self {
            until: until.map(|time| When(time.as_millisecond())),
            exchanges: said.filter(here).cloned().collect(),
            seen: seen.clone(),
        }
    }
}

fn never_seen() -> Failure {
    Failure::nothing_kept(
        "No audit that is kept here has seen this server.",
        "It may be in another state directory, or the audits that saw it were deleted. Look among all resources.",
    )
}

async fn head(shared: &Shared, key: String, at: At, tab: &'static str, shell: Shell) -> Result<(Shell, Head), Failure> {
    let found = shared
        .ask(move |store| {
            let Some(newest) = store.last_audit_of(&key)? else { return Ok(None) };
            let audit = if at.run.is_empty() { Some(newest.clone()) } else { store.audit(&at.run)? };
            let Some(audit) = audit else { return Ok(None) };
            let gone = store.latest()?.is_some_and(|latest| latest.started_ms > newest.started_ms && latest.whole);
            let detail = store.server(&audit, &key)?;
            Ok(detail.map(|detail| (audit.id == newest.id, gone, audit, detail)))
        })
        .await?;
    let (newest, gone, audit, detail) = found.ok_or_else(never_seen)?;
    let row = Row::from(detail.row.clone());
    let title = match TABS.iter().find(|(name, _)| *name == tab) {
        Some((name, title)) if !name.is_empty() => format!("{} · {title}", row.server.name),
        _ => row.server.name.clone(),
    };
    let head = Head {
        ago: Ago::new(audit.started_ms),
        kind: kind_words(&row.server.kind).to_owned(),
        audit,
        detail,
        row,
        tab,
        newest,
        gone,
    };
    Ok((shell.titled(title, "resources"), head))
}

impl SaveForm {
    /// There is one where hostssl writes these settings, for the server as it was seen last.
    fn of(head: &Head) -> Option<Self> {
        let floors: &[(&str, &str)] = match head.row.server.kind.as_str() {
            "flexible" | "elastic-cluster" => &[("TLS1_2", "TLS 1.2"), ("TLS1_3", "TLS 1.3")],
            "single" => &[
                ("TLSEnforcementDisabled", "any"),
                ("TLS1_0", "TLS 1.0"),
                ("TLS1_1", "TLS 1.1"),
                ("TLS1_2", "TLS 1.2"),
            ],
            _ => return None,
        };
        let other = !floors.iter().any(|(word, _)| *word == head.row.server.minimal_tls);
        (head.newest && !head.gone).then_some(Self { floors, other })
    }
}

impl Switch {
    fn of(detail: &ServerDetail) -> Self {
        let row = &detail.row;
        let (setting, floor, portal) = match row.kind.as_str() {
            "single" => (Some("sslEnforcement"), "minimalTlsVersion", "Settings › Connection security › SSL settings"),
            "cosmos-cluster" => (None, "ssl_min_protocol_version", "Settings › Coordinator node parameters"),
            "horizon" => {
                (Some("require_secure_transport"), "ssl_min_protocol_version", "the parameter group of the cluster")
            }
            _ => (Some("require_secure_transport"), "ssl_min_protocol_version", "Settings › Server parameters"),
        };
        let reading = |key: &str| detail.readings.iter().find(|reading| reading.setting == key).cloned();
        let command = match row.kind.as_str() {
            "flexible" | "elastic-cluster" => Some(format!(
                "az postgres flexible-server parameter set --subscription {} -g {} -s {} -n require_secure_transport --value on",
                row.subscription_id, row.resource_group, row.name
            )),
            _ => None,
        };
        Self { setting, floor, enforce: setting.and_then(reading), minimum: reading(floor), command, portal }
    }
}
