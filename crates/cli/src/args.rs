//! The command line: one definition for parsing, help, completions and the manual page.

mod format_to;
mod list;
mod remediation;
mod suggested;

pub(crate) use format_to::*;
pub(crate) use list::*;
pub(crate) use remediation::*;
pub(crate) use suggested::*;

use crate::error::CliError;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use hostssl_model::ResourceId;
use hostssl_model::untrusted::is_harmful;
use std::path::PathBuf;
use std::time::Duration;

/// Finds every PostgreSQL server on Azure that does not enforce encryption in transit.
#[derive(Debug, Parser)]
#[command(
    name = "hostssl",
    version,
    max_term_width = 110,
    styles = Styles::styled().header(AnsiColor::Green.on_default().bold()).literal(AnsiColor::Cyan.on_default()),
    after_help = crate::exit::ALL_HELP
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) talk: OutputArgs,
}

impl Cli {
    /// Reads a command line, and what a command that is printed needs of it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or that help was asked for.
    pub(crate) fn read(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, clap::Error> {
        let matches = negative_numbers_are_values(Self::command()).try_get_matches_from(arguments)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        cli.talk.again = crate::again::Again::of(&matches);
        Ok(cli)
    }
}

/// A negative number behind an option is a wrong value of it, not an unknown option.
fn negative_numbers_are_values(command: clap::Command) -> clap::Command {
    let takes_value = |argument: &clap::Arg| argument.get_action().takes_values() && !argument.is_positional();
    command
        .mut_args(|argument| if takes_value(&argument) { argument.allow_negative_numbers(true) } else { argument })
        .mut_subcommands(negative_numbers_are_values)
}

/// What to say, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct OutputArgs {
    /// Print only errors and what could not be checked to stderr.
    #[arg(long, short = 'q', global = true)]
    pub(crate) quiet: bool,
    /// Print a line for each request to Azure to stderr; -vv prints more. Tokens are left out.
    #[arg(long, short = 'v', global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// When to use color; NO_COLOR is honored.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(crate) color: Colour,
    /// As --color never, which other programs call so.
    #[arg(long, global = true, hide = true, conflicts_with = "color")]
    pub(crate) no_color: bool,
    /// What a command that is printed needs of this one's options.
    #[arg(skip)]
    pub(crate) again: crate::again::Again,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Audit every PostgreSQL server in scope.
    #[command(after_help = crate::exit::AUDIT_HELP)]
    Audit(AuditArgs),
    /// Plan the changes that would make every server in scope require TLS. Writes nothing to Azure.
    #[command(after_help = crate::exit::PLAN_HELP)]
    Plan(Box<PlanArgs>),
    /// Apply a plan: wave by wave, each value re-read before and after, every step journaled.
    #[command(after_help = crate::exit::CHANGE_HELP)]
    Apply(ApplyArgs),
    /// Resume an interrupted run: reads what was in progress, then continues.
    #[command(after_help = crate::exit::CHANGE_HELP)]
    Resume(ResumeArgs),
    /// Restore exactly what a run changed.
    #[command(after_help = crate::exit::CHANGE_HELP)]
    Undo(UndoArgs),
    /// List, show or re-evaluate past runs.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Runs(RunsArgs),
    /// Compare two audits: new failures, fixed failures, and what could no longer be checked.
    ///
    /// Compares kept audits without calling Azure. A server that the later audit could not check is never reported as fixed
    /// or gone.
    #[command(after_help = crate::commands::diff::HELP)]
    Diff(crate::commands::diff::DiffArgs),
    /// Chart the status of the servers over the kept audits of one scope.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Trend(crate::commands::trend::TrendArgs),
    /// Check, list and add waivers: failures that were accepted for a time, in one reviewed file.
    #[command(subcommand, after_help = crate::commands::waivers::HELP)]
    Waivers(crate::commands::waivers::WaiversCommand),
    /// Plan, review and apply interactively.
    #[command(after_help = crate::exit::CHANGE_HELP)]
    Enforce(EnforceArgs),
    /// List, show and update servers, as `az postgres server` did.
    #[command(subcommand)]
    Server(ServerCommand),
    /// Prove from the network, without credentials, whether PostgreSQL endpoints enforce TLS.
    ///
    /// Endpoints are printed as they are done. A table of up to 1,000 is sorted, failures first. A query, or a format other
    /// than table, json or tsv, needs all of them in memory.
    #[command(after_help = crate::exit::PROBE_HELP)]
    Probe(ProbeArgs),
    /// Find the clients that would be refused if a server enforced TLS: those with TLS, those in plaintext, and a verdict.
    ///
    /// Reads server logs in any of PostgreSQL's formats. Only facts about connections are kept: no statement, no password.
    #[command(after_help = crate::commands::clients::HELP)]
    Clients(Box<crate::commands::clients::ClientsArgs>),
    /// Write the file of root certificates that clients need for verify-full, or check one.
    ///
    /// Clients trust roots, never an intermediate: Azure replaces intermediates without notice, and moves servers between
    /// its roots.
    #[command(after_help = crate::commands::ca_bundle::HELP, args_conflicts_with_subcommands = true)]
    CaBundle(crate::commands::ca_bundle::CaBundleArgs),
    /// Explain an error that a client saw: firewall, pg_hba.conf, TLS, password, trust store, name, address or resources.
    ///
    /// Takes the text as arguments or from standard input: the output of psql or a driver, with log prefixes, colors and
    /// several lines. Quoted names are ignored. Nothing is sent anywhere.
    #[command(after_help = crate::commands::explain::HELP)]
    Explain(ExplainArgs),
    /// List the controls, or explain one.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Controls(ControlsArgs),
    /// Print the custom role that a task needs, as JSON for `az role definition create`.
    #[command(subcommand)]
    Role(RoleCommand),
    /// Print Azure Policy assignments that keep servers enforced, as JSON, Bicep or Terraform.
    ///
    /// They assign policies that Azure has built in, and nothing is assigned by printing them. Without --enforce they only report.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Policy(crate::commands::policy::PolicyArgs),
    /// Start the web console.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Serve(Box<crate::commands::serve::ServeArgs>),
    /// Serve a simulated Azure on this machine, for demonstrations and tests.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Simulate(SimulateArgs),
    /// Print the completion script of a shell.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual pages.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Man {
        /// Write a page for each command into this folder instead, as hostssl-audit.1.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// The rules to check, as name or name@version. Without a version: the newest; versions that need a probe only with --probe.
    #[arg(long, value_name = "NAME", default_value = "baseline", value_parser = Suggested(profiles), help_heading = "Rules")]
    pub(crate) profile: String,
    /// Check only this control (repeatable).
    #[arg(long, value_name = "ID", value_parser = Suggested(controls), help_heading = "Rules")]
    pub(crate) control: Vec<String>,
    /// How to find servers.
    #[arg(long, value_enum, default_value_t = DiscoveryArg::Lists, help_heading = "Scope options")]
    pub(crate) discovery: DiscoveryArg,
    /// Output format (repeatable). FORMAT=FILE writes to a file, which is replaced as a whole; one format can go to stdout.
    #[arg(long, short = 'o', value_name = "FORMAT[=FILE]", default_value = "table", ignore_case = true, value_parser = FormatToParser::<AuditFormat>::new(), help_heading = "Output options")]
    pub(crate) output: Vec<FormatTo<AuditFormat>>,
    /// JMESPath query over the JSON report, for what goes to stdout.
    #[arg(long, value_name = "JMESPATH", help_heading = "Output options")]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) list: ListArgs<AuditList>,
    #[command(flatten)]
    pub(crate) gate: crate::gate::GateArgs,
    #[command(flatten)]
    pub(crate) wire: WireArgs,
    #[command(flatten)]
    pub(crate) keep: crate::keep::KeepArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// What an audit asks of the listeners.
#[derive(Debug, Args)]
#[command(next_help_heading = "Wire options")]
pub(crate) struct WireArgs {
    /// Connect to ports 5432 and 6432 of every server found, without credentials, and check what they really do.
    #[arg(long)]
    pub(crate) probe: bool,
    /// Fail certificates with fewer days left than this [default: 30].
    #[arg(long, value_name = "DAYS", requires = "probe")]
    pub(crate) expiry_days: Option<u32>,
    #[command(flatten)]
    pub(crate) route: crate::route::RouteArgs,
}

/// Where to look. Without any of these: every subscription that the identity can see.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Scope options")]
pub(crate) struct ScopeArgs {
    /// A tenant, by id or domain (repeatable; default: the home tenant).
    #[arg(long, value_name = "TENANT", value_parser = name)]
    pub(crate) tenant: Vec<String>,
    /// Only subscriptions below this management group (repeatable).
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) management_group: Vec<String>,
    /// Only this subscription, by id, name or pattern (repeatable).
    #[arg(long, value_name = "ID|NAME", value_parser = name)]
    pub(crate) subscription: Vec<String>,
    /// Only this resource group, by name or pattern (repeatable).
    #[arg(long, short = 'g', value_name = "NAME", value_parser = name)]
    pub(crate) resource_group: Vec<String>,
}

