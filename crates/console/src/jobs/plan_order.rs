//! What to plan, and the plan with what its review rests on.

use hostssl_model::{ResourceId, Scope, Subscription};
use hostssl_ops::FailedBefore;
use hostssl_remediation::{FailedFindings, Goal, Plan, PlanOptions, ServerTags, WaveOrder};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What to plan.
#[derive(Debug, Clone)]
pub(crate) struct PlanOrder {
    /// The ids of the servers in lower case; nothing else may be in the plan.
    pub(crate) servers: Arc<BTreeSet<String>>,
    pub(crate) scope: Scope,
    pub(crate) goal: Goal,
    pub(crate) options: PlanOptions,
    /// What comes first.
    pub(crate) waves: WaveOrder,
    /// Why a server may be made less strict, where the plan does that.
    pub(crate) reason: Option<String>,
    /// The page that it was asked for on.
    pub(crate) back: String,
    /// How many servers were chosen that the audit does not have.
    pub(crate) lost: usize,
    /// Why clients of these servers may be refused, and who said so.
    pub(crate) accepted: Option<(String, String)>,
}

/// A plan to be reviewed.
#[derive(Debug)]
pub(crate) struct PlanToReview {
    pub(crate) plan: Plan,
    /// The subscriptions that were audited for it, and the findings that failed: a second opinion is held against them.
    pub(crate) subscriptions: Vec<Arc<Subscription>>,
    pub(crate) failed: FailedFindings,
    /// The tags of the audited servers, for the same.
    pub(crate) tags: ServerTags,
    /// What could not be considered, one line each.
    pub(crate) unchecked: Vec<String>,
    /// The servers whose last change did not succeed.
    pub(crate) failed_before: Vec<FailedBefore>,
    /// The production servers that go first, because no other can.
    pub(crate) production_first: Vec<ResourceId>,
    /// How many people had to approve it in the console that made it.
    pub(crate) approvals: u32,
}
