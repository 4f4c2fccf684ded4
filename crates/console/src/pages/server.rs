//! One server: its tabs.

mod mismatch;

use super::{Asked, Row};
use crate::exchanges::Taken;
use crate::guard::Session;
use crate::jobs::audit::Audit;
use crate::options::Exchange;
use crate::reply::{Failure, page, see_other};
use crate::state::Shared;
use crate::view::{Ago, Badge, Shell, Strip, When, outcome_badge};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_model::{Kind, Meaning, ParameterName, Scope, Word};
use hostssl_store::{
    AuditEntry, HistoryEntry, ServerDetail, ServerWrite, StoredFinding, StoredListener, StoredReading,
};
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
    /// Each kind of evidence that stands, with its age and its source.
    evidence: Vec<Source>,
}

/// A kind of evidence, when it was gathered, and by which run.
struct Source {
    kind: &'static str,
    ago: Ago,
    /// The address and the name of the run.
    link: String,
    run: &'static str,
}

/// What stands of a server, by kind. The past has one kind alone: what that audit saw.
fn sources(detail: &ServerDetail) -> Vec<Source> {
    let Some(state) = &detail.evidence else { return Vec::new() };
    let audit = |kind, at_ms, source: &str| Source {
        kind,
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
    let answered = state.answered.values().max_by_key(|seen| seen.at_ms);
    if let Some(seen) = answered {
        let words = if state.probed_before_the_change() { "probed before it was changed" } else { "probed" };
        found.push(audit(words, seen.at_ms, &seen.source));
    }
    if let Some(failed) = state.probe.as_ref().filter(|probe| answered.is_none_or(|seen| seen.at_ms < probe.at_ms)) {
        found.push(audit("probe without an answer", failed.at_ms, &failed.source));
    }
    if let Some(change) = changed {
        let link = format!("/applies/{}", change.source);
        found.push(Source { kind: "changed", ago: Ago::new(change.at_ms), link, run: "run" });
    }
    found
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
    mismatches: Vec<mismatch::Mismatch>,
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
    matrix: Matrix,
    command: Option<String>,
    /// Whether a probe from here writes down the exchange.
    writes_down: bool,
}

/// Which versions of TLS each port accepts.
struct Matrix {
    ports: Vec<u16>,
    /// The newest version first, with a cell for each port.
    rows: Vec<(String, Vec<VersionCell>)>,
}

/// What a port does with a version: in words, and whether that is good.
struct VersionCell {
    class: &'static str,
    shape: &'static str,
    words: &'static str,
}

impl Matrix {
    fn of(wire: &[StoredListener]) -> Self {
        let mut ports: Vec<u16> = wire.iter().filter(|one| one.seen.is_some()).map(|one| one.port).collect();
        ports.dedup();
        let seen = |port: u16| wire.iter().filter(move |one| one.port == port).filter_map(|one| one.seen.as_ref());
        let mut names: Vec<String> = Vec::new();
        for (name, _) in ports.iter().flat_map(|port| seen(*port)).flat_map(|seen| &seen.versions) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        // "SSL 3.0" and then "TLS 1.0" to "TLS 1.3": their names are in their order.
        names.sort_unstable_by(|a, b| b.cmp(a));
        let cell = |name: &str, port: u16| {
            let answers = || seen(port).flat_map(|seen| &seen.versions).filter(|(version, _)| version == name);
            let any = |word: &str| answers().any(|(_, answer)| answer == word);
            let is_weak = name < "TLS 1.2";
            match (any("accepted"), any("refused"), is_weak) {
                (true, _, true) => VersionCell { class: "no", shape: "✕", words: "accepted" },
                (true, _, false) => VersionCell { class: "yes", shape: "✓", words: "accepted" },
                (false, true, true) => VersionCell { class: "yes", shape: "✓", words: "refused" },
                (false, true, false) => VersionCell { class: "none", shape: "–", words: "refused" },
                (false, false, _) => VersionCell { class: "unknown", shape: "?", words: "not known" },
            }
        };
        let row = |name: String| {
            let cells = ports.iter().map(|port| cell(&name, *port)).collect();
            (name, cells)
        };
        Self { rows: names.into_iter().map(row).collect(), ports }
    }
}

/// How long a certificate lasts.
struct Validity {
    until: When,
    words: String,
    class: &'static str,
    /// The share of a year that is left, in percent.
    width: i64,
}

impl Validity {
    fn of(not_after: &str) -> Option<Self> {
        let until = not_after.parse::<jiff::Timestamp>().ok()?.as_millisecond();
        let days = (until - jiff::Timestamp::now().as_millisecond()).div_euclid(86_400_000);
        let (class, words) = match days {
            ..0 => ("no", "expired".to_owned()),
            0..=1 => ("no", format!("{days} days left")),
            2..=30 => ("no", format!("{days} days left")),
            31..=90 => ("unknown", format!("{days} days left")),
            _ => ("yes", format!("{days} days left")),
        };
        Some(Self { until: When(until), words, class, width: (days.max(0) * 100 / 365).clamp(2, 100) })
    }
}

/// A listener with what was said to it.
struct Listener {
    seen: StoredListener,
    validity: Option<Validity>,
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
    audits: usize,
    events: Vec<Happened>,
    /// Audits in which nothing was different from the one before.
    quiet: usize,
}

/// Something that happened to a server, as its history tells it.
struct Happened {
    at: When,
    link: String,
    what: &'static str,
    badge: Option<Badge>,
    /// What changed.
    changes: Vec<String>,
    by: String,
}

/// What happened, the newest first: what runs wrote, and the audits that saw something else than the one before. The oldest
/// audit is among them, because it is where the history begins.
fn happened(history: &[HistoryEntry], writes: Vec<ServerWrite>, key: &str) -> Vec<Happened> {
    let ms = |text: &str| text.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond);
    let mut events: Vec<Happened> = Vec::new();
    for (index, entry) in history.iter().enumerate() {
        let before = history.get(index + 1);
        let moved = before.is_some_and(|before| before.standing != entry.standing);
        let mut changes = entry.changes.clone();
        match before {
            None => changes.push("first audit that is kept".to_owned()),
            Some(before) if moved => {
                changes.insert(0, format!("{} → {}", before.standing.words(), entry.standing.words()));
            }
            Some(_) if changes.is_empty() => continue,
            Some(_) => {}
        }
        events.push(Happened {
            at: When(ms(&entry.started_at)),
            link: format!("/servers/{key}?run={}", entry.audit),
            what: if entry.probed { "audit with a probe" } else { "audit" },
            badge: Some(entry.standing.into()),
            changes,
            by: String::new(),
        });
    }
    events.extend(writes.into_iter().map(|write| Happened {
        at: When(write.at_ms),
        link: format!("/applies/{}", write.run),
        what: if write.undo { "undo" } else { "change" },
        badge: None,
        changes: vec![format!("{} {} → {}", write.setting, write.before, write.after)],
        by: write.by,
    }));
    events.sort_by_key(|event| std::cmp::Reverse(event.at.0));
    events
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
    let mut findings = head.detail.findings.clone();
    let rank = |outcome: &str| ["fail", "unknown", "pass"].iter().position(|word| *word == outcome).unwrap_or(3);
    findings.sort_by_key(|finding| rank(&finding.outcome));
    let findings = findings.into_iter().map(badge).collect();
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
            let mismatches = mismatch::mismatches(&head.detail);
            page(&SecurityTab { shell, switch: Switch::of(&head.detail), form, mismatches, head })
        }
        "wire" => {
            let command = head.detail.fqdn.as_ref().map(|fqdn| format!("hostssl probe {fqdn}"));
            let taken = shared.exchanges.find(&head.row.server.key).filter(|taken| taken.run == head.audit.id);
            let listeners = head.detail.wire.iter().map(|seen| Listener::of(seen, taken.as_deref())).collect();
            let writes_down = shared.options.wire.as_ref().is_some_and(|look| look.exchange.is_some());
            let listeners: Vec<Listener> = listeners;
            let matrix = Matrix::of(&head.detail.wire);
            page(&WireTab { shell, head, listeners, matrix, command, writes_down })
        }
        "evidence" => {
            let sound = |reading: &StoredReading| (reading.clone(), reading.excerpt_is_sound());
            page(&EvidenceTab { shell, readings: head.detail.readings.iter().map(sound).collect(), head })
        }
        _ => {
            let key = head.row.server.key.clone();
            let (history, writes) =
                shared.ask(move |store| Ok((store.history(&key, RUNS)?, store.writes(&key)?))).await?;
            let strip = Strip::of(&history);
            let events = happened(&history, writes, &head.row.server.key);
            let told = events.iter().filter(|event| event.badge.is_some()).count();
            let (audits, quiet) = (history.len(), history.len().saturating_sub(told));
            page(&HistoryTab { shell, head, strip, audits, events, quiet })
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
        let said = taken.iter().flat_map(|taken| &taken.listeners);
        let here = |one: &&Exchange| {
            one.port == seen.port && (one.address.is_none() || seen.address.is_none() || one.address == seen.address)
        };
        Self {
            validity: certificate.and_then(|one| Validity::of(one.not_after.as_deref()?)),
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
        evidence: sources(&detail),
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
    /// Whether the platform enforces TLS, so that there is no switch.
    fn by_platform(&self) -> bool {
        self.known && self.setting.is_none()
    }

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
