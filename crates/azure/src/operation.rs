//! Writes, and the long-running operations that carry them out ("Track asynchronous Azure operations").

use crate::answer::Answer;
use crate::arm_client::{Repeat, SendTurn};
use crate::{Arm, ArmError, Quota};
use azure_core::http::headers::HeaderName;
use azure_core::http::{Method, Url};
use hostssl_model::SubscriptionId;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// A write that Azure took. Whether it has the wished effect is only known by reading again.
#[derive(Debug)]
pub struct AcceptedWrite {
    /// The operation that carries it out; `None` when it is done already.
    pub operation: Option<OperationHandle>,
    /// What Microsoft's support finds the request by.
    pub request_id: Option<String>,
}

/// Where to ask how an operation is doing.
///
/// The address is signed: it is all that a holder needs to ask. It is followed as it came, and never shown or stored.
pub struct OperationHandle {
    url: Url,
    subscription: SubscriptionId,
    /// How long Azure asks to wait before the first question.
    pub retry_after: Option<Duration>,
}

impl fmt::Debug for OperationHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationHandle").field("retry_after", &self.retry_after).finish_non_exhaustive()
    }
}

/// How an operation is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationStatus {
    /// It is in progress. Azure's word for the state, and how long it asks to wait.
    Pending(String, Option<Duration>),
    /// It ended well, as Azure says.
    Succeeded,
    /// It failed. Azure reports that with HTTP 200.
    Failed {
        /// The error code.
        code: String,
        /// The message, on one line.
        message: String,
    },
    /// It was canceled.
    Canceled,
}

/// Waits until a write to this subscription may be sent at once.
pub async fn write_turn(arm: &Arm, subscription: &SubscriptionId) -> SendTurn {
    arm.turn(&Quota::Writes(subscription.clone())).await
}

/// Sends a write once: no failure is repeated, and a refusal that asks to wait (HTTP 429) is returned, not waited out.
///
/// # Errors
///
/// [`ArmError::Refused`], [`ArmError::Throttled`], [`ArmError::NotSent`] and [`ArmError::SignIn`] when Azure certainly
/// did not take it; [`ArmError::Network`] and [`ArmError::Malformed`] when that is unknown.
pub async fn write(
    arm: &Arm,
    method: Method,
    url: Url,
    body: &Value,
    subscription: &SubscriptionId,
    turn: Option<SendTurn>,
) -> Result<AcceptedWrite, ArmError> {
    let quota = Quota::Writes(subscription.clone());
    let answer = arm.answer(method, url, Some(body.to_string()), &quota, Repeat::Never, turn).await?;
    let operation = match answer.status {
        200..=204 if says_nothing_else(&answer.body) => handle(&answer, subscription)?,
        // A captive portal or a proxy answers 200 with a page of its own: Azure has said nothing yet.
        200..=204 => return Err(ArmError::Malformed("it is not JSON, so it is not from Resource Manager".to_owned())),
        _ => return Err(ArmError::Refused(answer.refusal())),
    };
    Ok(AcceptedWrite { operation, request_id: answer.request_id() })
}

/// Whether a body is what Resource Manager answers a write with: JSON, or nothing.
fn says_nothing_else(body: &[u8]) -> bool {
    body.iter().all(u8::is_ascii_whitespace) || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// The status address of an answer: `Azure-AsyncOperation` before `Location`. A success without either is complete.
fn handle(answer: &Answer, subscription: &SubscriptionId) -> Result<Option<OperationHandle>, ArmError> {
    let header = |name| answer.headers.get_optional_str(&HeaderName::from_static(name));
    let location = || if answer.status == 202 { header("location") } else { None };
    let Some(address) = header("azure-asyncoperation").or_else(location) else {
        return Ok(None);
    };
    let url =
        Url::parse(address).map_err(|_| ArmError::Malformed("the address of the operation is not a URL".to_owned()))?;
    Ok(Some(OperationHandle { url, subscription: subscription.clone(), retry_after: answer.retry_after() }))
}

/// Asks how an operation is doing.
///
/// # Errors
///
/// [`ArmError`] when there is no usable answer. A 403 or 404 says nothing about the operation: its status belongs to
/// the subscription, and an identity with rights on the server alone may not read it. Read the server instead.
pub async fn poll(arm: &Arm, operation: &OperationHandle) -> Result<OperationStatus, ArmError> {
    let quota = Quota::Reads(operation.subscription.clone());
    let answer = arm.answer(Method::Get, operation.url.clone(), None, &quota, Repeat::Transient, None).await?;
    progress(&answer)
}

fn progress(answer: &Answer) -> Result<OperationStatus, ArmError> {
    #[derive(Deserialize)]
    struct Status {
        status: Option<String>,
        error: Option<Failure>,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Failure {
        code: Option<String>,
        message: Option<String>,
    }
    match answer.status {
        202 => return Ok(OperationStatus::Pending("Accepted".to_owned(), answer.retry_after())),
        204 => return Ok(OperationStatus::Succeeded),
        200 | 201 => {}
        _ => return Err(ArmError::Refused(answer.refusal())),
    }
    let Status { status, error } = answer.document()?;
    // The result of a `Location` address is the resource itself, which has no status.
    let Some(word) = status else {
        return Ok(OperationStatus::Succeeded);
    };
    // Any other word means that it goes on: providers use words of their own, such as "Restarting".
    Ok(match word.to_ascii_lowercase().as_str() {
        "succeeded" => OperationStatus::Succeeded,
        "canceled" | "cancelled" => OperationStatus::Canceled,
        "failed" => {
            let failure = error.unwrap_or_default();
            let line = |text: Option<String>| crate::error::one_line(&text.unwrap_or_default());
            OperationStatus::Failed { code: line(failure.code), message: line(failure.message) }
        }
        _ => OperationStatus::Pending(crate::error::one_line(&word), answer.retry_after()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::headers::Headers;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
        let mut all = Headers::new();
        for (name, value) in headers {
            all.insert(*name, *value);
        }
        Answer { status, headers: all, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_failure_comes_with_http_200() {
        let body = r#"{"status":"Failed","error":{"code":"ServerIsBusy","message":"later"}}"#;
        let failed = OperationStatus::Failed { code: "ServerIsBusy".into(), message: "later".into() };
        assert_eq!(progress(&answer(200, &[], body)).unwrap(), failed);
    }

    #[test]
    fn unknown_words_are_not_an_end() {
        let pending = OperationStatus::Pending("Restarting".into(), Some(Duration::from_secs(7)));
        assert_eq!(progress(&answer(200, &[("retry-after", "7")], r#"{"status":"Restarting"}"#)).unwrap(), pending);
    }

    #[test]
    fn the_address_is_never_shown() {
        let subscription = SubscriptionId::new("s");
        let address = [("azure-asyncoperation", "https://management.azure.com/x?s=signature")];
        let handle = handle(&answer(202, &address, ""), &subscription).unwrap().unwrap();
        assert!(!format!("{handle:?}").contains("signature"));
        assert!(super::handle(&answer(200, &[], "{}"), &subscription).unwrap().is_none());
    }
}
