//! Completion scripts and the manual page, out of the same definition as the command line.

use super::manual_page::{manual_page, sections, synopsis};
use super::run_ids::with_runs;
use crate::command_line::Cli;
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::io;
use std::path::Path;

pub(crate) fn completion(shell: clap_complete::Shell) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hostssl", &mut script);
    let script = with_runs(shell, &String::from_utf8_lossy(&script));
    stdout::write(|out| out.write_all(script.as_bytes()))?;
    Ok(Exit::AllPass)
}

pub(crate) fn manual(folder: Option<&Path>) -> Result<Exit, CliError> {
    if let Some(folder) = folder {
        let mut all = Cli::command().disable_help_subcommand(true);
        all.build();
        let written = std::fs::create_dir_all(folder).and_then(|()| write_pages(&all, folder));
        written.map_err(|error| {
            let what = format!("the manual pages cannot be written to {}: {error}", folder.display());
            CliError::refused(what, "name a folder that can be written with --dir")
        })?;
        return Ok(Exit::AllPass);
    }
    stdout::write(|out| {
        out.write_all(manual_page(&Cli::command())?.as_bytes())?;
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
                let name = format!("{}-{}", command.get_name(), sub.get_name());
                let sub = sub.clone().name(name);
                let man = Man::new(sub.clone());
                man.render_title(out)?;
                man.render_name_section(out)?;
                writeln!(out, ".SH SYNOPSIS\n{}", synopsis(&sub))?;
                man.render_options_section(out)?;
                let end = sub.get_after_long_help().or_else(|| sub.get_after_help());
                out.write_all(sections(&end.map(ToString::to_string).unwrap_or_default()).as_bytes())?;
                commands.push(sub);
            }
        }
        Ok(())
    })?;
    Ok(Exit::AllPass)
}

/// Writes a page for a command and each of its own.
fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        write_pages(sub, folder)?;
    }
    let page = Man::new(command.clone());
    std::fs::write(folder.join(page.get_filename()), manual_page(command)?)
}
