//! The server: the handshake, the list of the tools, the calls.

use crate::asks::{self, AuditAsk, ClientsAsk, ExplainAsk, FindingsAsk, PlanAsk, ServersAsk};
use crate::memory::{Memory, Remembered, known};
use crate::page::Wanted;
use crate::tool_error::ToolTrouble;
use crate::tool_source::{CallStop, KeptQuestion, ToolAudit, ToolSource};
use crate::tools::{self, INSTRUCTIONS, ToolName};
use hostssl_model::Stop;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, Implementation, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, ServerInitializeError};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{RoleServer, ServerHandler, ServiceExt as _};
use std::future::Future;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// The longest message that is read, in bytes. A longer one is skipped.
pub const LONGEST_LINE: usize = 1 << 20;

/// The longest reason why there is no session, in characters.
const LONGEST_REASON: usize = 300;

/// The server ended otherwise than by the end of its input.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// The client does not speak the protocol.
    #[error("the client did not open a session: {0}")]
    NoSession(String),
    /// A part of the server ended early.
    #[error("the server ended early: {0}")]
    Ended(String),
}

/// A server of the Model Context Protocol.
pub struct ToolServer {
    source: Arc<dyn ToolSource>,
    memory: Memory,
    tools: Vec<Tool>,
    version: String,
}

impl ToolServer {
    /// A server whose tools ask `source`. With `keeps`, what is read is kept on this machine, and the tools say so.
    #[must_use]
    pub fn new(source: Arc<dyn ToolSource>, keeps: bool, version: &str) -> Self {
        Self { source, memory: Memory::default(), tools: tools::all(keeps), version: version.to_owned() }
    }

    /// Serves on standard input and output until the input ends or `end` is done; what is in progress is stopped then.
    ///
    /// # Errors
    ///
    /// [`McpError`] when there was no session, or not until its end.
    pub async fn serve_stdio(self, end: impl Future<Output = ()>) -> Result<(), McpError> {
        let (input, output) = rmcp::transport::stdio_pipes();
        self.serve_on(input, output, end).await
    }

    /// The same on any streams.
    ///
    /// # Errors
    ///
    /// As for [`serve_stdio`](Self::serve_stdio).
    pub async fn serve_on(
        self,
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
        end: impl Future<Output = ()>,
    ) -> Result<(), McpError> {
        let transport = AsyncRwTransport::new_server(input, output).with_max_line_length(LONGEST_LINE);
        tokio::pin!(end);
        let running = tokio::select! {
            running = self.serve(transport) => running,
            () = &mut end => return Ok(()),
        };
        let running = match running {
            Ok(running) => running,
            // The input ended before anything was asked.
            Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => return Ok(()),
            Err(error) => return Err(McpError::NoSession(why_no_session(error))),
        };
        let token = running.cancellation_token();
        let waiting = running.waiting();
        tokio::pin!(waiting);
        let ended = tokio::select! {
            ended = &mut waiting => ended,
            () = &mut end => {
                token.cancel();
                waiting.await
            }
        };
        ended.map(|_| ()).map_err(|error| McpError::Ended(error.to_string()))
    }

    async fn answer(
        &self,
        tool: ToolName,
        arguments: Option<JsonObject>,
        stop: CallStop,
    ) -> Result<CallToolResult, ToolTrouble> {
        match tool {
            ToolName::Audit => self.audit(asks::read(arguments)?, stop).await,
            ToolName::Servers => {
                let ask: ServersAsk = asks::read(arguments)?;
                let (audit, warnings) = self.kept(ask.run.as_deref(), ask.simulate.as_deref()).await?;
                tools::audits::servers(&audit.of, audit.scenario.as_deref(), &ask, &warnings)?.finish()
            }
            ToolName::Findings => {
                let ask: FindingsAsk = asks::read(arguments)?;
                let (audit, warnings) = self.kept(ask.run.as_deref(), ask.simulate.as_deref()).await?;
                tools::audits::findings(&audit.of, audit.scenario.as_deref(), &ask, &warnings)?.finish()
            }
            ToolName::Clients => self.clients(asks::read(arguments)?, stop).await,
            ToolName::Plan => self.plan(asks::read(arguments)?, stop).await,
            ToolName::Explain => tools::explain::explain(&asks::read::<ExplainAsk>(arguments)?)?.finish(),
        }
    }

