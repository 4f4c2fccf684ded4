//! What the identity may do in the scope, by what Azure says of it.

use super::THROTTLED;
use crate::subscription::listed_groups;
use crate::{Tenant, Visible};
use futures::StreamExt;
use futures::stream;
use hostssl_azure::{Permission, allows, list_permissions, permissions};
use hostssl_model::{DoctorCheck, DoctorCheckId, DoctorStatus, Gap, Hint, Reason, Scope, Unchecked};

/// Scopes asked about at once.
const SCOPES_AT_ONCE: usize = 64;
/// Scopes and permissions that are named.
const NAMED: usize = 2;

/// What an identity may do at one scope.
#[derive(Debug, Clone)]
pub struct ScopeRights {
    /// The id of the subscription or resource group.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Who asked: an object id, or a name that Azure knows the identity by.
    pub assignee: String,
    /// What its roles grant there, or why Azure did not say.
    pub granted: Result<Vec<Permission>, Unchecked>,
}

/// Asks Azure what the identities may do in the subscriptions in scope, or in the resource groups that it names.
pub async fn read_rights(visible: &Visible, scope: &Scope) -> Vec<ScopeRights> {
    let groups = listed_groups(scope);
    let places = visible.subscriptions.iter().flat_map(|(subscription, tenant)| {
        groups.iter().map(move |group| {
            let id = format!("/subscriptions/{}", subscription.id);
            match group {
                None => (id, subscription.name.to_string(), tenant, false),
                Some(group) => {
                    (format!("{id}/resourceGroups/{group}"), format!("{group} in {}", subscription.name), tenant, true)
                }
            }
        })
    });
    let asked = places.map(|(id, name, tenant, is_group)| async move {
        let granted = list_permissions(&tenant.arm, &id).await;
        let granted = granted.map_err(|error| error.unchecked(permissions::READ_PERMISSIONS));
        // A resource group that is named is in one of the subscriptions, and not in the others.
        let is_elsewhere = is_group && granted.as_ref().is_err_and(|unchecked| unchecked.reason == Reason::Vanished);
        (!is_elsewhere).then(|| ScopeRights { scope: id, name, assignee: assignee(tenant), granted })
    });
    let asked: Vec<_> = asked.collect();
    stream::iter(asked).buffered(SCOPES_AT_ONCE).filter_map(std::future::ready).collect().await
}

fn assignee(tenant: &Tenant) -> String {
    let principal = &tenant.principal;
    principal.object_id.clone().unwrap_or_else(|| principal.name.clone())
}

/// Whether the scope can be seen at all. `gaps` are those of finding the subscriptions.
#[must_use]
pub fn subscriptions_check(subscriptions: usize, gaps: &[Gap]) -> DoctorCheck {
    let id = DoctorCheckId::Subscriptions;
    let noun = if subscriptions == 1 { "subscription" } else { "subscriptions" };
    let Some(gap) = gaps.first() else { return DoctorCheck::ok(id, format!("{subscriptions} {noun} in scope")) };
    let detail = format!("{subscriptions} {noun} in scope, but {}: {}", gap.scope, gap.unchecked.detail);
    match &gap.unchecked.missing_permission {
        Some(missing) => DoctorCheck::failed(id, detail, Hint::with("ask for a role with {}", &[missing])),
        None if gap.unchecked.reason == Reason::NoSubscription => {
            let fix = "ask for a role such as Reader, or for the one that `hostssl role audit` prints; or name the right tenant with --tenant";
            DoctorCheck::failed(id, detail, fix)
        }
        None if gap.unchecked.reason == Reason::Throttled => {
            let detail = format!("Azure throttles this identity: {}: {}", gap.scope, gap.unchecked.detail);
            DoctorCheck::unknown(id, detail, Some(THROTTLED.into()))
        }
        None => DoctorCheck::unknown(id, detail, Some("retry; -v prints a line for each request".into())),
    }
}

/// What a task needs, and what it means if that is missing.
struct Task {
    id: DoctorCheckId,
    needs: &'static [&'static str],
    status: DoctorStatus,
    /// What cannot be done without.
    for_what: &'static str,
    role: TaskRole,
}

/// The role that helps.
#[derive(Debug, Clone, Copy)]
enum TaskRole {
    Auditor,
    Remediator,
    /// The one that Azure has built in.
    Reader,
}

