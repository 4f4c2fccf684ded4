//! `plan check`: a second opinion on a plan, for any reviewer.
//!
//! It re-derives what it checks from the steps alone and shares no code with the planner or with the checks of
//! [`Plan::parse`], so that a mistake there does not hide itself here.

use crate::plan::unix_ms;
use crate::{FixableControl, Floor, Goal, Plan, SafeText, Step};
use hostssl_model::{Outcome, ResourceId, ServerReport, Subscription};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a lint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LintCode {
    /// Two steps write the same setting of the same server.
    DuplicateTarget,
    /// A step has no undo.
    MissingUndo,
    /// Undo would write the value that the step writes.
    UndoIsAfter,
    /// Undo would not put back the value before.
    UndoIsNotBefore,
    /// A step writes the value that is there.
    ChangesNothing,
    /// A step makes a server less strict.
    Loosens,
    /// No finding, and no order, asks for this value.
    NotNeeded,
    /// The plan rests on an old look at the servers.
    Stale,
    /// The plan's time lies in the future or is none.
    BadTime,
    /// The plan touches more servers than it may.
    BlastRadius,
    /// The canary holds more servers than it may, or than all other waves together.
    CanaryTooLarge,
    /// A wave holds more servers than it may.
    WaveTooLarge,
    /// Steps are not in the order of their waves, or a server is in two waves.
    WaveOrder,
    /// A replica and its primary are in the wrong order.
    ReplicaOrder,
    /// Servers of more than one tenant, or of another tenant than the plan's identity.
    MixedTenants,
    /// The plan is for another cloud.
    OtherCloud,
}

impl LintCode {
    /// The stable kebab-case code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DuplicateTarget => "duplicate-target",
            Self::MissingUndo => "missing-undo",
            Self::UndoIsAfter => "undo-is-after",
            Self::UndoIsNotBefore => "undo-is-not-before",
            Self::ChangesNothing => "changes-nothing",
            Self::Loosens => "loosens",
            Self::NotNeeded => "not-needed",
            Self::Stale => "stale",
            Self::BadTime => "bad-time",
            Self::BlastRadius => "blast-radius",
            Self::CanaryTooLarge => "canary-too-large",
            Self::WaveTooLarge => "wave-too-large",
            Self::WaveOrder => "wave-order",
            Self::ReplicaOrder => "replica-order",
            Self::MixedTenants => "mixed-tenants",
            Self::OtherCloud => "other-cloud",
        }
    }

    /// Whether it only asks for a second look: the plan may be right, and somebody should know.
    #[must_use]
    pub fn is_warning(self) -> bool {
        matches!(self, Self::Loosens)
    }
}

impl fmt::Display for LintCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One complaint about a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// What it is about.
    pub code: LintCode,
    /// The step, when it is about one.
    pub step: Option<u32>,
    /// One line for people.
    pub message: SafeText,
}

/// What the reviewer knows and allows.
#[derive(Debug, Clone)]
pub struct LintContext<'a> {
    /// Now, in milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: i64,
    /// The greatest age that is accepted.
    pub max_age: Duration,
    /// How many servers the reviewer allows; the plan's own limit holds besides.
    pub max_servers: Option<u32>,
    /// The cloud that is meant, or `None` to take any.
    pub cloud: Option<&'a str>,
    /// The subscriptions, for the tenant of each; empty when they are not known.
    pub subscriptions: &'a [Arc<Subscription>],
    /// What an audit found, to see whether a finding asks for each step; `None` when there is none at hand.
    pub servers: Option<&'a [ServerReport]>,
}

/// Complains about everything in a plan that a reviewer should not approve. No complaint is no proof.
#[must_use]
pub fn lint(plan: &Plan, context: &LintContext<'_>) -> Vec<Lint> {
    let mut lints = Vec::new();
    let mut say = |code, step: Option<&Step>, message: String| {
        lints.push(Lint { code, step: step.map(|step| step.id), message: SafeText::new(&message) });
    };
    lint_time(plan, context, &mut say);
    lint_places(plan, context, &mut say);
    lint_targets(plan, &mut say);
    for step in plan.steps() {
        lint_values(step, &mut say);
        lint_need(plan, step, &mut say);
    }
    lint_findings(plan, context, &mut say);
    lint_waves(plan, context, &mut say);
    lint_replicas(plan, &mut say);
    lints
}

