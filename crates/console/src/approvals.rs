//! Whether enough people have approved a plan.

use crate::guard::session::plain;
use hostssl_store::PlanApproval;

/// How a plan stands with those who approve.
#[derive(Debug)]
pub(crate) struct PlanApprovals {
    /// How many people have to approve it.
    needed: u32,
    /// Who has, without the one who made it; each person once.
    pub(crate) given: Vec<PlanApproval>,
}

impl PlanApprovals {
    /// Counts the approvals of a plan that someone made.
    pub(crate) fn of(needed: u32, made_by: &str, approvals: Vec<PlanApproval>) -> Self {
        let mut given: Vec<PlanApproval> = Vec::new();
        for approval in approvals {
            let is_known = given.iter().any(|one| plain(&one.person) == plain(&approval.person));
            if !is_known && plain(&approval.person) != plain(made_by) {
                given.push(approval);
            }
        }
        Self { needed, given }
    }

    /// Whether approving is a step of its own. Otherwise the person who applies the plan approves it.
    pub(crate) fn are_apart(&self) -> bool {
        self.needed > 1
    }

    /// How many are missing.
    pub(crate) fn missing(&self) -> u32 {
        if self.are_apart() {
            self.needed.saturating_sub(u32::try_from(self.given.len()).unwrap_or(u32::MAX))
        } else {
            0
        }
    }

    /// Whether this person has approved.
    pub(crate) fn has(&self, person: &str) -> bool {
        self.given.iter().any(|one| plain(&one.person) == plain(person))
    }

    /// `1 of 2 approvals`
    pub(crate) fn words(&self) -> String {
        format!("{} of {} approvals", self.given.len(), self.needed)
    }
}

/// Whether a person may approve a plan that someone made.
pub(crate) fn may_approve(person: &str, made_by: &str) -> bool {
    plain(person) != plain(made_by)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(needed: u32, people: &[&str]) -> PlanApprovals {
        let approval = |person: &&str| PlanApproval { person: (*person).to_owned(), at_ms: 0 };
        PlanApprovals::of(needed, "Paul", people.iter().map(approval).collect())
    }

    #[test]
    fn no_one_approves_their_own_plan_or_twice() {
        assert_eq!(of(2, &["paul ", "ada", "ADA"]).missing(), 1);
        assert_eq!(of(2, &["ada", "bob", "eve"]).missing(), 0);
        assert_eq!(of(3, &[]).words(), "0 of 3 approvals");
        assert!(of(2, &["ada"]).has("Ada") && !of(2, &["ada"]).has("paul"));
        assert!(may_approve("ada", "paul") && !may_approve(" PAUL", "paul"));
    }

    #[test]
    fn with_one_approval_applying_is_approving() {
        assert_eq!((of(1, &[]).missing(), of(1, &[]).are_apart()), (0, false));
    }
}
