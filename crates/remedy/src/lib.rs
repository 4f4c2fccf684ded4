//! Plans, checks, applies and undoes changes of encryption settings.
mod goal;
mod lint;
mod plan;
mod planner;
mod setting;
mod text;
pub use goal::*;
pub use lint::*;
pub use plan::*;
pub use planner::{ClientVerdict, Lock, PlanInputs, Target, WaivedFinding, plan};
pub use text::*;
