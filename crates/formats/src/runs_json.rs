//! The list of what was run, as JSON: frozen. Times are RFC 3339 in UTC.

use hostssl_remediation::RunEnd;
use serde::Serialize;
use serde_json::Value;

/// One run.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Run<'a> {
    /// An audit of servers.
    Audit(Audit<'a>),
    /// A probe of endpoints.
    Probe(Probe<'a>),
    /// It changed servers.
    Apply(Apply<'a>),
}

impl Run<'_> {
    /// The word for its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Audit(_) => "audit",
            Self::Probe(_) => "probe",
            Self::Apply(_) => "apply",
        }
    }
}

/// An audit.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit<'a> {
    /// The run.
    pub run: &'a str,
    /// The rules.
    pub profile: &'a str,
    /// The only controls of the profile that were checked; absent if all were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<&'a str>,
    /// The rules in words, as [`runs_text`](crate::runs_text) has them.
    #[serde(skip)]
    pub rules: String,
    /// Coverage: `complete`, `incomplete` or `stopped early`.
    pub coverage: &'static str,
    /// How many servers it found.
    pub servers: u64,
    /// Those with a finding that failed.
    pub fail: u64,
    /// Those of which something could not be checked, and nothing failed.
    pub unknown: u64,
    /// The others.
    pub pass: u64,
    /// The identity that ran it.
    pub principal: String,
    /// When it began.
    pub started_at: String,
    /// When it ended, or `-`.
    pub last_at: String,
}

/// A probe.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe<'a> {
    /// The run.
    pub run: &'a str,
    /// Whether everything was done: `complete`, `incomplete` or `not ended`.
    pub coverage: &'static str,
    /// How many endpoints were probed.
    pub endpoints: u64,
    /// Those that are proven not to enforce TLS.
    pub not_enforced: u64,
    /// Those of which neither is proven.
    pub unknown: u64,
    /// Those that are proven to.
    pub enforced: u64,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub last_at: Option<String>,
}

/// How a run that changed servers ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// In one word, such as `verified`, `undone`, `failed` or `open`.
    #[serde(serialize_with = "code")]
    pub end: RunEnd,
    /// How many steps were refused, failed or timed out, or could not be restored.
    pub failed: u32,
    /// How many have a write that is, or may be, still in progress.
    pub open: u32,
    /// How many were forgotten on request.
    pub forgotten: u32,
    /// How many values were read back and could not be read again before the end.
    pub not_read_again: u32,
}

fn code<S: serde::Serializer>(end: &RunEnd, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(end.as_str())
}

/// A run that changed servers.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Apply<'a> {
    /// The run.
    pub run: &'a str,
    /// The hash of its plan.
    pub plan: &'a str,
    /// Where it stands.
    pub phase: &'static str,
    /// How it ended; absent where its journal cannot be read.
    #[serde(flatten)]
    pub ending: Option<Ending>,
    /// How many steps the plan has.
    pub steps: u32,
    /// How many values were written and read back.
    pub written: u32,
    /// How many were restored and read back.
    pub put_back: u32,
    /// Who began it.
    pub principal: &'a str,
    /// When it began.
    pub started_at: String,
    /// When the journal's last entry was written.
    pub last_at: String,
}

/// The runs as one JSON value, in their order.
///
/// # Errors
///
/// None that a run can cause.
pub fn value(runs: &[Run<'_>]) -> Result<Value, serde_json::Error> {
    serde_json::to_value(runs)
}
