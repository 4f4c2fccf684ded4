//! `hostssl controls`.

use crate::args::{ControlsArgs, OutputArgs, ValueFormat};
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use hostssl_audit::{ALL, find};
use hostssl_formats::{Column, controls_json, write_columns};

pub(crate) fn run(args: &ControlsArgs, talk: &OutputArgs) -> Result<Exit, CliError> {
    let Some(id) = &args.id else {
        return list(args.output, talk);
    };
    let control = find(id).ok_or_else(|| {
        let ids: Vec<&str> = ALL.iter().map(|control| control.id.as_str()).collect();
        CliError::usage(format!("there is no control `{id}`"), format!("controls are {}", ids.join(", ")))
    })?;
    match args.output {
        ValueFormat::Table => stdout::write(|out| write!(out, "{}", control.documentation))?,
        other => {
            let value = controls_json::value(control).map_err(|error| CliError::defect(&error))?;
            stdout::write_value(&value, None, other.into(), stdout::palette(talk))?;
        }
    }
    Ok(Exit::AllPass)
}

fn list(format: ValueFormat, talk: &OutputArgs) -> Result<Exit, CliError> {
    let palette = stdout::palette(talk);
    if format != ValueFormat::Table {
        let all = controls_json::list(ALL.iter().copied()).map_err(|error| CliError::defect(&error))?;
        stdout::write_value(&all, None, format.into(), palette)?;
        return Ok(Exit::AllPass);
    }
    let mut rows = vec![["CONTROL", "SEVERITY", "PASSES WHEN"].map(|h| Column::painted(h, palette.faint(h))).to_vec()];
    rows.extend(ALL.iter().map(|control| {
        vec![Column::plain(control.id.as_str()), Column::plain(control.severity.as_str()), Column::plain(control.title)]
    }));
    stdout::write(|out| {
        write_columns(out, "", &rows)?;
        writeln!(out, "\nnext: hostssl controls {}", ALL[0].id)
    })?;
    Ok(Exit::AllPass)
}
