//! Reads a check of a file from its JSON, version 1, as far as a later check is compared with it.

use crate::iac_json::SCHEMA;
use hostssl_iac::{IacBaseline, IacBaselineFailure};
use hostssl_model::{Advice, Fault, Hint, Outcome, WaiverState};
use serde::Deserialize;
use std::io;

/// A text is not a check that `hostssl iac check -o json` wrote.
#[derive(Debug, thiserror::Error)]
pub enum InvalidIacJson {
    /// It is no JSON, or a member is missing or of another type.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is something else.
    #[error("its schema is `{0}` and not `{SCHEMA}`")]
    Schema(String),
}

impl Advice for InvalidIacJson {
    fn advice(&self) -> Hint {
        "name a file that `hostssl iac check FILE -o json` wrote".into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

#[derive(Deserialize)]
struct CheckRead {
    file: FileRead,
    profile: String,
    live: Option<serde::de::IgnoredAny>,
    servers: Vec<CheckedServerRead>,
}

#[derive(Deserialize)]
struct FileRead {
    format: String,
}

#[derive(Deserialize)]
struct CheckedServerRead {
    findings: Vec<CheckedFindingRead>,
}

#[derive(Deserialize)]
struct CheckedFindingRead {
    outcome: String,
    before: Option<String>,
    after: Option<String>,
    live: Option<LiveRead>,
    fingerprint: String,
    waiver: Option<StateRead>,
}

#[derive(Deserialize)]
struct LiveRead {
    value: Option<String>,
}

#[derive(Deserialize)]
struct StateRead {
    state: String,
}

impl CheckedFindingRead {
    fn into_failure(self) -> (String, IacBaselineFailure) {
        let now = self.live.and_then(|live| live.value).or(self.before);
        (self.fingerprint, IacBaselineFailure { now, after: self.after })
    }
}

/// Reads what failed, and by which rules. A failure that was waived is not among it.
///
/// # Errors
///
/// [`InvalidIacJson`] when the text is something else.
pub fn read(text: impl io::Read) -> Result<IacBaseline, InvalidIacJson> {
    let check: serde_json::Value = serde_json::from_reader(io::BufReader::new(text))?;
    // First what it is: of another document, a member that is missing would be the wrong complaint.
    let schema = check["schema"].as_str().unwrap_or_default();
    if schema != SCHEMA {
        return Err(InvalidIacJson::Schema(schema.chars().take(80).collect()));
    }
    let check: CheckRead = serde_json::from_value(check)?;
    let counts = |finding: &CheckedFindingRead| {
        let is_waived = finding.waiver.as_ref().is_some_and(|one| one.state == WaiverState::InEffect.as_str());
        finding.outcome == Outcome::Fail.as_str() && !is_waived
    };
    let failures = check.servers.into_iter().flat_map(|server| server.findings).filter(counts);
    Ok(IacBaseline {
        profile: check.profile,
        format: check.file.format,
        is_compared: check.live.is_some(),
        failures: failures.map(CheckedFindingRead::into_failure).collect(),
    })
}
