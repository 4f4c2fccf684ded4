//! Changing servers: plan, apply, resume, undo.

mod apply;
mod census_gate;
mod earlier_runs;
mod judge;
mod plan;
mod preflight;
mod writer;

pub use apply::{Remediation, RemediationError};
pub(crate) use census_gate::verdict_of;
pub use census_gate::{AcceptBreakage, ClientsSeen, KeptEvidence, worth_observing};
pub use earlier_runs::{FailedBefore, failed_before, failed_last_time};
pub use judge::WireJudge;
pub use plan::{PlanError, PlanRequest, PlanWaivers, Planned, make_plan};
pub use preflight::NotPermitted;
