//! The options of `hostssl plan`, and of what else makes a plan.

use crate::args::{
    ConnectArgs, DiscoveryArg, LimitArgs, ListArgs, PlanList, ScopeArgs, SelectArgs, SimulatedArgs, StateArgs,
    Suggested, SuggestedAs, TableArgs, clouds, duration, fixable_controls, latest, name, profiles,
};
use crate::error::CliError;
use clap::{Args, Subcommand};
use hostssl_formats::safe;
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
    /// Change these servers first, by name, pattern or tag (TAG=VALUE; repeatable; default: one that tags, names and the
    /// subscription do not call production).
    #[arg(long, value_name = "NAME", value_parser = name, conflicts_with = "canary_size", help_heading = "Pace")]
    pub(crate) canary: Vec<String>,
    /// Put only servers of one group into a wave: tag:KEY, subscription or region.
    #[arg(long, value_name = "GROUP", value_parser = SuggestedAs(wave_by, groups), hide_possible_values = true, help_heading = "Pace")]
    pub(crate) wave_by: Option<WaveBy>,
    /// Servers in each later wave.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Pace")]
    pub(crate) wave_size: u32,
    /// The most servers that the plan may change.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Pace")]
    pub(crate) max_servers: Option<u32>,
    /// Plan for these servers although clients would be refused, or were not observed enough, by the kept census: by name,
    /// pattern or tag:NAME=VALUE, with the reason; may be repeated, and the first that names a server counts for it. The plan,
    /// the journal and the receipts record who accepted it.
    #[arg(long, value_name = "SERVER=REASON", value_parser = accepted_breakage, help_heading = "Clients")]
    pub(crate) accept_breakage: Vec<AcceptBreakage>,
    /// A file of waivers: what they cover today is left out, and the plan says until when, why and by whom. See `hostssl waivers
    /// --help`.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_WAIVERS", help_heading = "Rules")]
    pub(crate) waivers: Option<PathBuf>,
    /// Plan for what is waived, too.
    #[arg(long, requires = "waivers", help_heading = "Rules")]
    pub(crate) include_waived: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Refuses a second reason for the same servers, which would not be kept.
pub(super) fn refuse_two_reasons(accepted: &[AcceptBreakage]) -> Result<(), CliError> {
    let again = accepted.iter().enumerate().find(|(index, one)| {
        accepted.iter().take(*index).any(|other| other.selector.eq_ignore_ascii_case(&one.selector))
    });
    match again {
        None => Ok(()),
        Some((_, one)) => Err(CliError::usage(
            format!("--accept-breakage has two reasons for {}", safe(&one.selector)),
            "give one reason for each server or pattern",
        )),
    }
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

/// What makes servers one group.
fn wave_by(text: &str) -> Result<WaveBy, String> {
    match text.split_once(':') {
        Some(("tag", key)) if !key.trim().is_empty() => Ok(WaveBy::Tag(key.trim().to_owned())),
        None if text == "subscription" => Ok(WaveBy::Subscription),
        None if text == "region" => Ok(WaveBy::Region),
        _ => Err("groups are tag:KEY, subscription and region".to_owned()),
    }
}

/// The beginnings of groups.
fn groups() -> Vec<String> {
    ["tag:", "subscription", "region"].map(ToOwned::to_owned).to_vec()
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
    #[command(flatten)]
    pub(crate) of: SimulatedArgs,
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
    #[arg(long, value_name = "CODE", value_parser = SuggestedAs(lint_code, lint_codes))]
    pub(crate) allow: Vec<LintCode>,
    /// Object if it changes more servers than this.
    #[arg(long, value_name = "N")]
    pub(crate) max_servers: Option<u32>,
    /// Object if it is for another cloud.
    #[arg(long, value_name = "NAME", value_parser = Suggested(clouds), hide_possible_values = true)]
    pub(crate) cloud: Option<String>,
    /// Compare it with this kept audit, by its id, the beginning of it, or latest: object to steps that no failed finding asks
    /// for, and to servers of another tenant.
    #[arg(long, value_name = "RUN", value_parser = Suggested(latest), hide_possible_values = true)]
    pub(crate) audit: Option<String>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) of: SimulatedArgs,
    #[command(flatten)]
    pub(crate) value: TableArgs,
}

/// A code of an objection.
fn lint_code(text: &str) -> Result<LintCode, String> {
    LintCode::from_code(text).ok_or_else(|| format!("codes are {}", LintCode::ALL.map(LintCode::as_str).join(", ")))
}

/// The codes of objections.
fn lint_codes() -> Vec<String> {
    LintCode::ALL.iter().map(|code| code.as_str().to_owned()).collect()
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
