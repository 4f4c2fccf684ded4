//! The options of `hostssl probe`.

use super::exit_rules::{ProbeFinding, findings};
use crate::args::{ListArgs, ProbeList, Suggested, SuggestedAs, TableArgs, duration, scenarios};
use crate::keep::KeepArgs;
use crate::route::RouteArgs;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// Endpoints: host, host:port, host:port/db, postgresql://… or a connection string, also as JDBC, SQLAlchemy and
    /// ADO.NET write it. Passwords in them are dropped. Missing parts are taken from PGHOST, PGPORT, PGUSER, PGDATABASE,
    /// PGSSLROOTCERT, PGSERVICE and ~/.postgresql/root.crt, as libpq does. The bare name of an Azure server means its two
    /// ports, 5432 and 6432; the name of a service, _postgresql._tcp.example.com, means the hosts of its SRV records. A - reads targets from
    /// standard input, one a line.
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Read targets from a file, or from standard input with -: one a line, or the list that `hostssl zones targets` made.
    /// Invalid lines are reported and make the run incomplete.
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
    /// Try the fewest users and databases: seven connections to a PostgreSQL that enforces TLS instead of fourteen. It misses
    /// plaintext that only a named replication user may use, or only one default user in the database of another.
    #[arg(long, conflicts_with = "only_these")]
    pub(crate) quick: bool,
    /// Send each plaintext startup, and make each handshake, this many times: several servers behind one address may answer differently.
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
    /// By default, all of them count. The tests that they need are made, as by --ciphers or --expiry-days 30.
    #[arg(long, value_name = "FINDING,…", value_delimiter = ',', value_parser = SuggestedAs(str::parse::<ProbeFinding>, findings), help_heading = "Gate options")]
    pub(crate) fail_on: Vec<ProbeFinding>,
    /// Do not fail for these.
    #[arg(
        long,
        value_name = "FINDING,…",
        value_delimiter = ',',
        value_parser = SuggestedAs(str::parse::<ProbeFinding>, findings),
        hide_possible_values = true,
        help_heading = "Gate options"
    )]
    pub(crate) allow: Vec<ProbeFinding>,
    #[command(flatten)]
    pub(crate) route: RouteArgs,
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
    /// Also write metrics to this file, for the textfile collector of the Prometheus node exporter. It is replaced as a whole.
    #[arg(long, value_name = "FILE", help_heading = "Output options")]
    pub(crate) metrics: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) list: ListArgs<ProbeList>,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    /// Probe the servers of a simulated Azure, as a machine in their virtual networks: to try out `hostssl zones`.
    #[arg(
        long,
        value_name = "SCENARIO",
        num_args = 0..=1,
        default_missing_value = "demo",
        value_parser = Suggested(scenarios),
        hide_possible_values = true,
        conflicts_with_all = ["proxy", "connect_to"],
        help_heading = "Connection options"
    )]
    pub(crate) simulate: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplicationArg {
    None,
    Physical,
    Logical,
}
