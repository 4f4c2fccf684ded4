//! Groups of options that several commands have.

mod change;
mod format_to;
mod list;
mod server_name;
mod standard_args;
mod state;
mod suggested;

pub(crate) use change::*;
pub(crate) use format_to::*;
pub(crate) use list::*;
pub(crate) use server_name::*;
pub(crate) use standard_args::*;
pub(crate) use state::*;
pub(crate) use suggested::*;

use crate::again::Again;
use clap::{Args, ValueEnum};
use hostssl_azure::RequestLimits;
use hostssl_formats::safe;
use hostssl_model::Hint;
use hostssl_model::untrusted::is_harmful;
use hostssl_remediation::Plan;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What to say, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct TerminalArgs {
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
    pub(crate) again: Again,
}

impl TerminalArgs {
    /// The same after something was done with a plan.
    pub(crate) fn of_plan(&self, plan: &Plan) -> Self {
        Self { again: self.again.clone().of_plan(plan), ..self.clone() }
    }

    /// Prints what to do about a warning. With --quiet, the warning is all.
    pub(crate) fn hint(&self, hint: &Hint) {
        if !self.quiet {
            stderr!("hint: {}", safe(&self.again.hint(hint.clone()).to_string()));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal.
    Auto,
    Always,
    Never,
}

/// Where to look. Without any of these: every subscription that the identity can see.
#[derive(Debug, Clone, Default, Args)]
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

impl LimitArgs {
    /// The limits of requests to Azure.
    pub(crate) fn of_requests(&self) -> RequestLimits {
        RequestLimits { concurrency: usize::from(self.concurrency), ..RequestLimits::default() }
    }
}

/// How to reach Azure.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection options")]
pub(crate) struct ConnectArgs {
    /// How to sign in; there is no fallback to another method (default: cli).
    #[arg(long, value_enum, env = "HOSTSSL_AUTH")]
    pub(crate) auth: Option<Auth>,
    /// The cloud: AzureCloud, AzureUSGovernment, AzureChinaCloud, AzureBleuCloud (default: AzureCloud).
    #[arg(long, value_name = "NAME", env = "HOSTSSL_CLOUD", value_parser = Suggested(clouds), hide_possible_values = true)]
    pub(crate) cloud: Option<String>,
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
    /// JSON in color, where the terminal has colors.
    Jsonc,
    Yaml,
    /// YAML in color, where the terminal has colors.
    Yamlc,
    Tsv,
    Csv,
    /// CSV with a row for each requirement of a standard and each server; the rows of one standard stand together.
    StandardsCsv,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// OCSF Compliance Findings, for security lakes.
    Ocsf,
    /// JUnit XML, for the test reports of pipelines.
    Junit,
    /// A summary for pull requests and jobs.
    Markdown,
    /// One self-contained file with charts and filters, to read, send or print.
    Html,
    None,
}

impl AuditFormat {
    /// The formats that only audits have, in a list of words.
    pub(crate) fn of_audits_alone(last: &str) -> String {
        let alone = Self::value_variants().iter().filter(|one| one.format().is_none() && **one != Self::None);
        let words: Vec<String> = alone.filter_map(|one| Some(one.to_possible_value()?.get_name().to_owned())).collect();
        match words.split_last() {
            Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
            None => String::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ValueFormat {
    Table,
    /// A table with every column, however wide the terminal is.
    Wide,
    Json,
    /// JSON in color, where the terminal has colors.
    Jsonc,
    Yaml,
    /// YAML in color, where the terminal has colors.
    Yamlc,
    Tsv,
    None,
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

/// A name that becomes one segment of a path, and cannot become another.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let misleading = text.is_empty() || text == "." || text == ".." || text.contains('/') || text.contains(is_harmful);
    if misleading { Err("expected a name".to_owned()) } else { Ok(text.to_owned()) }
}

/// A reason in the user's own words.
pub(crate) fn reason(text: &str) -> Result<String, String> {
    let said = !text.trim().is_empty() && !text.contains(is_harmful);
    if said { Ok(text.trim().to_owned()) } else { Err("expected a reason in words, on one line".to_owned()) }
}

/// A tag as it selects servers: `NAME=VALUE`.
pub(crate) fn tag(text: &str) -> Result<String, String> {
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

/// Where to listen. A name could lead anywhere, and a port alone, which other programs take for every address, would be open to
/// everyone unasked.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    text.parse().map_err(|_| match (text.trim_start_matches(':').parse::<u16>(), port) {
        (Ok(port), _) => format!(
            "a port needs an address: write 127.0.0.1:{port} for this machine alone, or 0.0.0.0:{port} for every address of it"
        ),
        (Err(_), Some(port)) => format!("expected an address instead of a name, such as 127.0.0.1:{port} or [::1]:{port}"),
        (Err(_), None) => "expected an address and a port, such as 127.0.0.1:9188 or [::1]:9188".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_a_name() {
        assert_eq!(tag("a=b*"), Ok("a=b*".to_owned()));
        assert!(tag("a").is_err() && tag("=b").is_err() && tag("a=\u{202e}").is_err());
    }

    #[test]
    fn a_port_alone_is_answered_with_what_to_write() {
        assert_eq!(listen_address("0.0.0.0:8443"), Ok(SocketAddr::from(([0, 0, 0, 0], 8443))));
        for alone in [":8443", "8443"] {
            let said = listen_address(alone).unwrap_err();
            assert!(said.contains("write 127.0.0.1:8443 for this machine alone, or 0.0.0.0:8443"), "{said}");
        }
        assert!(listen_address("localhost:8443").unwrap_err().ends_with("such as 127.0.0.1:8443 or [::1]:8443"));
        for wrong in ["", ":", "::1", "localhost", ":70000", "fe80::1:8443:x"] {
            assert!(listen_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_read() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("0s").is_err() && duration("-1s").is_err() && duration("soon").is_err());
    }
}
