//! Names of subscriptions: what kept audits knew, and what Azure says.

use crate::args::StateArgs;
use hostssl_azure::list_subscriptions;
use hostssl_formats::SubscriptionNames;
use hostssl_model::{Gap, GapScope};
use hostssl_ops::Tenant;

/// The names that kept audits knew. Without a state there are none, and ids stand for themselves.
pub(crate) fn kept(state: &StateArgs, simulated: bool) -> SubscriptionNames {
    let known = state.read(simulated).ok().and_then(|reader| reader.subscription_names().ok()).unwrap_or_default();
    SubscriptionNames::new(known.iter().map(|(id, name)| (id.as_str(), name.as_str())))
}

/// The names of the subscriptions that gaps are about. Without such a gap, Azure is not asked.
pub(crate) async fn of_gaps(tenants: &[Tenant], gaps: &[Gap]) -> SubscriptionNames {
    let mut listed = Vec::new();
    if gaps.iter().any(|gap| matches!(gap.scope, GapScope::Subscription(_))) {
        for tenant in tenants {
            listed.extend(list_subscriptions(&tenant.arm).await.items);
        }
    }
    SubscriptionNames::new(listed.iter().map(|one| (one.id.as_str(), &*one.name)))
}

/// The names of the subscriptions that the identity can see.
pub(crate) async fn of_azure(tenant: &Tenant) -> SubscriptionNames {
    let listed = list_subscriptions(&tenant.arm).await;
    SubscriptionNames::new(listed.items.iter().map(|one| (one.id.as_str(), &*one.name)))
}
