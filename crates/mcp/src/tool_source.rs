//! What the tools ask of the program.

use crate::asks::{AuditAsk, ClientsAsk, PlanAsk};
use crate::tool_error::ToolTrouble;
use async_trait::async_trait;
use hostssl_formats::clients::ClientsReport;
use hostssl_model::{AuditReport, Gap, ResourceId, Stop};
use hostssl_remediation::Plan;
use jiff::Timestamp;
use tokio::sync::watch;

/// Given when a call is cancelled, or the server ends.
pub type CallStop = watch::Receiver<Option<Stop>>;

/// What the tools need to know. Every question reads, and none can change a server.
#[async_trait]
pub trait ToolSource: Send + Sync + 'static {
    /// The scenario of the simulated Azure that a call is about which asks for this one; `None` for the real Azure.
    fn scenario(&self, asked: Option<&str>) -> Option<String>;

    /// Audits.
    async fn audit(&self, ask: AuditAsk, stop: CallStop) -> Result<ToolAudit, ToolTrouble>;

    /// An audit that is kept; `None` when it is not newer than asked.
    async fn kept_audit(&self, question: KeptQuestion) -> Result<Option<ToolAudit>, ToolTrouble>;

    /// The clients of servers.
    async fn clients(&self, ask: ClientsAsk, stop: CallStop) -> Result<ToolClients, ToolTrouble>;

    /// A plan, which is written nowhere.
    async fn plan(&self, ask: PlanAsk, stop: CallStop) -> Result<ToolPlan, ToolTrouble>;
}

/// Which kept audit is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptQuestion {
    /// Its id or the beginning of it; `None` for the newest.
    pub run: Option<String>,
    /// The scenario of a simulated Azure.
    pub scenario: Option<String>,
    /// Of the newest: only one that came after this one.
    pub newer_than: Option<KnownAudit>,
}

/// An audit that this session knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAudit {
    /// Its id. Where it is kept, what was kept after it is newer, whatever a clock said.
    pub run: String,
    /// When it began, for one that is not kept.
    pub began: Timestamp,
}

/// An audit.
#[derive(Debug)]
pub struct ToolAudit {
    /// The report.
    pub report: AuditReport,
    /// Whether it is kept.
    pub kept: bool,
    /// The scenario of the simulated Azure that it is of.
    pub scenario: Option<String>,
    /// What has to be known beside the report, in a sentence without its full stop.
    pub warnings: Vec<String>,
}

/// Clients of servers.
#[derive(Debug)]
pub struct ToolClients {
    /// The report.
    pub report: ClientsReport,
    /// What of the scope could not be seen.
    pub gaps: Vec<Gap>,
    /// Whether what was observed is kept; `None` when nothing was observed for this.
    pub kept: Option<bool>,
    /// What has to be known beside the report, in a sentence without its full stop.
    pub warnings: Vec<String>,
}

/// A plan, and what it could not consider.
#[derive(Debug, Clone)]
pub struct ToolPlan {
    /// The plan.
    pub plan: Plan,
    /// What could not be checked.
    pub gaps: Vec<Gap>,
    /// Whether everything in scope was checked.
    pub complete: bool,
    /// The production servers that go first, because no other can.
    pub production_first: Vec<ResourceId>,
}
