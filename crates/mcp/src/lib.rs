//! Tools for language models: `hostssl mcp`, a server of the Model Context Protocol.
//!
//! What the tools show comes through one trait, [`ToolSource`], whose five questions read. This crate knows nothing of Azure,
//! of the network and of the disk, and each result is a document that another command of hostssl writes too.

mod asks;
mod memory;
mod page;
mod tool_error;
mod tool_result;
mod tool_server;
mod tool_source;
mod tools;

pub use asks::{AuditAsk, ClientsAsk, PlanAsk, ScopeAsk};
pub use tool_error::ToolTrouble;
pub use tool_server::{LONGEST_LINE, McpError, ToolServer};
pub use tool_source::{CallStop, KeptQuestion, KnownAudit, ToolAudit, ToolClients, ToolPlan, ToolSource};
