//! `hostssl mcp`.

#[cfg(feature = "mcp")]
mod bound;
#[cfg(feature = "mcp")]
mod kept_audits;
#[cfg(feature = "mcp")]
mod kept_clients;
#[cfg(feature = "mcp")]
mod tool_source;

use crate::args::{ConnectArgs, LimitArgs, ScopeArgs, Suggested, TerminalArgs, profiles};
use crate::error::CliError;
use crate::exit::Exit;
use crate::keep::KeepArgs;
use crate::route::RouteArgs;
use clap::Args;
use std::path::PathBuf;

/// Shown below the help.
pub(crate) const HELP: &str = "Tools: audit, servers, findings, clients, explain, plan.

Exit codes:
  0  done: the input has ended, or it was stopped by a signal
  1  the tool failed, or the client does not speak the protocol
  2  wrong usage";

#[derive(Debug, Clone, Args)]
pub(crate) struct McpArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    /// The rules of calls that name none, as name or name@version.
    #[arg(long, value_name = "NAME", default_value = "baseline", value_parser = Suggested(profiles), help_heading = "Rules")]
    pub(crate) profile: String,
    /// A file of waivers: what they cover today is left out of plans, and each plan says until when, why and by whom. Read anew for
    /// every plan.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_WAIVERS", help_heading = "Rules")]
    pub(crate) waivers: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) route: RouteArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[cfg(feature = "mcp")]
pub(crate) fn run(args: &McpArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    use crate::connect::block_on;
    use crate::signals::Signals;
    use hostssl_mcp::ToolServer;
    use std::sync::Arc;

    let source = tool_source::CommandSource::new(args, terminal)?;
    block_on(async {
        let mut end = Signals::of_an_end();
        let server = ToolServer::new(Arc::new(source), !args.keep.no_save, env!("CARGO_PKG_VERSION"));
        let served = server.serve_stdio(async move { end.next().await }).await;
        served.map_err(|error| CliError::failed(&error, "start it from a client of the Model Context Protocol"))?;
        Ok(Exit::AllPass)
    })
}

#[cfg(not(feature = "mcp"))]
pub(crate) fn run(_: &McpArgs, _: &TerminalArgs) -> Result<Exit, CliError> {
    Err(CliError::refused("this build of hostssl has no server for language models", "build it with --features mcp"))
}
