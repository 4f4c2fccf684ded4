//! `hostssl explain`: what an error that a client saw means.

use crate::args::{ExplainArgs, TalkArgs, ValueFormat};
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use hostssl_probe::explain::{explain, explain_all};
use serde_json::Value;

pub(crate) fn run(args: &ExplainArgs, talk: &TalkArgs) -> Result<Exit, CliError> {
    let text = args.text.join(" ");
    let mut found = explain_all(&text);
    if found.is_empty() {
        found.push(explain(&text));
    }
    let palette = stdout::palette(talk);
    if args.output != ValueFormat::Table {
        let all = serde_json::to_value(&found)
            .map_err(|error| CliError::failed(&error, "this is a defect of hostssl; please report it"))?;
        stdout::write_value(&all, None, args.output.into(), palette)?;
        return Ok(Exit::AllPass);
    }
    stdout::write(|out| {
        for explanation in &found {
            let cause = match serde_json::to_value(explanation.cause) {
                Ok(Value::String(cause)) => cause,
                _ => String::new(),
            };
            let note = if explanation.red_herring { " (a red herring here)" } else { "" };
            writeln!(out, "{}{note}", palette.bold(&cause))?;
            writeln!(out, "  {}", explanation.meaning)?;
            writeln!(out, "  {}", explanation.advice)?;
        }
        Ok(())
    })?;
    Ok(Exit::AllPass)
}
