//! From what was observed to a plan. Pure: the same inputs make the same plan, to the last byte.
//!
//! # The order of a replica set
//!
//! Replicas come before their primary when a setting is tightened, and after it when one is loosened. Neither order
//! ends a session, because both settings are read when a client connects. The order matters for a failover in
//! between: a promoted replica takes the primary's clients with its own parameters. With replicas first, whatever can
//! be promoted is at least as strict as the primary at every moment, so that a failover never falls back to plaintext.
//! The price is that a failover in between may refuse a client that the primary still admits, which is what the plan
//! is about to do anyway, and what the client census shows beforehand.

mod decide;
mod priority;
mod waves;

pub use decide::is_busy;
pub use priority::{WaveBy, WaveOrder, is_canary};

use crate::plan::{Draft, InvalidPlan};
use crate::{
    ClientImpact, ClientVerdict, Consent, Disposition, FixableControl, Goal, LeftOut, LeftOutReason, Plan, PlanOptions,
    SafeText, Step,
};
use decide::{Decision, SettingChange};
use hostssl_model::{Finding, ManagementLock, Posture, Principal, ResourceId, Scope, Subscription, SubscriptionId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use waves::{Group, schedule};

/// One server as it was observed and judged.
#[derive(Debug, Clone, Copy)]
pub struct PlanTarget<'a> {
    /// What was observed.
    pub posture: &'a Posture,
    /// What the controls found in it; not needed for [`Goal::Set`].
    pub findings: &'a [Finding],
}

/// A finding that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaivedFinding {
    /// The server.
    pub server: ResourceId,
    /// The control.
    pub control: FixableControl,
    /// Who accepted it, why, and until when: one line of text.
    pub detail: String,
}

/// A person's word that the clients of a server may be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedBreakage {
    /// The server.
    pub server: ResourceId,
    /// Why, and who said it.
    pub acceptance: Consent,
}

/// Everything that a plan is made from.
#[derive(Debug, Clone)]
pub struct PlanInputs<'a> {
    /// What it is for.
    pub goal: Goal,
    /// The servers.
    pub targets: &'a [PlanTarget<'a>],
    /// The subscriptions that were looked at, for the tenant of each.
    pub subscriptions: &'a [Arc<Subscription>],
    /// The findings that are accepted.
    pub waived: &'a [WaivedFinding],
    /// The servers that were left out on request, each with the words for that.
    pub excepted: &'a BTreeMap<ResourceId, String>,
    /// The servers that a probe connected to without TLS although the switch is on, each with the words for that.
    pub open: &'a BTreeMap<ResourceId, String>,
    /// The locks that are known.
    pub locks: &'a [ManagementLock],
    /// The permission that the identity lacks, for each server that it is known not to be allowed to change.
    pub forbidden: &'a BTreeMap<ResourceId, &'static str>,
    /// What the census says. No entry means that the clients were not observed.
    pub clients: &'a BTreeMap<(ResourceId, FixableControl), ClientImpact>,
    /// The servers whose clients may be refused. Requesting a value for a server by name ([`Goal::Set`]) has accepted
    /// that too.
    pub accepted: &'a [AcceptedBreakage],
    /// How much it may touch, and at what pace.
    pub options: PlanOptions,
    /// What comes first.
    pub order: &'a WaveOrder,
    /// Why a server may be made less strict, in the words of the person who orders it.
    pub reason: Option<&'a str>,
    /// Now, in RFC 3339.
    pub created_at: &'a str,
    /// When the servers were checked, in RFC 3339.
    pub observed_at: &'a str,
    /// Who makes the plan. Its tenant is the only one whose servers are planned.
    pub principal: &'a Principal,
    /// The cloud, under the Azure CLI's name.
    pub cloud: &'a str,
    /// The scope that was read.
    pub scope: &'a Scope,
    /// Which rules judged, such as `baseline@1`.
    pub profile: &'a str,
}

/// Makes a plan.
///
/// # Errors
///
/// [`InvalidPlan::Inconsistent`] when the inputs allow no valid plan: a canary larger than a wave, a time that is none,
/// a name with control characters.
pub fn plan(inputs: &PlanInputs<'_>) -> Result<Plan, InvalidPlan> {
    let Decided { mut groups, manual, mut left_out } = decide_all(inputs);
    for (server, control) in waves::cap_servers(&mut groups, inputs.options.max_servers, inputs.order) {
        let detail = SafeText::new("the plan has reached its limit of servers: plan again after this one is applied");
        left_out.push(LeftOut {
            server: server.clone(),
            control,
            reason: LeftOutReason::OverLimit,
            detail,
            clients: None,
        });
    }
    left_out.sort_by(|a, b| (&a.server, a.control).cmp(&(&b.server, b.control)));
    // Several settings of one control may be kept out by the same thing.
    left_out.dedup();
    let mut options = inputs.options;
    choose_canary(&groups, inputs.order, (&manual, &left_out), &mut options)?;
    let mut steps = numbered_steps(schedule(groups, &options, inputs.order));
    for (posture, change) in manual {
        steps.push(step(posture, change, 0));
    }
    for (id, step) in (1..).zip(&mut steps) {
        step.id = id;
    }
    explain_replicas(&mut steps, inputs.targets, &left_out);
    let subscriptions = names_of_subscriptions(inputs.subscriptions, &steps, &left_out);
    Plan::seal(Draft {
        created_at: inputs.created_at.into(),
        observed_at: inputs.observed_at.into(),
        cloud: inputs.cloud.into(),
        scope: inputs.scope.clone(),
        principal: inputs.principal.clone(),
        subscriptions,
        profile: inputs.profile.into(),
        goal: inputs.goal.clone(),
        options,
        steps,
        left_out,
    })
}

