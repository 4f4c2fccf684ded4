//! Approval as a type: what writes takes an [`Approved`] plan and nothing else.

use super::{InvalidPlanHash, Plan, PlanHash};
use crate::{ApprovalRule, SafeText, Step};
use hostssl_model::{Advice, Fault, Hint};

/// Something that was approved, and why, where a reason was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved<T> {
    what: T,
    reason: Option<SafeText>,
    rule: Option<ApprovalRule>,
}

/// The approval is not one of this plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// The approval names no hash.
    #[error("the approval is not the hash of a plan")]
    NoHash(#[source] InvalidPlanHash),
    /// The approval names another plan: most likely this plan was made again after the review.
    #[error("the approval is for plan {approved}, this is plan {plan}")]
    OtherPlan {
        /// The plan that was approved.
        approved: PlanHash,
        /// The plan at hand.
        plan: PlanHash,
    },
    /// A step may refuse clients, and no one has accepted that.
    #[error("step {step} may refuse clients of {server}, and no one has accepted that")]
    BreaksClients {
        /// The step.
        step: u32,
        /// The name of its server.
        server: SafeText,
    },
}

impl Advice for NotApproved {
    fn advice(&self) -> Hint {
        match self {
            Self::NoHash(_) | Self::OtherPlan { .. } => {
                "review this plan with `hostssl plan show FILE`, and approve the hash that it prints".into()
            }
            Self::BreaksClients { server, .. } => {
                Hint::with("`hostssl plan --accept-breakage {}=REASON` makes a plan in which it is accepted", &[server])
            }
        }
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

impl Approved<Plan> {
    /// Approves a plan by its hash, whole: approving is approving this plan.
    ///
    /// # Errors
    ///
    /// [`NotApproved`] when the hash is another plan's, or a step may refuse clients and no one has accepted that.
    pub fn new(plan: Plan, hash: &str) -> Result<Self, NotApproved> {
        if let Some(step) = plan.steps().iter().find(|step| may_refuse_unasked(step)) {
            let server = SafeText::new(step.server.name());
            return Err(NotApproved::BreaksClients { step: step.id, server });
        }
        let approved = PlanHash::new(hash).map_err(NotApproved::NoHash)?;
        if approved == *plan.hash() {
            Ok(Self { what: plan, reason: None, rule: None })
        } else {
            Err(NotApproved::OtherPlan { approved, plan: plan.hash().clone() })
        }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.what
    }

    /// The same, for this reason: it is kept in the journal of the run.
    #[must_use]
    pub fn because(self, reason: Option<&str>) -> Self {
        Self { reason: reason.map(SafeText::new), ..self }
    }

    /// The same, where the approvals of several people are counted by this when the run begins.
    #[must_use]
    pub fn counted_by(self, rule: ApprovalRule) -> Self {
        Self { rule: Some(rule), ..self }
    }

    /// By what the approvals are counted.
    pub(crate) fn rule(&self) -> Option<&ApprovalRule> {
        self.rule.as_ref()
    }

    /// Why it was approved.
    #[must_use]
    pub fn reason(&self) -> Option<&SafeText> {
        self.reason.as_ref()
    }
}

fn may_refuse_unasked(step: &Step) -> bool {
    step.is_executable() && step.clients.as_ref().is_some_and(|impact| !impact.is_safe()) && step.accepted.is_none()
}
