//! Completion scripts and the manual page, out of the same definition as the command line.

use super::run_ids::with_runs;
use crate::command_line::Cli;
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use clap::CommandFactory;
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
        let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
        written.map_err(|error| {
            let what = format!("the manual pages cannot be written to {}: {error}", folder.display());
            CliError::refused(what, "name a folder that can be written with --dir")
        })?;
        return Ok(Exit::AllPass);
    }
    stdout::write(|out| {
        clap_mangen::Man::new(Cli::command()).render(out)?;
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
                let name = format!("{}-{}", command.get_name(), sub.get_name());
                let sub = sub.clone().name(name);
                let man = clap_mangen::Man::new(sub.clone());
                man.render_title(out)?;
                man.render_name_section(out)?;
                man.render_synopsis_section(out)?;
                man.render_options_section(out)?;
                commands.push(sub);
            }
        }
        Ok(())
    })?;
    Ok(Exit::AllPass)
}
