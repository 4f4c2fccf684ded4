//! One run: live while it goes on, then what it found; and the same facts judged by other rules.

use super::overview::{change_words, definition};
use super::runs::scope_words;
use super::work_page::show_elsewhere;
use super::{Asked, CHANGES, PageQuery, Paging};
use crate::elsewhere::find_elsewhere;
use crate::follow::follow;
use crate::guard::Session;
use crate::job::StopCause;
use crate::jobs::audit::{AuditJob, AuditProgress};
use crate::reply::{Failure, page, see_other};
use crate::shared::Shared;
use crate::view::{
    Badge, Bar, Shell, When, count, coverage_of, identity_words, length, plural, reason_words, why_unread,
};
use crate::waivers::WaiverNote;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_model::{ControlId, GapScope, Standing, Standings, Summary, Word};
use hostssl_ops::{JudgedAgain, JudgedServer, Profile};
use hostssl_store::{AuditEntry, ControlTally, GapGroup, Page, ServerChange, StoredGap, WorkKind};
use serde::Deserialize;
use std::sync::Arc;

/// Gaps on a page.
const GAPS: u32 = 50;
/// Servers that are named of those that other rules judge differently.
const DIFFER: usize = 100;

#[derive(Debug, Deserialize)]
pub(crate) struct By {
    profile: String,
}

