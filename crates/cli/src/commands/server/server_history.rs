//! `hostssl server history`: what was done to a server and by whom, by the Activity Log and by what runs kept.

use super::value::one_or_all;
use crate::args::{
    ConnectArgs, HistoryList, LimitArgs, ListArgs, ServerNameArgs, StateArgs, TerminalArgs, ValueArgs, ValueFormat,
    name,
};
use crate::connect::{block_on, connect};
use crate::error::CliError;
use crate::exit::Exit;
use crate::state::instant;
use crate::stdout;
use clap::Args;
use hostssl_audit::SubscriptionActivity;
use hostssl_formats::output::Format;
use hostssl_formats::server_history_json;
use hostssl_formats::server_history_text::{self, RunWrite, ServerEvent, ServerHistory};
use hostssl_model::{ResourceId, Scope};
use hostssl_ops::{SubscriptionOf, Tenant, activity_kept, own_write, read_activity, rfc3339, show_server_document};
use hostssl_store::ServerWrite;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

#[derive(Debug, Args)]
pub(crate) struct ServerHistoryArgs {
    #[command(flatten)]
    pub(crate) server: ServerNameArgs,
    /// How many days to go back. Azure keeps the Activity Log for 90.
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=90))]
    pub(crate) days: u16,
    /// A tenant, by id or domain (repeatable; default: the home tenant).
    #[arg(long, value_name = "TENANT", value_parser = name, help_heading = "Connection options")]
    pub(crate) tenant: Vec<String>,
    #[command(flatten)]
    pub(crate) value: ValueArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<HistoryList>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// What was read about one server.
struct Found {
    server: ResourceId,
    cloud: String,
    log: SubscriptionActivity,
    writes: Vec<ServerWrite>,
    since: Timestamp,
    until: Timestamp,
}

pub(crate) fn run(args: &ServerHistoryArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let format = Format::from(args.value.output);
    let is_table = query.is_none() && format == Format::Table;
    let shape = args.list.shape(is_table, args.value.output == ValueFormat::Wide)?;
    let found = block_on(read(args, terminal))?;
    let histories: Vec<ServerHistory<'_>> = found.iter().map(Found::history).collect();
    if is_table {
        for history in &histories {
            stdout::write_text(terminal, &shape, |out, text| server_history_text::write(out, history, text))?;
        }
    } else {
        let values: Result<Vec<Value>, _> = histories.iter().map(server_history_json::value).collect();
        let document = one_or_all(values.map_err(|error| CliError::defect(&error))?);
        stdout::write_value(&document, query.as_ref(), format, stdout::palette(terminal))?;
    }
    let is_whole = histories.iter().all(|history| history.unread.is_none());
    Ok(if is_whole { Exit::AllPass } else { Exit::Incomplete })
}

async fn read(args: &ServerHistoryArgs, terminal: &TerminalArgs) -> Result<Vec<Found>, CliError> {
    let tenants = connect(&args.connect, &args.state, &args.tenant, &args.limits, terminal).await?;
    let reader = args.state.read_if_any(args.connect.simulate.is_some())?;
    let until = Timestamp::now();
    let asked = SignedDuration::from_hours(24 * i64::from(args.days));
    let since = until.checked_sub(asked).unwrap_or(Timestamp::MIN).max(activity_kept(until));
    let mut found = Vec::new();
    for server in servers(args, &tenants).await? {
        let read = read_activity(&tenants, &SubscriptionOf::new(), std::slice::from_ref(&server), (since, until)).await;
        let log = read.subscriptions.into_values().next().unwrap_or_default();
        let writes = match &reader {
            Some(reader) => reader.writes(&server)?,
            None => Vec::new(),
        };
        let cloud = tenants.first().map(|tenant| tenant.arm.cloud().name.clone()).unwrap_or_default();
        found.push(Found { server, cloud, log, writes, since, until });
    }
    Ok(found)
}

/// The ids of the servers that are named. One that is named by its id need not be there any more.
async fn servers(args: &ServerHistoryArgs, tenants: &[Tenant]) -> Result<Vec<ResourceId>, CliError> {
    let mut found = Vec::new();
    for named in args.server.servers()? {
        if let Some((id, _)) = named.id {
            found.push(id);
            continue;
        }
        let scope =
            Scope { tenants: args.tenant.clone(), subscriptions: named.subscriptions.clone(), ..Scope::default() };
        let shown = show_server_document(tenants, &scope, named.pair(), named.kind()).await?;
        let ids = shown.documents.iter().filter_map(|document| document.raw["id"].as_str());
        found.extend(ids.filter_map(|id| ResourceId::try_from(id).ok()));
    }
    Ok(found)
}

impl Found {
    /// What the log has, each with the run that it was of; and what runs wrote that the log does not have.
    fn history(&self) -> ServerHistory<'_> {
        let mut entries: Vec<(i64, ServerEvent<'_>)> = Vec::new();
        let mut told: Vec<&ServerWrite> = Vec::new();
        for activity in &self.log.found {
            let own = own_write(activity, &self.writes);
            told.extend(own);
            let at = activity.at.parse::<Timestamp>().map_or(0, Timestamp::as_millisecond);
            entries.push((at, ServerEvent { operation: Some(activity), run: own.map(run_write) }));
        }
        let since = self.since.as_millisecond();
        let untold = self.writes.iter().filter(|write| write.at_ms >= since && !told.contains(write));
        entries.extend(untold.map(|write| (write.at_ms, ServerEvent { operation: None, run: Some(run_write(write)) })));
        entries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        ServerHistory {
            server: &self.server,
            cloud: &self.cloud,
            since: rfc3339(self.since),
            until: rfc3339(self.until),
            unread: self.log.unread.as_ref(),
            entries: entries.into_iter().map(|(_, entry)| entry).collect(),
        }
    }
}

fn run_write(write: &ServerWrite) -> RunWrite<'_> {
    RunWrite {
        run: &write.run,
        by: &write.by,
        at: instant(write.at_ms),
        setting: write.setting.key(),
        before: &write.before,
        after: &write.after,
        undo: write.undo,
    }
}
