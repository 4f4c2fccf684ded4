//! `hostssl controls`.

use crate::args::{ControlsArgs, OutputArgs, ValueFormat};
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use hostssl_audit::{ALL, Control, find};
use hostssl_formats::{Column, write_columns};
use serde_json::{Value, json};

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
        other => stdout::write_value(&describe(control), None, other.into(), stdout::palette(talk))?,
    }
    Ok(Exit::AllPass)
}

fn list(format: ValueFormat, talk: &OutputArgs) -> Result<Exit, CliError> {
    let palette = stdout::palette(talk);
    if format != ValueFormat::Table {
        let all: Vec<Value> = ALL.iter().map(|control| describe(control)).collect();
        stdout::write_value(&Value::Array(all), None, format.into(), palette)?;
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

fn describe(control: &Control) -> Value {
    let mappings: Vec<Value> = control
        .mappings
        .iter()
        .map(|mapping| {
            json!({
                "standard": mapping.standard,
                "version": mapping.version,
                "requirements": mapping.requirements,
                "basis": mapping.basis.as_str(),
            })
        })
        .collect();
    json!({
        "id": control.id.as_str(),
        "title": control.title,
        "severity": control.severity.as_str(),
        "mappings": mappings,
    })
}
