//! What a Terraform plan or state, or a compiled Bicep or ARM template, would do to encryption in transit: read, decided and
//! compared with what is live, as functions of values.
//!
//! Of a file only a few named attributes are read. The value of a setting is kept only if it is one of the words that a setting
//! takes, so that no password of a plan or a state can be in a result.

mod audited_servers;
mod check;
mod checked_file;
mod effect;
mod future;
mod iac_gate;
mod input;
mod report;

pub use check::check;
pub use checked_file::{IacFile, IacFormat, IacGap, IacGapKind};
pub use effect::{IacEffect, IacReason, IacServerChange};
pub use iac_gate::{IacBaseline, IacBaselineFailure, IacBaselineUse};
pub use input::{InvalidIac, MAX_BYTES, MAX_RESOURCES, read};
pub use report::{ComparedAudit, IacFinding, IacReport, IacRule, IacServer, LiveDifference, LiveValue};