/// The names of the subscriptions that the plan is about, for those who read it where they cannot be asked for.
fn names_of_subscriptions(
    known: &[Arc<Subscription>],
    steps: &[Step],
    left_out: &[LeftOut],
) -> BTreeMap<SubscriptionId, SafeText> {
    let servers = steps.iter().map(|step| &step.server).chain(left_out.iter().map(|one| &one.server));
    let concerned: BTreeSet<SubscriptionId> = servers.map(ResourceId::subscription).collect();
    let known = known.iter().filter(|one| concerned.contains(&one.id) && !one.name.is_empty());
    known.map(|one| (one.id.clone(), SafeText::new(&one.name))).collect()
}

/// What is decided of every server, before it has a place in a wave.
struct Decided<'a> {
    groups: BTreeMap<&'a ResourceId, Group<'a>>,
    manual: Vec<(&'a Posture, SettingChange)>,
    left_out: Vec<LeftOut>,
}

/// Decides on every control of every server, by their ids.
fn decide_all<'a>(inputs: &PlanInputs<'a>) -> Decided<'a> {
    let Decided { mut groups, mut manual, mut left_out } =
        Decided { groups: BTreeMap::new(), manual: Vec::new(), left_out: Vec::new() };
    let mut seen = BTreeSet::new();
    let subscriptions: HashMap<_, _> = inputs.subscriptions.iter().map(|one| (one.id.clone(), &**one)).collect();
    let tenants = inputs.subscriptions.iter().map(|one| (one.id.clone(), &*one.tenant)).collect();
    let mut targets: Vec<&PlanTarget<'_>> = inputs.targets.iter().collect();
    targets.sort_by(|a, b| a.posture.server.id.cmp(&b.posture.server.id));
    for target in targets {
        let server = &target.posture.server;
        let first = seen.insert(&server.id);
        for control in inputs.goal.controls() {
            let leave = |reason, detail: String| LeftOut {
                server: server.id.clone(),
                control,
                reason,
                detail: SafeText::new(&detail),
                clients: None,
            };
            if !first {
                left_out.push(leave(LeftOutReason::ListedTwice, "its first entry is used".into()));
                continue;
            }
            for decision in decide::decide(inputs, &tenants, target, control) {
                match decision {
                    Decision::Write(change) => {
                        let group = groups.entry(&server.id).or_insert_with(|| {
                            let subscription = subscriptions.get(&server.subscription()).copied();
                            Group::new(target.posture, priority::tier(server, subscription), is_busy(server))
                        });
                        group.changes.push(change);
                    }
                    Decision::Manual(change) => manual.push((target.posture, change)),
                    Decision::LeaveOut(reason, detail) => left_out.push(leave(reason, detail)),
                    Decision::Gate(impact) => {
                        let reason = match impact.verdict {
                            ClientVerdict::Breaks => LeftOutReason::BreaksClients,
                            ClientVerdict::Safe | ClientVerdict::NeedsObservation => LeftOutReason::NeedsObservation,
                        };
                        let one = leave(reason, impact.reason.to_string());
                        left_out.push(LeftOut { clients: Some(impact), ..one });
                    }
                }
            }
        }
    }
    Decided { groups, manual, left_out }
}

/// Makes room for the canary that a person chose, and refuses one that cannot be the first wave.
fn choose_canary(
    groups: &BTreeMap<&ResourceId, Group<'_>>,
    order: &WaveOrder,
    unchanged: (&[(&Posture, SettingChange)], &[LeftOut]),
    options: &mut PlanOptions,
) -> Result<(), InvalidPlan> {
    let refuse = |text: String| Err(InvalidPlan::Canary(text));
    let chosen: Vec<&Group<'_>> = groups.values().filter(|group| group.is_chosen(order)).collect();
    for name in &order.canary {
        let alone = WaveOrder { canary: vec![name.clone()], ..WaveOrder::default() };
        if !chosen.iter().any(|group| group.is_chosen(&alone)) {
            return refuse(why_unchanged(name, unchanged));
        }
    }
    for group in &chosen {
        let name = group.posture.server.name();
        let replicas =
            groups.values().filter(|other| other.posture.server.primary.as_ref() == Some(&group.posture.server.id));
        if let Some(replica) = replicas.map(|other| other.posture.server.name()).next() {
            return refuse(format!(
                "the canary `{name}` is a primary, and its replica `{replica}` must come before it"
            ));
        }
    }
    if !chosen.is_empty() {
        options.canary_size = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        options.wave_size = options.wave_size.max(options.canary_size);
    }
    Ok(())
}