    async fn audit(&self, ask: AuditAsk, stop: CallStop) -> Result<CallToolResult, ToolTrouble> {
        // What cannot be returned is not read first.
        let wanted = Wanted::new(0, ask.limit)?;
        let audit = self.source.audit(ask, stop).await?;
        let audit = self.memory.audit(audit.scenario.clone(), audit);
        tools::audits::audit(&audit.of, audit.scenario.as_deref(), wanted)?.finish()
    }

    /// The audit that a call names: one that was made here, or one that is kept. With what kept the state from being asked.
    async fn kept(
        &self,
        run: Option<&str>,
        asked: Option<&str>,
    ) -> Result<(Arc<Remembered<ToolAudit>>, Vec<String>), ToolTrouble> {
        let scenario = self.source.scenario(asked);
        let run = run.filter(|run| *run != "latest");
        let here = match run {
            Some(run) => match self.memory.find_audit(run) {
                Some(here) => return Ok((here, Vec::new())),
                None => None,
            },
            None => self.memory.newest_audit(scenario.as_deref()),
        };
        let question = KeptQuestion {
            run: run.map(ToOwned::to_owned),
            scenario: scenario.clone(),
            newer_than: here.as_ref().and_then(|here| known(&here.of)),
        };
        match (self.source.kept_audit(question).await, here) {
            (Ok(Some(kept)), _) => Ok((self.memory.audit(kept.scenario.clone(), kept), Vec::new())),
            (Ok(None), Some(here)) => Ok((here, Vec::new())),
            // A state that cannot be read does not hide what was read here.
            (Err(error), Some(here)) => {
                let what = "this is the newest audit of this session, and it is not known whether a newer one is kept";
                Ok((here, vec![format!("{what}: {}", error.what)]))
            }
            (Ok(None), None) => Err(ToolTrouble::new("no audit is kept", "call the tool `audit` first")),
            (Err(error), None) => Err(error),
        }
    }

    async fn clients(&self, ask: ClientsAsk, stop: CallStop) -> Result<CallToolResult, ToolTrouble> {
        Wanted::new(ask.offset, ask.limit)?;
        let scenario = self.source.scenario(ask.simulate.as_deref());
        let seen = self.source.clients(ask.clone(), stop).await?;
        tools::clients::clients(&seen, scenario.as_deref(), &ask)?.finish()
    }

    async fn plan(&self, ask: PlanAsk, stop: CallStop) -> Result<CallToolResult, ToolTrouble> {
        Wanted::new(ask.offset, ask.limit)?;
        let made = match &ask.hash {
            Some(hash) if ask.asks_otherwise() => {
                let what = format!("the plan `{hash}` was made, and its scope and rules stay as they are");
                return Err(ToolTrouble::new(what, "with `hash`, give only `offset` and `limit`"));
            }
            Some(hash) => self.memory.find_plan(hash).ok_or_else(|| {
                ToolTrouble::new(format!("no plan `{hash}` was made here"), "call the tool without `hash` to make one")
            })?,
            None => {
                let scenario = self.source.scenario(ask.simulate.as_deref());
                let made = self.source.plan(ask.clone(), stop).await?;
                self.memory.plan(scenario, made)
            }
        };
        tools::plan::plan(&made.of, made.scenario.as_deref(), &ask)?.finish()
    }
}

/// Why there is no session, without what the client sent: that may be as long as a message.
fn why_no_session(error: ServerInitializeError) -> String {
    match error {
        ServerInitializeError::ExpectedInitializeRequest(_) => "its first message is not `initialize`".to_owned(),
        ServerInitializeError::TransportError { .. } => "it closed the connection".to_owned(),
        error => error.to_string().chars().take(LONGEST_REASON).collect(),
    }
}

impl ServerHandler for ToolServer {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("hostssl", self.version.as_str()).with_title("hostssl");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(about)
            .with_instructions(INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.clone()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = ToolName::read(&request.name) else {
            let names = ToolName::ALL.map(ToolName::as_str).join(", ");
            return Err(ErrorData::invalid_params(format!("no such tool; tools are {names}"), None));
        };
        let (give, stop) = watch::channel(None);
        let answer = tokio::select! {
            answer = self.answer(tool, request.arguments, stop) => answer,
            () = context.ct.cancelled() => {
                give.send_replace(Some(Stop::Interrupted));
                return Err(ErrorData::internal_error("the call was cancelled", None));
            }
        };
        Ok(answer.unwrap_or_else(|trouble| trouble.result()).into())
    }
}
