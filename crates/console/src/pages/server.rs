//! One server: its tabs.

use super::{Asked, Row};
use crate::exchanges::Taken;
use crate::guard::Session;
use crate::jobs::audit::Audit;
use crate::options::Exchange;
use crate::reply::{Failure, page, see_other};
use crate::state::Shared;
use crate::view::{Ago, Badge, Shell, Strip, When, floor_words, outcome_badge};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_model::{Kind, Meaning, ParameterName, Scope, Word};
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
    floors: Vec<FloorChoice>,
    /// Whether the floor is none of these, or was not read.
    other: bool,
    /// Azure's word for the floor; empty when it was not read.
    now: String,
}

/// A floor that this kind of server offers.
struct FloorChoice {
    /// Azure's word.
    word: &'static str,
    title: String,
    /// Whether it is what the server declares.
    is_now: bool,
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
    /// Whether this version knows the kind of server.
    known: bool,
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
                let tls = floor_words(entry.minimal_tls.as_ref());
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
        kind: kind_title(&row.server.kind),
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

impl SaveForm {
    /// There is one where a switch can be turned and hostssl writes it, for the server as it was seen last.
    fn of(head: &Head) -> Option<Self> {
        let kind = head.row.server.kind.known()?;
        let offering = kind.offering();
        if kind.switch().is_none() || offering.not_written.is_some() || !head.newest || head.gone {
            return None;
        }
        let now = head.row.server.minimal_tls.as_ref();
        let floors = offering.floor_values.iter().map(|floor| FloorChoice {
            word: floor.as_azure(),
            title: floor.to_string(),
            is_now: now.and_then(Word::known) == Some(*floor),
        });
        let floors: Vec<FloorChoice> = floors.collect();
        let other = !floors.iter().any(|floor| floor.is_now);
        Some(Self { floors, other, now: now.map_or("", Word::as_str).to_owned() })
    }
}

impl Switch {
    /// Of a kind that this version does not know, nothing can be said.
    fn of(detail: &ServerDetail) -> Self {
        let row = &detail.row;
        let Some(kind) = row.kind.known() else {
            return Self {
                setting: None,
                floor: "",
                enforce: None,
                minimum: None,
                command: None,
                portal: "",
                known: false,
            };
        };
        let offering = kind.offering();
        let (switch, floor) = (kind.switch(), kind.client_floor());
        let reading = |name: ParameterName| detail.readings.iter().find(|one| one.setting == name.key()).cloned();
        let on = switch.and_then(|name| Some((name, name.spell(Meaning::Enforced(true))?)));
        let command = offering.az_parameter_set.zip(on).map(|(command, (name, on))| {
            let (subscription, group, server) = (&row.subscription_id, &row.resource_group, &row.name);
            format!("{command} --subscription {subscription} -g {group} -s {server} -n {name} --value {on}")
        });
        Self {
            setting: switch.map(ParameterName::as_str),
            floor: floor.map_or("", ParameterName::as_str),
            enforce: switch.and_then(reading),
            minimum: floor.and_then(reading),
            command,
            portal: offering.portal,
            known: true,
        }
    }
}
