//! `hostssl clients`: who connects in plaintext, and whether enforcement would break them.

mod forget;
mod live_sessions;
mod log_files;

use crate::args::{
    ClientList, ConnectArgs, LimitArgs, OrderArgs, ScopeArgs, SelectArgs, StateArgs, TerminalArgs, name,
};
use crate::connect::{Connected, block_on, connect_whole};
use crate::error::CliError;
use crate::exit::Exit;
use crate::signals::EndSignal;
use crate::{names, stdout};
use clap::{Args, Subcommand, ValueEnum};
use hostssl_census::{Census, CensusLimits, CensusReport, KeptCensus, Millis, Prefix, Requirements, SessionTls};
use hostssl_formats::clients::{ClientsReport, ServerClients};
use hostssl_formats::output::Format;
use hostssl_formats::{Query, Shape, SubscriptionNames, clients_csv, clients_json, clients_sheet, clients_text};
use hostssl_model::Gap;
use hostssl_ops::{ClientSource, LogAnalyticsSource, ServerCensus, take_census};
use hostssl_store::{AuditStore, StoreError};
use jiff::Timestamp;
use std::path::PathBuf;

/// Shown below the help.
pub(crate) const HELP: &str = "Exit codes:
  0  safe: every client in the whole window used TLS
  1  the tool failed
  2  wrong usage
  3  breaks: at least one client connects in plaintext
  4  needs-observation: too little was observed to decide

Examples:
  hostssl clients pg-orders-prod --window 14d
  hostssl clients --log-file /var/log/postgresql
  hostssl clients shop-db --log-file /var/log/postgresql --window 14d
  hostssl clients --log-file postgresql.log.gz --log-file postgresql.csv --only plaintext
  journalctl -u postgresql -o cat | hostssl clients --log-file - --log-prefix '%m [%p] '
  hostssl clients --log-file /var/log/postgresql -o markdown > to-fix.md
  hostssl clients --sessions 'host=db.example user=monitor' --watch 1h
  hostssl clients --log-file /var/log/postgresql --sessions db.example --pgbouncer pooler.example:6432
  hostssl clients pg-orders-prod --sessions";

#[derive(Debug, Subcommand)]
pub(crate) enum ClientsCommand {
    /// Remove what is kept of the clients of a server, such as one that was deleted, or a name that was given by mistake.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Forget(forget::ForgetArgs),
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ClientsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ClientsCommand>,
    /// Only servers of this name or pattern, as with --server. With --log-file, --sessions TARGET or --pgbouncer: a name for the
    /// server that they are of, under which its clients are kept and merged with those of earlier runs.
    #[arg(value_name = "SERVER", value_parser = name)]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// A log of the server, a folder of them, or - for standard input; may be repeated. stderr, csvlog and jsonlog, also
    /// with gzip. All of them are logs of one server. Without it, the logs of every server in scope are downloaded from
    /// Azure, which takes read access to the servers; logfiles.download_enable must be on.
    #[arg(
        long,
        value_name = "FILE|DIR|-",
        conflicts_with_all = ["server", "tag", "except", "subscription", "resource_group", "management_group", "simulate"]
    )]
    pub(crate) log_file: Vec<PathBuf>,
    /// The server's log_line_prefix. Without it, hostssl detects the prefix and reports it.
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    pub(crate) log_prefix: Option<Prefix>,
    /// Read the logs that the servers in scope send to this Log Analytics workspace, by its id. They go back further than
    /// the log files: 30 days, or --since.
    #[arg(long, value_name = "WORKSPACE", value_parser = workspace)]
    pub(crate) log_analytics: Option<uuid::Uuid>,
    /// Count only what was observed since this time, such as 2026-09-16, 2026-09-16T19:00:00Z, or 14d for 14 days ago.
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<Since>,
    /// How long a server must have been observed before it is safe, such as 14d. For servers in Azure, whose clients are
    /// kept, older observations do not count.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = length)]
    pub(crate) window: Millis,
    /// Show only clients in this state. The verdict still counts all of them.
    #[arg(long, value_enum, value_name = "STATE")]
    pub(crate) only: Option<Only>,
    /// Output format; markdown lists what each plaintext client has to change.
    #[arg(long, short = 'o', value_enum, default_value_t = ClientsFormat::Table, ignore_case = true)]
    pub(crate) output: ClientsFormat,
    /// JMESPath query over the JSON report.
    #[arg(long, value_name = "JMESPATH")]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) order: OrderArgs<ClientList>,
    #[command(flatten)]
    pub(crate) live: live_sessions::LiveArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Do not keep what is observed. By default, the census of a server in Azure grows with every run.
    #[arg(long, help_heading = "State options")]
    pub(crate) no_save: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientsFormat {
    Table,
    /// The table with all columns, whatever the width.
    Wide,
    Json,
    /// JSON in colour, where the terminal has colours.
    Jsonc,
    Yaml,
    /// YAML in colour, where the terminal has colours.
    Yamlc,
    Tsv,
    Csv,
    Markdown,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    Plaintext,
    Unknown,
    Tls,
    Local,
}