/// Which servers of the scope. A selector that matches nothing is an error.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Scope options")]
pub(crate) struct SelectArgs {
    /// Only servers of this name or pattern, such as 'pg-*' (repeatable).
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) server: Vec<String>,
    /// Only servers with this tag, such as environment=staging or team='shop-*' (repeatable; values of one tag are
    /// alternatives).
    #[arg(long, value_name = "TAG=VALUE", value_parser = tag)]
    pub(crate) tag: Vec<String>,
    /// Leave out servers of this name, pattern or tag (TAG=VALUE; repeatable).
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) except: Vec<String>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// End the run after this time, such as 90s, 10m or 1h, with a report of what was checked by then.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(crate) deadline: Duration,
    /// Requests to Azure in progress at once.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub(crate) concurrency: u16,
}

/// How to reach Azure.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection options")]
pub(crate) struct ConnectArgs {
    /// How to sign in. There is no fallback to another method.
    #[arg(long, value_enum, default_value_t = Auth::Cli, env = "HOSTSSL_AUTH")]
    pub(crate) auth: Auth,
    /// The cloud: AzureCloud, AzureUSGovernment, AzureChinaCloud, AzureBleuCloud.
    #[arg(long, value_name = "NAME", default_value = "AzureCloud", env = "HOSTSSL_CLOUD")]
    pub(crate) cloud: String,
    /// Resource Manager of another cloud.
    #[arg(long, value_name = "URL", env = "HOSTSSL_ARM_ENDPOINT")]
    pub(crate) arm_endpoint: Option<String>,
    /// The sign-in authority of another cloud.
    #[arg(long, value_name = "URL", env = "HOSTSSL_AUTHORITY_HOST")]
    pub(crate) authority_host: Option<String>,
    /// Trust the certificates in this PEM file too.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Use a simulated Azure inside this process: no account, no network. Changes to it are kept in the state directory.
    /// `hostssl simulate --list` shows the scenarios.
    #[arg(
        long,
        value_name = "SCENARIO",
        num_args = 0..=1,
        default_missing_value = "demo",
        value_parser = Suggested(scenarios),
        hide_possible_values = true
    )]
    pub(crate) simulate: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    /// The account that is signed in to the Azure CLI.
    Cli,
    /// The account that is signed in to the Azure Developer CLI.
    Azd,
    /// The managed identity of this machine (AZURE_CLIENT_ID for a user-assigned one).
    ManagedIdentity,
    /// A federated Kubernetes service account.
    WorkloadIdentity,
    /// AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.
    Secret,
    /// The service connection of an Azure Pipelines job.
    Pipelines,
    /// AZURE_CLIENT_CERTIFICATE_PATH with AZURE_TENANT_ID and AZURE_CLIENT_ID.
    #[cfg(feature = "certificate")]
    Certificate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiscoveryArg {
    /// Each subscription's own lists: authoritative.
    Lists,
    /// Azure Resource Graph: faster for very large fleets, but never complete.
    Graph,
}

