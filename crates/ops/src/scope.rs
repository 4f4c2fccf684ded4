//! From what the user asked for to the subscriptions to look at.

use futures::future::join_all;
use hostssl_azure::{Arm, list_subscriptions, permissions, subscriptions_of_management_group};
use hostssl_model::{Advice, Fault, Gap, GapScope, Principal, Reason, Scope, Subscription, SubscriptionId, Unchecked};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// One tenant, signed in.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The client that reads it.
    pub arm: Arm,
    /// Who reads it.
    pub principal: Principal,
}

/// The subscriptions in scope that can be looked at, each with the tenant that reads it.
#[derive(Debug)]
pub struct Visible {
    /// In the order of their names.
    pub subscriptions: Vec<(Arc<Subscription>, Tenant)>,
    /// What of the scope cannot be seen.
    pub gaps: Vec<Gap>,
}

/// The scope names something that does not exist, as far as the identity can see: the user's mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// No subscription has this id or name.
    #[error("{principal} sees no subscription `{name}`")]
    UnknownSubscription {
        /// What was asked for.
        name: String,
        /// Who looked.
        principal: String,
    },
}

impl Advice for ScopeError {
    fn advice(&self) -> Cow<'static, str> {
        let Self::UnknownSubscription { .. } = self;
        "give an id or a display name with --subscription; `az account list -o table` shows them".into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// Finds the subscriptions in scope.
///
/// # Errors
///
/// [`ScopeError`] when a subscription was named that nobody can see, and every list was whole.
pub async fn resolve_scope(tenants: &[Tenant], scope: &Scope) -> Result<Visible, ScopeError> {
    let mut gaps = Vec::new();
    let mut subscriptions = all_subscriptions(tenants, &mut gaps).await;
    if !scope.management_groups.is_empty() {
        let members = members_of_groups(tenants, &scope.management_groups, &mut gaps).await;
        subscriptions.retain(|(subscription, _)| members.contains(&subscription.id));
    }
    if !scope.subscriptions.is_empty() {
        let is_missing = |name: &&String| !subscriptions.iter().any(|(s, _)| is_named(s, name));
        let missing: Vec<&String> = scope.subscriptions.iter().filter(is_missing).collect();
        if let (Some(name), true) = (missing.first(), gaps.is_empty()) {
            let principal = tenants.first().map_or("nobody", |tenant| tenant.principal.name.as_str()).to_owned();
            return Err(ScopeError::UnknownSubscription { name: (*name).clone(), principal });
        }
        // Any of them may be among the subscriptions that could not be listed.
        gaps.extend(missing.into_iter().map(|name| Gap {
            scope: GapScope::Subscription(name.as_str().into()),
            blind: Unchecked::new(Reason::NoSubscription, "not among the subscriptions that could be listed"),
        }));
        subscriptions.retain(|(s, _)| scope.subscriptions.iter().any(|name| is_named(s, name)));
    }
    if subscriptions.is_empty() && gaps.is_empty() {
        let detail = "the identity sees no subscription: it has no role anywhere, or is in another tenant";
        gaps.push(Gap { scope: GapScope::AllSubscriptions, blind: Unchecked::new(Reason::NoSubscription, detail) });
    }
    Ok(Visible { subscriptions, gaps })
}

/// Two subscriptions may have one display name: then the name means both, and neither is dropped.
fn is_named(subscription: &Subscription, name: &str) -> bool {
    subscription.id == SubscriptionId::new(name) || subscription.name.eq_ignore_ascii_case(name)
}

async fn all_subscriptions(tenants: &[Tenant], gaps: &mut Vec<Gap>) -> Vec<(Arc<Subscription>, Tenant)> {
    let listings = join_all(tenants.iter().map(|tenant| list_subscriptions(&tenant.arm))).await;
    let mut found = Vec::new();
    // A subscription delegated to another tenant is listed in both.
    let mut seen = HashSet::new();
    for (tenant, listing) in tenants.iter().zip(listings) {
        if let Some(error) = listing.error {
            let id = tenant.principal.tenant.as_deref().unwrap_or("unknown");
            gaps.push(Gap { scope: GapScope::Tenant(id.into()), blind: error.blind(permissions::READ_SUBSCRIPTIONS) });
        }
        for subscription in listing.items {
            if seen.insert(subscription.id.clone()) {
                found.push((Arc::new(subscription), tenant.clone()));
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| (a.name.to_lowercase(), &a.id).cmp(&(b.name.to_lowercase(), &b.id)));
    found
}

async fn members_of_groups(tenants: &[Tenant], groups: &[String], gaps: &mut Vec<Gap>) -> HashSet<SubscriptionId> {
    let mut members = HashSet::new();
    for group in groups {
        // A group lives in one tenant: it is enough that one of them knows it whole.
        let asked = tenants.iter().map(|tenant| subscriptions_of_management_group(&tenant.arm, group));
        let listings = join_all(asked).await;
        let known = listings.iter().any(|listing| listing.error.is_none());
        for listing in listings {
            members.extend(listing.items);
            if let Some(error) = listing.error.filter(|_| !known) {
                let scope = GapScope::ManagementGroup(group.as_str().into());
                gaps.push(Gap { scope, blind: error.blind(permissions::READ_DESCENDANTS) });
            }
        }
    }
    members
}
