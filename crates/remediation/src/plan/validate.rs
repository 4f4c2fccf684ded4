//! The rules that every plan keeps. Code that applies a plan may rely on them.

use super::context::unix_ms;
use super::{Disposition, Draft, Step};
use crate::Goal;
use hostssl_model::untrusted::is_harmful;
use hostssl_model::{ParameterName, ResourceId, Scope, same_value};
use std::collections::{HashMap, HashSet};

/// The most steps of a plan.
const MAX_STEPS: usize = 200_000;
/// The longest text that is neither an id nor prose, in bytes.
const MAX_WORD: usize = 300;

/// Checks a draft against the rules; the error says which one is broken, and where.
pub(super) fn validate(draft: &Draft) -> Result<(), String> {
    check_head(draft)?;
    let mut targets: HashSet<(&ResourceId, ParameterName)> = HashSet::new();
    let mut waves: HashMap<&ResourceId, u32> = HashMap::new();
    let mut last_wave = 0;
    let mut manual = false;
    for (position, step) in draft.steps.iter().enumerate() {
        let at = |fault: &str| format!("step {}: {fault}", step.id);
        if usize::try_from(step.id).ok() != Some(position + 1) {
            return Err(at("ids must count up from 1"));
        }
        check_server(step).map_err(|fault| at(&fault))?;
        check_values(step).map_err(|fault| at(&fault))?;
        check_clients(step).map_err(&at)?;
        check_scope(&draft.scope, &step.server).map_err(&at)?;
        check_goal(&draft.goal, step).map_err(&at)?;
        if !draft.goal.controls().contains(&step.control) {
            return Err(at("its control is not among those that the plan fixes"));
        }
        if !targets.insert((&step.server, step.parameter)) {
            return Err(at("an earlier step has the same target"));
        }
        manual |= !step.is_executable();
        if manual {
            if step.is_executable() || step.wave != 0 || !step.needs.is_empty() {
                return Err(at("manual steps come last, in no wave, and depend on no other"));
            }
            continue;
        }
        if step.wave != last_wave && step.wave != last_wave.saturating_add(1) || step.wave == 0 {
            return Err(at("waves must count up from 1"));
        }
        last_wave = step.wave;
        if *waves.entry(&step.server).or_insert(step.wave) != step.wave {
            return Err(at("all steps of a server must be in one wave"));
        }
        let earlier = |id: &u32| {
            let index = usize::try_from(*id).ok().and_then(|id| id.checked_sub(1));
            index.and_then(|index| draft.steps.get(index)).is_some_and(|needed| needed.wave < step.wave)
        };
        if !step.needs.iter().all(earlier) {
            return Err(at("it needs a step that is not in an earlier wave"));
        }
    }
    check_sizes(draft, waves.len())
}

fn check_head(draft: &Draft) -> Result<(), String> {
    let words = [&draft.cloud, &draft.profile, &draft.principal.name, &draft.principal.method];
    let optional = [&draft.principal.object_id, &draft.principal.tenant];
    let scope = &draft.scope;
    let lists = [
        &scope.tenants,
        &scope.management_groups,
        &scope.subscriptions,
        &scope.resource_groups,
        &scope.servers,
        &scope.tags,
        &scope.except,
    ];
    let all = words.into_iter().chain(optional.into_iter().flatten()).chain(lists.into_iter().flatten());
    for word in all {
        if word.len() > MAX_WORD || word.contains(is_harmful) {
            return Err("a name is too long or contains control characters".into());
        }
    }
    match (unix_ms(&draft.observed_at), unix_ms(&draft.created_at)) {
        (Some(observed), Some(created)) if observed <= created => {}
        (Some(_), Some(_)) => return Err("it was made before the servers were checked".into()),
        _ => return Err("a time is not in RFC 3339".into()),
    }
    let options = &draft.options;
    if options.canary_size == 0 || options.canary_size > options.wave_size {
        return Err("the canary holds at least 1 server and at most a wave's".into());
    }
    if draft.steps.len() > MAX_STEPS || draft.left_out.len() > 2 * MAX_STEPS {
        return Err(format!("more than {MAX_STEPS} steps"));
    }
    Ok(())
}