impl From<DiscoveryArg> for hostssl_ops::Discovery {
    fn from(discovery: DiscoveryArg) -> Self {
        match discovery {
            DiscoveryArg::Lists => Self::Lists,
            DiscoveryArg::Graph => Self::Graph,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    Table,
    /// A table with every column, however wide the terminal is.
    Wide,
    Json,
    Jsonc,
    Yaml,
    Yamlc,
    Tsv,
    Csv,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// OCSF Compliance Findings, for security lakes.
    Ocsf,
    /// JUnit XML, for the test reports of pipelines.
    Junit,
    /// A summary for pull requests and jobs.
    Markdown,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ValueFormat {
    Table,
    /// A table with every column, however wide the terminal is.
    Wide,
    Json,
    Jsonc,
    Yaml,
    Yamlc,
    Tsv,
    None,
}

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

/// Which servers, as the Azure CLI names them.
#[derive(Debug, Args)]
pub(crate) struct ServerNameArgs {
    /// The server.
    #[arg(long, short = 'n', value_name = "NAME", value_parser = name, required_unless_present = "ids", requires = "resource_group")]
    name: Option<String>,
    /// Its resource group.
    #[arg(long, short = 'g', value_name = "NAME", value_parser = name, required_unless_present = "ids", requires = "name")]
    resource_group: Option<String>,
    /// Its subscription, by id or name (default: all of them are searched).
    #[arg(long, value_name = "ID|NAME", value_parser = name)]
    subscription: Vec<String>,
    /// One or more resource ids, instead of --name, --resource-group and --subscription.
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with_all = ["name", "resource_group", "subscription"])]
    ids: Vec<String>,
}

/// One server that the command line names.
#[derive(Debug, Clone)]
pub(crate) struct ServerName {
    pub(crate) name: String,
    pub(crate) resource_group: String,
    /// Where to search for it; everywhere by default.
    pub(crate) subscriptions: Vec<String>,
}

impl ServerNameArgs {
    /// The servers that are named.
    ///
    /// # Errors
    ///
    /// For an id that is not the id of a server.
    pub(crate) fn servers(&self) -> Result<Vec<ServerName>, CliError> {
        if let (Some(name), Some(resource_group)) = (&self.name, &self.resource_group) {
            let subscriptions = self.subscription.clone();
            return Ok(vec![ServerName { name: name.clone(), resource_group: resource_group.clone(), subscriptions }]);
        }
        let named = self.ids.iter().map(|text| {
            let id = ResourceId::try_from(text.as_str()).map_err(|error| {
                let hint = "`hostssl server list --query '[].id'` lists the ids of servers";
                CliError::usage(format!("--ids {text}: {error}"), hint)
            })?;
            Ok(ServerName {
                name: id.name().to_owned(),
                resource_group: id.resource_group().to_owned(),
                subscriptions: vec![id.subscription().to_string()],
            })
        });
        named.collect()
    }
}

/// The output options of the Azure CLI.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct ValueArgs {
    /// Output format.
    #[arg(long, short = 'o', value_enum, default_value_t = ValueFormat::Json, ignore_case = true)]
    pub(crate) output: ValueFormat,
    /// JMESPath query.
    #[arg(long, value_name = "JMESPATH")]
    pub(crate) query: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// Endpoints: host, host:port, host:port/db, postgresql://… or a connection string, also as JDBC, SQLAlchemy and
    /// ADO.NET write it. Passwords in them are dropped. Missing parts are taken from PGHOST, PGPORT, PGUSER, PGDATABASE,
    /// PGSSLROOTCERT, PGSERVICE and ~/.postgresql/root.crt, as libpq does. The bare name of an Azure server means its two
    /// ports, 5432 and 6432; the name of a service, _postgresql._tcp.example.com, means the hosts of its SRV records.
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Read targets from a file, one a line, or from standard input with -. Invalid lines are
    /// reported and make the run incomplete.
    #[arg(long = "targets", value_name = "FILE")]
    pub(crate) targets_file: Option<PathBuf>,
    /// Also try this user (repeatable). By default, postgres, a user that cannot exist, and the usual replication users are
    /// tried.
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) user: Vec<String>,
    /// Also try this database (repeatable). By default, postgres and a database that cannot exist are tried.
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Vec<String>,
    /// Leave out the default names: try only those of --user, --database and the target.
    #[arg(long)]
    pub(crate) only_these: bool,
    /// Try the fewest users and databases: six connections to a PostgreSQL that enforces TLS instead of thirteen. It misses
    /// plaintext that only a named replication user may use, or only one default user in the database of another.
    #[arg(long, conflicts_with = "only_these")]
    pub(crate) quick: bool,
    /// Send each plaintext startup this many times: several servers behind one address may answer differently.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) repeat: u16,
    /// Ask for replication of this kind (repeatable; default: physical).
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) replication: Vec<ReplicationArg>,
    /// Also enumerate cipher suites and groups, including post-quantum key exchange: one connection each.
    #[arg(long)]
    pub(crate) ciphers: bool,
    /// Run every test: --ciphers, direct TLS without ALPN, GSSENCRequest, and a startup message injected after the SSLRequest,
    /// which servers log as a protocol violation.
    #[arg(long)]
    pub(crate) thorough: bool,
    /// Print the exchange message by message.
    #[arg(long)]
    pub(crate) transcript: bool,
    /// Trust the certificates in this PEM file in addition to the system's and Azure's roots.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Fail certificates with fewer days left than this.
    #[arg(long, value_name = "DAYS")]
    pub(crate) expiry_days: Option<u32>,
    /// Fail only for these: not-enforced, verify-full, or a weakness by its name, such as no-tls13; separated by commas.
    /// By default, all of them count.
    #[arg(long, value_name = "FINDING,…", value_delimiter = ',', help_heading = "Gate options")]
    pub(crate) fail_on: Vec<crate::commands::probe::ProbeFinding>,
    /// Do not fail for these.
    #[arg(long, value_name = "FINDING,…", value_delimiter = ',', help_heading = "Gate options")]
    pub(crate) allow: Vec<crate::commands::probe::ProbeFinding>,
    #[command(flatten)]
    pub(crate) route: crate::route::RouteArgs,
    /// Connections at once to one server.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) connections: u16,
    /// Endpoints probed at once; up to 1,000 more may be connecting.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) parallel: u16,
    /// Time for one endpoint.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) value: TableArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<ProbeList>,
    #[command(flatten)]
    pub(crate) keep: crate::keep::KeepArgs,
}

