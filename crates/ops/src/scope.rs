//! From what the user asked for to the subscriptions to look at.

use crate::selection::{NoMatch, Selector, unseen, was_stopped};
use futures::future::join_all;
use hostssl_azure::{Arm, list_management_groups, list_subscriptions, permissions, subscriptions_of_management_group};
use hostssl_model::untrusted::one_line;
use hostssl_model::{
    Advice, Fault, Gap, GapScope, Hint, Principal, Reason, Scope, Subscription, SubscriptionId, Unchecked,
    matches_pattern, nearest,
};
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

/// The subscriptions in scope that can be read, each with the tenant that reads it.
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
    /// A selector matches nothing.
    #[error("{0}")]
    NoMatch(Box<NoMatch>),
}

impl From<NoMatch> for ScopeError {
    fn from(no_match: NoMatch) -> Self {
        Self::NoMatch(Box::new(no_match))
    }
}

impl ScopeError {
    pub(crate) fn no_match(selector: Selector, value: &str, nearest: Option<String>, unseen: usize) -> Self {
        NoMatch { selector, value: value.to_owned(), alone: false, nearest, known: Vec::new(), unseen }.into()
    }
}

impl Advice for ScopeError {
    fn advice(&self) -> Hint {
        let Self::NoMatch(no_match) = self;
        match no_match.selector {
            Selector::ManagementGroup => return known_groups(&no_match.known),
            Selector::Subscription => "give an id, a display name or a pattern; `hostssl server list --query '[].id'` shows the ids of those with servers",
            Selector::ResourceGroup
            | Selector::Server
            | Selector::Tag
            | Selector::Except
            | Selector::Canary
            | Selector::AcceptBreakage => "`hostssl server list -o table` shows the servers and their resource groups",
            Selector::WaveBy => "`hostssl server list -o json --query '[].tags'` shows the tags",
        }
        .into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// The management groups that could be named.
fn known_groups(known: &[String]) -> Hint {
    const TOLD: usize = 10;
    if known.is_empty() {
        return "the identity can read no management group; without --management-group, every subscription is in scope"
            .into();
    }
    let told: Vec<_> = known.iter().take(TOLD).map(|name| one_line(name)).collect();
    let more = if known.len() > TOLD { ", …" } else { "" };
    Hint::with("the identity can read these management groups: {}{}", &[&told.join(", "), &more])
}

/// Finds the subscriptions in scope.
///
/// # Errors
///
/// [`ScopeError`] when a management group or a subscription was named that the identity cannot see, whatever else could
/// not be checked.
pub async fn resolve_scope(tenants: &[Tenant], scope: &Scope) -> Result<Visible, ScopeError> {
    let mut gaps = Vec::new();
    let mut subscriptions = all_subscriptions(tenants, &mut gaps).await;
    // Where nothing at all could be listed, a name is not a mistake: the lists are what failed.
    let unchecked = was_stopped(&gaps) || (subscriptions.is_empty() && !gaps.is_empty());
    if !scope.management_groups.is_empty() {
        let members = members_of_groups(tenants, &scope.management_groups, &mut gaps).await?;
        subscriptions.retain(|(subscription, _)| members.contains(&subscription.id));
    }
    let missing = scope.subscriptions.iter().filter(|name| !subscriptions.iter().any(|(s, _)| is_named(s, name)));
    for name in missing {
        if !unchecked {
            let nearest = nearest_subscription(name, subscriptions.iter().map(|(subscription, _)| &**subscription));
            return Err(ScopeError::no_match(Selector::Subscription, name, nearest, unseen(&gaps)));
        }
        gaps.push(Gap {
            scope: GapScope::Subscription(name.as_str().into()),
            unchecked: Unchecked::new(Reason::NoSubscription, "not among the subscriptions that could be listed"),
        });
    }
    if !scope.subscriptions.is_empty() {
        subscriptions.retain(|(s, _)| scope.subscriptions.iter().any(|name| is_named(s, name)));
    }
    if subscriptions.is_empty() && gaps.is_empty() {
        let detail = "no subscription is visible: the identity has no role anywhere, or is in another tenant";
        gaps.push(Gap { scope: GapScope::AllSubscriptions, unchecked: Unchecked::new(Reason::NoSubscription, detail) });
    }
    Ok(Visible { subscriptions, gaps })
}

/// The subscription that was probably meant: by its id, where the text looks like one, and by its name.
fn nearest_subscription<'a>(wanted: &str, known: impl Iterator<Item = &'a Subscription>) -> Option<String> {
    // The dashes of a GUID, which is what people mistype least.
    let is_id = wanted.matches('-').count() == 4 && wanted.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    let texts: Vec<&str> = known.map(|one| if is_id { one.id.as_str() } else { &*one.name }).collect();
    nearest(wanted, texts).map(ToOwned::to_owned)
}

/// Two subscriptions may have one display name: then the name means both, and neither is dropped.
fn is_named(subscription: &Subscription, name: &str) -> bool {
    subscription.id == SubscriptionId::new(name) || matches_pattern(name, &subscription.name)
}

async fn all_subscriptions(tenants: &[Tenant], gaps: &mut Vec<Gap>) -> Vec<(Arc<Subscription>, Tenant)> {
    let listings = join_all(tenants.iter().map(|tenant| list_subscriptions(&tenant.arm))).await;
    let mut found = Vec::new();
    // A subscription delegated to another tenant is listed in both.
    let mut seen = HashSet::new();
    for (tenant, listing) in tenants.iter().zip(listings) {
        if let Some(error) = listing.error {
            let id = tenant.principal.tenant.as_deref().unwrap_or("unknown");
            gaps.push(Gap {
                scope: GapScope::Tenant(id.into()),
                unchecked: error.unchecked(permissions::READ_SUBSCRIPTIONS),
            });
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

async fn members_of_groups(
    tenants: &[Tenant],
    groups: &[String],
    gaps: &mut Vec<Gap>,
) -> Result<HashSet<SubscriptionId>, ScopeError> {
    let mut members = HashSet::new();
    for group in groups {
        // A group lives in one tenant: it is enough that one of them knows it whole.
        let asked = tenants.iter().map(|tenant| subscriptions_of_management_group(&tenant.arm, group));
        let listings = join_all(asked).await;
        let known = listings.iter().any(|listing| listing.error.is_none());
        let mut failures = Vec::new();
        for listing in listings {
            members.extend(listing.items);
            failures.extend(listing.error.map(|error| error.unchecked(permissions::READ_DESCENDANTS)));
        }
        if known {
            continue;
        }
        if failures.iter().all(|unchecked| unchecked.reason == Reason::Vanished) {
            let names = join_all(tenants.iter().map(|tenant| list_management_groups(&tenant.arm))).await;
            let names: Vec<String> = names.into_iter().flat_map(|listing| listing.items).collect();
            let nearest = nearest(group, names.iter().map(String::as_str)).map(ToOwned::to_owned);
            let no_match = NoMatch {
                selector: Selector::ManagementGroup,
                value: group.clone(),
                alone: false,
                nearest,
                known: names,
                unseen: unseen(gaps),
            };
            return Err(no_match.into());
        }
        let scope = GapScope::ManagementGroup(group.as_str().into());
        gaps.extend(failures.into_iter().map(|unchecked| Gap { scope: scope.clone(), unchecked }));
    }
    Ok(members)
}
