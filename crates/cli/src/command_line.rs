//! The whole command line: one definition for parsing, help, completions and the manual page.

use crate::again::Again;
use crate::args::TerminalArgs;
use crate::commands::{
    apply, audit, ca_bundle, clients, config as config_command, controls, diff, doctor, enforce, evidence, explain,
    iac, mcp, plan, policy, probe, role, runs, serve, server, simulate, state, trend, waivers, watch, zone_prober,
    zones,
};
use crate::config::{self, ConfigUse};
use crate::error::CliError;
use crate::{build_version, exit};
use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{OsStringValueParser, Resettable, TypedValueParser as _};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::path::PathBuf;

/// Finds every PostgreSQL server on Azure that does not enforce encryption in transit.
#[derive(Debug, Parser)]
#[command(
    name = "hostssl",
    version,
    disable_version_flag = true,
    max_term_width = 110,
    styles = Styles::styled().header(AnsiColor::Green.on_default().bold()).literal(AnsiColor::Cyan.on_default()),
    after_help = exit::ALL_HELP
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) terminal: TerminalArgs,
    /// Read the values of options from this file [default: hostssl.toml in the working directory, if there is one].
    // An empty name stands for none, which the parser of paths would refuse.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = config::VARIABLE,
        value_parser = OsStringValueParser::new().map(PathBuf::from),
        value_hint = clap::ValueHint::FilePath,
        help_heading = "Output options"
    )]
    pub(crate) config: Option<PathBuf>,
    /// What a configuration file has set.
    #[arg(skip)]
    pub(crate) config_use: ConfigUse,
    /// Print the version; with --verbose, the commit and the features too.
    // Behind the others, which keep their places in the help of every command.
    #[arg(long, short = 'V', action = clap::ArgAction::Version, help_heading = Resettable::Reset)]
    version: Option<bool>,
}

/// Why no command line was read.
#[derive(Debug)]
pub(crate) enum Misread {
    /// Something is wrong with it, or help was asked for.
    CommandLine(clap::Error),
    /// Something is wrong with the configuration file.
    Config(CliError),
}

impl From<clap::Error> for Misread {
    fn from(error: clap::Error) -> Self {
        Self::CommandLine(error)
    }
}