/// The output options of a command whose reader is a person.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct TableArgs {
    /// Output format.
    #[arg(long, short = 'o', value_enum, default_value_t = ValueFormat::Table, ignore_case = true)]
    pub(crate) output: ValueFormat,
    /// JMESPath query over the JSON report.
    #[arg(long, value_name = "JMESPATH")]
    pub(crate) query: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplicationArg {
    None,
    Physical,
    Logical,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The error, as the client printed it; `-`, or nothing, to read it from standard input.
    #[arg(value_name = "ERROR TEXT")]
    pub(crate) text: Vec<std::ffi::OsString>,
    /// Output format.
    #[arg(long, short = 'o', value_enum, default_value_t = ValueFormat::Table, ignore_case = true)]
    pub(crate) output: ValueFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ControlsArgs {
    /// The control to explain.
    #[arg(value_parser = Suggested(controls), hide_possible_values = true)]
    pub(crate) id: Option<String>,
    /// Output format of the list.
    #[arg(long, short = 'o', value_enum, default_value_t = ValueFormat::Table, ignore_case = true)]
    pub(crate) output: ValueFormat,
    #[command(flatten)]
    pub(crate) list: ListArgs<ControlList>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// The role for `hostssl audit`: it can read what the audit reads and nothing else.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Audit(RoleArgs),
    /// The role for planning and applying: it can also change the parameters that hostssl changes, and nothing else.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Remediate(RoleArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RoleArgs {
    /// A subscription id where the role can be assigned (repeatable).
    #[arg(long, value_name = "ID", value_parser = name)]
    pub(crate) subscription: Vec<String>,
    /// A management group where the role can be assigned (repeatable).
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) management_group: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The scenario.
    #[arg(default_value = "demo", value_parser = Suggested(scenarios))]
    pub(crate) scenario: String,
    /// Discard what commands with --simulate changed in the scenario, then exit.
    #[arg(long, conflicts_with = "list")]
    pub(crate) reset: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// List the scenarios and exit.
    #[arg(long)]
    pub(crate) list: bool,
    /// The port on loopback; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Where to write the CA certificate and the Azure CLI's configuration (default: a new folder).
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Subscriptions of the fleet.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) subscriptions: Option<u32>,
    /// Servers of the fleet, in all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) servers: Option<u32>,
    /// Generate another fleet of the same size.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Time before each answer, in milliseconds.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub(crate) latency: Option<u64>,
    /// Time from the acceptance of each write to its end, in milliseconds.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=86_400_000))]
    pub(crate) operation_time: Option<u64>,
    /// Throttle reads of each subscription: a burst of N, then PER_SECOND a second, such as 20:4.
    #[arg(long, value_name = "N:PER_SECOND", value_parser = throttle)]
    pub(crate) throttle: Option<(u32, f64)>,
}

