//! `hostssl iac snippet`: what to write into a file so that a server enforces TLS.

use super::declared_profile;
use crate::args::{SimulatedArgs, StateArgs, Suggested, TerminalArgs, profiles};
use crate::error::CliError;
use crate::exit::Exit;
use crate::gate::audit_named;
use crate::stdout;
use clap::{Args, ValueEnum};
use hostssl_formats::iac_snippet::{self, NoSnippet, SnippetAim, SnippetLanguage};
use hostssl_model::{Floor, Kind, ResourceId, TlsVersion};

#[derive(Debug, Args)]
pub(crate) struct IacSnippetArgs {
    /// The server: its resource id, or its name in the newest kept audit.
    #[arg(value_name = "SERVER")]
    server: String,
    /// The rules that the values must pass.
    #[arg(long, value_name = "NAME", default_value = "baseline", value_parser = Suggested(profiles))]
    profile: String,
    /// Also raise the maximum version to TLS 1.3, for a server on which it is lower.
    #[arg(long)]
    raise_maximum: bool,
    /// Print only this language.
    #[arg(long, short = 'o', value_enum, ignore_case = true, help_heading = "Output options")]
    output: Option<SnippetOutput>,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    of: SimulatedArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SnippetOutput {
    /// For the provider azurerm.
    Terraform,
    Bicep,
}

pub(super) fn snippet(args: &IacSnippetArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let profile = declared_profile(&args.profile)?;
    let SnippetServer { kind, id: server, floor } = server(args)?;
    let languages: &[SnippetLanguage] = match args.output {
        Some(SnippetOutput::Terraform) => &[SnippetLanguage::Terraform],
        Some(SnippetOutput::Bicep) => &[SnippetLanguage::Bicep],
        None => &[SnippetLanguage::Terraform, SnippetLanguage::Bicep],
    };
    let minimum = profile.settings.minimum_tls;
    // Nothing that a server enforces is weakened.
    let has = match floor {
        Some(Floor::At(version)) => version,
        Some(Floor::None) | None => minimum,
    };
    let aim = SnippetAim { minimum: minimum.max(has), raises_maximum: args.raise_maximum };
    let mut text = Vec::new();
    for (index, language) in languages.iter().enumerate() {
        if index > 0 {
            text.push(b'\n');
        }
        let written = iac_snippet::write(&mut text, kind, &server, aim, *language);
        written.map_err(|error| CliError::failed(&error, "free some memory"))?.map_err(no_snippet)?;
    }
    stdout::write(|out| out.write_all(&text))?;
    let may_have_more = kind.client_floor().is_some() && minimum < TlsVersion::Tls1_3;
    if floor.is_none() && may_have_more && !terminal.quiet {
        stderr!(
            "note: which minimum version {} has is not known here: if it is above {minimum}, keep it",
            server.name()
        );
    }
    Ok(Exit::AllPass)
}

fn no_snippet(error: NoSnippet) -> CliError {
    let hint = match error {
        NoSnippet::AlwaysOn => "nothing needs to be set",
        NoSnippet::ParameterGroup => "change the parameter group manually",
        NoSnippet::Name => "give the id as Azure spells it",
    };
    CliError::usage(error.to_string(), hint)
}

/// The server that a snippet is for.
struct SnippetServer {
    kind: Kind,
    id: ResourceId,
    /// Its minimum version, where an audit read it.
    floor: Option<Floor>,
}

/// The server that is named.
fn server(args: &IacSnippetArgs) -> Result<SnippetServer, CliError> {
    if args.server.starts_with('/') {
        let invalid =
            |what: String| CliError::usage(what, "`hostssl server list --query '[].id'` lists the ids of servers");
        let id = ResourceId::try_from(args.server.as_str()).map_err(|error| invalid(error.to_string()))?;
        let kind = Kind::of_resource(&id).ok_or_else(|| invalid(format!("{id} is not the id of a server")))?;
        return Ok(SnippetServer { kind, id, floor: None });
    }
    let audit = audit_named("latest", &args.state, args.of.simulated(), "audit")?;
    let mut named = audit.servers.iter().filter(|report| report.server.name().eq_ignore_ascii_case(&args.server));
    match (named.next(), named.next()) {
        (Some(one), None) => {
            let floor = one.minimal_tls_version;
            Ok(SnippetServer { kind: one.server.kind, id: one.server.id.clone(), floor })
        }
        (Some(_), Some(_)) => {
            Err(CliError::usage(format!("several servers are called {}", args.server), "give the id of the server"))
        }
        (None, _) => {
            let what = format!("the newest kept audit has no server {}", args.server);
            Err(CliError::usage(what, "give the id of the server, or run `hostssl audit` first"))
        }
    }
}
