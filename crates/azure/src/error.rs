//! What can go wrong between hostssl and Resource Manager, and whose fault it is.

use hostssl_model::Stop;
use hostssl_model::{Reason, Unchecked, untrusted};
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// A request that brought no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ArmError {
    /// Azure answered with an error.
    #[error("Azure answered {0}")]
    Refused(Refusal),
    /// Azure went on answering 429.
    #[error("Azure throttled the request{}{}", times(*refusals, *waited), asks(*after))]
    Throttled {
        /// How often it did.
        refusals: u32,
        /// Over how long.
        waited: Duration,
        /// How long Azure asks to wait now.
        after: Duration,
    },
    /// No token, or the token was refused twice.
    #[error("sign-in failed: {0}")]
    SignIn(String),
    /// Certainly nothing of the request was sent: no connection, or no time to make one.
    #[error("the request could not be sent: {0}")]
    NotSent(String),
    /// The connection broke, or no answer came in time.
    #[error("no answer from Azure: {0}")]
    Network(String),
    /// The answer is not what Resource Manager sends.
    #[error("unexpected answer from Azure: {0}")]
    Malformed(String),
    /// The run was stopped.
    #[error("the run was stopped: {}", .0)]
    Stopped(Stop),
}

fn times(refusals: u32, waited: Duration) -> String {
    if refusals == 1 { String::new() } else { format!(" {refusals} times over {} s", waited.as_secs()) }
}

fn asks(after: Duration) -> String {
    if after.is_zero() { String::new() } else { format!(", and asks to wait {} s", after.as_secs()) }
}

/// An error answer of Resource Manager or of a resource provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The error code, such as `AuthorizationFailed`; empty when the answer had none.
    pub code: String,
    /// The message, on one line, whole: what stands in the way is named at its end. It is cut where it is shown.
    pub message: String,
    /// `x-ms-request-id`, for Microsoft's support.
    pub request_id: Option<String>,
}

/// Cut to a length that can be shown; whole in the alternate form.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        match self.message.char_indices().nth(MESSAGE_LENGTH) {
            _ if self.message.is_empty() => Ok(()),
            Some((end, _)) if !f.alternate() => write!(f, ": {}…", self.message.get(..end).unwrap_or_default()),
            _ => write!(f, ": {}", self.message),
        }
    }
}

/// The longest message that is shown, in characters.
const MESSAGE_LENGTH: usize = 300;
/// The longest message that is kept, in characters: several resource ids, a policy's identifiers and the words around
/// them.
const WHOLE_MESSAGE: usize = 8000;

impl Refusal {
    /// Reads an error body. Azure sends `{"error":{"code","message"}}`, sometimes the bare inner object, sometimes
    /// nothing, and a front door sends HTML.
    pub(crate) fn read(status: u16, body: &[u8], request_id: Option<String>) -> Self {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Inner {
            code: String,
            message: String,
        }
        #[derive(Deserialize)]
        struct Outer {
            error: Inner,
        }
        let inner = serde_json::from_slice::<Outer>(body)
            .map(|outer| outer.error)
            .or_else(|_| serde_json::from_slice::<Inner>(body))
            .unwrap_or_default();
        let mut message = line_of(&inner.message, WHOLE_MESSAGE);
        if inner.code.is_empty() && message.is_empty() && !body.is_empty() {
            message = format!("not Azure's error format: {}", one_line(&excerpt(body)));
        }
        Self { status, code: one_line(&inner.code).chars().take(100).collect(), message, request_id }
    }

    /// Whether the code is one of these, without case.
    #[must_use]
    pub fn is(&self, codes: &[&str]) -> bool {
        codes.iter().any(|code| self.code.eq_ignore_ascii_case(code))
    }

    /// Whether it says that the provider or the type does not exist there, so that no server of the kind can.
    pub(crate) fn means_not_offered(&self) -> bool {
        let absent = ["MissingSubscriptionRegistration", "InvalidResourceNamespace", "SubscriptionNotRegistered"];
        let unknown_type = ["InvalidResourceType", "NoRegisteredProviderFound"];
        self.is(&absent) || (self.is(&unknown_type) && self.supported_versions().is_empty())
    }

    /// The api-versions that the message lists, when it refuses the one that was asked for.
    pub(crate) fn supported_versions(&self) -> Vec<&str> {
        let listed = self.message.split_once("supported api-versions are").map_or("", |(_, rest)| rest);
        listed
            .split(['\'', ',', ' ', '"', ':', '.'])
            .filter(|word| word.len() >= 10 && word.starts_with("20"))
            .collect()
    }