#[derive(Template)]
#[template(path = "run_live.html")]
struct LivePage {
    shell: Shell,
    job: Arc<AuditJob>,
    progress: AuditProgress,
    stopping: bool,
    started: When,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    shell: Shell,
    audit: AuditEntry,
    at: When,
    bar: Bar,
    /// To which of its figures earlier evidence adds.
    earlier: Option<String>,
    figures: Vec<(Standing, Badge, String, &'static str)>,
    length: String,
    scope: String,
    coverage: &'static str,
    servers: String,
    subscriptions: String,
    people: String,
    /// Everything that the tokens say of them.
    identities: String,
    controls: Vec<(Word<ControlId>, ControlTally, u64)>,
    /// What the file of waivers waives today, when there is one.
    waivers: Option<WaiverNote>,
    /// Whether failures that are waived are counted.
    has_waivers: bool,
    groups: Vec<GapLine>,
    gaps: Vec<GapRow>,
    paging: Paging,
    previous: Option<AuditEntry>,
    changes: Vec<(ServerChange, &'static str, Badge)>,
    more_changes: u64,
    profiles: Vec<String>,
    /// The server by key and name, when it was probed alone from here.
    server: Option<(String, String)>,
    /// Who stopped it after how many servers, as far as this process knows.
    stopped: Option<String>,
    /// The files of looks that it did not count, as far as this process knows.
    left_out: Vec<String>,
    /// The probers that did not send new looks for it in time, as far as this process knows.
    silent: Vec<String>,
}

/// What this process remembers of an audit that it made.
#[derive(Default)]
struct MadeHere {
    server: Option<(String, String)>,
    stopped: Option<String>,
    left_out: Vec<String>,
    silent: Vec<String>,
}

/// What could not be checked for one reason.
struct GapLine {
    /// Servers and places, each once.
    number: String,
    words: String,
    /// How many of them are servers.
    what: String,
    permissions: Vec<String>,
}

impl From<GapGroup> for GapLine {
    fn from(group: GapGroup) -> Self {
        let GapGroup { reason, permissions, servers, places } = group;
        let parts = [(servers, "server"), (places, "place")].into_iter().filter(|(number, _)| *number > 0);
        Self {
            number: count(servers + places),
            words: reason_words(&reason).to_owned(),
            what: parts.map(|(number, noun)| plural(number, noun)).collect::<Vec<_>>().join(" and "),
            permissions,
        }
    }
}

/// One thing that could not be checked.
struct GapRow {
    name: String,
    /// The resource group of a server; empty for a place.
    within: String,
    /// Azure's id.
    id: String,
    why: String,
    permission: Option<String>,
}

impl From<StoredGap> for GapRow {
    fn from(gap: StoredGap) -> Self {
        let StoredGap { scope, name, unchecked } = gap;
        let id = scope.to_string();
        let (named, within) = match &scope {
            GapScope::Server(id) => (id.name().to_owned(), id.resource_group().to_owned()),
            GapScope::AllSubscriptions => ("all subscriptions".to_owned(), String::new()),
            _ => (name.unwrap_or_else(|| id.clone()), String::new()),
        };
        Self { name: named, within, why: why_unread(&unchecked, &id), permission: unchecked.missing_permission, id }
    }
}

#[derive(Template)]
#[template(path = "run_judged.html")]
struct JudgedPage {
    shell: Shell,
    audit: AuditEntry,
    at: When,
    profile: Profile,
    summary: Summary,
    /// Servers whose worst control differs.
    differ: Vec<(String, String, Badge, Badge)>,
    more: u64,
    total: u64,
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Asked(query): Asked<PageQuery>,
    shell: Shell,
) -> Result<Response, Failure> {
    let mut here = MadeHere::default();
    if let Some(job) = shared.audits.find(&id) {
        here.server.clone_from(&job.work.server);
        let status = job.status();
        let stopping = status.is_stopping();
        match status.end {
            None => {
                let (shell, started) = (shell.titled("Audit in progress", "runs"), When(job.started_ms));
                return page(&LivePage { shell, job, progress: status.progress, stopping, started });
            }
            Some(Err(trouble)) => return Err(Failure::lost_audit(&trouble)),
            Some(Ok(())) => {
                let AuditProgress { found, looked, left_out, silent, .. } = status.progress;
                (here.left_out, here.silent) = (left_out, silent);
                here.stopped = status.stop.map(|cause| cause.after(looked, found, "server"));
            }
        }
    }
    if let Some(work) = find_elsewhere(&shared, WorkKind::Audit, &id).await? {
        return show_elsewhere(shell, work);
    }
    kept(&shared, id, query, here, shell).await
}

async fn kept(
    shared: &Shared,
    id: String,
    query: PageQuery,
    MadeHere { server, stopped, left_out, silent }: MadeHere,
    shell: Shell,
) -> Result<Response, Failure> {
    let asker = shared.clone();
    let found = shared
        .ask(move |store| {
            let Some(audit) = store.audit(&id)? else { return Ok(None) };
            let previous = store.previous(&audit)?;
            let changes = match &previous {
                Some(previous) => store.changes(&audit, previous, CHANGES)?,
                None => (Vec::new(), 0),
            };
            let gaps = store.gaps(&audit, Page { number: query.page, size: GAPS })?;
            let controls = store.control_tallies(&audit)?;
            let seen = store.seen_standings(&audit)?;
            let laid = asker.waivers(store, &audit)?;
            let controls = controls.into_iter().map(|(control, tally)| {
                let waived = laid.of_control(control.known());
                (control, tally, waived)
            });
            let controls = (controls.collect(), laid.note(), laid.are_laid());
            Ok(Some((seen, controls, store.gap_groups(&audit)?, gaps, previous, changes, audit)))
        })
        .await?;
    let (seen, (controls, waivers, has_waivers), groups, (gaps, gaps_in_all), previous, (changes, all_changes), audit) =
        found.ok_or_else(Failure::no_such_run)?;
    let known = audit.known_standings();
    let changes = changes.into_iter().map(|change| {
        let (words, badge) = change_words(&change);
        (change, words, badge)
    });
    let changes: Vec<_> = changes.collect();
    page(&RunPage {
        shell: shell.titled("Audit", "runs"),
        at: When(audit.told_ms()),
        bar: Bar::of(&known),
        earlier: counted_earlier(&known, &seen),
        length: length(&audit.started_at, &audit.finished_at),
        scope: scope_words(&audit),
        coverage: coverage_of(&audit),
        servers: plural(audit.tally.servers(), "server"),
        subscriptions: plural(audit.subscriptions, "subscription"),
        identities: identity_words(&audit.principals),
        people: audit
            .principals
            .iter()
            .map(|one| format!("{} ({})", one.name, one.method))
            .collect::<Vec<_>>()
            .join(", "),
        controls,
        waivers,
        has_waivers,
        groups: groups.into_iter().map(GapLine::from).collect(),
        gaps: gaps.into_iter().map(GapRow::from).collect(),
        paging: Paging::new(query.page, GAPS, gaps_in_all, |page| format!("/runs/{}?page={page}#gaps", audit.id)),
        figures: Standing::ALL
            .into_iter()
            .filter(|one| known.count(*one) > 0)
            .map(|one| (one, Badge::from(one), count(known.count(one)), definition(one, &audit.asked)))
            .collect(),
        previous,
        more_changes: all_changes.saturating_sub(changes.len() as u64),
        changes,
        server,
        stopped,
        left_out,
        silent,
        profiles: Profile::all().iter().map(ToString::to_string).filter(|profile| *profile != audit.profile).collect(),
        audit,
    })
}

/// The figures of an audit to which earlier evidence adds, and how many of them the audit itself saw.
fn counted_earlier(known: &Standings, seen: &Standings) -> Option<String> {
    let more = Standing::ALL.map(|standing| {
        let (known, seen) = (known.count(standing), seen.count(standing));
        (known > seen)
            .then(|| format!("{}: {}, and {} by this audit alone", standing.words(), count(known), count(seen)))
    });
    let more: Vec<String> = more.into_iter().flatten().collect();
    (!more.is_empty()).then(|| more.join("; "))
}

/// The same facts, judged by other rules, without looking at Azure.
pub(crate) async fn judged(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Asked(by): Asked<By>,
    shell: Shell,
) -> Result<Response, Failure> {
    let profile = Profile::find(&by.profile).map_err(|_| Failure::bad_address())?;
    let _turn = shared.reports.acquire().await.map_err(|_| Failure::defect())?;
    let rules = profile.clone();
    let found = shared
        .ask(move |store| {
            let Some(audit) = store.audit(&id)? else { return Ok(None) };
            let judged = JudgedAgain::of(store, &audit, &rules, DIFFER)?;
            Ok(Some((audit, judged)))
        })
        .await?;
    let (audit, JudgedAgain { summary, total, differ }) = found.ok_or_else(Failure::no_such_run)?;
    let row = |one: JudgedServer| (one.key, one.name, Badge::from(one.before), Badge::from(one.after));
    let differ: Vec<_> = differ.into_iter().map(row).collect();
    let (at, more) = (When(audit.told_ms()), total.saturating_sub(differ.len() as u64));
    let shell = shell.titled(format!("Re-evaluated with {profile}"), "runs");
    page(&JudgedPage { shell, audit, at, profile, summary, differ, more, total })
}

/// Stops the audit in progress. What was seen until then is kept.
pub(crate) async fn stop(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
) -> Response {
    if let Some(job) = shared.audits.find(&id) {
        job.stop_for(StopCause::Person(session.person().to_owned()));
    }
    see_other(&format!("/runs/{id}"))
}

/// The progress of the audit in progress, as server-sent events. The last one says that it ended.
pub(crate) async fn events(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
) -> Result<Response, Failure> {
    let job = shared.audits.find(&id).ok_or_else(Failure::no_such_run)?;
    follow(&shared, &session, job.follow(), |now| now.update(&now.progress))
}
