//! The checks of a plan, from its steps alone.

use super::{LintCode, LintContext, ServerTags};
use crate::plan::unix_ms;
use crate::purpose::{Tier, tier};
use crate::{ClientVerdict, FixableControl, Floor, Goal, Plan, Step};
use hostssl_model::{ResourceId, Subscription};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Takes one complaint.
type Say<'a> = dyn FnMut(LintCode, Option<&Step>, String) + 'a;

pub(super) fn lint_time(plan: &Plan, context: &LintContext<'_>, warn: &mut Say<'_>) {
    let Some(observed) = unix_ms(plan.observed_at()) else {
        return warn(LintCode::BadTime, None, format!("`{}` is not a time in RFC 3339", plan.observed_at()));
    };
    let age = context.now_ms - observed;
    let allowed = i64::try_from(context.max_age.as_millis()).unwrap_or(i64::MAX);
    if age > allowed {
        let words = |ms: i64| if ms < 120_000 { format!("{} s", ms / 1000) } else { format!("{} min", ms / 60_000) };
        let what = format!("older than {}: the servers were checked {} ago", words(allowed), words(age));
        warn(LintCode::Stale, None, what);
    } else if age < -300_000 {
        warn(LintCode::BadTime, None, format!("{} is in the future", plan.observed_at()));
    }
}

pub(super) fn lint_places(plan: &Plan, context: &LintContext<'_>, warn: &mut Say<'_>) {
    if context.cloud.is_some_and(|cloud| !cloud.eq_ignore_ascii_case(plan.cloud())) {
        warn(LintCode::OtherCloud, None, format!("the plan is for {}", plan.cloud()));
    }
    let tenants: HashMap<_, _> = context.subscriptions.iter().map(|one| (&one.id, &one.tenant)).collect();
    let mut first = plan.principal().tenant.clone();
    for step in plan.steps() {
        let Some(tenant) = tenants.get(&step.server.subscription()) else { continue };
        let expected = first.get_or_insert_with(|| tenant.to_string());
        if !expected.eq_ignore_ascii_case(tenant) {
            warn(LintCode::MixedTenants, Some(step), format!("{} is in tenant {tenant}", step.server));
        }
    }
}

