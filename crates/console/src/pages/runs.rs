//! Runs: every audit, probe and change that is kept, and the way to a new audit.

use super::apply::end_words;
use super::{Asked, Paging, offers_probe};
use crate::elsewhere::{WorkElsewhere, work_elsewhere};
use crate::guard::{Fields, Session};
use crate::jobs::audit::AuditWork;
use crate::reply::{Failure, page, see_other};
use crate::shared::Shared;
use crate::view::{Badge, Bar, Shell, When, count, coverage_of, identity_words, length, plural};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use hostssl_model::Scope;
use hostssl_remediation::{RunEnd, RunId, RunPhase};
use hostssl_store::{AuditEntry, AuditStore, KeptRun, Page, ProbeEntry, RunEntry, RunPurpose, WorkKind};
use serde::Deserialize;
use std::collections::HashMap;

/// Rows on a page.
const SIZE: u32 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Numbered {
    page: u32,
    /// What the runs are for; all of them when empty.
    kind: String,
}

impl Numbered {
    fn link(&self, page: u32) -> String {
        let kind = if self.kind.is_empty() { String::new() } else { format!("&kind={}", self.kind) };
        format!("/runs?page={page}{kind}")
    }
}

#[derive(Template)]
#[template(path = "runs.html")]
struct Runs {
    shell: Shell,
    runs: Vec<Entry>,
    /// The purposes to filter by: name, words, and whether it is chosen.
    kinds: Vec<(&'static str, &'static str, bool)>,
    /// Whether two audits can be compared.
    compares: bool,
    paging: Paging,
    /// Whether the next audit is offered with a probe.
    probes: bool,
    /// The audits that other consoles make now.
    elsewhere: Vec<WorkElsewhere>,
}

/// A run of any kind in the list.
enum Entry {
    Audit(Box<AuditRow>),
    Probe(Box<ProbeRow>),
    Apply(Box<ApplyRow>),
}

struct ProbeRow {
    probe: ProbeEntry,
    at: When,
    endpoints: String,
    enforced: String,
    not_enforced: String,
    unknown: String,
    coverage: &'static str,
    length: String,
}

struct ApplyRow {
    run: RunEntry,
    at: When,
    steps: String,
    badge: Badge,
    plan: String,
    length: String,
    /// Everything that the token says of the identity that writes.
    identity: String,
}

struct AuditRow {
    audit: AuditEntry,
    at: When,
    bar: Bar,
    enforced: String,
    not_enforced: String,
    unknown: String,
    coverage: &'static str,
    length: String,
    scope: String,
    people: String,
    /// Everything that the tokens say of them.
    identities: String,
}

pub(crate) async fn list(
    State(shared): State<Shared>,
    Asked(numbered): Asked<Numbered>,
    shell: Shell,
) -> Result<Response, Failure> {
    let purpose = RunPurpose::from_code(&numbered.kind);
    if purpose.is_none() && !numbered.kind.is_empty() {
        return Err(Failure::bad_address());
    }
    let wanted = Page { number: numbered.page, size: SIZE };
    let sharing = shared.clone();
    let asked = move |store: &AuditStore| {
        let (runs, total) = match purpose {
            Some(purpose) => store.runs_for(purpose, wanted)?,
            None => store.runs(wanted)?,
        };
        let changes = runs.iter().filter_map(|run| match run {
            KeptRun::Apply(run) => Some(&**run),
            KeptRun::Audit(_) | KeptRun::Probe(_) => None,
        });
        let endings = sharing.endings.of(store, changes);
        Ok((runs, total, endings, offers_probe(store)?))
    };
    let (runs, total, endings, probes) = shared.ask(asked).await?;
    let paging = Paging::new(numbered.page, SIZE, total, |page| numbered.link(page));
    let runs: Vec<Entry> = runs.into_iter().map(|run| Entry::of(run, &endings)).collect();
    let compares = runs.iter().filter(|run| matches!(run, Entry::Audit(_))).count() > 1;
    let kinds = [("", "All"), ("audit", "Audits"), ("probe", "Probes"), ("apply", "Changes of servers")];
    let kinds = kinds.map(|(kind, words)| (kind, words, kind == numbered.kind)).into();
    let mut elsewhere = work_elsewhere(&shared).await?;
    elsewhere.retain(|one| one.kind == WorkKind::Audit);
    page(&Runs { shell: shell.titled("Runs", "runs"), runs, kinds, compares, paging, probes, elsewhere })
}

