//! What to do with one control on one server.

use super::{PlanInputs, PlanTarget, WaivedFinding};
use crate::plan::{Disposition, Exposure, LeftOutReason};
use crate::{ClientImpact, ClientVerdict, Consent, FixableControl, Goal, SafeText};
use hostssl_model::{
    Floor, MOST_LOG_DAYS, ManagementLock, Meaning, Offering, Outcome, ParameterName, Posture, Reading, Reason,
    ResourceId, Server, SubscriptionId, Unchecked,
};
use std::collections::HashMap;

/// One setting to change.
#[derive(Debug, Clone)]
pub(super) struct SettingChange {
    pub(super) control: FixableControl,
    pub(super) parameter: ParameterName,
    pub(super) before: Box<str>,
    pub(super) after: Box<str>,
    pub(super) disposition: Disposition,
    pub(super) loosens: bool,
    pub(super) why: String,
    pub(super) clients: Option<ClientImpact>,
    pub(super) accepted: Option<Consent>,
}

/// What to do.
#[derive(Debug, Clone)]
pub(super) enum Decision {
    Write(SettingChange),
    Manual(SettingChange),
    LeaveOut(LeftOutReason, String),
    /// Its clients may be refused, and that was not accepted.
    Gate(ClientImpact),
}

/// Decides about one control on one server: one decision a setting, or one for the whole control.
pub(super) fn decide(
    inputs: &PlanInputs<'_>,
    tenants: &HashMap<SubscriptionId, &str>,
    target: &PlanTarget<'_>,
    control: FixableControl,
) -> Vec<Decision> {
    let posture = target.posture;
    let refusal = other_tenant(inputs, tenants, &posture.server.id)
        .or_else(|| judge_finding(inputs, target, control))
        .or_else(|| judge_state(&posture.server))
        .or_else(|| judge_locks(inputs, &posture.server.id))
        .or_else(|| judge_permission(inputs, &posture.server.id));
    if let Some(leave_out) = refusal {
        return vec![leave_out];
    }
    let settings = control.settings(posture.server.kind);
    let decisions: Vec<Decision> =
        settings.iter().filter_map(|name| decide_setting(inputs, posture, control, *name)).collect();
    if !decisions.is_empty() {
        return decisions;
    }
    vec![match &inputs.goal {
        Goal::Set { enforcement: Some(false), .. } if settings.is_empty() => {
            Decision::LeaveOut(LeftOutReason::NotSupported, "TLS cannot be turned off there".into())
        }
        Goal::Fix { .. } if control == FixableControl::LogDownload && settings.is_empty() => {
            Decision::LeaveOut(LeftOutReason::NotSupported, "this kind of server offers no log files".into())
        }
        _ if settings.iter().any(|name| waits_for_restart(posture, *name)) => Decision::LeaveOut(
            LeftOutReason::NeedsRestart,
            "it already has the value, which takes effect when the server is restarted".into(),
        ),
        Goal::Set { .. } => Decision::LeaveOut(LeftOutReason::AlreadyRight, "it already has this value".into()),
        Goal::Fix { .. } if control == FixableControl::LogDownload => Decision::LeaveOut(
            LeftOutReason::AlreadyRight,
            format!("its log files can be downloaded and are kept for {MOST_LOG_DAYS} days"),
        ),
        Goal::Fix { .. } => Decision::LeaveOut(
            LeftOutReason::Unknown,
            "the finding fails although every setting already meets the target value: the profile requires more".into(),
        ),
    }]
}

fn waits_for_restart(posture: &Posture, name: ParameterName) -> bool {
    matches!(posture.reading(name), Some(Reading::Known(parameter)) if parameter.pending_restart)
}

/// A token is one tenant's, so a plan is one tenant's too.
fn other_tenant(
    inputs: &PlanInputs<'_>,
    tenants: &HashMap<SubscriptionId, &str>,
    server: &ResourceId,
) -> Option<Decision> {
    let wanted = inputs.principal.tenant.as_deref()?;
    let tenant = tenants.get(&server.subscription())?;
    let other = !tenant.eq_ignore_ascii_case(wanted);
    other.then(|| Decision::LeaveOut(LeftOutReason::OtherTenant, format!("it belongs to tenant {tenant}")))
}

