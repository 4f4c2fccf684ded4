//! Who made the changes between two audits: asks the Activity Log.

use hostssl_audit::{ActivityRead, Diff, earliest_start};
use hostssl_model::{AuditReport, ResourceId};
use hostssl_ops::{SubscriptionOf, Tenant, read_activity};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The servers that changed, each once.
pub(crate) fn changed<'a>(diffs: impl IntoIterator<Item = &'a Diff<'a>>) -> Vec<ResourceId> {
    let changes = diffs.into_iter().flat_map(|diff| &diff.changes);
    let by_id: BTreeMap<String, ResourceId> =
        changes.map(|change| (change.server.id.to_lowercase(), change.server.id.clone())).collect();
    by_id.into_values().collect()
}

/// What the Activity Log has of these servers since an audit began. Without a server, nothing is asked.
pub(crate) async fn since(
    tenants: &[Tenant],
    before: &AuditReport,
    after: &AuditReport,
    servers: &[ResourceId],
) -> ActivityRead {
    let known = [before, after].into_iter().flat_map(|audit| &audit.subscriptions);
    let tenant_of: SubscriptionOf =
        known.map(|one| (one.id.as_str().to_ascii_lowercase(), one.tenant.to_string())).collect();
    let now = Timestamp::now();
    // A time that cannot be read is that of no audit of this program: then all that is kept is asked for.
    let since = earliest_start(before, after).unwrap_or(Timestamp::MIN);
    read_activity(tenants, &tenant_of, servers, (since, now)).await
}
