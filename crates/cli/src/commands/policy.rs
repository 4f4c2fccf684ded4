//! `hostssl policy`.

use crate::args::TerminalArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use clap::{Args, ValueEnum};
use hostssl_formats::policy::{ENFORCING, PolicyScope, REPORTING, caveats, value, write_bicep, write_terraform};
use hostssl_formats::write_json;

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// Where to assign: the id of a management group, a subscription or a resource group.
    #[arg(long, value_name = "ID")]
    scope: String,
    /// Also assign the policy that turns enforcement on by itself. It does not check whether a client would be refused.
    #[arg(long, requires = "location")]
    enforce: bool,
    /// The region that keeps the identity of the policy that enforces, such as westeurope.
    #[arg(long, value_name = "REGION", requires = "enforce", value_parser = region)]
    location: Option<String>,
    /// Output format.
    #[arg(long, short = 'o', value_enum, default_value_t = PolicyFormat::Json, ignore_case = true, help_heading = "Output options")]
    output: PolicyFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PolicyFormat {
    /// Assignments as Resource Manager takes them, each by a PUT of its id.
    Json,
    /// A Bicep file.
    Bicep,
    /// Terraform, for the provider azurerm.
    Terraform,
}

pub(crate) fn run(args: &PolicyArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let scope = PolicyScope::read(&args.scope).map_err(|error| {
        let hint = "give one such as /subscriptions/ID; `az account list -o table` shows subscriptions";
        CliError::usage(error.to_string(), hint)
    })?;
    let policies: Vec<_> = REPORTING.into_iter().chain(args.enforce.then_some(ENFORCING)).collect();
    let location = args.location.as_deref().unwrap_or_default();
    stdout::write(|out| match args.output {
        PolicyFormat::Json => {
            write_json(out, &value(&policies, &scope, location))?;
            writeln!(out)
        }
        PolicyFormat::Bicep => write_bicep(out, &policies, &scope, location),
        PolicyFormat::Terraform => write_terraform(out, &policies, &scope, location),
    })?;
    // The other formats have them as comments.
    if !terminal.quiet && args.output == PolicyFormat::Json {
        caveats(&policies).for_each(|caveat| stderr!("note: {caveat}"));
        if args.enforce {
            stderr!(
                "note: an assignment gives its identity no role: after the PUT, run `az role assignment create --role Contributor \
                 --assignee-principal-type ServicePrincipal --assignee-object-id PRINCIPAL --scope {}`, where PRINCIPAL is \
                 identity.principalId of the answer",
                scope.id()
            );
        }
    }
    Ok(Exit::AllPass)
}

/// A region by its short name.
fn region(text: &str) -> Result<String, String> {
    let named = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
    if named { Ok(text.to_lowercase()) } else { Err("expected a region such as westeurope".to_owned()) }
}
