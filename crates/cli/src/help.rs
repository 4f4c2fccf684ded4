//! The help of every command, as people read it at 100 columns. A changed snapshot is a changed face: read it before accepting it.

use crate::command_line::Cli;
use clap::{Command, CommandFactory};

/// Renders a command's help, and that of every command below it.
fn add(command: &Command, path: &str, pages: &mut Vec<(String, String)>) {
    // Values of this machine's environment are not part of it.
    let page = command.clone().bin_name(path).term_width(100).mut_args(|arg| arg.hide_env_values(true));
    pages.push((path.to_owned(), page.clone().render_long_help().to_string()));
    for below in page.get_subcommands().filter(|below| below.get_name() != "help") {
        add(below, &format!("{path} {}", below.get_name()), pages);
    }
}

#[test]
fn help_of_every_command() {
    let mut whole = Cli::command();
    whole.build();
    let mut pages = Vec::new();
    add(&whole, "hostssl", &mut pages);
    assert!(pages.len() > 20, "{}", pages.len());
    for (path, page) in pages {
        insta::assert_snapshot!(path.replace(' ', "-"), page);
    }
}