/// Why the plan does not change a server that was chosen as canary: every reason that is not a value which is right already,
/// or that there is no other.
fn why_unchanged(name: &str, (manual, left_out): (&[(&Posture, SettingChange)], &[LeftOut])) -> String {
    if name.contains(['*', '?', '=']) {
        return format!("the plan changes no server that the canary `{name}` matches");
    }
    let is_it = |id: &ResourceId| id.name().eq_ignore_ascii_case(name) || id.as_str().eq_ignore_ascii_case(name);
    let manual = manual.iter().filter(|(posture, _)| is_it(&posture.server.id));
    let manual = manual.map(|(_, change)| format!("manual: {} is not written by hostssl", change.parameter));
    let left: Vec<&LeftOut> = left_out.iter().filter(|one| is_it(&one.server)).collect();
    let (right, others): (Vec<&LeftOut>, Vec<&LeftOut>) =
        left.into_iter().partition(|one| one.reason == LeftOutReason::AlreadyRight);
    let mut reasons: Vec<String> =
        manual.chain(others.iter().map(|one| format!("{}: {}", one.reason.as_str(), one.detail))).collect();
    reasons.dedup();
    if !reasons.is_empty() {
        return format!("the plan does not change the canary `{name}`: {}", reasons.join("; "));
    }
    let mut values: Vec<&str> = right.iter().map(|one| one.detail.as_str()).collect();
    values.dedup();
    if values.is_empty() {
        return format!("the plan does not change the canary `{name}`: no control of the plan is about it");
    }
    format!("the canary `{name}` is right already, so that nothing would be tried there: {}", values.join(", "))
}

/// Turns ordered groups into steps, with the steps that each needs.
fn numbered_steps(waves: Vec<Vec<Group<'_>>>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut ids: HashMap<ResourceId, Vec<u32>> = HashMap::new();
    for (wave, groups) in (1..).zip(waves) {
        for group in groups {
            let needs: Vec<u32> = group.after.iter().filter_map(|server| ids.get(*server)).flatten().copied().collect();
            for change in group.changes {
                let mut step = step(group.posture, change, wave);
                step.id = u32::try_from(steps.len()).unwrap_or(u32::MAX).saturating_add(1);
                step.needs.clone_from(&needs);
                ids.entry(step.server.clone()).or_default().push(step.id);
                steps.push(step);
            }
        }
    }
    steps
}

fn step(posture: &Posture, change: SettingChange, wave: u32) -> Step {
    let server = &posture.server;
    Step {
        id: 0,
        wave,
        server: server.id.clone(),
        kind: server.kind,
        replica_of: server.primary.clone(),
        created_at: server.created_at.clone(),
        control: change.control,
        parameter: change.parameter,
        undo: change.before.clone(),
        before: change.before,
        after: change.after,
        disposition: change.disposition,
        why: SafeText::new(&change.why),
        needs: Vec::new(),
        clients: change.clients,
        accepted: change.accepted,
    }
}

/// Says in the steps of a replica set how they are ordered, and in the steps of a primary which of its replicas do not
/// get what it gets.
fn explain_replicas(steps: &mut [Step], targets: &[PlanTarget<'_>], left_out: &[LeftOut]) {
    let planned: HashMap<ResourceId, bool> =
        steps.iter().map(|step| (step.server.clone(), step.is_executable())).collect();
    let right: BTreeSet<(&ResourceId, FixableControl)> = left_out
        .iter()
        .filter(|left_out| left_out.reason == LeftOutReason::AlreadyRight)
        .map(|left_out| (&left_out.server, left_out.control))
        .collect();
    let mut replicas: BTreeMap<&ResourceId, BTreeSet<&ResourceId>> = BTreeMap::new();
    for target in targets {
        if let Some(primary) = &target.posture.server.primary {
            replicas.entry(primary).or_default().insert(&target.posture.server.id);
        }
    }
    for step in steps.iter_mut().filter(|step| step.disposition != Disposition::Manual) {
        let mut notes = Vec::new();
        if step.replica_of.as_ref().is_some_and(|primary| planned.get(primary) == Some(&true)) {
            notes.push(
                "its primary is in another wave, so a failover in between reaches a replica that is at least as strict"
                    .to_owned(),
            );
        }
        for replica in replicas.get(&step.server).into_iter().flatten() {
            if planned.get(*replica) != Some(&true) && !right.contains(&(*replica, step.control)) {
                notes.push(format!(
                    "replica {} is not changed: a failover to it may remove the protection",
                    replica.name()
                ));
            }
        }
        if !notes.is_empty() {
            step.why = SafeText::new(&format!("{}; {}", step.why, notes.join("; ")));
        }
    }
}