/// That subscriptions can be listed was shown by listing them, and that permissions can be by their list.
const SHOWN: [&str; 2] = [permissions::READ_SUBSCRIPTIONS, permissions::READ_PERMISSIONS];

const TASKS: [Task; 4] = [
    Task {
        id: DoctorCheckId::RightsAudit,
        needs: &permissions::AUDIT,
        status: DoctorStatus::Failed,
        for_what: "audits are incomplete without them",
        role: TaskRole::Auditor,
    },
    Task {
        id: DoctorCheckId::RightsPlan,
        needs: &permissions::PLAN,
        status: DoctorStatus::Warning,
        for_what: "without them, plans leave servers out or do not see what is locked",
        role: TaskRole::Remediator,
    },
    Task {
        id: DoctorCheckId::RightsApply,
        needs: &permissions::APPLY,
        status: DoctorStatus::Warning,
        for_what: "changing servers needs them",
        role: TaskRole::Remediator,
    },
    Task {
        id: DoctorCheckId::RightsClients,
        needs: &permissions::CLIENTS,
        status: DoctorStatus::Warning,
        for_what: "`hostssl clients` needs them to list servers and download logs",
        role: TaskRole::Reader,
    },
];

/// Whether the identity may do what the commands need, a check for each kind of command.
#[must_use]
pub fn rights_checks(rights: &[ScopeRights]) -> Vec<DoctorCheck> {
    TASKS.iter().map(|task| task.check(rights)).collect()
}

impl Task {
    fn check(&self, rights: &[ScopeRights]) -> DoctorCheck {
        if rights.is_empty() {
            return DoctorCheck::unknown(self.id, "there is no scope whose permissions could be asked for", None);
        }
        let lacking: Vec<(&ScopeRights, Vec<&str>)> = rights
            .iter()
            .filter_map(|at| Some((at, self.missing(at.granted.as_deref().ok()?))))
            .filter(|(_, missing)| !missing.is_empty())
            .collect();
        if let Some((at, missing)) = lacking.first() {
            let (named, more) = missing.split_at(missing.len().min(NAMED));
            let actions = and_more(named, more.len());
            let scopes: Vec<&str> = lacking.iter().take(NAMED).map(|(at, _)| at.name.as_str()).collect();
            let scopes = and_more(&scopes, lacking.len() - scopes.len());
            let detail = format!("missing in {scopes}: {actions}; {}", self.for_what);
            return match self.status {
                DoctorStatus::Failed => DoctorCheck::failed(self.id, detail, self.fix(at, lacking.len())),
                _ => DoctorCheck::warning(self.id, detail, self.fix(at, lacking.len())),
            };
        }
        let untold = rights.iter().find_map(|at| Some((at, at.granted.as_ref().err()?)));
        if let Some((at, unchecked)) = untold {
            let detail = format!("Azure did not say what is granted in {}: {}", at.name, unchecked.detail);
            let fix =
                unchecked.missing_permission.as_ref().map(|missing| Hint::with("ask for a role with {}", &[missing]));
            return DoctorCheck::unknown(self.id, detail, fix);
        }
        let scopes: Vec<&str> = rights.iter().take(NAMED).map(|at| at.name.as_str()).collect();
        let scopes = and_more(&scopes, rights.len() - scopes.len());
        DoctorCheck::ok(self.id, format!("everything that is needed is granted in {scopes}"))
    }

    fn missing(&self, granted: &[Permission]) -> Vec<&'static str> {
        // Every task audits first.
        let of_audit = permissions::AUDIT.iter().filter(|action| !self.needs.contains(action));
        let needed = self.needs.iter().chain(of_audit).filter(|action| !SHOWN.contains(action));
        needed.copied().filter(|action| !allows(granted, action)).collect()
    }

    fn fix(&self, at: &ScopeRights, scopes: usize) -> Hint {
        let (scope, assignee) = (&at.scope, &at.assignee);
        let subscription = scope.split('/').nth(2).unwrap_or_default();
        let assign = |role: &str| {
            Hint::with(
                "`az role assignment create --assignee '{}' --role '{}' --scope '{}'`",
                &[assignee, &role, scope],
            )
        };
        const DEFINE: &str = ", `az role definition create --role-definition @role.json`, ";
        let fix = match self.role {
            TaskRole::Auditor => {
                let print = Hint::with("`hostssl role audit --subscription {} > role.json`", &[&subscription]);
                print.then(DEFINE).then(assign("hostssl auditor"))
            }
            TaskRole::Remediator => {
                let print = Hint::with("`hostssl role remediate --subscription {} > role.json`", &[&subscription]);
                print.then(DEFINE).then(assign("hostssl remediator"))
            }
            TaskRole::Reader => assign("Reader"),
        };
        if scopes > 1 { fix.then(", and the same for each of the other scopes") } else { fix }
    }
}

