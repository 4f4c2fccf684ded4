//! What a probe ends with, and why.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// What decided the exit code of a probe. Its size does not depend on the number of endpoints; `failures` of each says which
/// ones have a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeExit {
    /// What it ends with.
    pub end: ProbeEnd,
    /// How many endpoints fail by each finding.
    pub findings: Vec<(String, u64)>,
    /// How many endpoints neither pass nor fail.
    pub undecided: u64,
    /// Whether everything that was asked for was done.
    pub complete: bool,
}

/// What a probe ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeEnd {
    /// Every endpoint is proven to enforce TLS.
    Pass,
    /// An endpoint fails.
    Findings,
    /// None fails, and it is not known of all that they pass.
    Incomplete,
}

impl ProbeEnd {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Findings => 3,
            Self::Incomplete => 4,
        }
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Exit<'a> {
    /// The exit code of `hostssl probe`: 0 pass, 3 findings, 4 incomplete.
    code: u8,
    reason: ExitReason,
    /// The findings that decide code 3, as in `failures` of the endpoints. Empty otherwise.
    decided_by: Vec<Decisive<'a>>,
    /// The endpoints that neither pass nor fail.
    undecided: u64,
    /// Whether everything that was asked for was done. If not, the probe does not pass.
    complete: bool,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum ExitReason {
    Pass,
    Findings,
    Incomplete,
}

/// A finding that decides the exit code.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Decisive<'a> {
    /// `not-enforced`, `verify-full`, or a weakness.
    finding: &'a str,
    /// The number of endpoints that fail by it.
    endpoints: u64,
}

impl<'a> From<&'a ProbeExit> for Exit<'a> {
    fn from(exit: &'a ProbeExit) -> Self {
        let decisive = |(finding, endpoints): &'a (String, u64)| Decisive { finding, endpoints: *endpoints };
        Self {
            code: exit.end.code(),
            reason: match exit.end {
                ProbeEnd::Pass => ExitReason::Pass,
                ProbeEnd::Findings => ExitReason::Findings,
                ProbeEnd::Incomplete => ExitReason::Incomplete,
            },
            decided_by: exit.findings.iter().map(decisive).collect(),
            undecided: exit.undecided,
            complete: exit.complete,
        }
    }
}
