//! Whether enough people have approved a plan.

use std::collections::BTreeMap;

/// An approval of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanApproval {
    /// Who approved it.
    pub person: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// When the person withdrew it, if that was done.
    pub withdrawn_ms: Option<i64>,
    /// The role that a proxy gave the person last, where someone with it may not approve.
    pub lower_role: Option<String>,
}

/// Who may approve, as far as the process knows that applies a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approvers {
    /// People whom it knows by name, as names are compared: why the approval of one does not count, if it does not.
    pub named: BTreeMap<String, Option<String>>,
    /// Why the approval of anyone else does not count. Otherwise it counts unless a proxy gave the person a lower role last.
    pub others: Option<String>,
}

/// By what the approvals of a plan are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalRule {
    /// How many people have to approve it.
    pub needed: u32,
    /// Who made it, and so does not approve it.
    pub made_by: Vec<String>,
    /// Whose approvals count.
    pub approvers: Approvers,
}

impl Approvers {
    /// Why an approval does not count, if it does not.
    fn why_not(&self, approval: &PlanApproval) -> Option<String> {
        if let Some(known) = self.named.get(&plain_name(&approval.person)) {
            return known.clone();
        }
        let lower = |role| format!("the proxy gave this name the role {role} last");
        self.others.clone().or_else(|| approval.lower_role.as_deref().map(lower))
    }
}

impl ApprovalRule {
    /// How a plan with these approvals stands. They are given in the order in which they were kept.
    #[must_use]
    pub fn count(&self, approvals: Vec<PlanApproval>) -> PlanApprovals {
        let (given, uncounted, withdrawn) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = PlanApprovals { needed: self.needed, given, uncounted, withdrawn };
        let is_author = |person: &str| self.made_by.iter().any(|author| is_same_person(author, person));
        for approval in approvals.into_iter().filter(|one| !is_author(&one.person)) {
            if approval.withdrawn_ms.is_some() {
                found.withdrawn.push(approval);
            } else if found.has(&approval.person) {
                continue;
            } else if let Some(why) = self.approvers.why_not(&approval) {
                found.uncounted.push((approval, why));
            } else {
                found.given.push(approval);
            }
        }
        let mut withdrawn = std::mem::take(&mut found.withdrawn);
        withdrawn.retain(|one| !found.has(&one.person));
        found.withdrawn = withdrawn;
        found
    }
}

/// How a plan stands with those who approve.
#[derive(Debug)]
pub struct PlanApprovals {
    /// How many people have to approve it.
    needed: u32,
    /// The approvals that count, of each person one.
    pub given: Vec<PlanApproval>,
    /// Those that do not count, although no one withdrew them, and why.
    pub uncounted: Vec<(PlanApproval, String)>,
    /// Those that were withdrawn, and not given again.
    pub withdrawn: Vec<PlanApproval>,
}

impl PlanApprovals {
    /// Whether approving is a step of its own. Otherwise the person who applies the plan approves it.
    #[must_use]
    pub fn are_apart(&self) -> bool {
        self.needed > 1
    }

    /// Whether anyone has approved it, or withdrew that.
    #[must_use]
    pub fn any(&self) -> bool {
        !(self.given.is_empty() && self.uncounted.is_empty() && self.withdrawn.is_empty())
    }

    /// How many are missing.
    #[must_use]
    pub fn missing(&self) -> u32 {
        if self.are_apart() {
            self.needed.saturating_sub(u32::try_from(self.given.len()).unwrap_or(u32::MAX))
        } else {
            0
        }
    }

    /// Whether this person has approved, whether that counts or not.
    #[must_use]
    pub fn has(&self, person: &str) -> bool {
        let mut all = self.given.iter().chain(self.uncounted.iter().map(|(one, _)| one));
        all.any(|one| is_same_person(&one.person, person))
    }

    /// `1 of 2 approvals`
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} of {} approvals", self.given.len(), self.needed)
    }
}

/// Names that people take for one are one.
#[must_use]
pub fn plain_name(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Whether two names are of one person.
#[must_use]
pub fn is_same_person(one: &str, other: &str) -> bool {
    plain_name(one) == plain_name(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(person: &str) -> PlanApproval {
        PlanApproval { person: person.to_owned(), at_ms: 0, withdrawn_ms: None, lower_role: None }
    }

    fn rule(needed: u32) -> ApprovalRule {
        ApprovalRule { needed, made_by: vec!["Paul".to_owned()], approvers: Approvers::default() }
    }

    fn of(needed: u32, people: &[&str]) -> PlanApprovals {
        rule(needed).count(people.iter().map(|person| approval(person)).collect())
    }

    #[test]
    fn no_one_approves_their_own_plan_or_twice() {
        assert_eq!(of(2, &["paul ", "ada", "ADA"]).missing(), 1);
        assert_eq!(of(2, &["ada", "bob", "eve"]).missing(), 0);
        assert_eq!(of(3, &[]).words(), "0 of 3 approvals");
        assert!(of(2, &["ada"]).has("Ada") && !of(2, &["ada"]).has("paul"));
        assert!(!is_same_person("ada", "paul") && is_same_person(" PAUL", "paul"));
    }

    #[test]
    fn with_one_approval_applying_is_approving() {
        assert_eq!((of(1, &[]).missing(), of(1, &[]).are_apart()), (0, false));
    }

    #[test]
    fn what_was_withdrawn_or_is_of_no_approver_does_not_count() {
        let withdrawn = |person| PlanApproval { withdrawn_ms: Some(1), ..approval(person) };
        let all = vec![withdrawn("ada"), withdrawn("bob"), approval("eve"), approval("bob")];
        let named = [("bob".to_owned(), None), ("eve".to_owned(), Some("she left".to_owned()))].into();
        let counted = ApprovalRule { approvers: Approvers { named, others: None }, ..rule(2) }.count(all);
        let people = |all: &[PlanApproval]| all.iter().map(|one| one.person.clone()).collect::<Vec<_>>();
        assert_eq!((people(&counted.given), people(&counted.withdrawn)), (vec!["bob".into()], vec!["ada".into()]));
        assert_eq!(counted.uncounted, [(approval("eve"), "she left".to_owned())]);
        assert_eq!((counted.missing(), counted.has("eve"), counted.has("ada")), (1, true, false));
    }

    #[test]
    fn of_people_who_are_not_named_a_proxy_knows() {
        let lower = |person: &str| PlanApproval { lower_role: Some("planner".to_owned()), ..approval(person) };
        let named = || [("ada".to_owned(), None)].into();
        let why = |others: Option<&str>, approval| {
            let approvers = Approvers { named: named(), others: others.map(ToOwned::to_owned) };
            approvers.why_not(&approval)
        };
        assert_eq!(why(None, lower("zoe")).unwrap(), "the proxy gave this name the role planner last");
        assert_eq!(why(Some("no one else"), approval("zoe")).unwrap(), "no one else");
        // Who is named is judged by that alone.
        assert_eq!((why(None, approval("zoe")), why(Some("no one else"), lower(" ADA"))), (None, None));
    }
}
