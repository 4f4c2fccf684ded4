//! The options of `hostssl runs`.

use crate::args::{
    AuditFormat, AuditList, KeptRunList, ListArgs, RunsList, SimulatedArgs, StandardArgs, StateArgs, Suggested,
    TableArgs, latest, profiles,
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

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
    /// Show a run: the report of an audit or of a probe, or every step of an apply with the receipts of its writes.
    #[command(after_help = crate::exit::SHOW_HELP)]
    Show(RunsShowArgs),
    /// Evaluate a kept audit again with other rules, without calling Azure.
    #[command(after_help = crate::exit::JUDGE_HELP)]
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
    /// A file of waivers to show beside the failures of an audit that they cover today; - for standard input.
    #[arg(long, value_name = "FILE", help_heading = "Output options")]
    pub(crate) waivers: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) value: KeptArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<KeptRunList>,
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
    #[command(flatten)]
    pub(crate) list: ListArgs<AuditList>,
}

/// How to write what is kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct KeptArgs {
    /// Output format. Only audits have csv, standards-csv, sarif, ocsf, junit, markdown and html.
    #[arg(long, short = 'o', value_enum, default_value_t = AuditFormat::Table, ignore_case = true)]
    pub(crate) output: AuditFormat,
    /// JMESPath query over the JSON report.
    #[arg(long, value_name = "JMESPATH")]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) standards: StandardArgs,
}

impl KeptArgs {
    /// Whether a table is written, and no other format.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.output, AuditFormat::Table | AuditFormat::Wide) && self.query.is_none()
    }

    /// Whether it has every column.
    pub(crate) fn is_wide(&self) -> bool {
        self.output == AuditFormat::Wide
    }
}
