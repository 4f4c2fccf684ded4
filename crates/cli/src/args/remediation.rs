//! The options of everything that plans, changes, or tells of changes.

use super::{
    AuditFormat, ConnectArgs, DiscoveryArg, LimitArgs, ListArgs, PlanList, RunList, RunsList, ScopeArgs, SelectArgs,
    ServerNameArgs, Suggested, TableArgs, ValueArgs, duration, fixable_controls, latest, name, profiles, reason,
    scenarios,
};
use crate::error::CliError;
use crate::leftovers::LeftoverArgs;
use crate::route::RouteArgs;
use clap::{Args, Subcommand, ValueEnum};
use hostssl_model::untrusted::is_harmful;
use hostssl_ops::AcceptBreakage;
use hostssl_remediation::{LintCode, WaveBy};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct PlanArgs {
    #[command(subcommand)]
    pub(crate) command: Option<PlanCommand>,
    #[command(flatten)]
    pub(crate) make: MakePlanArgs,
    /// Where to write the plan (default: hostssl-plan-HASH.json in this folder, unless --output prints it).
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) value: TableArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<PlanList>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Show a plan file.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Show(PlanShowArgs),
    /// Check a plan file as a reviewer would: independently of the planner, without calling Azure.
    #[command(after_help = crate::exit::CHECK_HELP)]
    Check(PlanCheckArgs),
}

/// What to plan, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct MakePlanArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// The rules to check, as name or name@version.
    #[arg(long, value_name = "NAME", default_value = "baseline", value_parser = Suggested(profiles), help_heading = "Rules")]
    pub(crate) profile: String,
    /// Fix only this control (repeatable).
    #[arg(long, value_name = "ID", value_parser = Suggested(fixable_controls), help_heading = "Rules")]
    pub(crate) control: Vec<String>,
    /// Plan to make log files available for download, and to keep them for 7 days: what `hostssl clients` reads. It plans
    /// nothing else, except for controls that --control names.
    #[arg(long, help_heading = "Rules")]
    pub(crate) enable_log_download: bool,
    /// How to find servers.
    #[arg(long, value_enum, default_value_t = DiscoveryArg::Lists)]
    pub(crate) discovery: DiscoveryArg,
    /// Servers in the first wave, which must succeed before the second wave starts.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Pace")]
    pub(crate) canary_size: u32,
    /// Change this server first, by name or resource id (repeatable; default: one that tags, names and the subscription do not
    /// call production).
    #[arg(long, value_name = "NAME", value_parser = name, conflicts_with = "canary_size", help_heading = "Pace")]
    pub(crate) canary: Vec<String>,
    /// Put only servers of one group into a wave: tag:KEY, subscription or region.
    #[arg(long, value_name = "GROUP", value_parser = wave_by, help_heading = "Pace")]
    pub(crate) wave_by: Option<WaveBy>,
    /// Servers in each later wave.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Pace")]
    pub(crate) wave_size: u32,
    /// The most servers that the plan may change.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Pace")]
    pub(crate) max_servers: Option<u32>,
    /// Plan for these servers although clients would be refused, or were not observed enough, by the kept census: by name,
    /// pattern or tag:NAME=VALUE, with the reason; may be repeated. The plan, the journal and the receipts record who
    /// accepted it.
    #[arg(long, value_name = "SERVER=REASON", value_parser = accepted_breakage, help_heading = "Clients")]
    pub(crate) accept_breakage: Vec<AcceptBreakage>,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Servers, and why their clients may be refused.
fn accepted_breakage(text: &str) -> Result<AcceptBreakage, String> {
    const EXPECTED: &str =
        "expected a server or a pattern and the reason, such as 'pg-orders*=agreed with the shop team'";
    // A tag has an equals sign of its own.
    let (lead, rest) = match text.strip_prefix("tag:") {
        Some(rest) => (rest.find('=').map_or(0, |at| at + 1), rest),
        None => (0, text),
    };
    let at = rest.get(lead..).and_then(|tail| tail.find('=')).map(|at| at + lead).ok_or(EXPECTED)?;
    let (selector, reason) = (rest.get(..at).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default());
    let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty() && !text.contains(is_harmful));
    let (selector, reason) = text(selector).zip(text(reason)).ok_or(EXPECTED)?;
    Ok(AcceptBreakage { selector, reason, by: None })
}

/// A code of an objection.
fn lint_code(text: &str) -> Result<LintCode, String> {
    LintCode::from_code(text).ok_or_else(|| format!("codes are {}", LintCode::ALL.map(LintCode::as_str).join(", ")))
}

