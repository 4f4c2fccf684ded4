//! From an audit to a plan. Nothing here writes.

use super::census_gate::{AcceptBreakage, KeptEvidence, accepted, client_counts, impacts};
use super::preflight::{Preflight, preflight};
use crate::selection::{Selector, nearest_among, unmatched, unseen as unseen_parts, was_stopped};
use crate::subscription::read_more;
use crate::{AuditEvent, AuditRequest, Discovery, PlanReading, RunContext, ScopeError, Tenant, audit, rfc3339};
use futures::future::join_all;
use futures::{StreamExt, stream};
use hostssl_audit::{Profile, apply_waivers, control};
use hostssl_azure::{list_locks, permissions};
use hostssl_model::{
    Advice, AuditReport, ControlId, Fault, Gap, GapScope, Hint, ManagementLock, Outcome, Posture, Reason, ResourceId,
    Scope, Server, ServerReport, SubscriptionId, TlsVersion, Unchecked, Waiver, nearest, selects,
};
use hostssl_remediation::{
    AcceptedBreakage, FixableControl, Floor, Goal, InvalidPlan, Plan, PlanInputs, PlanOptions, PlanTarget, Step,
    WaivedFinding, WaveBy, WaveOrder, is_canary, plan,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What to plan.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// Where.
    pub scope: Scope,
    /// Servers that are left out, by name, pattern or tag (`NAME=VALUE`). No one has accepted their findings for that.
    pub except: Vec<String>,
    /// The failures that were accepted for a time: those that a waiver in effect covers are left out.
    pub waivers: Option<PlanWaivers>,
    /// The rules that judge.
    pub profile: Profile,
    /// What for.
    pub goal: Goal,
    /// How much, and at what pace.
    pub options: PlanOptions,
    /// What comes first.
    pub order: WaveOrder,
    /// Why a server may be made less strict, where it is: it stands in the plan and in the journal.
    pub reason: Option<String>,
    /// How to find servers.
    pub discovery: Discovery,
    /// Where the kept censuses of clients are; without it, none is available.
    pub clients: Option<Arc<dyn KeptEvidence>>,
    /// Whose clients may be refused.
    pub accepted: Vec<AcceptBreakage>,
}

/// A file of waivers, as they hold on the day of the plan.
#[derive(Debug, Clone)]
pub struct PlanWaivers {
    /// The name of the file.
    pub file: String,
    /// What is in it.
    pub waivers: Vec<Waiver>,
    /// Whether servers are planned for all the same. What does not hold is still told.
    pub include: bool,
}

/// A plan, and what it was made from.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What was observed. Its gaps are what the plan could not consider.
    pub audit: AuditReport,
    /// What else is not known: locks that could not be listed. A write under such a lock is refused when it is applied.
    pub unseen: Vec<Gap>,
    /// Why Azure did not say what the identity may change, where it did not: such a write may be refused.
    pub permissions: Option<Unchecked>,
}

/// There is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The scope names what does not exist.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The bounds allow no plan.
    #[error(transparent)]
    Invalid(#[from] InvalidPlan),
}

