//! `hostssl controls`.

use crate::args::{ControlList, ListArgs, Suggested, TerminalArgs, ValueFormat, controls};
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use clap::Args;
use hostssl_audit::{ALL, find};
use hostssl_formats::output::Format;
use hostssl_formats::{Cell, Entry, Heading, Section, Shape, Shown, controls_json, markdown, write_list};
use hostssl_model::Hint;

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

pub(crate) fn run(args: &ControlsArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let Some(id) = &args.id else {
        return list(args, terminal);
    };
    let control = find(id).ok_or_else(|| {
        let ids: Vec<&str> = ALL.iter().map(|control| control.id.as_str()).collect();
        CliError::usage(format!("there is no control `{id}`"), Hint::with("controls are {}", &[&ids.join(", ")]))
    })?;
    match args.output {
        ValueFormat::Table | ValueFormat::Wide => {
            stdout::write_text(terminal, &Shape::AS_IS, |out, text| markdown::write(out, control.documentation, text))?;
        }
        other => {
            let value = controls_json::value(control).map_err(|error| CliError::defect(&error))?;
            stdout::write_value(&value, None, other.into(), stdout::palette(terminal))?;
        }
    }
    Ok(Exit::AllPass)
}

/// The columns of controls.
pub(crate) const COLUMNS: &[Heading] = &[
    Heading::new("control", Shown::Always),
    Heading::new("severity", Shown::Always),
    Heading::new("passes-when", Shown::Prose),
];

fn list(args: &ControlsArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let format = Format::from(args.output);
    let shape = args.list.shape(format == Format::Table, args.output == ValueFormat::Wide)?;
    if format != Format::Table {
        let all = controls_json::list(ALL.iter().copied()).map_err(|error| CliError::defect(&error))?;
        stdout::write_value(&all, None, format, stdout::palette(terminal))?;
        return Ok(Exit::AllPass);
    }
    let entries = ALL.iter().map(|control| {
        let severity = control.severity;
        let severity = Cell::plain(severity.as_str()).ranked(2 - severity as u64);
        let line = vec![Cell::plain(control.id.as_str()), severity, Cell::plain(control.title)];
        Entry { word: control.severity.as_str(), lines: vec![line] }
    });
    let section = Section { title: None, entries: entries.collect() };
    stdout::write_text(terminal, &shape, |out, text| {
        write_list(out, COLUMNS, vec![section], text)?;
        text.write_next(out, &[(format!("hostssl controls {}", ALL[0].id), "explains one")])
    })?;
    Ok(Exit::AllPass)
}
