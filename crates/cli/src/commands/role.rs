//! `hostssl role`.

use crate::args::{TerminalArgs, name};
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use clap::{Args, Subcommand};
use hostssl_azure::permissions;
use hostssl_formats::output::Format;
use hostssl_formats::role_json::CustomRole;
use hostssl_model::Hint;

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// The role for `hostssl audit`: it can read what the audit reads and who changed it, and nothing else.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Audit(RoleArgs),
    /// The role for planning and applying: it can also change the parameters that hostssl changes, and nothing else.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Remediate(RoleArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RoleArgs {
    /// A subscription id where the role can be assigned (repeatable).
    #[arg(long, value_name = "ID", value_parser = name)]
    pub(crate) subscription: Vec<String>,
    /// A management group where the role can be assigned (repeatable).
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) management_group: Vec<String>,
}

/// Stands where the user's own subscription belongs.
const PLACEHOLDER: &str = "00000000-0000-0000-0000-000000000000";

pub(crate) fn run(command: &RoleCommand, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let (RoleCommand::Audit(asked) | RoleCommand::Remediate(asked)) = command;
    if let Some(name) = asked.subscription.iter().find(|text| !is_id(text)) {
        let hint = Hint::with("`az account show --subscription '{}' --query id -o tsv` prints it", &[&name]);
        return Err(CliError::usage(format!("--subscription {name} is not the id of a subscription"), hint));
    }
    let (args, name, description, more): (_, _, _, &[&str]) = match command {
        RoleCommand::Audit(args) => {
            (args, "hostssl auditor", "Reads what `hostssl audit` reads and who changed it, and nothing else.", &[])
        }
        RoleCommand::Remediate(args) => (
            args,
            "hostssl remediator",
            "Reads what `hostssl plan` reads and changes what `hostssl apply` changes.",
            &permissions::REMEDIATE,
        ),
    };
    let scopes = scopes(args);
    let mut actions = [&permissions::AUDIT[..], &permissions::WHO, &permissions::POLICIES, more].concat();
    // A role that can be assigned on a subscription alone may not hold permissions on management groups.
    if !args.management_group.is_empty() {
        actions.push(permissions::READ_DESCENDANTS);
    }
    let role = CustomRole::new(name, description, &actions, &scopes).value();
    let role = role.map_err(|error| CliError::defect(&error))?;
    stdout::write_value(&role, None, Format::Json, stdout::palette(terminal))?;
    if !terminal.quiet && args.subscription.is_empty() && args.management_group.is_empty() {
        stderr!("hint: name where it can be assigned, with --subscription or --management-group");
    }
    Ok(Exit::AllPass)
}

/// Whether a text is a subscription's id. Azure takes no name in a scope.
fn is_id(text: &str) -> bool {
    text.len() == PLACEHOLDER.len()
        && text.bytes().zip(PLACEHOLDER.bytes()).all(|(byte, form)| match form {
            b'-' => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn scopes(args: &RoleArgs) -> Vec<String> {
    let subscriptions = args.subscription.iter().map(|id| format!("/subscriptions/{id}"));
    let groups = args.management_group.iter();
    let groups = groups.map(|name| format!("/providers/Microsoft.Management/managementGroups/{name}"));
    let scopes: Vec<String> = subscriptions.chain(groups).collect();
    if scopes.is_empty() { vec![format!("/subscriptions/{PLACEHOLDER}")] } else { scopes }
}