impl Advice for PlanError {
    fn advice(&self) -> Hint {
        match self {
            Self::Scope(error) => error.advice(),
            Self::Invalid(error) => error.advice(),
        }
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// Reads everything in scope and decides what to change. Zero writes.
///
/// # Errors
///
/// [`PlanError`]; what could not be seen is not an error but left out of the plan, with the reason.
pub async fn make_plan(
    tenant: &Tenant,
    request: &PlanRequest,
    context: RunContext<'_>,
    on_event: &mut dyn FnMut(AuditEvent<'_>),
) -> Result<Planned, PlanError> {
    let clock = context.clock;
    let tenants = std::slice::from_ref(tenant);
    let looked = AuditRequest {
        // Servers that are left out are in the plan, with the reason.
        scope: Scope { except: Vec::new(), ..request.scope.clone() },
        profile: evidence(&request.profile, &request.goal),
        discovery: request.discovery,
    };
    let mut audit = audit(tenants, &looked, context, &mut *on_event).await?;
    if let Some(PlanWaivers { file, waivers, .. }) = &request.waivers {
        apply_waivers(&mut audit, file, waivers.clone());
    }
    let scope = Scope { except: request.except.clone(), ..request.scope.clone() };
    let accepted = accepted_where_all_match(tenant, request, &scope, &audit)?;
    let evidence = request.clients.as_deref();
    let unlearned = evidence.and_then(|kept| kept.learn(&mut audit).err());
    let open = probed_open(&audit);
    let clients = impacts(evidence, &audit, &request.goal, &request.profile, &audit.run.started_at);
    let order = WaveOrder { clients: client_counts(evidence, &clients), ..request.order.clone() };
    let (locks, mut unseen) = locks(tenant, &audit, &request.goal, &mut *on_event).await;
    unseen.extend(unlearned.map(|error| {
        let detail = format!("what earlier probes saw could not be read: {error}");
        Gap { scope: GapScope::Name("kept probes".into()), unchecked: Unchecked::new(Reason::NotProbed, detail) }
    }));
    let mut postures: Vec<Posture> = audit.servers.iter().map(ServerReport::posture).collect();
    if request.goal.controls().contains(&FixableControl::LogDownload) {
        on_event(AuditEvent::Reading(PlanReading::LogSettings(postures.len())));
        postures = read_log_settings(tenant, postures).await;
    }
    let targets: Vec<PlanTarget<'_>> = postures
        .iter()
        .zip(&audit.servers)
        .map(|(posture, report)| PlanTarget { posture, findings: &report.findings })
        .collect();
    let (created_at, profile) = (rfc3339(clock()), request.profile.to_string());
    let (waived, excepted) = (waived(&audit, request), excepted(&audit, &request.except));
    let nothing = BTreeMap::new();
    let inputs = PlanInputs {
        goal: request.goal.clone(),
        targets: &targets,
        subscriptions: &audit.subscriptions,
        waived: &waived,
        excepted: &excepted,
        open: &open,
        clients: &clients,
        accepted: &accepted,
        locks: &locks,
        forbidden: &nothing,
        options: request.options,
        order: &order,
        reason: request.reason.as_deref(),
        created_at: &created_at,
        observed_at: &audit.run.started_at,
        cloud: &tenant.arm.cloud().name,
        scope: &scope,
        principal: &tenant.principal,
        profile: &profile,
    };
    let draft = plan(&inputs)?;
    let steps: Vec<&Step> = draft.steps().iter().filter(|step| step.is_executable()).collect();
    let servers: BTreeSet<String> = steps.iter().map(|step| step.server.to_lowercase()).collect();
    on_event(AuditEvent::Reading(PlanReading::Permissions(servers.len())));
    let Preflight { missing, untold } = preflight(&tenant.arm, &steps).await;
    let plan = if missing.is_empty() {
        draft
    } else {
        // A plan that could not be applied would be reviewed for nothing.
        let forbidden = missing.into_iter().map(|one| (one.server, one.action)).collect();
        plan(&PlanInputs { forbidden: &forbidden, ..inputs })?
    };
    Ok(Planned { plan, audit, unseen, permissions: untold })
}

/// What is accepted of which server, once everything that the request names is there: its scope, its order, and the servers
/// whose clients may be refused.
fn accepted_where_all_match(
    tenant: &Tenant,
    request: &PlanRequest,
    scope: &Scope,
    audit: &AuditReport,
) -> Result<Vec<AcceptedBreakage>, ScopeError> {
    let servers: Vec<&Server> = audit.servers.iter().map(|report| &report.server).collect();
    let no_match =
        |selector, value: &str, nearest| ScopeError::no_match(selector, value, nearest, unseen_parts(&audit.gaps));
    let nearest_server = |selector, value: &str| nearest_among(servers.iter().copied(), selector, value);
    // Where not every server was listed, it is not known that there is none of this name.
    let is_partial = was_stopped(&audit.gaps) || audit.subscriptions.is_empty();
    if let Some((selector, value)) = unmatched(scope, &servers)
        && !is_partial
    {
        return Err(no_match(selector, &value, nearest_server(selector, &value)));
    }
    if let Some((selector, value, nearest)) = unmatched_order(&request.order, &servers)
        && !was_stopped(&audit.gaps)
        && !servers.is_empty()
    {
        return Err(no_match(selector, &value, nearest));
    }
    match accepted(&request.accepted, &servers, &tenant.principal.name) {
        Ok(accepted) => Ok(accepted),
        Err(_) if is_partial => Ok(Vec::new()),
        Err((selector, value)) => Err(no_match(selector, &value, nearest_server(selector, &value))),
    }
}

/// What the order of the waves names and no server has, with the name that was probably meant.
fn unmatched_order(order: &WaveOrder, servers: &[&Server]) -> Option<(Selector, String, Option<String>)> {
    if let Some(name) = order.canary.iter().find(|name| !servers.iter().any(|server| is_canary(name, server))) {
        let nearest = nearest_among(servers.iter().copied(), Selector::Canary, name);
        return Some((Selector::Canary, name.clone(), nearest));
    }
    let Some(WaveBy::Tag(key)) = &order.by else { return None };
    let tags = || servers.iter().flat_map(|server| server.tags.iter()).map(|(name, _)| name);
    if tags().any(|name| name.eq_ignore_ascii_case(key)) {
        return None;
    }
    let nearest = nearest(key, tags()).map(|name| format!("tag:{name}"));
    Some((Selector::WaveBy, format!("tag:{key}"), nearest))
}

/// The failures that a waiver in effect covers.
fn waived(audit: &AuditReport, request: &PlanRequest) -> Vec<WaivedFinding> {
    let Some(waivers) = request.waivers.as_ref().filter(|waivers| !waivers.include) else { return Vec::new() };
    let mut found = Vec::new();
    for report in &audit.servers {
        for finding in &report.findings {
            let control = FixableControl::of(finding.control);
            if let Some((control, waiver)) = control.zip(finding.accepted()) {
                let detail = words_of(waiver, &waivers.file);
                found.push(WaivedFinding { server: report.server.id.clone(), control, detail });
            }
        }
    }
    found
}

/// Until when, why, who said so, whose server it is, and where it stands.
fn words_of(waiver: &Waiver, file: &str) -> String {
    let Waiver { expires, reason, owner, approvers, line, .. } = waiver;
    format!("until {expires}: {reason}; owner {owner}, approved by {} ({file}:{line})", approvers.join(", "))
}

/// The servers that an earlier probe connected to without TLS although the switch is on: no plan can change that.
fn probed_open(audit: &AuditReport) -> BTreeMap<ResourceId, String> {
    let words = |report: &ServerReport| {
        let at = report.known.and_then(|known| Timestamp::from_millisecond(known.probed_ms?).ok());
        let at = at.map(|at| format!(" ({})", at.strftime("%Y-%m-%dT%H:%M:%SZ"))).unwrap_or_default();
        format!("an earlier probe connected without TLS{at}")
    };
    audit.earlier_plaintext().map(|report| (report.server.id.clone(), words(report))).collect()
}

/// The servers that are left out on request, each with the first selector that names it.
fn excepted(audit: &AuditReport, selectors: &[String]) -> BTreeMap<ResourceId, String> {
    let named = |server: &Server| selectors.iter().find(|selector| selects(selector, server));
    let words = |server: &Server| Some((server.id.clone(), format!("left out on request: {}", named(server)?)));
    audit.servers.iter().filter_map(|report| words(&report.server)).collect()
}

/// The controls whose settings the planner reads. A floor above TLS 1.2 may stand above a server's cap, so that the cap
/// is looked at too.
fn evidence(profile: &Profile, goal: &Goal) -> Profile {
    let floor = match goal {
        Goal::Fix { minimum_tls, .. } => Some(*minimum_tls),
        Goal::Set { minimum_tls: Some(Floor::At(version)), .. } => Some(*version),
        Goal::Set { .. } => None,
    };
    let cap = floor.is_some_and(|floor| floor > TlsVersion::Tls1_2).then_some(ControlId::MaximumTlsVersion);
    let wanted = goal.controls().into_iter().filter_map(FixableControl::id).chain(cap);
    let controls = wanted.map(control).collect();
    let mut narrowed = profile.clone();
    narrowed.controls = controls;
    narrowed
}

/// Servers whose settings of logs are read at once. The client paces the requests of each subscription.
const READ_AT_ONCE: usize = 256;

/// Adds what Azure says about the logs of each server: no audit reads that.
async fn read_log_settings(tenant: &Tenant, postures: Vec<Posture>) -> Vec<Posture> {
    let read = |mut posture: Posture| async move {
        let names = posture.server.kind.log_settings();
        let readings = read_more(&tenant.arm, &posture.server, names).await;
        posture.readings.extend(readings);
        posture
    };
    stream::iter(postures).map(read).buffered(READ_AT_ONCE).collect().await
}

/// The locks of the subscriptions in which something would be changed.
async fn locks(
    tenant: &Tenant,
    audit: &AuditReport,
    goal: &Goal,
    on_event: &mut dyn FnMut(AuditEvent<'_>),
) -> (Vec<ManagementLock>, Vec<Gap>) {
    let concerned = audit.servers.iter().filter(|report| match goal {
        // Which of them it concerns was not judged.
        Goal::Fix { controls, .. } if controls.contains(&FixableControl::LogDownload) => true,
        Goal::Fix { .. } => report.findings.iter().any(|finding| finding.outcome == Outcome::Fail),
        Goal::Set { .. } => true,
    });
    let subscriptions: BTreeSet<SubscriptionId> = concerned.map(|report| report.server.subscription()).collect();
    on_event(AuditEvent::Reading(PlanReading::Locks(subscriptions.len())));
    let listed = subscriptions.iter().map(|id| async move { (id, list_locks(&tenant.arm, id).await) });
    let (mut locks, mut unseen) = (Vec::new(), Vec::new());
    for (id, listing) in join_all(listed).await {
        locks.extend(listing.items);
        if let Some(error) = listing.error {
            let mut unchecked = error.unchecked(permissions::READ_LOCKS);
            unchecked.detail = format!("its locks cannot be listed: {}", unchecked.detail).into();
            unseen.push(Gap { scope: id.into(), unchecked });
        }
    }
    (locks, unseen)
}