/// A name that becomes one segment of a path, and cannot become another.
fn name(text: &str) -> Result<String, String> {
    let misleading = text.is_empty() || text == "." || text == ".." || text.contains('/') || text.contains(is_harmful);
    if misleading { Err("expected a name".to_owned()) } else { Ok(text.to_owned()) }
}

/// A reason in the user's own words.
fn reason(text: &str) -> Result<String, String> {
    let said = !text.trim().is_empty() && !text.contains(is_harmful);
    if said { Ok(text.trim().to_owned()) } else { Err("expected a reason in words, on one line".to_owned()) }
}

/// A tag as it selects servers: `NAME=VALUE`.
fn tag(text: &str) -> Result<String, String> {
    let named = text.split_once('=').is_some_and(|(name, _)| !name.trim().is_empty());
    if named && !text.contains(is_harmful) { Ok(text.to_owned()) } else { Err("expected TAG=VALUE".to_owned()) }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| "expected a time such as 90s, 10m or 1h".to_owned())?;
    match Duration::try_from(parsed) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("expected a time above zero, such as 90s, 10m or 1h".to_owned()),
    }
}

fn throttle(text: &str) -> Result<(u32, f64), String> {
    let parsed = text.split_once(':').and_then(|(size, rate)| Some((size.parse().ok()?, rate.parse().ok()?)));
    match parsed {
        Some((size, rate)) if size > 0 && rate > 0.0 && f64::is_finite(rate) => Ok((size, rate)),
        _ => Err("expected two numbers above zero, such as 20:4".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_has_its_exit_codes() {
        fn look(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(command.has_subcommands() || help.contains("Exit codes:\n  0  "), "{path}: {help}");
            command.get_subcommands().for_each(|one| look(one, &path));
        }
        look(&Cli::command(), "");
    }

    #[test]
    fn a_negative_number_is_a_wrong_value() {
        for arguments in [&["probe", "db", "--expiry-days", "-5"][..], &["plan", "--wave-size", "-1"]] {
            let all = ["hostssl"].iter().chain(arguments).map(Into::into);
            let error = Cli::read(all).unwrap_err().render().to_string();
            assert!(error.starts_with("error: invalid value '-"), "{error}");
        }
    }

    #[test]
    fn tags_have_a_name() {
        assert_eq!(tag("a=b*"), Ok("a=b*".to_owned()));
        assert!(tag("a").is_err() && tag("=b").is_err() && tag("a=\u{202e}").is_err());
    }

    #[test]
    fn times_and_rates_are_read() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("0s").is_err() && duration("-1s").is_err() && duration("soon").is_err());
        assert_eq!(throttle("20:4"), Ok((20, 4.0)));
        assert!(throttle("20").is_err() && throttle("0:1").is_err() && throttle("1:inf").is_err());
    }
}