/// A step is about a server of its kind, and about nothing else that Azure has.
fn check_server(step: &Step) -> Result<(), String> {
    let offering = step.kind.offering();
    let segments: Vec<&str> = step.server.as_str().split('/').collect();
    let [_, _, _, _, _, _, provider, resource_type, name] = segments[..] else {
        return Err(format!("{} is not the id of a server", step.server));
    };
    if !format!("{provider}/{resource_type}").eq_ignore_ascii_case(offering.arm_type) {
        return Err(format!("{} is not a {}", step.server, step.kind));
    }
    // Server names are letters, digits and hyphens ("Naming rules and restrictions for Azure resources").
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err("its server name is not valid".into());
    }
    if offering.not_written.is_some() && step.is_executable() {
        return Err(format!("a server of kind {} is changed manually", step.kind));
    }
    Ok(())
}

/// A step is about a server that was asked for, as far as names show. A subscription may be named by its display name.
fn check_scope(scope: &Scope, server: &ResourceId) -> Result<(), &'static str> {
    let id = server.subscription();
    let is_id = |text: &String| text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let by_id = !scope.subscriptions.is_empty() && scope.subscriptions.iter().all(is_id);
    if by_id && !scope.subscriptions.iter().any(|one| one.eq_ignore_ascii_case(id.as_str())) {
        return Err("its server is not in a subscription of the plan's scope");
    }
    if !scope.admits_name(server.resource_group(), server.name()) {
        return Err("its server is outside the plan's scope");
    }
    Ok(())
}

/// A plan that fixes findings only ever makes servers stricter.
fn check_goal(goal: &Goal, step: &Step) -> Result<(), &'static str> {
    let goes_up = match (step.parameter.meaning(&step.before), step.parameter.meaning(&step.after)) {
        (Some(before), Some(after)) => before.is_looser_than(after),
        _ => false,
    };
    if matches!(goal, Goal::Fix { .. }) && !goes_up {
        return Err("it loosens the server, but the plan is to fix findings");
    }
    Ok(())
}

/// What the census says and what the step does to clients are one thing.
fn check_clients(step: &Step) -> Result<(), &'static str> {
    if step.disposition == Disposition::OnlineSafe && step.clients.as_ref().is_some_and(|impact| !impact.is_safe()) {
        return Err("it is online-safe, but its clients are not");
    }
    Ok(())
}

fn check_values(step: &Step) -> Result<(), String> {
    if !step.control.settings(step.kind).contains(&step.parameter) {
        return Err(format!("{} does not decide {} on this kind of server", step.parameter.key(), step.control));
    }
    let meaning = |value| step.parameter.meaning(value);
    let (Some(before), Some(after)) = (meaning(&step.before), meaning(&step.after)) else {
        return Err("the value is unknown".into());
    };
    if before == after {
        return Err("it changes nothing".into());
    }
    if step.kind.spell(step.parameter, after) != Some(&*step.after) {
        return Err("the value to write is not spelled as Azure spells it".into());
    }
    if !same_value(&step.undo, &step.before) {
        return Err("undo does not restore the previous value".into());
    }
    if (step.disposition == Disposition::Manual) != (step.wave == 0) {
        return Err("only manual steps are in no wave".into());
    }
    let odd = |value: &str| value.len() > MAX_WORD || value.trim() != value;
    if [&step.before, &step.after, &step.undo].into_iter().chain(&step.created_at).any(|value| odd(value)) {
        return Err("a value is too long or padded".into());
    }
    if step.created_at.as_deref().is_some_and(|time| time.contains(is_harmful)) {
        return Err("a time contains control characters".into());
    }
    Ok(())
}

fn check_sizes(draft: &Draft, servers: usize) -> Result<(), String> {
    let limit = |size: u32| usize::try_from(size).unwrap_or(usize::MAX);
    for wave in draft.steps.chunk_by(|a, b| a.wave == b.wave) {
        let held = wave.iter().map(|step| &step.server).collect::<HashSet<_>>().len();
        let allowed = match wave.first().map_or(0, |step| step.wave) {
            0 => continue,
            1 => limit(draft.options.canary_size),
            _ => limit(draft.options.wave_size),
        };
        if held > allowed {
            return Err(format!("a wave of {held} servers where {allowed} are allowed"));
        }
    }
    match draft.options.max_servers {
        Some(most) if servers > limit(most) => Err(format!("{servers} servers where {most} are allowed")),
        _ => Ok(()),
    }
}
