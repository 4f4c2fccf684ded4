//! Reads and writes settings through Resource Manager, in the executor's terms.

use async_trait::async_trait;
use hostssl_azure::{
    Arm, ArmError, OperationHandle, Refusal, ResourceType, SendTurn, WriteParameterError, get_document, list_servers,
    permissions, poll, read_parameter, read_server, write_parameter, write_turn,
};
use hostssl_model::{Origin, Parameter, Reason, ResourceId, Unchecked};
use hostssl_remediation::{
    Accepted, OperationProgress, ParameterRef, ParameterWriter, PollError, RequestId, SafeText, WriteError,
};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Azure as the executor sees it.
pub(super) struct ArmWriter {
    arm: Arm,
    /// The turns that were waited for and not used yet: one a server, because a server gets one write at a time.
    turns: Mutex<HashMap<ResourceId, SendTurn>>,
}

impl ArmWriter {
    pub(super) fn new(arm: Arm) -> Self {
        Self { arm, turns: Mutex::default() }
    }

    /// Every change is one insertion or removal, so a panic elsewhere leaves nothing half-done behind.
    fn turns(&self) -> MutexGuard<'_, HashMap<ResourceId, SendTurn>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ParameterWriter for ArmWriter {
    type Operation = OperationHandle;

    async fn read(&self, at: ParameterRef<'_>) -> Result<Parameter, Unchecked> {
        read_parameter(&self.arm, at.server, at.kind, at.parameter).await
    }

    async fn created_at(&self, at: ParameterRef<'_>) -> Result<Option<String>, Unchecked> {
        let (id, resource_type) = (at.server, ResourceType::of(at.kind));
        let document = get_document(&self.arm, &id.subscription(), id.resource_group(), resource_type, id.name()).await;
        let document = document.map_err(|error| error.unchecked(resource_type.read_action()))?;
        match read_server(&document.to_string(), resource_type) {
            Ok(listed) if listed.posture.server.id == *id => {
                Ok(listed.posture.server.created_at.map(|time| time.to_string()))
            }
            Ok(_) => Err(Unchecked::new(Reason::MalformedAnswer, "Azure answered about another server")),
            Err(odd) => Err(Unchecked::new(Reason::MalformedAnswer, odd.0)),
        }
    }

    async fn whereabouts(&self, at: ParameterRef<'_>) -> Option<ResourceId> {
        let listing = list_servers(&self.arm, &at.server.subscription(), None, ResourceType::of(at.kind)).await;
        let mut servers = listing.items.into_iter().flatten().map(|listed| listed.posture.server.id);
        servers.find(|id| id.name().eq_ignore_ascii_case(at.server.name()) && id != at.server)
    }

    async fn await_turn(&self, at: ParameterRef<'_>) {
        if !self.turns().contains_key(at.server) {
            let turn = write_turn(&self.arm, &at.server.subscription()).await;
            self.turns().insert(at.server.clone(), turn);
        }
    }

    async fn is_ready(&self, at: ParameterRef<'_>) -> Option<bool> {
        // The other kinds have no word for being at work.
        if !at.kind.offering().tells_busy {
            return None;
        }
        let (id, resource_type) = (at.server, ResourceType::of(at.kind));
        let document = get_document(&self.arm, &id.subscription(), id.resource_group(), resource_type, id.name()).await;
        let listed = read_server(&document.ok()?.to_string(), resource_type).ok()?;
        let server = listed.posture.server;
        let state = server.state.filter(|_| server.id == *id)?;
        let is = |word: &str| state.as_str().eq_ignore_ascii_case(word);
        let at_work = ["Updating", "Starting", "Restarting"].into_iter().any(is);
        (at_work || is("Ready")).then_some(!at_work)
    }

    async fn write(
        &self,
        at: ParameterRef<'_>,
        value: &str,
        origin: Origin,
    ) -> Result<Accepted<OperationHandle>, WriteError> {
        let action = permissions::write_action(at.kind, at.parameter).unwrap_or_default();
        let turn = self.turns().remove(at.server);
        match write_parameter(&self.arm, at.server, at.kind, at.parameter, (value, origin), turn).await {
            Ok(accepted) => Ok(Accepted {
                request_id: accepted.request_id.and_then(|id| RequestId::new(&id).ok()),
                retry_after: accepted.operation.as_ref().and_then(|operation| operation.retry_after),
                operation: accepted.operation,
            }),
            Err(WriteParameterError::Arm(error)) => Err(not_written(&error, action)),
            Err(error @ WriteParameterError::NotWritable { .. }) => {
                Err(WriteError::Failed { detail: SafeText::new(&error.to_string()) })
            }
        }
    }

    async fn poll(&self, operation: &OperationHandle) -> Result<OperationProgress, PollError> {
        match poll(&self.arm, operation).await {
            Ok(progress) => Ok(progress_of(progress)),
            Err(error) => Err(not_told(&error)),
        }
    }
}

/// What an error says about a write. Whatever does not say for certain that the write was not taken is
/// [`WriteError::Lost`].
fn not_written(error: &ArmError, action: &str) -> WriteError {
    let detail = SafeText::new(&error.to_string());
    match error {
        ArmError::Refused(refusal) => refused(refusal, error, action),
        // Only refusals came; a write was never taken.
        ArmError::Throttled { after, .. } => WriteError::Throttled { after: Some(*after) },
        // Azure carries out nothing for an identity that it does not know. An outage of the sign-in passes.
        ArmError::SignIn(_) | ArmError::NotSent(_) => WriteError::NotSent { detail },
        ArmError::Network(_) | ArmError::Malformed(_) | ArmError::Stopped(_) => WriteError::Lost { detail },
    }
}