/// What makes servers one group.
fn wave_by(text: &str) -> Result<WaveBy, String> {
    match text.split_once(':') {
        Some(("tag", key)) if !key.trim().is_empty() => Ok(WaveBy::Tag(key.trim().to_owned())),
        None if text == "subscription" => Ok(WaveBy::Subscription),
        None if text == "region" => Ok(WaveBy::Region),
        _ => Err("groups are tag:KEY, subscription and region".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct PlanShowArgs {
    /// The plan file; - for standard input.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) value: TableArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<PlanList>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PlanCheckArgs {
    /// The plan file; - for standard input.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// Object if the plan's data is older than this.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) max_age: Duration,
    /// Show objections with this code without counting them, for instance cannot-be-undone (repeatable).
    #[arg(long, value_name = "CODE", value_parser = lint_code)]
    pub(crate) allow: Vec<LintCode>,
    /// Object if it changes more servers than this.
    #[arg(long, value_name = "N")]
    pub(crate) max_servers: Option<u32>,
    /// Object if it is for another cloud.
    #[arg(long, value_name = "NAME")]
    pub(crate) cloud: Option<String>,
    /// Compare it with this kept audit, by its id, the beginning of it, or latest: object to steps that no failed finding asks
    /// for, and to servers of another tenant.
    #[arg(long, value_name = "RUN")]
    pub(crate) audit: Option<String>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) of: SimulatedArgs,
    #[command(flatten)]
    pub(crate) value: TableArgs,
}

/// Where runs are kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "State options")]
pub(crate) struct StateArgs {
    /// The state directory (default: hostssl's own below the user's state directory).
    #[arg(long, value_name = "DIR", env = "HOSTSSL_STATE")]
    pub(crate) state: Option<PathBuf>,
}

/// Which runs are meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct SimulatedArgs {
    /// Search the runs of simulations, which are kept apart from real ones.
    #[arg(long, alias = "simulated", value_name = "SCENARIO", num_args = 0..=1, default_missing_value = "demo", value_parser = Suggested(scenarios), hide_possible_values = true, help_heading = "State options")]
    simulate: Option<String>,
}

impl SimulatedArgs {
    /// Whether runs of simulations are meant.
    pub(crate) fn simulated(&self) -> bool {
        self.simulate.is_some()
    }
}

/// How to go through a plan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pace")]
pub(crate) struct PaceArgs {
    /// Servers of a wave changed at once; never more than one write at a time on a server.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) max_parallel: u16,
    /// Start nothing new after this many steps were refused, failed or timed out.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_failures: u32,
    /// Wait this long after each wave, such as 10m, then read its values again: clients reconnect before more servers are
    /// changed, and a value that something else resets is noticed.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) soak: Option<Duration>,
    /// Start nothing new after this time, such as 30m or 8h; changes in progress get 30 s to finish.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) deadline: Duration,
}

/// Who has the last word.
#[derive(Debug, Args)]
#[command(next_help_heading = "Wire options")]
pub(crate) struct JudgeArgs {
    /// Probe after each change; a step that the probe contradicts fails.
    #[arg(long)]
    pub(crate) probe: bool,
    #[command(flatten)]
    route: RouteArgs,
}

impl JudgeArgs {
    /// How the listeners are reached, if they are to be asked. Errors in it are reported before anything else happens.
    pub(crate) fn route(&self, connect: &ConnectArgs) -> Result<Option<&RouteArgs>, CliError> {
        self.route_with(connect, false)
    }

    /// The same where the servers are logged in to as well, so that a way to them is needed without --probe.
    pub(crate) fn route_with(&self, connect: &ConnectArgs, logs_in: bool) -> Result<Option<&RouteArgs>, CliError> {
        if self.probe || logs_in {
            self.route.dialer_unless(connect.simulate.is_some())?;
        } else {
            self.route.refuse_without_probe()?;
        }
        Ok(self.probe.then_some(&self.route))
    }

    /// The way to the servers, whatever it is for.
    pub(crate) fn way(&self) -> &RouteArgs {
        &self.route
    }
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The plan file; - for standard input.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// The hash of the plan that was reviewed: approves exactly that plan (default: asks on the terminal).
    #[arg(long, value_name = "HASH")]
    pub(crate) approve: Option<String>,
    /// Refuse a plan whose data is older than this.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) max_age: Duration,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) leftovers: LeftoverArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) value: TableArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<RunList>,
    /// The tenant, by id or domain (default: the home tenant).
    #[arg(long, value_name = "TENANT", value_parser = name, help_heading = "Connection options")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The run that changed servers: its id, the beginning of it, or latest; `hostssl runs` lists them.
    #[arg(value_name = "RUN", value_parser = Suggested(latest), hide_possible_values = true)]
    pub(crate) run: String,
    /// Only find out how writes in progress ended: nothing is written, and what had not begun ends as not started.
    #[arg(long)]
    pub(crate) settle_only: bool,
    /// Exclude this server from the run, for example because it was deleted: nothing more is written to it (repeatable).
    #[arg(long, value_name = "SERVER", value_parser = name)]
    pub(crate) forget: Vec<String>,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) value: TableArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<RunList>,
    /// The tenant, by id or domain (default: the home tenant).
    #[arg(long, value_name = "TENANT", value_parser = name, help_heading = "Connection options")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The run that changed servers: its id, the beginning of it, or latest; `hostssl runs` lists them.
    #[arg(value_name = "RUN", value_parser = Suggested(latest), hide_possible_values = true)]
    pub(crate) run: String,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// The reason, kept in the journal and shown with the run: undo makes servers less strict again.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: Option<String>,
    /// Exclude this server from the undo, for example because it was deleted: it stays as it is (repeatable).
    #[arg(long, value_name = "SERVER", value_parser = name)]
    pub(crate) forget: Vec<String>,
    /// Servers restored at once; never more than one write at a time on a server.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) max_parallel: u16,
    /// Start nothing new after this time, such as 30m or 8h; changes in progress get 30 s to finish.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) deadline: Duration,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) value: TableArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<RunList>,
    /// The tenant, by id or domain (default: the home tenant).
    #[arg(long, value_name = "TENANT", value_parser = name, help_heading = "Connection options")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<RunsCommand>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) of: SimulatedArgs,
    /// List this many runs, the newest first.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// List all of them.
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) value: TableArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<RunsList>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Show a run: the report of an audit, or every step of an apply with the receipts of its writes.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Show(RunsShowArgs),
    /// Evaluate a kept audit again with other rules, without calling Azure.
    #[command(after_help = crate::exit::HELP)]
    Judge(RunsJudgeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunsShowArgs {
    /// The run: its id, the beginning of it, or latest.
    #[arg(value_name = "RUN", value_parser = Suggested(latest), hide_possible_values = true)]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) of: SimulatedArgs,
    #[command(flatten)]
    pub(crate) value: KeptArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunsJudgeArgs {
    /// The audit: its id, the beginning of it, or latest.
    #[arg(value_name = "RUN", value_parser = Suggested(latest), hide_possible_values = true)]
    pub(crate) run: String,
    /// The rules to check, as name or name@version.
    #[arg(long, value_name = "NAME", value_parser = Suggested(profiles))]
    pub(crate) profile: String,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) of: SimulatedArgs,
    #[command(flatten)]
    pub(crate) value: KeptArgs,
}

/// How to write what is kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct KeptArgs {
    /// Output format. Only audits have csv, sarif, ocsf, junit and markdown.
    #[arg(long, short = 'o', value_enum, default_value_t = AuditFormat::Table, ignore_case = true)]
    pub(crate) output: AuditFormat,
    /// JMESPath query over the JSON report.
    #[arg(long, value_name = "JMESPATH")]
    pub(crate) query: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EnforceArgs {
    #[command(flatten)]
    pub(crate) make: MakePlanArgs,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) value: TableArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnforcementArg {
    #[value(name = "Enabled")]
    Enabled,
    #[value(name = "Disabled")]
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MinimalTls {
    #[value(name = "TLS1_0")]
    Tls1_0,
    #[value(name = "TLS1_1")]
    Tls1_1,
    #[value(name = "TLS1_2")]
    Tls1_2,
    #[value(name = "TLS1_3")]
    Tls1_3,
    /// Single servers only: any version.
    #[value(name = "TLSEnforcementDisabled")]
    EnforcementDisabled,
}

#[derive(Debug, Args)]
pub(crate) struct ServerUpdateArgs {
    #[command(flatten)]
    pub(crate) server: ServerNameArgs,
    /// Whether clients must use TLS. On a flexible server, this sets require_secure_transport.
    #[arg(long, value_enum, ignore_case = true, required_unless_present = "minimal_tls_version")]
    pub(crate) ssl_enforcement: Option<EnforcementArg>,
    /// The lowest TLS version. On a flexible server, this sets ssl_min_protocol_version.
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) minimal_tls_version: Option<MinimalTls>,
    /// Why the server may be made less strict: required for that, and kept in the plan and the journal.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: Option<String>,
    /// Never make the server less strict, whatever the other options say.
    #[arg(long, conflicts_with = "reason")]
    pub(crate) no_loosening: bool,
    /// The tenant, by id or domain (default: the home tenant).
    #[arg(long, value_name = "TENANT", value_parser = name, help_heading = "Connection options")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) value: ValueArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_accepts_breakage_names_servers_and_a_reason() {
        let read = |text: &str| accepted_breakage(text).map(|one| (one.selector, one.reason));
        assert_eq!(read("pg-a=agreed = yes"), Ok(("pg-a".into(), "agreed = yes".into())));
        assert_eq!(read("*=agreed"), Ok(("*".into(), "agreed".into())));
        assert_eq!(read("tag:env=dev=agreed"), Ok(("env=dev".into(), "agreed".into())));
        for wrong in ["", "pg-a", "pg-a=", "=why", " = ", "tag:env=dev"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