type Say<'a> = dyn FnMut(LintCode, Option<&Step>, String) + 'a;

fn lint_time(plan: &Plan, context: &LintContext<'_>, say: &mut Say<'_>) {
    let Some(observed) = unix_ms(plan.observed_at()) else {
        return say(LintCode::BadTime, None, format!("`{}` is no time in RFC 3339", plan.observed_at()));
    };
    let age = context.now_ms - observed;
    let allowed = i64::try_from(context.max_age.as_millis()).unwrap_or(i64::MAX);
    if age > allowed {
        say(LintCode::Stale, None, format!("the servers were looked at {} min ago", age / 60_000));
    } else if age < -300_000 {
        say(LintCode::BadTime, None, format!("{} lies in the future", plan.observed_at()));
    }
}

fn lint_places(plan: &Plan, context: &LintContext<'_>, say: &mut Say<'_>) {
    if context.cloud.is_some_and(|cloud| !cloud.eq_ignore_ascii_case(plan.cloud())) {
        say(LintCode::OtherCloud, None, format!("the plan is for {}", plan.cloud()));
    }
    let tenants: HashMap<_, _> = context.subscriptions.iter().map(|one| (&one.id, &one.tenant)).collect();
    let mut first = plan.principal().tenant.clone();
    for step in plan.steps() {
        let Some(tenant) = tenants.get(&step.server.subscription()) else { continue };
        let expected = first.get_or_insert_with(|| tenant.to_string());
        if !expected.eq_ignore_ascii_case(tenant) {
            say(LintCode::MixedTenants, Some(step), format!("{} is in tenant {tenant}", step.server));
        }
    }
}

fn lint_targets(plan: &Plan, say: &mut Say<'_>) {
    let mut seen = BTreeSet::new();
    for step in plan.steps() {
        if !seen.insert((step.server.to_lowercase(), step.parameter.key())) {
            say(LintCode::DuplicateTarget, Some(step), format!("{} of {} again", step.parameter.key(), step.server));
        }
    }
}

/// How strict a value is, by its spelling alone.
fn rank(value: &str) -> Option<u8> {
    Some(match value.trim().to_ascii_lowercase().as_str() {
        "off" | "disabled" | "tlsenforcementdisabled" => 0,
        "on" | "enabled" | "tlsv1" | "tlsv1.0" | "tls1_0" => 1,
        "tlsv1.1" | "tls1_1" => 2,
        "tlsv1.2" | "tls1_2" => 3,
        "tlsv1.3" | "tls1_3" => 4,
        _ => return None,
    })
}

fn equal(left: &str, right: &str) -> bool {
    left.trim().to_lowercase() == right.trim().to_lowercase()
}

fn lint_values(step: &Step, say: &mut Say<'_>) {
    if equal(&step.before, &step.after) {
        say(LintCode::ChangesNothing, Some(step), format!("{} is {} already", step.parameter.key(), step.before));
    }
    if step.undo.trim().is_empty() {
        say(LintCode::MissingUndo, Some(step), "it cannot be undone".into());
    } else if equal(&step.undo, &step.after) {
        say(LintCode::UndoIsAfter, Some(step), format!("undo would write {} again", step.after));
    } else if !equal(&step.undo, &step.before) {
        say(LintCode::UndoIsNotBefore, Some(step), format!("undo would write {}, not {}", step.undo, step.before));
    }
    if rank(&step.after) < rank(&step.before) {
        say(LintCode::Loosens, Some(step), format!("{} -> {} makes the server less strict", step.before, step.after));
    }
}

