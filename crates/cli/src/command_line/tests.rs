//! What the whole command line says, reads and prints again.

use super::{Cli, Command, Misread};
use crate::again::Again;
use crate::args::{AuditFormat, FormatTo};
use clap::CommandFactory as _;

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_of_every_command_has_its_exit_codes() {
    fn look(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(command.has_subcommands() || help.contains("Exit codes:\n  0  "), "{path}: {help}");
        command.get_subcommands().for_each(|one| look(one, &path));
    }
    look(&Cli::command(), "");
}

#[test]
fn a_negative_number_is_a_wrong_value() {
    for arguments in [&["probe", "db", "--expiry-days", "-5"][..], &["plan", "--wave-size", "-1"]] {
        let all = ["hostssl"].iter().chain(arguments).map(Into::into);
        let error = command_line(all).unwrap_err().render().to_string();
        assert!(error.starts_with("error: invalid value '-"), "{error}");
    }
}

fn carried(arguments: &[&str]) -> Again {
    let matches = Cli::command().try_get_matches_from([&["hostssl"], arguments].concat()).unwrap();
    Again::of(&matches, Cli::command())
}

#[test]
fn a_next_command_leads_to_the_same_azure_and_state() {
    let simulated = carried(&["apply", "p.json", "--simulate", "readonly", "--state", "my state"]);
    assert_eq!(simulated.command("hostssl undo R"), "hostssl undo R --simulate readonly --state 'my state'");
    assert_eq!(simulated.command("hostssl controls replica-parity"), "hostssl controls replica-parity");
    assert_eq!(simulated.command("hostssl runs show R"), "hostssl runs show R --simulate readonly --state 'my state'");
    assert_eq!(simulated.command("hostssl plan --simulate demo"), "hostssl plan --simulate demo --state 'my state'");
    let text = carried(&["runs", "--simulate"])
        .hint("see `hostssl runs`, `az login` or `hostssl audit --help`".into())
        .to_string();
    assert_eq!(text, "see `hostssl runs --simulate demo`, `az login` or `hostssl audit --help`");
    let real = carried(&["audit", "--tenant", "a", "--tenant", "b", "--auth", "azd"]);
    assert_eq!(real.command("hostssl audit"), "hostssl audit --tenant a --tenant b --auth azd");
    assert_eq!(carried(&["audit", "--simulate"]).command("hostssl plan"), "hostssl plan --simulate demo");
    let scoped = carried(&["audit", "-g", "rg", "--server", "pg-*"]);
    assert_eq!(scoped.command("hostssl plan"), "hostssl plan --resource-group rg --server 'pg-*'");
    assert_eq!(scoped.command("hostssl server list -o table"), "hostssl server list -o table");
    assert_eq!(carried(&["audit"]).command("hostssl plan"), "hostssl plan");
    assert_eq!(carried(&["controls"]).command("hostssl plan"), "hostssl plan");
}

/// No test has a configuration file.
fn command_line(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Cli, clap::Error> {
    Cli::read(arguments).map_err(|misread| match misread {
        Misread::CommandLine(error) => error,
        Misread::Config(error) => panic!("{error:?}"),
    })
}

fn read(outputs: &[&str]) -> Result<Vec<FormatTo<AuditFormat>>, clap::Error> {
    let options = outputs.iter().flat_map(|output| ["-o", output]);
    let cli = command_line(["hostssl", "audit"].into_iter().chain(options).map(Into::into))?;
    let Command::Audit(args) = cli.command else { return Ok(Vec::new()) };
    Ok(args.output)
}

#[test]
fn formats_are_read_with_and_without_a_file() {
    let to = |format, file: Option<&str>| FormatTo { format, file: file.map(Into::into) };
    assert_eq!(read(&[]).unwrap(), [to(AuditFormat::Table, None)]);
    assert_eq!(
        read(&["JSON", "sarif=a=b.sarif", "csv=-"]).unwrap(),
        [to(AuditFormat::Json, None), to(AuditFormat::Sarif, Some("a=b.sarif")), to(AuditFormat::Csv, None)]
    );
    let empty = read(&["json="]).unwrap_err().to_string();
    assert!(empty.contains("invalid value 'json=' for '--output <FORMAT[=FILE]>'"), "{empty}");
    let unknown = read(&["xml=a"]).unwrap_err().to_string();
    assert!(unknown.contains("invalid value 'xml'"), "{unknown}");
}

/// What is written to standard error as it stands has no option of the command before it: every command in it is one that
/// `Again` has completed. Errors and their hints are completed where they are reported.
#[test]
fn no_message_names_a_command_that_was_not_completed() {
    fn look(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                let messages = source.split("stderr!(").skip(1).filter_map(|rest| rest.split(");").next());
                let named = messages.filter(|message| {
                    message
                        .split(concat!("`", "hostssl "))
                        .skip(1)
                        .any(|rest| !rest.split('`').next().unwrap_or("").ends_with("--help"))
                });
                found.extend(named.map(|message| format!("{}: {message}", path.display())));
            }
        }
    }
    let mut found = Vec::new();
    look(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.is_empty(), "{found:#?}");
}