fn refused(refusal: &Refusal, error: &ArmError, action: &str) -> WriteError {
    let detail = SafeText::new(&error.to_string());
    // A front door says so of a request whose fate it does not know ("Azure Resource Manager: transient errors").
    if refusal.status == 408 || refusal.status >= 500 {
        return WriteError::Lost { detail };
    }
    let named = |name: Option<&str>| SafeText::new(name.unwrap_or("(Azure does not say which)"));
    if refusal.is(&["ScopeLocked"]) {
        return WriteError::Locked { by: named(refusal.locked_scope()), detail };
    }
    if refusal.is(&["RequestDisallowedByPolicy"]) {
        return WriteError::Policy { assignment: named(refusal.policy_assignment()), detail };
    }
    match error.unchecked(action).reason {
        Reason::Busy => WriteError::Busy,
        Reason::Stopped => WriteError::Stopped { detail },
        Reason::Throttled => WriteError::Throttled { after: None },
        Reason::Permission => {
            let action = refusal.forbidden_action().unwrap_or(action);
            WriteError::Permission { action: SafeText::new(action), detail }
        }
        _ => WriteError::Failed { detail },
    }
}

fn progress_of(progress: hostssl_azure::OperationStatus) -> OperationProgress {
    match progress {
        hostssl_azure::OperationStatus::Pending(_, retry_after) => OperationProgress::Pending { retry_after },
        hostssl_azure::OperationStatus::Succeeded => OperationProgress::Succeeded,
        hostssl_azure::OperationStatus::Failed { code, message } => {
            OperationProgress::Failed { detail: SafeText::new(&format!("the operation failed: {code}: {message}")) }
        }
        hostssl_azure::OperationStatus::Canceled => {
            OperationProgress::Failed { detail: SafeText::new("the operation was canceled") }
        }
    }
}

fn not_told(error: &ArmError) -> PollError {
    match error {
        ArmError::Refused(Refusal { status: 403, .. }) => PollError::Forbidden,
        ArmError::Refused(Refusal { status: 404 | 410, .. }) => PollError::Gone,
        _ => PollError::Lost { detail: SafeText::new(&error.to_string()), after: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::Stop;
    use std::time::Duration;

    fn refusal(status: u16, code: &str, message: &str) -> ArmError {
        ArmError::Refused(Refusal { status, code: code.into(), message: message.into(), request_id: None })
    }

    #[test]
    fn what_is_not_certain_is_lost() {
        let uncertain = [
            ArmError::Network("connection reset".into()),
            ArmError::Malformed("half a document".into()),
            ArmError::Stopped(Stop::Interrupted),
            refusal(408, "", ""),
            refusal(500, "InternalServerError", ""),
            refusal(502, "", ""),
            refusal(503, "ServerIsBusy", "later"),
            refusal(504, "GatewayTimeout", ""),
        ];
        for error in uncertain {
            assert!(matches!(not_written(&error, "a/write"), WriteError::Lost { .. }), "{error}");
        }
    }

    #[test]
    fn a_refusal_names_what_stands_in_the_way() {
        let locked = "The scope '/x' cannot perform write operation because following scope(s) are locked: \
                      '/subscriptions/s/resourceGroups/g'. Please remove the lock and try again.";
        let WriteError::Locked { by, .. } = not_written(&refusal(409, "ScopeLocked", locked), "a/write") else {
            panic!("a lock")
        };
        assert_eq!(by.as_str(), "/subscriptions/s/resourceGroups/g");
        let denied = r#"Resource 'x' was disallowed by policy. Policy identifiers: '[{"policyAssignment":{"name":"Keep","id":"/p"}}]'."#;
        let error = refusal(403, "RequestDisallowedByPolicy", denied);
        let WriteError::Policy { assignment, .. } = not_written(&error, "a/write") else { panic!("a policy") };
        assert_eq!(assignment.as_str(), "Keep");
        let WriteError::Permission { action, .. } = not_written(&refusal(403, "", ""), "a/write") else {
            panic!("a permission")
        };
        assert_eq!(action.as_str(), "a/write");
    }

    #[test]
    fn what_may_pass_is_told_apart_from_what_may_not() {
        assert_eq!(not_written(&refusal(409, "ServerIsBusy", ""), ""), WriteError::Busy);
        assert_eq!(not_written(&refusal(400, "ServerBusy", ""), ""), WriteError::Busy);
        let throttled = ArmError::Throttled { refusals: 1, waited: Duration::ZERO, after: Duration::from_secs(9) };
        assert_eq!(not_written(&throttled, ""), WriteError::Throttled { after: Some(Duration::from_secs(9)) });
        for not_sent in [ArmError::NotSent("connection refused".into()), ArmError::SignIn("no token".into())] {
            assert!(matches!(not_written(&not_sent, ""), WriteError::NotSent { .. }), "{not_sent}");
        }
        assert!(matches!(not_written(&refusal(400, "ServerStoppedError", ""), ""), WriteError::Stopped { .. }));
        assert!(matches!(not_written(&refusal(404, "ResourceNotFound", ""), ""), WriteError::Failed { .. }));
        assert!(matches!(not_written(&refusal(400, "InvalidParameterValue", ""), ""), WriteError::Failed { .. }));
    }

    #[test]
    fn a_poll_that_is_not_answered_says_nothing_about_the_operation() {
        assert_eq!(not_told(&refusal(403, "AuthorizationFailed", "")), PollError::Forbidden);
        assert_eq!(not_told(&refusal(404, "ResourceNotFound", "")), PollError::Gone);
        assert!(matches!(not_told(&ArmError::Network("reset".into())), PollError::Lost { .. }));
        assert!(matches!(not_told(&refusal(503, "", "")), PollError::Lost { .. }));
    }
}