    /// The policy assignment that denied the request, out of "… Policy identifiers: '[{"policyAssignment":{"name":"X",
    /// …".
    #[must_use]
    pub fn policy_assignment(&self) -> Option<&str> {
        let (_, rest) = self.message.split_once(r#""policyAssignment":{"name":""#)?;
        rest.split_once('"').map(|(name, _)| name).filter(|name| !name.is_empty())
    }

    /// What is locked, out of "… because following scope(s) are locked: 'X'. …".
    #[must_use]
    pub fn locked_scope(&self) -> Option<&str> {
        let (_, rest) = self.message.split_once("are locked: '")?;
        rest.split_once('\'').map(|(scope, _)| scope).filter(|scope| !scope.is_empty())
    }

    /// The action that was forbidden, out of "… does not have authorization to perform action 'X' over scope …".
    #[must_use]
    pub fn forbidden_action(&self) -> Option<&str> {
        let (_, rest) = self.message.split_once("perform action '")?;
        let (action, _) = rest.split_once('\'')?;
        let plain = action.chars().all(|c| c.is_ascii_alphanumeric() || "./*-_".contains(c));
        (plain && !action.is_empty()).then_some(action)
    }
}

impl ArmError {
    /// Whether it says that the provider or the type does not exist there.
    #[must_use]
    pub fn means_not_offered(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.means_not_offered())
    }

    /// The reason for a report. `action` is the permission that the request needs: it is named when Azure forbids the
    /// request without saying which permission is missing.
    #[must_use]
    pub fn unchecked(&self, action: &str) -> Unchecked {
        // It is cut where it is shown, to the room that there is; programs read it whole.
        let detail = match self {
            Self::Refused(refusal) => format!("Azure answered {refusal:#}"),
            _ => self.to_string(),
        };
        let reason = match self {
            Self::Throttled { .. } => Reason::Throttled,
            Self::SignIn(_) => Reason::SignIn,
            Self::NotSent(_) | Self::Network(_) => Reason::Network,
            Self::Malformed(_) => Reason::MalformedAnswer,
            Self::Stopped(Stop::Interrupted) => Reason::Interrupted,
            Self::Stopped(Stop::Deadline) => Reason::Deadline,
            Self::Refused(refusal) => {
                let reason = reason_of(refusal);
                if reason == Reason::Permission {
                    let missing = refusal.forbidden_action().unwrap_or(action);
                    return Unchecked { missing_permission: Some(missing.into()), ..Unchecked::new(reason, detail) };
                }
                reason
            }
        };
        Unchecked::new(reason, detail)
    }
}

fn reason_of(refusal: &Refusal) -> Reason {
    let busy =
        ["ServerIsBusy", "ServerBusy", "ServerIsNotReady", "ServerUnavailableForOperation", "OperationInProgress"];
    match refusal.status {
        _ if refusal.is(&["ServerStoppedError", "ServerStopped"]) => Reason::Stopped,
        _ if refusal.is(&busy) => Reason::Busy,
        _ if refusal.means_not_offered() => Reason::NotOffered,
        // The type exists in versions that this program does not know: nothing vanished, and nothing was seen.
        _ if !refusal.supported_versions().is_empty() => Reason::AzureError,
        401 => Reason::SignIn,
        403 => Reason::Permission,
        404 => Reason::Vanished,
        429 => Reason::Throttled,
        _ => Reason::AzureError,
    }
}

/// Text from outside on one line, without harmful characters and secrets, cut to a length fit for a report.
pub(crate) fn one_line(text: &str) -> String {
    line_of(text, MESSAGE_LENGTH)
}

