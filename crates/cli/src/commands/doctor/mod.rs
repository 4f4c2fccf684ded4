//! `hostssl doctor`: what hostssl needs, checked one by one.

mod gather;

use crate::args::{ConnectArgs, ScopeArgs, StateArgs, TableArgs, TerminalArgs, ValueFormat, name};
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::route::RouteArgs;
use crate::stdout;
use clap::Args;
use hostssl_formats::{Shape, doctor_json, doctor_text};
use hostssl_model::DoctorReport;

pub(crate) const HELP: &str = "Nothing is changed: doctor creates no directory and logs in to no server.

Exit codes:
  0  no check failed; warnings, and checks that do not apply, do not count
  1  the tool failed
  2  wrong usage, or a selector that matches nothing
  3  at least one check failed
  4  no check failed, but one that matters could not be done";

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Check the listeners of this server too, by name or pattern.
    #[arg(long, value_name = "NAME", value_parser = name, help_heading = "Scope options")]
    server: Option<String>,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    route: RouteArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

pub(crate) fn run(args: &DoctorArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.table.query.as_deref())?;
    args.connect.refuse_with_simulation()?;
    if args.server.is_none() {
        args.route.refuse_without("--server")?;
    }
    let mut report = block_on(gather::examine(args, terminal))?;
    for check in &mut report.checks {
        check.fix = check.fix.take().map(|fix| terminal.again.hint(fix));
    }
    let is_text = matches!(args.table.output, ValueFormat::Table | ValueFormat::Wide) && query.is_none();
    if is_text {
        let shape = Shape { wide: args.table.output == ValueFormat::Wide, ..Shape::AS_IS };
        stdout::write_text(terminal, &shape, |out, text| doctor_text::write(out, &report, text))?;
    } else {
        let value = doctor_json::value(&report).map_err(|error| CliError::defect(&error))?;
        stdout::write_value(&value, query.as_ref(), args.table.output.into(), stdout::palette(terminal))?;
    }
    Ok(exit(&report))
}

fn exit(report: &DoctorReport) -> Exit {
    Exit::of_audit_end(report.end())
}
