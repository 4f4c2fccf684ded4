//! Changing servers: plan, apply, resume, undo.

mod apply;
mod earlier;
mod judge;
mod plan;
mod preflight;
mod writer;

pub use apply::{Remediation, RemediationError};
pub use earlier::failed_last_time;
pub use judge::WireJudge;
pub use plan::{PlanError, PlanRequest, Planned, make_plan};
pub use preflight::NotPermitted;