pub(super) fn lint_targets(plan: &Plan, warn: &mut Say<'_>) {
    let mut seen = BTreeSet::new();
    for step in plan.steps() {
        if !seen.insert((step.server.to_lowercase(), step.parameter.key())) {
            warn(
                LintCode::DuplicateTarget,
                Some(step),
                format!("{} of {} is changed twice", step.parameter.key(), step.server),
            );
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

pub(super) fn lint_values(step: &Step, warn: &mut Say<'_>) {
    if equal(&step.before, &step.after) {
        warn(LintCode::ChangesNothing, Some(step), format!("{} is already {}", step.parameter.key(), step.before));
    }
    if step.undo.trim().is_empty() {
        warn(LintCode::MissingUndo, Some(step), "it cannot be undone".into());
    } else if equal(&step.undo, &step.after) {
        warn(LintCode::UndoIsAfter, Some(step), format!("undo would write {} again", step.after));
    } else if !equal(&step.undo, &step.before) {
        warn(LintCode::UndoIsNotBefore, Some(step), format!("undo would write {}, not {}", step.undo, step.before));
    }
    // Azure shows floors below TLS 1.2 on old servers, and offers none (`allowedValues` of `ssl_min_protocol_version`).
    let of_postgresql = step.parameter.key().ends_with("ssl_min_protocol_version");
    if of_postgresql && matches!(rank(&step.undo), Some(1 | 2)) {
        let text = format!("Azure no longer accepts {}, so undo cannot restore it", step.undo);
        warn(LintCode::CannotBeUndone, Some(step), text);
    }
    if rank(&step.after) < rank(&step.before) {
        warn(LintCode::Loosens, Some(step), format!("{} -> {} makes the server less strict", step.before, step.after));
    }
}

/// Whether a step makes log files available, or keeps them for longer, up to the seven days that Azure offers.
fn is_of_logs(step: &Step) -> bool {
    let days = |value: &str| value.trim().parse::<u8>().ok();
    match step.parameter.key() {
        "logfiles.download_enable" => rank(&step.before) == Some(0) && equal(&step.after, "on"),
        "logfiles.retention_days" => days(&step.before) < days(&step.after) && days(&step.after) <= Some(7),
        _ => false,
    }
}

/// A step that makes a server stricter says what becomes of its clients, and who has accepted it where they are not safe.
pub(super) fn lint_clients(step: &Step, warn: &mut Say<'_>) {
    let tightens = rank(&step.after) > rank(&step.before) && !is_of_logs(step);
    if !step.is_executable() || !tightens || step.accepted.is_some() {
        return;
    }
    let text = match step.clients.as_ref().map(|impact| impact.verdict) {
        Some(ClientVerdict::Safe) => return,
        Some(ClientVerdict::Breaks) => "clients would be refused, and no one has accepted that",
        Some(ClientVerdict::NeedsObservation) | None => {
            "it is not known whether clients would be refused, and no one has accepted that"
        }
    };
    warn(LintCode::BreaksClients, Some(step), text.to_owned());
}

/// Whether the plan's own goal asks for the value.
pub(super) fn lint_need(plan: &Plan, step: &Step, warn: &mut Say<'_>) {
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
            let logs = controls.contains(&FixableControl::LogDownload) && is_of_logs(step);
            switch || floor || logs
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
        let message = format!("no finding requires {} = {}", step.parameter.key(), step.after);
        warn(LintCode::NotNeeded, Some(step), message);
    }
}

/// Whether an audit's finding asks for the step.
pub(super) fn lint_findings(plan: &Plan, context: &LintContext<'_>, warn: &mut Say<'_>) {
    let (Some(failed), Goal::Fix { .. }) = (context.failed, plan.goal()) else {
        return;
    };
    for step in plan.steps() {
        // No audit judges whether logs can be downloaded.
        let Some(control) = step.control.id() else { continue };
        if !failed.contains(&(step.server.clone(), control)) {
            warn(LintCode::NotNeeded, Some(step), format!("{} has no failed finding of {}", step.server, step.control));
        }
    }
}

pub(super) fn lint_waves(plan: &Plan, context: &LintContext<'_>, warn: &mut Say<'_>) {
    let mut held: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let mut wave_of: HashMap<String, u32> = HashMap::new();
    let mut last = 0;
    for step in plan.steps().iter().filter(|step| step.is_executable()) {
        let server = step.server.to_lowercase();
        if step.wave < last || *wave_of.entry(server.clone()).or_insert(step.wave) != step.wave {
            warn(LintCode::WaveOrder, Some(step), format!("wave {} after wave {last}, or a second wave", step.wave));
        }
        last = step.wave;
        held.entry(step.wave).or_default().insert(server);
    }
    let own_limit = plan.options().max_servers.unwrap_or(u32::MAX);
    let limit = own_limit.min(context.max_servers.unwrap_or(u32::MAX));
    if wave_of.len() as u64 > u64::from(limit) {
        warn(LintCode::BlastRadius, None, format!("{} servers where {limit} are allowed", wave_of.len()));
    }
    let canary = held.values().next().map_or(0, BTreeSet::len);
    let rest = wave_of.len() - canary;
    if canary as u64 > u64::from(plan.options().canary_size) || (wave_of.len() > 1 && canary > rest) {
        warn(LintCode::CanaryTooLarge, None, format!("{canary} servers in the first wave, {rest} in the others"));
    }
    for (wave, servers) in held.iter().skip(1) {
        if servers.len() as u64 > u64::from(plan.options().wave_size) {
            warn(LintCode::WaveTooLarge, None, format!("{} servers in wave {wave}", servers.len()));
        }
    }
}

/// The production servers of the first wave, in a plan that has other waves too.
pub(super) fn production_canary<'a>(
    plan: &'a Plan,
    subscriptions: &[Arc<Subscription>],
    tags: Option<&ServerTags>,
) -> Vec<&'a Step> {
    let is_production = production(subscriptions, tags);
    let executable = || plan.steps().iter().filter(|step| step.is_executable());
    let more = executable().any(|step| step.wave > 1);
    executable().filter(|step| more && step.wave == 1 && is_production(step)).collect()
}

/// Whether the server of a step is in production use.
fn production<'a>(subscriptions: &'a [Arc<Subscription>], tags: Option<&'a ServerTags>) -> impl Fn(&Step) -> bool + 'a {
    let subscriptions: HashMap<_, &str> = subscriptions.iter().map(|one| (&one.id, &*one.name)).collect();
    move |step| {
        let tags = tags.and_then(|tags| tags.get(&step.server));
        let subscription = subscriptions.get(&step.server.subscription()).copied();
        let names = [step.server.name(), step.server.resource_group()].into_iter().chain(subscription);
        tier(|name| tags.and_then(|tags| tags.get(name)), names) == Tier::Production
    }
}

/// Production is tried first only where there is nothing else to try.
pub(super) fn lint_canary(plan: &Plan, context: &LintContext<'_>, warn: &mut Say<'_>) {
    let is_production = production(context.subscriptions, context.tags);
    // What must wait for a replica cannot come first.
    let free = |step: &&Step| step.is_executable() && step.wave > 1 && step.needs.is_empty();
    let others = plan.steps().iter().filter(free).any(|step| !is_production(step));
    let mut named = BTreeSet::new();
    for step in production_canary(plan, context.subscriptions, context.tags).into_iter().filter(|_| others) {
        if named.insert(&step.server) {
            let text = "the canary is a production server, although the plan has others: choose one with --canary";
            warn(LintCode::ProductionCanary, Some(step), text.to_owned());
        }
    }
}

/// Tightening: a replica before its primary. Loosening: after it. And the later one waits for the earlier one.
pub(super) fn lint_replicas(plan: &Plan, warn: &mut Say<'_>) {
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
                let message = format!("step {} of its replica set must succeed first", first.id);
                warn(LintCode::ReplicaOrder, Some(second), message);
            }
        }
    }
}