/// Whether the plan's own goal asks for the value.
fn lint_need(plan: &Plan, step: &Step, say: &mut Say<'_>) {
    let is_switch = matches!(step.parameter.key(), "require_secure_transport" | "sslEnforcement");
    let is_floor = matches!(
        step.parameter.key(),
        "ssl_min_protocol_version" | "node.ssl_min_protocol_version" | "minimalTlsVersion"
    );
    let version = |version: hostssl_model::TlsVersion| rank(version.as_azure());
    let asked = match plan.goal() {
        Goal::Fix { controls, minimum_tls } => {
            let switch = is_switch
                && controls.contains(&FixableControl::RequireSecureTransport)
                && rank(&step.after) == Some(1)
                && rank(&step.before) == Some(0);
            let floor = is_floor
                && controls.contains(&FixableControl::MinimumTlsVersion)
                && rank(&step.after) == version(*minimum_tls)
                && rank(&step.before) < rank(&step.after);
            switch || floor
        }
        Goal::Set { enforcement, minimum_tls } => {
            let switch = is_switch && enforcement.is_some_and(|on| rank(&step.after) == Some(u8::from(on)));
            let floor = is_floor
                && minimum_tls.is_some_and(|floor| match floor {
                    Floor::None => rank(&step.after) == Some(0),
                    Floor::At(wanted) => rank(&step.after) == version(wanted),
                });
            switch || floor
        }
    };
    if !asked {
        let message = format!("nothing asks for {} = {}", step.parameter.key(), step.after);
        say(LintCode::NotNeeded, Some(step), message);
    }
}

/// Whether an audit's finding asks for the step.
fn lint_findings(plan: &Plan, context: &LintContext<'_>, say: &mut Say<'_>) {
    let (Some(servers), Goal::Fix { .. }) = (context.servers, plan.goal()) else {
        return;
    };
    let mut failed = HashSet::new();
    for server in servers {
        for finding in server.findings.iter().filter(|finding| finding.outcome == Outcome::Fail) {
            failed.insert((&server.server.id, finding.control));
        }
    }
    for step in plan.steps() {
        if !failed.contains(&(&step.server, step.control.id())) {
            say(LintCode::NotNeeded, Some(step), format!("{} has no failed finding of {}", step.server, step.control));
        }
    }
}

fn lint_waves(plan: &Plan, context: &LintContext<'_>, say: &mut Say<'_>) {
    let mut held: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let mut wave_of: HashMap<String, u32> = HashMap::new();
    let mut last = 0;
    for step in plan.steps().iter().filter(|step| step.is_executable()) {
        let server = step.server.to_lowercase();
        if step.wave < last || *wave_of.entry(server.clone()).or_insert(step.wave) != step.wave {
            say(LintCode::WaveOrder, Some(step), format!("wave {} after wave {last}, or a second wave", step.wave));
        }
        last = step.wave;
        held.entry(step.wave).or_default().insert(server);
    }
    let own_limit = plan.options().max_servers.unwrap_or(u32::MAX);
    let limit = own_limit.min(context.max_servers.unwrap_or(u32::MAX));
    if wave_of.len() as u64 > u64::from(limit) {
        say(LintCode::BlastRadius, None, format!("{} servers where {limit} are allowed", wave_of.len()));
    }
    let canary = held.values().next().map_or(0, BTreeSet::len);
    let rest = wave_of.len() - canary;
    if canary as u64 > u64::from(plan.options().canary_size) || (rest > 0 && canary > rest) {
        say(LintCode::CanaryTooLarge, None, format!("{canary} servers in the first wave, {rest} in the others"));
    }
    for (wave, servers) in held.iter().skip(1) {
        if servers.len() as u64 > u64::from(plan.options().wave_size) {
            say(LintCode::WaveTooLarge, None, format!("{} servers in wave {wave}", servers.len()));
        }
    }
}

