//! Changing servers: plan, apply, resume, undo.

mod apply;
mod earlier;
mod gate;
mod judge;
mod plan;
mod preflight;
mod writer;

pub use apply::{Remediation, RemediationError};
pub use earlier::{FailedBefore, failed_before, failed_last_time};
pub(crate) use gate::verdict_of;
pub use gate::{AcceptBreakage, ClientEvidence, ClientsSeen, worth_observing};
pub use judge::WireJudge;
pub use plan::{PlanError, PlanRequest, Planned, make_plan};
pub use preflight::NotPermitted;
