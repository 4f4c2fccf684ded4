//! Before the first write: may the identity write at all?

use futures::StreamExt;
use futures::stream;
use hostssl_azure::{Arm, allows, list_permissions, permissions};
use hostssl_model::{ResourceId, Unchecked};
use hostssl_remediation::Step;
use std::collections::BTreeMap;
use std::fmt;

/// Scopes asked about at once.
const SCOPES_AT_ONCE: usize = 64;

/// A server that the identity may not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotPermitted {
    /// The server.
    pub server: ResourceId,
    /// The permission that is missing.
    pub action: &'static str,
}

impl fmt::Display for NotPermitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} needs {}", self.server.name(), self.action)
    }
}

/// The result of asking.
#[derive(Debug, Default)]
pub(super) struct Preflight {
    /// What certainly is not allowed, in the order of the servers' ids.
    pub(super) missing: Vec<NotPermitted>,
    /// Why Azure did not say, where it did not. It is no reason to stop: a write that is not allowed is refused.
    pub(super) untold: Option<Unchecked>,
}

/// Asks what the identity may do to the servers of a plan: a resource group at a time, because roles are mostly granted
/// there or above, and server by server only where that does not settle it.
pub(super) async fn preflight(arm: &Arm, steps: &[&Step]) -> Preflight {
    let mut groups: BTreeMap<String, Vec<NotPermitted>> = BTreeMap::new();
    for step in steps {
        let Some(action) = permissions::write_action(step.kind, step.parameter) else { continue };
        let (subscription, group) = (step.server.subscription(), step.server.resource_group());
        let scope = format!("/subscriptions/{subscription}/resourceGroups/{}", group.to_ascii_lowercase());
        groups.entry(scope).or_default().push(NotPermitted { server: step.server.clone(), action });
    }
    let asked = groups.into_iter().map(|(scope, wanted)| async move { ask_group(arm, &scope, wanted).await });
    let answers: Vec<Preflight> = stream::iter(asked).buffer_unordered(SCOPES_AT_ONCE).collect().await;
    let mut all = Preflight::default();
    for answer in answers {
        all.missing.extend(answer.missing);
        all.untold = all.untold.or(answer.untold);
    }
    all.missing.sort_by(|a, b| (&a.server, a.action).cmp(&(&b.server, b.action)));
    all.missing.dedup();
    all
}

async fn ask_group(arm: &Arm, scope: &str, wanted: Vec<NotPermitted>) -> Preflight {
    let granted = match list_permissions(arm, scope).await {
        Ok(granted) => granted,
        Err(error) => return untold(&error),
    };
    let mut answer = Preflight::default();
    let in_doubt = wanted.into_iter().filter(|one| !allows(&granted, one.action));
    let asked = in_doubt.map(|one| async move {
        let granted = list_permissions(arm, one.server.as_str()).await;
        (one, granted)
    });
    let asked: Vec<_> = stream::iter(asked).buffer_unordered(SCOPES_AT_ONCE).collect().await;
    for (one, granted) in asked {
        match granted {
            Ok(granted) if allows(&granted, one.action) => {}
            Ok(_) => answer.missing.push(one),
            Err(error) => answer.untold = answer.untold.or(untold(&error).untold),
        }
    }
    answer
}

fn untold(error: &hostssl_azure::ArmError) -> Preflight {
    Preflight { missing: Vec::new(), untold: Some(error.unchecked(permissions::READ_PERMISSIONS)) }
}