/// The same, cut to so many characters.
fn line_of(text: &str, longest: usize) -> String {
    let mut line = untrusted::one_line(text);
    if let Some((end, _)) = line.char_indices().nth(longest) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// The beginning of a body that could not be understood.
pub(crate) fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..80).unwrap_or(body)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unchecked(status: u16, body: &str) -> Unchecked {
        ArmError::Refused(Refusal::read(status, body.as_bytes(), None)).unchecked("assumed/read")
    }

    #[test]
    fn a_missing_permission_is_named_as_azure_names_it() {
        let told = unchecked(
            403,
            r#"{"error":{"code":"AuthorizationFailed","message":"The client 'x' with object id 'y' does not have authorization to perform action 'Microsoft.DBforPostgreSQL/servers/read' over scope '/subscriptions/s'"}}"#,
        );
        assert_eq!(told.missing_permission.as_deref(), Some("Microsoft.DBforPostgreSQL/servers/read"));
        let untold = unchecked(403, "");
        assert_eq!((untold.reason, untold.missing_permission.as_deref()), (Reason::Permission, Some("assumed/read")));
    }

    #[test]
    fn codes_decide_before_the_status() {
        let of =
            |status, code: &str| unchecked(status, &format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#)).reason;
        assert_eq!(of(400, "ServerStoppedError"), Reason::Stopped);
        assert_eq!(of(409, "serverisbusy"), Reason::Busy);
        assert_eq!(of(409, "MissingSubscriptionRegistration"), Reason::NotOffered);
        assert_eq!(of(404, "ResourceNotFound"), Reason::Vanished);
        assert_eq!(of(500, "InternalServerError"), Reason::AzureError);
        assert_eq!(
            unchecked(500, r#"{"code":"InternalServerError","message":"m"}"#).detail.as_ref(),
            "Azure answered HTTP 500 InternalServerError: m"
        );
    }

    #[test]
    fn an_unknown_version_is_not_an_absent_type() {
        let body = r#"{"error":{"code":"NoRegisteredProviderFound","message":"No registered resource provider found for location 'x' and API version '2025-08-01' for type 'flexibleServers'. The supported api-versions are '2021-06-01, 2022-12-01'."}}"#;
        let refusal = Refusal::read(400, body.as_bytes(), None);
        assert_eq!(refusal.supported_versions(), ["2021-06-01", "2022-12-01"]);
        assert!(!refusal.means_not_offered());
        assert!(
            Refusal::read(400, br#"{"error":{"code":"InvalidResourceType","message":"no such type"}}"#, None)
                .means_not_offered()
        );
    }

    #[test]
    fn what_stands_in_the_way_is_named_however_long_the_ids_are() {
        let id = format!(
            "/subscriptions/s/resourceGroups/{}/providers/Microsoft.DBforPostgreSQL/flexibleServers/x",
            "g".repeat(90)
        );
        let group = format!("/subscriptions/s/resourceGroups/{}", "g".repeat(90));
        let of = |code: &str, message: &str| {
            let body = serde_json::json!({"error": {"code": code, "message": message}}).to_string();
            Refusal::read(403, body.as_bytes(), None)
        };
        let locked = of(
            "ScopeLocked",
            &format!(
                "The scope '{id}' cannot perform write operation because following scope(s) are locked: '{group}'. Please remove the lock and try again."
            ),
        );
        assert_eq!(locked.locked_scope(), Some(group.as_str()));
        assert!(locked.to_string().chars().count() < 340, "what is shown is cut");
        let denied = of(
            "RequestDisallowedByPolicy",
            &format!(
                r#"Resource '{id}' was disallowed by policy. Policy identifiers: '[{{"policyAssignment":{{"name":"Keep","id":"/p"}}}}]'."#
            ),
        );
        assert_eq!(denied.policy_assignment(), Some("Keep"));
        let forbidden = of(
            "AuthorizationFailed",
            &format!(
                "The client '{id}' with object id '{id}' does not have authorization to perform action 'a/b/write' over scope '{id}'"
            ),
        );
        assert_eq!(forbidden.forbidden_action(), Some("a/b/write"));
    }

    #[test]
    fn text_from_outside_cannot_move_the_cursor() {
        let refusal = Refusal::read(502, b"<html>\x1b[2J\r\n<h1>Bad gateway</h1>", None);
        assert_eq!(refusal.to_string(), "HTTP 502: not Azure's error format: <html> [2J <h1>Bad gateway</h1>");
    }

    #[test]
    fn no_harmful_character_comes_from_azure() {
        let ranges = untrusted::HARMFUL.iter();
        for c in ranges.flat_map(|&(first, last)| first..=last) {
            let body = serde_json::json!({"error": {"code": format!("a{c}"), "message": format!("b{c}")}}).to_string();
            let told = Refusal::read(500, body.as_bytes(), None).to_string();
            assert!(!told.contains(untrusted::is_harmful), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn a_token_that_is_echoed_is_not_repeated() {
        assert_eq!(one_line("refused 'Bearer eyJhbGciOiJub25lIn0.e30.x' here"), "refused 'Bearer [removed]' here");
    }

    #[test]
    fn a_version_that_is_not_known_is_no_absence() {
        let body = r#"{"error":{"code":"InvalidResourceType","message":"for api version '2025-08-01'. The supported api-versions are '2030-01-01'."}}"#;
        assert_eq!(unchecked(404, body).reason, Reason::AzureError);
    }

    proptest! {
        #[test]
        fn no_body_panics(status in 100_u16..600, body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let refusal = Refusal::read(status, &body, None);
            let _ = refusal.supported_versions();
            let detail = ArmError::Refused(refusal).unchecked("a").detail;
            prop_assert!(!detail.chars().any(char::is_control));
        }
    }

    #[test]
    fn refusals_are_counted_where_there_were_several() {
        let throttled = |refusals, after| {
            let (waited, after) = (Duration::from_secs(7), Duration::from_secs(after));
            ArmError::Throttled { refusals, waited, after }.to_string()
        };
        assert_eq!(throttled(1, 0), "Azure throttled the request");
        assert_eq!(throttled(1, 300), "Azure throttled the request, and asks to wait 300 s");
        assert_eq!(throttled(2, 9), "Azure throttled the request 2 times over 7 s, and asks to wait 9 s");
    }
}