/// `None` when the finding failed and is not accepted, or when the goal is not to fix findings.
fn judge_finding(inputs: &PlanInputs<'_>, target: &PlanTarget<'_>, control: FixableControl) -> Option<Decision> {
    if matches!(inputs.goal, Goal::Set { .. }) {
        return None;
    }
    // What no audit judges is decided by its settings alone.
    let id = control.id()?;
    let Some(finding) = target.findings.iter().find(|finding| finding.control == id) else {
        return Some(Decision::LeaveOut(LeftOutReason::Unknown, format!("{control} was not checked")));
    };
    match finding.outcome {
        Outcome::Pass => {
            let observed = finding.observed.as_deref().unwrap_or("the control passes");
            let open = inputs.open.get(&target.posture.server.id);
            let open = open.filter(|_| control == FixableControl::RequireSecureTransport);
            let detail = open.map_or_else(|| observed.into(), |words| format!("{observed}, but {words}"));
            Some(Decision::LeaveOut(LeftOutReason::AlreadyRight, detail))
        }
        Outcome::NotApplicable => {
            Some(Decision::LeaveOut(LeftOutReason::NotSupported, format!("{control} does not apply to it")))
        }
        Outcome::Unknown => Some(match &finding.unchecked {
            Some(unchecked) => unseen(unchecked),
            None => Decision::LeaveOut(LeftOutReason::Unknown, "the control could not be checked".into()),
        }),
        Outcome::Fail => {
            let id = &target.posture.server.id;
            let is_of = |waived: &&WaivedFinding| waived.server == *id && waived.control == control;
            let waived = inputs.waived.iter().find(is_of);
            // What was accepted is the better word: it says by whom, and until when.
            let leave_out = waived.map(|waived| (LeftOutReason::Waived, &waived.detail));
            let leave_out = leave_out.or_else(|| Some((LeftOutReason::Excepted, inputs.excepted.get(id)?)));
            leave_out.map(|(reason, words)| Decision::LeaveOut(reason, words.clone()))
        }
    }
}

fn unseen(unchecked: &Unchecked) -> Decision {
    // One reason for one server: where the state is the reason, it is not told again as a second one.
    let by_state = match unchecked.reason {
        Reason::Stopped => Some(LeftOutReason::Stopped),
        Reason::Creating | Reason::Busy => Some(LeftOutReason::NotReady),
        _ => None,
    };
    if let Some(reason) = by_state {
        return Decision::LeaveOut(reason, unchecked.detail.to_string());
    }
    Decision::LeaveOut(LeftOutReason::Unknown, format!("{}: {}", unchecked.reason, unchecked.why()))
}

/// States that pass by themselves: apply waits for them, up to its patience.
const PASSING: [&str; 4] = ["Updating", "Starting", "Restarting", "Provisioning"];

/// Whether another operation runs on a server, so that it will be ready by itself.
#[must_use]
pub fn is_busy(server: &Server) -> bool {
    let state = server.state.as_ref().map_or("", |state| state.as_str());
    PASSING.iter().any(|word| word.eq_ignore_ascii_case(state))
}

/// Azure changes settings of a server in state `Ready` only.
fn judge_state(server: &Server) -> Option<Decision> {
    let state = server.state.as_ref()?;
    if state.is_stopped() {
        let detail = "Azure neither returns nor changes the parameters of a stopped server: start it and plan again";
        return Some(Decision::LeaveOut(LeftOutReason::Stopped, detail.into()));
    }
    if is_busy(server) {
        return None;
    }
    let ready = server.kind.offering().ready_states;
    let is_ready = ready.iter().any(|word| state.as_str().eq_ignore_ascii_case(word));
    (!is_ready).then(|| Decision::LeaveOut(LeftOutReason::NotReady, format!("its state is {}", state.as_str())))
}

fn judge_permission(inputs: &PlanInputs<'_>, server: &ResourceId) -> Option<Decision> {
    let action = inputs.forbidden.get(server)?;
    Some(Decision::LeaveOut(LeftOutReason::NotPermitted, format!("the identity lacks {action}")))
}