/// A time, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    At(Millis),
    Ago(Millis),
}

pub(crate) fn run(args: &ClientsArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    if let Some(ClientsCommand::Forget(args)) = &args.command {
        return forget::run(args, terminal);
    }
    let query = stdout::query(args.query.as_deref())?;
    let is_wide = args.output == ClientsFormat::Wide;
    let shape = args.order.shape((is_wide || args.output == ClientsFormat::Table) && query.is_none(), is_wide)?;
    let started = Timestamp::now();
    let since = args.since.map(|since| match since {
        Since::At(at) => at,
        Since::Ago(length) => started.as_millisecond() - length,
    });
    let requirements = Requirements { window: args.window, now: Some(started.as_millisecond()) };
    let seen = if args.log_file.is_empty() && !args.live.names_targets() {
        of_azure(args, since, requirements, started.as_millisecond(), terminal)?
    } else {
        of_named(args, since, requirements)?
    };
    let mut report = ClientsReport {
        id: uuid::Uuid::now_v7().to_string(),
        started_at: started.to_string(),
        finished_at: Timestamp::now().to_string(),
        cloud: seen.principal.is_some().then(|| args.connect.cloud_name()).transpose()?,
        principal: seen.principal,
        window: args.window,
        since,
        servers: seen.servers,
    };
    // Servers that could not be listed may have any clients.
    let is_whole = !stdout::warn_of_gaps(&seen.gaps, &seen.names, Some(stdout::LISTS_GAPS), terminal);
    let exit = match Exit::of_census(report.verdict()) {
        Exit::AllPass if !is_whole => Exit::Incomplete,
        exit => exit,
    };
    if let Some(only) = args.only {
        report.keep_only(only.into());
    }
    write(&report, args, query.as_ref(), &shape, terminal)?;
    Ok(exit)
}

/// What was observed.
struct Seen {
    principal: Option<String>,
    servers: Vec<ServerClients>,
    gaps: Vec<Gap>,
    /// The names of the subscriptions that the gaps are about.
    names: SubscriptionNames,
}

/// Takes the census from the logs, servers and poolers that the options name.
fn of_named(args: &ClientsArgs, since: Option<Millis>, requirements: Requirements) -> Result<Seen, CliError> {
    if args.log_analytics.is_some() {
        let what = "--log-analytics is for the servers in scope, but other options name a server";
        return Err(CliError::usage(what, "leave one of them out"));
    }
    let has_logs = !args.log_file.is_empty();
    let own_name = own_name(args)?;
    let named = if args.live.names_targets() || args.live.is_of_scope() {
        live_sessions::named_servers(args, has_logs || own_name.is_some())?
    } else if args.live.watch.is_some() {
        return Err(live_sessions::nothing_to_watch());
    } else {
        Vec::new()
    };
    // What is kept is kept whole, and cut when it is judged.
    let census = || Census::new(CensusLimits::default(), since.filter(|_| own_name.is_none()));
    let mut logs = None;
    if has_logs {
        logs = Some(log_files::read(&args.log_file, args.log_prefix.clone(), census())?);
    }
    let one = |name: String, census: Census| {
        let (name, census) = match own_name {
            Some(own) => {
                let look = census.keep(Timestamp::now().as_millisecond());
                (own.to_owned(), judge_named(args, own, look, requirements, since))
            }
            None => (name, census.finish(requirements)),
        };
        ServerClients { id: None, name, owner: None, census, hidden: [0; 4] }
    };
    let servers = block_on(async {
        if named.is_empty() {
            return Ok(logs.take().map(|(name, census)| one(name, census)).into_iter().collect());
        }
        let (name_of_logs, mut from_logs) = logs.take().unzip();
        let end = &EndSignal::listen();
        let observed = named.into_iter().map(|server| {
            // With logs there is one server, and it has the name of its first log.
            let name = name_of_logs.clone().unwrap_or_else(|| server.name.clone());
            let census = from_logs.take().unwrap_or_else(census);
            async move { one(name, server.observe(args, census, end).await) }
        });
        Ok(futures::future::join_all(observed.collect::<Vec<_>>()).await)
    })?;
    Ok(Seen { principal: None, servers, gaps: Vec::new(), names: SubscriptionNames::default() })
}

