//! `hostssl trend`.

use crate::args::{ListArgs, SimulatedArgs, StateArgs, Suggested, TerminalArgs, TrendList, latest};
use crate::error::CliError;
use crate::exit::Exit;
use crate::state::{LATEST, find_audit_in, instant, newest_of_trend, nothing_kept};
use crate::state_patience::StatePatience;
use crate::stdout;
use clap::{Args, ValueEnum};
use hostssl_formats::output::Format;
use hostssl_formats::trend::{AuditPoint, PresentPoint, value, write, write_csv, write_table};
use hostssl_formats::{Shape, safe};
use hostssl_model::Hint;
use hostssl_store::{AuditEntry, Page, StoreReader};
use jiff::Timestamp;

/// Kept audits among which newer ones of some controls alone are looked for.
const RECENT: Page = Page { number: 0, size: 50 };

#[derive(Debug, Args)]
pub(crate) struct TrendArgs {
    /// The last audit to show: its id, the start of its id, or latest. Earlier audits of the same scope are shown with it;
    /// audits that were stopped early are left out.
    #[arg(value_name = "RUN", default_value = "latest", value_parser = Suggested(latest), hide_possible_values = true)]
    run: String,
    /// How many audits to show.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    last: u32,
    /// Output format.
    #[arg(long, short = 'o', value_enum, default_value_t = TrendFormat::Chart, ignore_case = true)]
    output: TrendFormat,
    /// JMESPath query over the JSON.
    #[arg(long, value_name = "JMESPATH")]
    query: Option<String>,
    #[command(flatten)]
    list: ListArgs<TrendList>,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    of: SimulatedArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TrendFormat {
    /// A bar for each audit, and figures.
    Chart,
    /// A row for each audit.
    Table,
    /// A table with every column, however wide.
    Wide,
    Json,
    /// JSON in colour, where the terminal has colours.
    Jsonc,
    Yaml,
    /// YAML in colour, where the terminal has colours.
    Yamlc,
    Tsv,
    Csv,
    None,
}

pub(crate) fn run(args: &TrendArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.query.as_deref())?;
    let is_table = matches!(args.output, TrendFormat::Table | TrendFormat::Wide) && query.is_none();
    let shape = args.list.shape(is_table, args.output == TrendFormat::Wide)?;
    let reader = args
        .state
        .read_with_changes(args.of.simulated(), StatePatience::without_end())?
        .ok_or_else(|| nothing_kept(&args.state, args.of.simulated()))?;
    let newest = if args.run == LATEST { newest_of_trend(&reader, terminal)? } else { None };
    let audit = match newest {
        Some(newest) => newest,
        None => find_audit_in((&args.state, args.of.simulated()), &reader, &args.run)?,
    };
    if audit.asked.is_narrowed() && !terminal.quiet {
        stderr!("note: these audits checked only {}", audit.asked.only_words());
    }
    if args.run == LATEST && !audit.asked.is_narrowed() {
        warn_of_narrowed(&reader, &audit, terminal)?;
    }
    let audits = reader.trend(&audit, args.last)?;
    let points: Vec<AuditPoint<'_>> = audits.iter().map(point).collect();
    let now = (args.run == LATEST).then(|| reader.present_of(&audit)).transpose()?.map(|now| PresentPoint {
        at: instant(Timestamp::now().as_millisecond()),
        standings: now.standings,
        changed: now.changed,
    });
    let format = match (args.output, &query) {
        (TrendFormat::Chart, None) => {
            return stdout::write_text(terminal, &Shape::AS_IS, |out, text| write(out, &points, now.as_ref(), text))
                .map(|()| Exit::AllPass);
        }
        (TrendFormat::Table | TrendFormat::Wide, None) => {
            return stdout::write_text(terminal, &shape, |out, text| write_table(out, &points, text))
                .map(|()| Exit::AllPass);
        }
        (TrendFormat::Csv, None) => return stdout::write(|out| write_csv(out, &points)).map(|()| Exit::AllPass),
        (TrendFormat::Csv, Some(_)) => {
            return Err(CliError::usage("--query cannot be used with --output csv", "use --output json or tsv"));
        }
        (TrendFormat::Chart | TrendFormat::Table | TrendFormat::Wide, Some(_)) => Format::Table,
        (TrendFormat::Json, _) => Format::Json,
        (TrendFormat::Jsonc, _) => Format::Jsonc,
        (TrendFormat::Yaml, _) => Format::Yaml,
        (TrendFormat::Yamlc, _) => Format::Yamlc,
        (TrendFormat::Tsv, _) => Format::Tsv,
        (TrendFormat::None, _) => Format::None,
    };
    let value = value(&points, now.as_ref()).map_err(|error| CliError::defect(&error))?;
    stdout::write_value(&value, query.as_ref(), format, stdout::palette(terminal))?;
    Ok(Exit::AllPass)
}

/// Names the newest audit of some controls alone that found failures after the last point: it is no point of this chart, and
/// must not be overlooked for that.
fn warn_of_narrowed(reader: &StoreReader, last: &AuditEntry, terminal: &TerminalArgs) -> Result<(), CliError> {
    let (newest, _) = reader.audits(RECENT)?;
    let is_newer = |one: &&AuditEntry| !one.is_before(last) && one.asked.is_narrowed();
    if let Some(one) = newest.iter().find(|one| is_newer(one) && one.summary.fail > 0) {
        let (run, only, when) = (safe(&one.id), one.asked.only_words(), instant(one.told_ms()));
        let servers =
            if one.summary.fail == 1 { "1 server fails" } else { &format!("{} servers fail", one.summary.fail) };
        stderr!("warning: {servers} in the newer audit {run} of {when}, which checked only {only} and is not shown");
        let hint = Hint::with("`hostssl runs show {}` shows it; `hostssl audit` checks everything again", &[&run]);
        terminal.hint(&hint);
    }
    Ok(())
}

/// An audit as a point of a chart.
pub(crate) fn point(audit: &AuditEntry) -> AuditPoint<'_> {
    AuditPoint {
        run: &audit.id,
        started_at: instant(audit.told_ms()),
        profile: &audit.profile,
        complete: audit.complete,
        standings: audit.known_standings(),
        fail: audit.summary.fail,
        unknown: audit.summary.unknown,
        pass: audit.summary.pass,
    }
}