fn judge_locks(inputs: &PlanInputs<'_>, server: &ResourceId) -> Option<Decision> {
    let id = server.to_lowercase();
    let lock = inputs.locks.iter().filter(|lock| lock.read_only).find(|lock| {
        let scope = lock.scope.trim_end_matches('/').to_ascii_lowercase();
        !scope.is_empty() && id.strip_prefix(&scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })?;
    Some(Decision::LeaveOut(
        LeftOutReason::Locked,
        format!("ReadOnly lock `{}` on {}", lock.name, place_of(lock, server)),
    ))
}

/// What a lock is on, as people call it, where it holds for this server.
fn place_of(lock: &ManagementLock, server: &ResourceId) -> String {
    let parts = lock.scope.trim_matches('/').split('/').count();
    match parts {
        0..=2 => "the subscription".to_owned(),
        3..=4 => format!("resource group {}", server.resource_group()),
        _ => "the server".to_owned(),
    }
}

/// `None` when the setting is as it should be.
fn decide_setting(
    inputs: &PlanInputs<'_>,
    posture: &Posture,
    control: FixableControl,
    name: ParameterName,
) -> Option<Decision> {
    let parameter = match posture.reading(name) {
        Some(Reading::Known(parameter)) => parameter,
        Some(Reading::Unknown(unchecked)) => return Some(unseen(unchecked)),
        None => return Some(Decision::LeaveOut(LeftOutReason::Unknown, format!("{name} was not read"))),
    };
    let (kind, before) = (posture.server.kind, parameter.value().trim());
    let Some(now) = parameter.meaning() else {
        return Some(Decision::LeaveOut(LeftOutReason::Unknown, format!("{name} has the unknown value `{before}`")));
    };
    let wanted = wanted(&inputs.goal, control, now)?;
    let right = match inputs.goal {
        Goal::Fix { .. } => now.is_as_strict_as(wanted),
        Goal::Set { .. } => now == wanted,
    };
    if right {
        return None;
    }
    let Some(after) = kind.spell(name, wanted) else {
        let detail = format!("{name} of this kind of server cannot be {}", describe(wanted));
        return Some(Decision::LeaveOut(LeftOutReason::NotSupported, detail));
    };
    let loosens = wanted.is_looser_than(now);
    let change = SettingChange {
        control,
        parameter: name,
        before: before.into(),
        after: after.into(),
        disposition: Disposition::OnlineSafe,
        loosens,
        why: String::new(),
        clients: None,
        accepted: None,
    };
    match obstacle(posture, name, wanted) {
        // hostssl does not write it, so no one consents to a write, and no census holds it up.
        Some(Obstacle::Manual(text)) => {
            let why = if loosens { format!("{text}; {}", what_it_exposes(wanted, inputs.reason)) } else { text };
            return Some(Decision::Manual(SettingChange { disposition: Disposition::Manual, why, ..change }));
        }
        Some(Obstacle::Unseen(text)) => return Some(Decision::LeaveOut(LeftOutReason::Unknown, text)),
        None => {}
    }
    let change = with_consequences(inputs, posture, change, (parameter.pending_restart, now, wanted));
    let is_gated = change.clients.as_ref().is_some_and(|impact| !impact.is_safe());
    Some(match change.accepted {
        None if is_gated => Decision::Gate(change.clients.unwrap_or_else(ClientImpact::unobserved)),
        _ => Decision::Write(change),
    })
}

/// A change with what follows from it: who notices, what else to know, and who accepted it.
fn with_consequences(
    inputs: &PlanInputs<'_>,
    posture: &Posture,
    change: SettingChange,
    (is_pending, now, wanted): (bool, Meaning, Meaning),
) -> SettingChange {
    let (control, loosens, kind) = (change.control, change.loosens, posture.server.kind);
    let is_of_logs = control == FixableControl::LogDownload;
    let impact = (!loosens && !is_of_logs).then(|| impact(inputs, &posture.server.id, control));
    let (mut disposition, mut why) = match &impact {
        Some(impact) => judge_clients(impact),
        None if is_of_logs => {
            let gain = "no client notices, and `hostssl clients` can read more of who connected";
            (Disposition::OnlineSafe, gain.to_owned())
        }
        None => (Disposition::OnlineSafe, what_it_exposes(wanted, inputs.reason)),
    };
    let is_gated = impact.as_ref().is_some_and(|impact| !impact.is_safe());
    let accepted = if is_gated { acceptance(inputs, &posture.server.id) } else { None };
    if is_busy(&posture.server) {
        why.push_str("; it was busy when it was checked: it comes last, and apply waits for it");
    }
    if !kind.offers(now) {
        why.push_str(&format!("; Azure no longer offers {}, so undo cannot restore it", change.before));
    }
    if is_pending {
        disposition = disposition.max(Disposition::NeedsRestart);
        why.push_str("; an earlier change to it is still pending a restart, so this one may need one too");
    }
    if let Some(Consent { reason, by }) = &accepted {
        why.push_str(&format!("; accepted by {by}: {reason}"));
    }
    SettingChange { disposition, why, clients: impact, accepted, ..change }
}

/// What a server lets happen once it is less strict, with the reason that a person gave for it.
fn what_it_exposes(wanted: Meaning, reason: Option<&str>) -> String {
    let exposes = Exposure::of(Some(wanted)).consequence();
    let reason = reason.map(|reason| format!("; reason: {reason}")).unwrap_or_default();
    format!("this loosens the server: {exposes}{reason}")
}

fn wanted(goal: &Goal, control: FixableControl, now: Meaning) -> Option<Meaning> {
    match (goal, control) {
        (Goal::Fix { .. }, FixableControl::LogDownload) => Some(match now {
            Meaning::LogDays(_) => Meaning::LogDays(MOST_LOG_DAYS),
            _ => Meaning::LogDownload(true),
        }),
        (Goal::Set { .. }, FixableControl::LogDownload) => None,
        (Goal::Fix { .. }, FixableControl::RequireSecureTransport) => Some(Meaning::Enforced(true)),
        (Goal::Fix { minimum_tls, .. }, FixableControl::MinimumTlsVersion) => {
            Some(Meaning::Floor(Floor::At(*minimum_tls)))
        }
        (Goal::Set { enforcement, .. }, FixableControl::RequireSecureTransport) => enforcement.map(Meaning::Enforced),
        (Goal::Set { minimum_tls, .. }, FixableControl::MinimumTlsVersion) => minimum_tls.map(Meaning::Floor),
    }
}

fn describe(wanted: Meaning) -> String {
    match wanted {
        Meaning::Enforced(true) | Meaning::LogDownload(true) => "on".into(),
        Meaning::Enforced(false) | Meaning::LogDownload(false) => "off".into(),
        Meaning::LogDays(days) => format!("{days} days"),
        Meaning::Floor(Floor::None) => "without a floor".into(),
        Meaning::Floor(Floor::At(version)) | Meaning::Cap(Some(version)) => version.to_string(),
        Meaning::Cap(None) => "without a cap".into(),
    }
}

/// The census of a server's clients. Without one, it says that none is available.
fn impact(inputs: &PlanInputs<'_>, server: &ResourceId, control: FixableControl) -> ClientImpact {
    inputs.clients.get(&(server.clone(), control)).cloned().unwrap_or_else(ClientImpact::unobserved)
}

fn judge_clients(impact: &ClientImpact) -> (Disposition, String) {
    let reason = &impact.reason;
    match impact.verdict {
        ClientVerdict::Safe => (Disposition::OnlineSafe, format!("no client is refused: {reason}")),
        ClientVerdict::Breaks => (Disposition::BreaksClients, format!("clients are refused: {reason}")),
        ClientVerdict::NeedsObservation => (Disposition::NeedsObservation, reason.to_string()),
    }
}

/// Who has accepted that clients of a server may be refused. Requesting a value for it by name accepts that.
fn acceptance(inputs: &PlanInputs<'_>, server: &ResourceId) -> Option<Consent> {
    let named = inputs.accepted.iter().find(|accepted| accepted.server == *server);
    match (named, &inputs.goal) {
        (Some(named), _) => Some(named.acceptance.clone()),
        (None, Goal::Fix { .. }) => None,
        (None, Goal::Set { .. }) => Some(Consent {
            reason: SafeText::new(inputs.reason.unwrap_or("this value was requested for this server by name")),
            by: SafeText::new(&inputs.principal.name),
        }),
    }
}

/// Why hostssl does not write a setting although it could.
enum Obstacle {
    Manual(String),
    Unseen(String),
}

fn obstacle(posture: &Posture, name: ParameterName, wanted: Meaning) -> Option<Obstacle> {
    let offering = posture.server.kind.offering();
    if let Some(why) = offering.not_written {
        return Some(Obstacle::Manual(why.into()));
    }
    // A floor above the cap leaves no version at all.
    match (wanted, offering.cap) {
        (Meaning::Floor(floor @ Floor::At(_)), Some(cap)) if may_be_above_a_cap(offering, floor) => {
            cap_obstacle(posture, name, floor, cap)
        }
        _ => None,
    }
}

/// No cap that Azure takes is below the lowest floor that it takes.
fn may_be_above_a_cap(offering: &Offering, floor: Floor) -> bool {
    offering.floor_values.first().is_none_or(|lowest| floor > *lowest)
}

fn cap_obstacle(posture: &Posture, name: ParameterName, floor: Floor, cap: ParameterName) -> Option<Obstacle> {
    let Some(Reading::Known(parameter)) = posture.reading(cap) else {
        return Some(Obstacle::Unseen(format!("{cap} is unknown, and a floor above it would refuse every client")));
    };
    let value = parameter.value().trim();
    match parameter.meaning() {
        Some(Meaning::Cap(None)) => None,
        Some(Meaning::Cap(Some(highest))) if Floor::At(highest) >= floor => None,
        Some(_) => Some(Obstacle::Manual(format!("{cap} = {value} is below the new {name}: raise it first"))),
        None => Some(Obstacle::Unseen(format!("{cap} has the unknown value `{value}`"))),
    }
}
