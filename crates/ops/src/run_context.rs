//! What a run is told from outside.

use jiff::Timestamp;

/// The facts about an audit or a plan that come from outside: its name, its clock and its program. When to stop is not among
/// them: the [`StopSignal`](hostssl_azure::StopSignal) belongs to each client and prober, because they do not all end at the
/// same moment (design record 009). A deadline gives it as well as a person.
#[derive(Clone)]
pub struct RunContext<'a> {
    /// The run's id.
    pub id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Tells the time.
    pub clock: &'a dyn Fn() -> Timestamp,
    /// The version of the program.
    pub tool_version: &'a str,
}

impl<'a> RunContext<'a> {
    /// A run that begins now, by `clock`.
    pub fn begin(id: impl Into<String>, clock: &'a dyn Fn() -> Timestamp, tool_version: &'a str) -> Self {
        Self { id: id.into(), started_at: clock(), clock, tool_version }
    }
}

impl std::fmt::Debug for RunContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, started_at, tool_version, clock: _ } = self;
        write!(f, "RunContext {{ {id} since {started_at}, version {tool_version} }}")
    }
}

/// A time as records have it: RFC 3339 in UTC, with microseconds. That is enough to tell runs apart, and every reader takes it.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    format!("{at:.6}")
}