/// The name that the user gives to the server of logs, sessions and poolers.
fn own_name(args: &ClientsArgs) -> Result<Option<&str>, CliError> {
    match args.names.as_slice() {
        [] => Ok(None),
        [name] => Ok(Some(name)),
        _ => {
            let what = "several servers are named, but --log-file, --sessions TARGET and --pgbouncer are for one";
            Err(CliError::usage(what, "run hostssl for each server"))
        }
    }
}

/// Takes the census from the logs that Resource Manager lists, and from the sessions of the servers if that is asked for.
fn of_azure(
    args: &ClientsArgs,
    since: Option<Millis>,
    requirements: Requirements,
    now: Millis,
    terminal: &TerminalArgs,
) -> Result<Seen, CliError> {
    if args.log_prefix.is_some() {
        let hint = "leave it out: the prefix of servers in Azure is detected";
        return Err(CliError::usage("--log-prefix is for --log-file", hint));
    }
    args.connect.refuse_ca_file_with_simulation()?;
    let has_sessions = args.live.is_of_scope();
    if !has_sessions && args.live.watch.is_some() {
        return Err(live_sessions::nothing_to_watch());
    }
    let is_real = args.connect.simulate.is_none();
    let analytics = args.log_analytics.map(|id| LogAnalyticsSource::new(id.to_string(), since, now));
    let mut select = args.select.clone();
    select.server.extend(args.names.iter().cloned());
    block_on(async {
        let end = EndSignal::listen();
        let real =
            (has_sessions && is_real).then(|| live_sessions::AzureSessions::new(args, end.clone())).transpose()?;
        let Connected { tenants, simulation, .. } =
            connect_whole(&args.connect, &args.state, &args.scope.tenant, &args.limits, terminal).await?;
        let simulated = simulation.as_ref().filter(|_| has_sessions);
        let simulated =
            simulated.map(|one| live_sessions::AzureSessions::of_simulation(args, one, end.clone())).transpose()?;
        let of_analytics = analytics.iter().map(|source| source as &dyn ClientSource);
        let of_sessions = real.iter().chain(&simulated).map(|source| source as &dyn ClientSource);
        let sources: Vec<&dyn ClientSource> = of_analytics.chain(of_sessions).collect();
        let names: Vec<&str> = tenants.iter().map(|tenant| tenant.principal.name.as_str()).collect();
        let principal = Some(names.join(", "));
        let seen = take_census(&tenants, &args.scope.scope(&select), now, &sources).await?;
        let (servers, _) = judged(seen.servers, keeper(args), requirements, since);
        let names = names::of_gaps(&tenants, &seen.gaps).await;
        Ok(Seen { principal, servers, gaps: seen.gaps, names })
    })
}

/// The state that keeps what is observed, and whether it is the one of simulations; `None` where nothing is to be kept.
fn keeper(args: &ClientsArgs) -> Option<(&StateArgs, bool)> {
    (!args.no_save).then_some((&args.state, args.connect.simulate.is_some()))
}

/// The clients of servers in Azure by what was observed and, where that is kept in a state, by what was kept before; and
/// whether it is kept.
pub(crate) fn judged(
    seen: Vec<ServerCensus>,
    keeper: Option<(&StateArgs, bool)>,
    requirements: Requirements,
    since: Option<Millis>,
) -> (Vec<ServerClients>, bool) {
    let (servers, looks): (Vec<_>, Vec<_>) =
        seen.into_iter().map(|one| (one.server.clone(), (one.server.id, one.look))).unzip();
    let merged = kept_in(keeper, |store| store.merge_censuses(looks.clone()));
    let is_kept = merged.is_some();
    let is_unread = keeper.is_some() && !is_kept;
    let judge = |kept: KeptCensus| {
        let report = kept.judge_chosen(requirements, since);
        if is_unread { report.without_kept() } else { report }
    };
    let all = merged.unwrap_or_else(|| looks.into_iter().map(|(_, look)| look).collect());
    let clients = servers.into_iter().zip(all).map(|(server, kept)| ServerClients {
        id: Some(server.id.as_str().to_owned()),
        name: server.name().to_owned(),
        owner: OWNER_TAGS.iter().find_map(|tag| server.tags.get(tag)).map(ToOwned::to_owned),
        census: judge(kept),
        hidden: [0; 4],
    });
    (clients.collect(), is_kept)
}

/// Adds what was observed of a server that the user has named to what is kept, and judges both.
fn judge_named(
    args: &ClientsArgs,
    name: &str,
    look: KeptCensus,
    requirements: Requirements,
    since: Option<Millis>,
) -> CensusReport {
    let keeper = keeper(args);
    let merged = kept_in(keeper, |store| store.merge_named_census(name, look.clone()));
    let is_unread = keeper.is_some() && merged.is_none();
    let report = merged.unwrap_or(look).judge_chosen(requirements, since);
    if is_unread { report.without_kept() } else { report }
}

