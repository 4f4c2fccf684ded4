//! What Resource Manager answers, whole, and what a failure to answer means.

use crate::error::{excerpt, one_line};
use crate::retry_after::retry_after;
use crate::{ArmError, Refusal};
use azure_core::error::ErrorKind;
use azure_core::http::AsyncRawResponse;
use azure_core::http::headers::{HeaderName, Headers};
use futures::StreamExt;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// One answer: a status, what is needed of the headers, and the whole body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

pub(crate) async fn read_whole(response: AsyncRawResponse, limit: usize) -> Result<Answer, ArmError> {
    let (status, headers, mut stream) = response.deconstruct();
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(transport_error)?;
        if body.len() + chunk.len() > limit {
            return Err(ArmError::Malformed(format!("it is larger than {} MiB", limit >> 20)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status: u16::from(status), headers, body })
}

impl Answer {
    /// The error that the answer is.
    pub(crate) fn refusal(&self) -> Refusal {
        Refusal::read(self.status, &self.body, self.request_id())
    }

    /// What Microsoft's support finds the request by.
    pub(crate) fn request_id(&self) -> Option<String> {
        self.headers.get_optional_str(&HeaderName::from_static("x-ms-request-id")).map(one_line)
    }

    /// How long Azure asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, Timestamp::now())
    }

    /// The JSON document of a success, or the error.
    pub(crate) fn document<T: DeserializeOwned>(&self) -> Result<T, ArmError> {
        if !(200..300).contains(&self.status) {
            return Err(ArmError::Refused(self.refusal()));
        }
        parse(&self.body)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ArmError> {
    serde_json::from_slice(body).map_err(|error| {
        let begin = one_line(&excerpt(body));
        ArmError::Malformed(format!(
            "expected JSON, got {} bytes that begin `{begin}`: {}",
            body.len(),
            one_line(&error.to_string())
        ))
    })
}

/// The chain of causes, each once: the outermost message of a transport error rarely says what happened.
pub(crate) fn transport_error(error: azure_core::Error) -> ArmError {
    let (sign_in, not_connected) =
        (matches!(error.kind(), ErrorKind::Credential), matches!(error.kind(), ErrorKind::Connection));
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text = if text.is_empty() { part } else { format!("{text}: {part}") };
        }
        cause = error.source();
    }
    let text = one_line(&text);
    match (sign_in, not_connected) {
        (true, _) => ArmError::SignIn(text),
        // The transport's word for a connection that was not made, so that no byte of a request can have been sent.
        (_, true) => ArmError::NotSent(text),
        _ => ArmError::Network(text),
    }
}