impl Cli {
    /// Reads a command line with the configuration file, and what a command that is printed needs of it.
    ///
    /// # Errors
    ///
    /// What is wrong with either, or that help was asked for.
    pub(crate) fn read(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, Misread> {
        let arguments: Vec<_> = arguments.into_iter().collect();
        let version = build_version::asked_for(&arguments);
        let command = empty_variables_are_unset(negative_numbers_are_values(Self::command().version(version)));
        let mut matches = command.clone().try_get_matches_from(&arguments)?;
        let mut config_use = ConfigUse::default();
        // The file gives defaults, which the parser itself ranks below the environment and the command line.
        if let Some((with_defaults, config)) = config::apply(&command, &matches).map_err(Misread::Config)? {
            matches = with_defaults.try_get_matches_from(&arguments)?;
            config_use = config::used(&config, &matches);
        }
        let mut cli = Self::from_arg_matches(&matches)?;
        cli.terminal.again = Again::of(&matches, command);
        cli.config_use = config_use;
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

/// Pipelines set variables that are empty. Only an empty name of a configuration file says something: that there is none.
fn empty_variables_are_unset(command: clap::Command) -> clap::Command {
    let is_empty = |argument: &clap::Arg| {
        argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty())
            && argument.get_env().is_some_and(|name| name != config::VARIABLE)
    };
    command
        .mut_args(|argument| if is_empty(&argument) { argument.env(Resettable::Reset) } else { argument })
        .mut_subcommands(empty_variables_are_unset)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Audit every PostgreSQL server in scope.
    #[command(after_help = exit::AUDIT_HELP)]
    Audit(audit::AuditArgs),
    /// Audit again and again, and say what changed: on the terminal, and to webhooks.
    #[command(after_help = watch::HELP)]
    Watch(Box<watch::WatchArgs>),
    /// Plan the changes that would make every server in scope require TLS. Writes nothing to Azure.
    #[command(after_help = exit::PLAN_HELP)]
    Plan(Box<plan::PlanArgs>),
    /// Apply a plan: wave by wave, each value re-read before and after, every step journaled.
    ///
    /// To pause, press Ctrl-C: nothing new starts, writes in progress are followed to their end, and `hostssl resume RUN`
    /// continues whenever you like. --soak waits between waves by itself.
    #[command(after_help = exit::CHANGE_HELP)]
    Apply(apply::ApplyArgs),
    /// Resume an interrupted run: reads what was in progress, then continues.
    #[command(after_help = exit::CHANGE_HELP)]
    Resume(apply::ResumeArgs),
    /// Restore exactly what a run changed.
    #[command(after_help = exit::CHANGE_HELP)]
    Undo(apply::UndoArgs),
    /// List, show or re-evaluate past runs.
    #[command(after_help = exit::LOCAL_HELP)]
    Runs(runs::RunsArgs),
    /// Compare two audits: new failures, fixed failures, and what could no longer be checked.
    ///
    /// Compares kept audits without calling Azure. A server that the later audit could not check is never reported as fixed
    /// or gone.
    #[command(after_help = diff::HELP)]
    Diff(diff::DiffArgs),
    /// Chart the status of the servers over the kept audits of one scope.
    #[command(after_help = exit::LOCAL_HELP)]
    Trend(trend::TrendArgs),
    /// Copy a state directory into a PostgreSQL store that several machines share, or out of one.
    #[command(subcommand, after_help = state::HELP)]
    State(state::StateCommand),
    /// Pack what is kept of an audit into one ZIP file for an auditor, or check such a pack.
    ///
    /// The pack has the result for each server with Azure's response, who read it and when, what could not be checked, the
    /// clients, the changes with plan, approval and receipts, the controls with the standards that they map to, and a SHA-256
    /// of every file. Neither reading nor checking it needs hostssl. The same state gives the same bytes.
    #[command(after_help = evidence::HELP, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Evidence(evidence::EvidenceArgs),
    /// Check, list and add waivers: failures that were accepted for a time, in one reviewed file.
    #[command(subcommand, after_help = waivers::HELP)]
    Waivers(waivers::WaiversCommand),
    /// Plan, review and apply interactively.
    #[command(after_help = exit::CHANGE_HELP)]
    Enforce(enforce::EnforceArgs),
    /// List, show and update servers, as `az postgres server` did.
    #[command(subcommand)]
    Server(server::ServerCommand),
    /// Prove from the network, without credentials, whether PostgreSQL endpoints enforce TLS.
    ///
    /// Endpoints are printed as they are done. A table of up to 1,000 is sorted, failures first. A query, or a format other
    /// than table, json or tsv, needs all of them in memory.
    #[command(after_help = exit::PROBE_HELP)]
    Probe(probe::ProbeArgs),
    /// Say from where private servers are probed: zones, what has to be probed there, and what no zone covers.
    #[command(subcommand, after_help = zones::HELP)]
    Zones(zones::ZonesCommand),
    /// Probe the servers of a zone from within it, again and again, and tell the console what was seen.
    #[command(after_help = zone_prober::HELP)]
    Prober(Box<zone_prober::ProberArgs>),
    /// Find the clients that would be refused if a server enforced TLS: those with TLS, those in plaintext, and a verdict.
    ///
    /// Reads server logs in any of PostgreSQL's formats. Only facts about connections are kept: no statement, no password.
    #[command(after_help = clients::HELP)]
    Clients(Box<clients::ClientsArgs>),
    /// Print the root certificates that clients need for verify-full, for a file, or check such a file.
    ///
    /// Clients trust roots, never an intermediate: Azure replaces intermediates without notice, and moves servers between
    /// its roots.
    #[command(after_help = ca_bundle::HELP, args_conflicts_with_subcommands = true)]
    CaBundle(ca_bundle::CaBundleArgs),
    /// Explain an error that a client saw: firewall, pg_hba.conf, TLS, password, trust store, name, address or resources.
    ///
    /// Takes the text as arguments or from standard input: the output of psql or a driver, with log prefixes, colors and
    /// several lines. Quoted names are ignored. Nothing is sent anywhere.
    #[command(after_help = explain::HELP)]
    Explain(explain::ExplainArgs),
    /// Check what hostssl needs: sign-in, permissions, clock, proxy, names, certificates, state directory, listeners.
    ///
    /// Each check is a line with ok, warning, failed or skipped, and what to do. What could not be checked is skipped, never ok.
    #[command(after_help = doctor::HELP)]
    Doctor(Box<doctor::DoctorArgs>),
    /// Check the configuration file, or show the values that hold and where they come from.
    #[command(subcommand)]
    Config(config_command::ConfigCommand),
    /// List the controls, or explain one.
    #[command(after_help = exit::LOCAL_HELP)]
    Controls(controls::ControlsArgs),
    /// Print the custom role that a task needs, as JSON for `az role definition create`.
    #[command(subcommand)]
    Role(role::RoleCommand),
    /// Print Azure Policy assignments that keep servers enforced, as JSON, Bicep or Terraform.
    ///
    /// They assign policies that Azure has built in, and nothing is assigned by printing them. Without --enforce they only report.
    #[command(after_help = exit::LOCAL_HELP)]
    Policy(policy::PolicyArgs),
    /// Check Terraform plans and ARM templates before they are applied, and print what fixes a server.
    #[command(subcommand, after_help = iac::HELP)]
    Iac(iac::IacCommand),
    /// Start the web console.
    #[command(after_help = exit::LISTEN_HELP)]
    Serve(Box<serve::ServeArgs>),
    /// Serve language models, as tools over the Model Context Protocol: audits, clients, explanations, plans. Reads only.
    ///
    /// Speaks the protocol on standard input and output, and ends with its input. No tool can change a server.
    #[command(after_help = mcp::HELP)]
    Mcp(Box<mcp::McpArgs>),
    /// Serve a simulated Azure on this machine, for demonstrations and tests.
    #[command(after_help = exit::LISTEN_HELP)]
    Simulate(simulate::SimulateArgs),
    /// Print the completion script of a shell.
    #[command(after_help = exit::LOCAL_HELP)]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual pages.
    #[command(after_help = exit::LOCAL_HELP)]
    Man {
        /// Write a page for each command into this folder instead, as hostssl-audit.1.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests;