/// Tightening: a replica before its primary. Loosening: after it. And the later one waits for the earlier one.
fn lint_replicas(plan: &Plan, say: &mut Say<'_>) {
    let executable = || plan.steps().iter().filter(|step| step.is_executable());
    let mut of_server: HashMap<&ResourceId, Vec<&Step>> = HashMap::new();
    for step in executable() {
        of_server.entry(&step.server).or_default().push(step);
    }
    let loosens = executable().any(|step| rank(&step.after) < rank(&step.before));
    for replica in executable() {
        let primaries = replica.replica_of.as_ref().and_then(|primary| of_server.get(primary));
        for primary in primaries.into_iter().flatten().filter(|primary| primary.server != replica.server) {
            let (first, second) = if loosens { (*primary, replica) } else { (replica, *primary) };
            if first.wave >= second.wave || !second.needs.contains(&first.id) {
                let message = format!("step {} of its replica set must have ended well before", first.id);
                say(LintCode::ReplicaOrder, Some(second), message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Draft;
    use crate::{Disposition, PlanOptions};
    use hostssl_model::{Kind, ParameterName, Principal, Scope, SubscriptionId, SubscriptionState, TlsVersion};

    const NOW: i64 = 1_767_225_600_000; // 2026-01-01T00:00:00Z

    fn id(name: &str) -> ResourceId {
        let text = format!(
            "/subscriptions/s{name}/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}"
        );
        ResourceId::try_from(text.as_str()).unwrap()
    }

    fn step(number: u32, wave: u32, name: &str) -> Step {
        Step {
            id: number,
            wave,
            server: id(name),
            kind: Kind::Flexible,
            replica_of: None,
            control: FixableControl::RequireSecureTransport,
            parameter: ParameterName::RequireSecureTransport,
            before: "off".into(),
            after: "on".into(),
            undo: "off".into(),
            disposition: Disposition::BreaksClients,
            why: SafeText::new("because"),
            needs: Vec::new(),
        }
    }

    fn draft(steps: Vec<Step>) -> Draft {
        Draft {
            created_at: "2026-01-01T00:00:00Z".into(),
            observed_at: "2025-12-31T23:59:00Z".into(),
            cloud: "AzureCloud".into(),
            scope: Scope::default(),
            principal: Principal { tenant: Some("t".into()), ..Principal::default() },
            profile: "baseline@1".into(),
            goal: Goal::Fix { controls: FixableControl::ALL.to_vec(), minimum_tls: TlsVersion::Tls1_2 },
            options: PlanOptions { canary_size: 1, wave_size: 2, max_servers: None },
            steps,
            left_out: Vec::new(),
        }
    }

    fn codes(draft: Draft, context: &LintContext<'_>) -> Vec<(LintCode, Option<u32>)> {
        lint(&Plan::seal_unchecked(draft), context).into_iter().map(|lint| (lint.code, lint.step)).collect()
    }

    fn context() -> LintContext<'static> {
        LintContext {
            now_ms: NOW,
            max_age: Duration::from_hours(1),
            max_servers: None,
            cloud: None,
            subscriptions: &[],
            servers: None,
        }
    }

    #[test]
    fn a_sound_plan_is_clean() {
        assert_eq!(codes(draft(vec![step(1, 1, "a"), step(2, 2, "b"), step(3, 2, "c")]), &context()), []);
    }

    #[test]
    fn every_fault_of_a_step_is_named() {
        type Spoil = fn(&mut Step);
        let faults: [(Spoil, &[LintCode]); 6] = [
            (|step| step.undo = "".into(), &[LintCode::MissingUndo]),
            (|step| step.undo = "ON".into(), &[LintCode::UndoIsAfter]),
            (|step| step.undo = "maybe".into(), &[LintCode::UndoIsNotBefore]),
            (
                |step| step.before = "On".into(),
                &[LintCode::ChangesNothing, LintCode::UndoIsNotBefore, LintCode::NotNeeded],
            ),
            (
                |step| (step.before, step.after, step.undo) = ("on".into(), "off".into(), "on".into()),
                &[LintCode::Loosens, LintCode::NotNeeded],
            ),
            (|step| step.parameter = ParameterName::SslMaxProtocolVersion, &[LintCode::NotNeeded]),
        ];
        for (spoil, expected) in faults {
            let mut spoiled = step(1, 1, "a");
            spoil(&mut spoiled);
            let found = codes(draft(vec![spoiled]), &context());
            assert_eq!(found, expected.iter().map(|code| (*code, Some(1))).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_floor_that_nobody_asked_for_is_not_needed() {
        let mut floor = step(1, 1, "a");
        floor.control = FixableControl::MinimumTlsVersion;
        floor.parameter = ParameterName::SslMinProtocolVersion;
        (floor.before, floor.after, floor.undo) = ("TLSv1.2".into(), "TLSv1.3".into(), "TLSv1.2".into());
        assert_eq!(codes(draft(vec![floor]), &context()), [(LintCode::NotNeeded, Some(1))]);
    }

    #[test]
    fn the_same_target_twice_is_named_whatever_its_case() {
        let mut second = step(2, 1, "a");
        second.server = ResourceId::try_from(second.server.as_str().to_uppercase().as_str()).unwrap();
        assert_eq!(codes(draft(vec![step(1, 1, "a"), second]), &context()), [(LintCode::DuplicateTarget, Some(2))]);
    }

    #[test]
    fn waves_are_held_to_their_sizes_and_order() {
        let found = codes(draft(vec![step(1, 1, "a"), step(2, 1, "b"), step(3, 2, "c")]), &context());
        assert_eq!(found, [(LintCode::CanaryTooLarge, None)]);
        let wide = vec![step(1, 1, "a"), step(2, 2, "b"), step(3, 2, "c"), step(4, 2, "d")];
        assert_eq!(codes(draft(wide), &context()), [(LintCode::WaveTooLarge, None)]);
        let back = vec![step(1, 1, "a"), step(2, 3, "b"), step(3, 2, "c")];
        assert_eq!(codes(draft(back), &context()), [(LintCode::WaveOrder, Some(3))]);
        let few = LintContext { max_servers: Some(1), ..context() };
        assert_eq!(codes(draft(vec![step(1, 1, "a"), step(2, 2, "b")]), &few), [(LintCode::BlastRadius, None)]);
    }

    #[test]
    fn a_primary_waits_for_its_replicas() {
        let set = |replica_wave: u32, primary_wave: u32, needs: &[u32]| {
            let mut replica = step(1, replica_wave, "replica");
            replica.replica_of = Some(id("primary"));
            let mut primary = step(2, primary_wave, "primary");
            primary.needs = needs.to_vec();
            codes(draft(vec![replica, primary]), &context())
        };
        assert_eq!(set(1, 2, &[1]), []);
        assert_eq!(set(1, 2, &[]), [(LintCode::ReplicaOrder, Some(2))]);
        assert!(set(1, 1, &[1]).contains(&(LintCode::ReplicaOrder, Some(2))));
        assert!(set(2, 1, &[1]).contains(&(LintCode::ReplicaOrder, Some(2))));
    }

    #[test]
    fn age_cloud_tenant_and_findings_come_from_the_reviewer() {
        let sound = || draft(vec![step(1, 1, "a"), step(2, 2, "b")]);
        let old = LintContext { now_ms: NOW + 7_200_000, ..context() };
        assert_eq!(codes(sound(), &old), [(LintCode::Stale, None)]);
        let early = LintContext { now_ms: NOW - 7_200_000, ..context() };
        assert_eq!(codes(sound(), &early), [(LintCode::BadTime, None)]);
        let china = LintContext { cloud: Some("AzureChinaCloud"), ..context() };
        assert_eq!(codes(sound(), &china), [(LintCode::OtherCloud, None)]);
        let subscription = |name: &str, tenant: &str| {
            let id = SubscriptionId::new(name);
            Arc::new(Subscription { id, name: name.into(), tenant: tenant.into(), state: SubscriptionState::Enabled })
        };
        let subscriptions = [subscription("sa", "T"), subscription("sb", "other")];
        let mixed = LintContext { subscriptions: &subscriptions, ..context() };
        assert_eq!(codes(sound(), &mixed), [(LintCode::MixedTenants, Some(2))]);
        let nothing_found = LintContext { servers: Some(&[]), ..context() };
        assert_eq!(codes(sound(), &nothing_found), [(LintCode::NotNeeded, Some(1)), (LintCode::NotNeeded, Some(2))]);
    }
}