/// Keeps something. `None` if nothing is to be kept or if that is impossible, which is reported; the result is shown anyway.
fn kept_in<T>(
    keeper: Option<(&StateArgs, bool)>,
    merge: impl FnOnce(&AuditStore) -> Result<T, StoreError>,
) -> Option<T> {
    let (state, simulated) = keeper?;
    match state.open_to_keep(simulated).and_then(|store| Ok(merge(&store)?)) {
        Ok(merged) => Some(merged),
        Err(error) => {
            // Even with --quiet: the next plan would know nothing of it.
            stderr!("warning: the clients were not kept, and those kept before were not read: {}", error.on_one_line());
            None
        }
    }
}

/// The tags that name who is responsible, the most particular first.
const OWNER_TAGS: [&str; 4] = ["owner", "team", "contact", "costcenter"];

fn write(
    report: &ClientsReport,
    args: &ClientsArgs,
    query: Option<&Query>,
    shape: &Shape,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    let format = match args.output {
        ClientsFormat::Table | ClientsFormat::Wide if query.is_none() => {
            return stdout::write_text(terminal, shape, |out, text| clients_text::write(out, report, text));
        }
        ClientsFormat::Csv => return stdout::write(|out| clients_csv::write(out, report)),
        ClientsFormat::Tsv if query.is_none() => return stdout::write(|out| clients_csv::write_tabs(out, report)),
        ClientsFormat::Markdown => return stdout::write(|out| clients_sheet::write(out, report)),
        ClientsFormat::Table | ClientsFormat::Wide => Format::Table,
        ClientsFormat::Json => Format::Json,
        ClientsFormat::Jsonc => Format::Jsonc,
        ClientsFormat::Yaml => Format::Yaml,
        ClientsFormat::Yamlc => Format::Yamlc,
        ClientsFormat::Tsv => Format::Tsv,
        ClientsFormat::None => Format::None,
    };
    let value = clients_json::value(report).map_err(|error| CliError::defect(&error))?;
    stdout::write_value(&value, query, format, stdout::palette(terminal))
}

impl From<Only> for SessionTls {
    fn from(only: Only) -> Self {
        match only {
            Only::Plaintext => Self::Plaintext,
            Only::Unknown => Self::Unknown,
            Only::Tls => Self::Tls,
            Only::Local => Self::Local,
        }
    }
}

fn workspace(text: &str) -> Result<uuid::Uuid, String> {
    text.parse().map_err(|_| "expected the workspace's id, a GUID such as 1a2b3c4d-...".to_owned())
}

fn prefix(text: &str) -> Result<Prefix, String> {
    text.parse().map_err(|error: hostssl_census::InvalidPrefix| error.to_string())
}

/// A length of time in weeks, days, hours, minutes or seconds: `14d`, `1d12h`.
fn length(text: &str) -> Result<Millis, String> {
    const EXPECTED: &str = "expected a time above zero, such as 14d, 12h or 1d12h";
    let mut rest = text;
    let mut seconds: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let mut units = tail.chars();
        let unit = match units.next() {
            Some('w') => 604_800,
            Some('d') => 86_400,
            Some('h') => 3_600,
            Some('m') => 60,
            Some('s') => 1,
            _ => return Err(EXPECTED.to_owned()),
        };
        let number: i64 = number.parse().map_err(|_| EXPECTED.to_owned())?;
        seconds = number
            .checked_mul(unit)
            .and_then(|more| seconds.checked_add(more))
            .filter(|seconds| *seconds <= 100 * 366 * 86_400)
            .ok_or_else(|| "expected less than a hundred years".to_owned())?;
        rest = units.as_str().trim_start();
    }
    if seconds > 0 { Ok(seconds * 1_000) } else { Err(EXPECTED.to_owned()) }
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(length) = length(text) {
        return Ok(Since::Ago(length));
    }
    let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let at: Timestamp =
        full.parse().map_err(|_| "expected a time such as 2026-09-16, 2026-09-16T19:00:00Z or 14d".to_owned())?;
    Ok(Since::At(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_times_are_read() {
        assert_eq!(length("14d"), Ok(14 * 86_400_000));
        assert_eq!(length("1d 12h"), Ok(36 * 3_600_000));
        for wrong in ["", "0d", "7", "d", "-1d", "99999999999999999999d", "1e3d", "1000w 1000000000w"] {
            assert!(length(wrong).is_err(), "{wrong}");
        }
        assert_eq!(since("1970-01-02"), Ok(Since::At(86_400_000)));
        assert_eq!(since("1970-01-01T01:00:00+01:00"), Ok(Since::At(0)));
        assert_eq!(since("2d"), Ok(Since::Ago(172_800_000)));
        assert!(since("yesterday").is_err());
    }
}
