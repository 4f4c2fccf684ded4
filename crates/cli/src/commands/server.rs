//! `hostssl server list`, `hostssl server show` and what else is about one server.

mod server_history;
mod update;
mod value;

use crate::args::{
    ConnectArgs, LimitArgs, ListArgs, ScopeArgs, SelectArgs, ServerList, ServerNameArgs, StateArgs, TerminalArgs,
    ValueArgs, ValueFormat, name,
};
use crate::connect::{block_on, connect};
use crate::error::CliError;
use crate::exit::Exit;
use crate::{names, stdout};
use clap::{Args, Subcommand};
use hostssl_formats::SubscriptionNames;
use hostssl_formats::output::Format;
pub(crate) use hostssl_formats::server_document::COLUMNS;
use hostssl_model::{Gap, Scope};
use hostssl_ops::{Tenant, list_server_documents, show_server_document};
use serde_json::Value;
use server_history::ServerHistoryArgs;
use update::ServerUpdateArgs;
use value::{shape, write_named, write_table};

#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// List servers of every kind, in every subscription in scope.
    ///
    /// Has these options of `az postgres server list`: --resource-group, --subscription, --output and --query.
    #[command(after_help = crate::exit::READ_HELP)]
    List(ServerListArgs),
    /// Show one server, or several by --ids.
    ///
    /// Has these options of `az postgres server show`: --name, --resource-group, --ids, --subscription, --output and --query.
    #[command(after_help = crate::exit::READ_HELP)]
    Show(ServerShowArgs),
    /// Show who did what to one server, by Azure's Activity Log, and which of it hostssl did.
    #[command(after_help = crate::exit::READ_HELP)]
    History(ServerHistoryArgs),
    /// Change whether one server requires TLS: planned, applied and verified like any other change.
    ///
    /// Has these options of `az postgres server update`: --name, --resource-group, --ids, --subscription, --ssl-enforcement,
    /// --minimal-tls-version, --output and --query.
    #[command(after_help = crate::exit::CHANGE_HELP)]
    Update(ServerUpdateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ServerListArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) value: ValueArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<ServerList>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ServerShowArgs {
    #[command(flatten)]
    pub(crate) server: ServerNameArgs,
    /// A tenant, by id or domain (repeatable; default: the home tenant).
    #[arg(long, value_name = "TENANT", value_parser = name, help_heading = "Connection options")]
    pub(crate) tenant: Vec<String>,
    #[command(flatten)]
    pub(crate) value: ValueArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

pub(crate) fn run(command: &ServerCommand, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    match command {
        ServerCommand::List(args) => list(args, terminal),
        ServerCommand::Show(args) => show(args, terminal),
        ServerCommand::History(args) => server_history::run(args, terminal),
        ServerCommand::Update(args) => update::run(args, terminal),
    }
}

fn list(args: &ServerListArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let format = Format::from(args.value.output);
    let is_table = query.is_none() && format == Format::Table;
    let shape = args.list.shape(is_table, args.value.output == ValueFormat::Wide)?;
    let (documents, gaps, names, cloud) = block_on(async {
        let tenants = connect(&args.connect, &args.state, &args.scope.tenant, &args.limits, terminal).await?;
        let found = list_server_documents(&tenants, &args.scope.scope(&args.select)).await?;
        let names = names::of_gaps(&tenants, &found.gaps).await;
        Ok((found.documents, found.gaps, names, cloud_of(&tenants)))
    })?;
    let servers: Vec<Value> = documents.iter().map(self::shape).collect();
    let palette = stdout::palette(terminal);
    if is_table {
        write_table(&servers, &cloud, &shape, terminal)?;
    } else {
        stdout::write_value(&Value::Array(servers), query.as_ref(), format, palette)?;
    }
    Ok(print_gaps(&gaps, &names, terminal))
}

/// The cloud of the portal that names lead to.
fn cloud_of(tenants: &[Tenant]) -> String {
    tenants.first().map(|tenant| tenant.arm.cloud().name.clone()).unwrap_or_default()
}

fn show(args: &ServerShowArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let servers = args.server.servers()?;
    let (documents, gaps, names, cloud) = block_on(async {
        let tenants = connect(&args.connect, &args.state, &args.tenant, &args.limits, terminal).await?;
        let (mut documents, mut gaps) = (Vec::new(), Vec::new());
        for server in &servers {
            let subscriptions = server.subscriptions.clone();
            let scope = Scope { tenants: args.tenant.clone(), subscriptions, ..Scope::default() };
            let found = show_server_document(&tenants, &scope, server.pair(), server.kind()).await?;
            documents.extend(found.documents.first().map(shape));
            gaps.extend(found.gaps);
        }
        let names = names::of_gaps(&tenants, &gaps).await;
        Ok((documents, gaps, names, cloud_of(&tenants)))
    })?;
    write_named(documents, &cloud, &args.value, query.as_ref(), terminal)?;
    Ok(print_gaps(&gaps, &names, terminal))
}

/// What could not be checked is reported even with --quiet: the data alone would look complete.
fn print_gaps(gaps: &[Gap], names: &SubscriptionNames, terminal: &TerminalArgs) -> Exit {
    if stdout::warn_of_gaps(gaps, names, Some(stdout::LISTS_GAPS), terminal) { Exit::Incomplete } else { Exit::AllPass }
}
