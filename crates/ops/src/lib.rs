//! The use cases of hostssl, each a function: they wire what observes to what decides, keep the bounds, and tell what
//! happens as events. They know no terminal and no file format.

mod audit;
mod clients;
mod documents;
mod event;
mod listener_probe;
mod remediation;
mod scope;
mod selection;
mod subscription;

pub use audit::{AuditRequest, Discovery, Stamp, audit, audit_and_probe};
pub use clients::{ClientsCensus, ServerCensus, take_census};
pub use documents::{Document, Documents, ShowError, list_server_documents, show_server_document};
pub use event::Event;
pub use listener_probe::{ListenerProbe, Moment};
pub use remediation::{
    NotPermitted, PlanError, PlanRequest, Planned, Remediation, RemediationError, WireJudge, make_plan,
};
pub use scope::{ScopeError, Tenant, Visible, resolve_scope};
pub use selection::{NoMatch, Selector};
