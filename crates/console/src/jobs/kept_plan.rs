//! The form in which a plan and what its review rests on are kept in the state, so that every console of it shows them.

use super::plan_order::{PlanOrder, PlanToReview};
use crate::view::effect;
use hostssl_model::{ControlId, ResourceId, Subscription, SubscriptionId, SubscriptionState};
use hostssl_ops::FailedBefore;
use hostssl_remediation::{Plan, RunId, WaveOrder};
use hostssl_store::{KeptPlan, KeptPlanEntry};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is kept beside the plan itself.
#[derive(Serialize, Deserialize)]
struct ReviewDocument {
    servers: Vec<String>,
    canary: Vec<String>,
    reason: Option<String>,
    back: String,
    lost: usize,
    accepted: Option<(String, String)>,
    subscriptions: Vec<SubscriptionDocument>,
    failed: Vec<(String, String)>,
    tags: BTreeMap<String, BTreeMap<String, String>>,
    unchecked: Vec<String>,
    failed_before: Vec<(String, String, bool)>,
    production_first: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct SubscriptionDocument {
    id: String,
    name: String,
    tenant: String,
    /// Azure's word; none when it is in normal use.
    state: Option<String>,
}

/// What is kept of a plan with this id that someone began to make then.
pub(super) fn kept_plan(
    (id, made_ms, made_by): (&str, i64, &str),
    order: &PlanOrder,
    ready: &PlanToReview,
) -> Result<KeptPlan, serde_json::Error> {
    let plan = &ready.plan;
    let writes = plan.steps().iter().filter(|step| step.is_executable()).count();
    let entry = KeptPlanEntry {
        id: id.to_owned(),
        made_ms,
        made_by: made_by.to_owned(),
        hash: plan.hash().clone(),
        title: effect(plan),
        writes: u32::try_from(writes).unwrap_or(u32::MAX),
        observed_ms: observed_ms(plan),
        approvals: ready.approvals,
    };
    let review = serde_json::to_string(&document(order, ready))?;
    Ok(KeptPlan { entry, plan: plan.to_json(), review })
}

/// When the servers of a plan were read.
pub(crate) fn observed_ms(plan: &Plan) -> i64 {
    plan.observed_at().parse::<Timestamp>().map_or(0, Timestamp::as_millisecond)
}

fn document(order: &PlanOrder, ready: &PlanToReview) -> ReviewDocument {
    let state = |state: &SubscriptionState| match state {
        SubscriptionState::Enabled => None,
        SubscriptionState::Other(word) => Some(word.to_string()),
    };
    let subscription = |one: &Arc<Subscription>| SubscriptionDocument {
        id: one.id.to_string(),
        name: one.name.to_string(),
        tenant: one.tenant.to_string(),
        state: state(&one.state),
    };
    let planned: BTreeSet<&ResourceId> = ready.plan.steps().iter().map(|step| &step.server).collect();
    let tags = ready.tags.iter().filter(|(server, tags)| !tags.is_empty() && planned.contains(server));
    let failed = ready.failed.iter().filter(|(server, _)| planned.contains(server));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let failed_before = |one: &FailedBefore| (one.server.to_string(), one.run.to_string(), one.is_canary);
    ReviewDocument {
        servers: order.servers.iter().cloned().collect(),
        canary: order.waves.canary.clone(),
        reason: order.reason.clone(),
        back: order.back.clone(),
        lost: order.lost,
        accepted: order.accepted.clone(),
        subscriptions: ready.subscriptions.iter().map(subscription).collect(),
        failed: failed.map(|(server, control)| (server.to_string(), control.to_string())).collect(),
        tags: tags.map(|(server, tags)| (server.to_string(), tags.iter().map(owned).collect())).collect(),
        unchecked: ready.unchecked.clone(),
        failed_before: ready.failed_before.iter().map(failed_before).collect(),
        production_first: ready.production_first.iter().map(ToString::to_string).collect(),
    }
}

/// What was kept; `None` where this version cannot read it.
pub(super) fn restore(kept: &KeptPlan) -> Option<(PlanOrder, PlanToReview)> {
    let plan = Plan::parse(&kept.plan).ok()?;
    let document: ReviewDocument = serde_json::from_str(&kept.review).ok()?;
    let server = |id: &String| ResourceId::try_from(id.as_str()).ok();
    let subscription = |one: &SubscriptionDocument| {
        let state =
            one.state.as_deref().map_or(SubscriptionState::Enabled, |word| SubscriptionState::Other(word.into()));
        let (name, tenant) = (one.name.as_str().into(), one.tenant.as_str().into());
        Arc::new(Subscription { id: SubscriptionId::new(&one.id), name, tenant, state })
    };
    let failed_before = |(id, run, is_canary): &(String, String, bool)| {
        Some(FailedBefore { server: server(id)?, run: RunId::new(run).ok()?, is_canary: *is_canary })
    };
    let failed = |(id, control): &(String, String)| Some((server(id)?, ControlId::from_code(control)?));
    let order = PlanOrder {
        servers: Arc::new(document.servers.into_iter().collect()),
        scope: plan.scope().clone(),
        goal: plan.goal().clone(),
        options: *plan.options(),
        waves: WaveOrder { canary: document.canary, ..WaveOrder::default() },
        reason: document.reason,
        back: document.back,
        lost: document.lost,
        accepted: document.accepted,
    };
    let ready = PlanToReview {
        subscriptions: document.subscriptions.iter().map(subscription).collect(),
        failed: document.failed.iter().map(failed).collect::<Option<_>>()?,
        tags: document
            .tags
            .into_iter()
            .map(|(id, tags)| Some((server(&id)?, tags.into_iter().collect())))
            .collect::<Option<_>>()?,
        unchecked: document.unchecked,
        failed_before: document.failed_before.iter().map(failed_before).collect::<Option<_>>()?,
        production_first: document.production_first.iter().map(server).collect::<Option<_>>()?,
        approvals: kept.entry.approvals,
        plan,
    };
    Some((order, ready))
}
