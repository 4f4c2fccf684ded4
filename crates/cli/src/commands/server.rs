//! `hostssl server list` and `hostssl server show`.

use crate::args::{OutputArgs, ServerCommand, ServerListArgs, ServerShowArgs};
use crate::connect::{block_on, connect};
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use hostssl_formats::output::Format;
use hostssl_formats::server_document::{list_columns, server_document};
use hostssl_model::{Gap, Scope};
use hostssl_ops::{Document, list_server_documents, show_server_document};
use serde_json::Value;

pub(crate) fn run(command: &ServerCommand, talk: &OutputArgs) -> Result<Exit, CliError> {
    match command {
        ServerCommand::List(args) => list(args, talk),
        ServerCommand::Show(args) => show(args, talk),
        ServerCommand::Update(args) => super::server_update::run(args, talk),
    }
}

fn list(args: &ServerListArgs, talk: &OutputArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let (documents, gaps) = block_on(async {
        let tenants = connect(&args.connect, &args.state, &args.scope.tenant, &args.limits, talk).await?;
        let found = list_server_documents(&tenants, &args.scope.scope(&args.select)).await?;
        Ok((found.documents, found.gaps))
    })?;
    let format = Format::from(args.value.output);
    let servers: Vec<Value> = documents.iter().map(shape).collect();
    let palette = stdout::palette(talk);
    if query.is_none() && format == Format::Table {
        let (rows, columns) = list_columns(&servers);
        stdout::write(|out| hostssl_formats::output::write_value(out, &rows, format, &columns, palette))?;
    } else {
        stdout::write_value(&Value::Array(servers), query.as_ref(), format, palette)?;
    }
    Ok(tell_gaps(&gaps))
}

fn show(args: &ServerShowArgs, talk: &OutputArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let scope = Scope { tenants: args.tenant.clone(), subscriptions: args.subscription.clone(), ..Scope::default() };
    let (documents, gaps) = block_on(async {
        let tenants = connect(&args.connect, &args.state, &args.tenant, &args.limits, talk).await?;
        let found = show_server_document(&tenants, &scope, &args.resource_group, &args.name).await?;
        Ok((found.documents, found.gaps))
    })?;
    let document = documents.first().map_or(Value::Null, shape);
    stdout::write_value(&document, query.as_ref(), args.value.output.into(), stdout::palette(talk))?;
    Ok(tell_gaps(&gaps))
}

/// A document in the shape that `az postgres server` printed.
pub(crate) fn shape(document: &Document) -> Value {
    server_document(&document.raw, document.ssl_enforcement, document.minimal_tls_version)
}

/// What could not be seen is told even with --quiet: the data alone would look whole.
fn tell_gaps(gaps: &[Gap]) -> Exit {
    if stdout::warn_of_gaps(gaps) { Exit::Incomplete } else { Exit::AllPass }
}