fn and_more(named: &[&str], more: usize) -> String {
    let named = named.join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::GapScope;

    fn at(name: &str, granted: Result<Vec<Permission>, Unchecked>) -> ScopeRights {
        let scope = format!("/subscriptions/{name}");
        ScopeRights { scope, name: name.to_owned(), assignee: "ann".to_owned(), granted }
    }

    fn role(actions: &[&str]) -> Result<Vec<Permission>, Unchecked> {
        let actions = actions.iter().map(ToString::to_string).collect();
        Ok(vec![Permission { actions, not_actions: Vec::new() }])
    }

    fn statuses(rights: &[ScopeRights]) -> Vec<DoctorStatus> {
        rights_checks(rights).into_iter().map(|check| check.status).collect()
    }

    #[test]
    fn a_reader_may_audit_and_not_apply() {
        use DoctorStatus::{Ok as Fine, Warning};
        let checks = rights_checks(&[at("a", role(&["*/read"])), at("b", role(&["*"]))]);
        let found: Vec<_> = checks.iter().map(|check| check.status).collect();
        assert_eq!(found, [Fine, Fine, Warning, Fine]);
        let detail = &checks[2].detail;
        assert!(detail.starts_with("missing in a: ") && detail.contains(" and 2 more; "), "{detail}");
        let fix = checks[2].fix.as_ref().unwrap().to_string();
        assert!(
            fix.contains("role remediate --subscription a ") && fix.contains("--scope '/subscriptions/a'"),
            "{fix}"
        );
        assert!(!fix.contains("the other scopes"), "{fix}");
    }

    #[test]
    fn one_scope_without_the_right_is_a_failure_and_silence_is_unknown() {
        use DoctorStatus::{Failed, Skipped};
        let silent = || Err(Unchecked::new(Reason::Network, "no answer"));
        let nothing = || Ok(Vec::new());
        let checks = rights_checks(&[at("a", role(&["*"])), at("b", nothing()), at("c", nothing())]);
        assert_eq!(checks[0].status, Failed);
        assert!(checks[0].detail.contains("missing in b, c: "), "{}", checks[0].detail);
        assert!(checks[0].fix.as_ref().unwrap().to_string().ends_with("the other scopes"));
        assert_eq!(statuses(&[at("a", silent()), at("b", nothing())])[0], Failed, "what is known counts");
        let unknown = rights_checks(&[at("a", role(&["*"])), at("b", silent())]);
        assert!(unknown.iter().all(|check| check.status == Skipped && check.is_unknown));
        assert!(rights_checks(&[]).iter().all(|check| check.is_unknown));
    }

    #[test]
    fn what_was_shown_otherwise_is_not_asked_for() {
        let all: Vec<&str> = permissions::AUDIT.into_iter().filter(|action| !SHOWN.contains(action)).collect();
        assert_eq!(statuses(&[at("a", role(&all))])[0], DoctorStatus::Ok);
        assert_eq!(statuses(&[at("a", role(&all[1..]))])[0], DoctorStatus::Failed);
    }

    #[test]
    fn no_subscription_is_a_failure() {
        let gap = |reason| Gap { scope: GapScope::AllSubscriptions, unchecked: Unchecked::new(reason, "x") };
        assert_eq!(subscriptions_check(4, &[]).status, DoctorStatus::Ok);
        assert_eq!(subscriptions_check(0, &[gap(Reason::NoSubscription)]).status, DoctorStatus::Failed);
        assert!(subscriptions_check(3, &[gap(Reason::Network)]).is_unknown);
        let throttled = subscriptions_check(0, &[gap(Reason::Throttled)]);
        assert!(
            throttled.is_unknown && throttled.detail.starts_with("Azure throttles this identity: "),
            "{throttled:?}"
        );
    }
}
