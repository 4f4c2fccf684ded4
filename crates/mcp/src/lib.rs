//! Tools for language models: `hostssl mcp`, a server of the Model Context Protocol.
//!
//! What the tools show comes through one trait, [`ToolSource`], whose five questions read. This crate knows nothing of Azure,
//! of the network and of the disk, and each result is a document that another command of hostssl writes too.

mod answer;
mod asks;
mod memory;
mod page;
mod server;
mod source;
mod tools;
mod trouble;

pub use asks::{AuditAsk, ClientsAsk, PlanAsk, ScopeAsk};
pub use server::{LONGEST_LINE, McpError, ToolServer};
pub use source::{CallStop, KeptQuestion, ToolAudit, ToolClients, ToolPlan, ToolSource};
pub use trouble::ToolTrouble;