/// Starts an audit. An audit reads Azure and changes no server.
pub(crate) async fn start(
    State(shared): State<Shared>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    // Rules of the wire could only say unknown without a look at it.
    let probe = !fields.value("probe").is_empty() || shared.options.profile.asks_the_wire();
    let zones = !fields.value("zones").is_empty();
    let audit = AuditWork { scope: shared.options.scope.clone(), probe, zones, clients: false, server: None };
    see_other(&format!("/runs/{}", shared.audits.start(&shared.context, session.person(), audit).id))
}

impl Entry {
    fn of(run: KeptRun, endings: &HashMap<RunId, RunEnd>) -> Self {
        match run {
            KeptRun::Audit(audit) => Self::Audit(Box::new(AuditRow::from(*audit))),
            KeptRun::Probe(probe) => Self::Probe(Box::new(ProbeRow::from(*probe))),
            KeptRun::Apply(run) => {
                let ending = endings.get(&run.id).copied();
                Self::Apply(Box::new(ApplyRow::of(*run, ending)))
            }
        }
    }
}

impl From<ProbeEntry> for ProbeRow {
    fn from(probe: ProbeEntry) -> Self {
        let coverage = match (probe.complete, probe.finished_ms) {
            (true, _) => "complete",
            (false, Some(_)) => "incomplete",
            (false, None) => "stopped",
        };
        Self {
            at: When(probe.started_ms),
            endpoints: plural(probe.endpoints(), "endpoint"),
            enforced: count(probe.pass),
            not_enforced: count(probe.fail),
            unknown: count(probe.unknown),
            coverage,
            length: probe.finished_ms.map(|end| length(&rfc3339(probe.started_ms), &rfc3339(end))).unwrap_or_default(),
            probe,
        }
    }
}

fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|at| at.to_string()).unwrap_or_default()
}

impl ApplyRow {
    fn of(run: RunEntry, ending: Option<RunEnd>) -> Self {
        Self {
            at: When(run.started_at_ms),
            steps: steps_of(&run),
            badge: badge_of(run.phase, ending),
            plan: run.plan.as_str().chars().take(12).collect(),
            identity: identity_words(std::slice::from_ref(&run.principal)),
            length: length(&rfc3339(run.started_at_ms), &rfc3339(run.last_at_ms)),
            run,
        }
    }
}

/// How an apply ended, in the words of its own page; else where it stands, in the word of `hostssl runs`. That it has finished
/// does not say that every step went well, so that is not green.
fn badge_of(phase: RunPhase, ending: Option<RunEnd>) -> Badge {
    if let Some(ending) = ending {
        return end_words(ending).0;
    }
    let (class, shape) = if phase.is_unfinished() { ("unknown", "?") } else { ("none", "–") };
    Badge { class, shape, word: phase.as_str() }
}

impl From<AuditEntry> for AuditRow {
    fn from(audit: AuditEntry) -> Self {
        Self {
            at: When(audit.told_ms()),
            bar: Bar::of(&audit.standings),
            enforced: count(audit.standings.enforced()),
            not_enforced: count(audit.standings.open()),
            unknown: count(audit.standings.unknown),
            coverage: coverage_of(&audit),
            length: length(&audit.started_at, &audit.finished_at),
            scope: scope_brief(&audit),
            people: audit.principals.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", "),
            identities: identity_words(&audit.principals),
            audit,
        }
    }
}

/// Where an audit looked, as short as a list wants it: the servers, when they were named.
fn scope_brief(audit: &AuditEntry) -> String {
    // What is left out, or chosen by tags, is told in words: the servers that are named are not all that there is to it.
    if !audit.scope.except.is_empty() || !audit.scope.tags.is_empty() {
        return scope_words(audit);
    }
    match audit.scope.servers.as_slice() {
        [] if audit.whole => "everything".to_owned(),
        [] => scope_words(audit),
        [name] => name.clone(),
        names => plural(names.len() as u64, "server"),
    }
}

/// Where an audit looked, in words.
pub(crate) fn scope_words(audit: &AuditEntry) -> String {
    if audit.scope == Scope::default() {
        "everything visible".to_owned()
    } else {
        hostssl_formats::scope_words(&audit.scope)
    }
}

/// How many steps its plan has, and what came of them.
fn steps_of(run: &RunEntry) -> String {
    let steps = plural(run.steps.into(), "step");
    let open = if run.phase.is_unfinished() { "; not ended" } else { "" };
    match (run.written, run.restored) {
        (written, 0) => format!("{steps}: {written} written{open}"),
        (written, back) => format!("{steps}: {written} written, {back} restored{open}"),
    }
}
