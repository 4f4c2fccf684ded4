//! `hostssl server list` and `hostssl server show`.

use crate::args::{OutputArgs, ServerCommand, ServerListArgs, ServerShowArgs, ValueFormat};
use crate::connect::{block_on, connect};
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use hostssl_formats::output::Format;
pub(crate) use hostssl_formats::server_document::COLUMNS;
use hostssl_formats::server_document::{self, server_document};
use hostssl_formats::{Section, write_list};
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
    let format = Format::from(args.value.output);
    let is_table = query.is_none() && format == Format::Table;
    let shape = args.list.shape(is_table, args.value.output == ValueFormat::Wide)?;
    let (documents, gaps) = block_on(async {
        let tenants = connect(&args.connect, &args.state, &args.scope.tenant, &args.limits, talk).await?;
        let found = list_server_documents(&tenants, &args.scope.scope(&args.select)).await?;
        Ok((found.documents, found.gaps))
    })?;
    let servers: Vec<Value> = documents.iter().map(self::shape).collect();
    let palette = stdout::palette(talk);
    if is_table {
        let entries = servers.iter().map(server_document::entry).collect();
        let section = Section { title: None, entries };
        stdout::write_text(talk, &shape, |out, text| write_list(out, COLUMNS, vec![section], text))?;
    } else {
        stdout::write_value(&Value::Array(servers), query.as_ref(), format, palette)?;
    }
    Ok(tell_gaps(&gaps))
}

fn show(args: &ServerShowArgs, talk: &OutputArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let servers = args.server.servers()?;
    let (documents, gaps) = block_on(async {
        let tenants = connect(&args.connect, &args.state, &args.tenant, &args.limits, talk).await?;
        let (mut documents, mut gaps) = (Vec::new(), Vec::new());
        for server in &servers {
            let subscriptions = server.subscriptions.clone();
            let scope = Scope { tenants: args.tenant.clone(), subscriptions, ..Scope::default() };
            let found = show_server_document(&tenants, &scope, &server.resource_group, &server.name).await?;
            documents.extend(found.documents.first().map(shape));
            gaps.extend(found.gaps);
        }
        Ok((documents, gaps))
    })?;
    let document = one_or_all(documents);
    stdout::write_value(&document, query.as_ref(), args.value.output.into(), stdout::palette(talk))?;
    Ok(tell_gaps(&gaps))
}

/// One document as it is, several as a list: what the Azure CLI does with `--ids`.
pub(crate) fn one_or_all(mut documents: Vec<Value>) -> Value {
    if documents.len() > 1 { Value::Array(documents) } else { documents.pop().unwrap_or_default() }
}

/// A document in the shape that `az postgres server` printed.
pub(crate) fn shape(document: &Document) -> Value {
    server_document(&document.raw, document.ssl_enforcement, document.minimal_tls_version)
}

/// What could not be checked is reported even with --quiet: the data alone would look complete.
fn tell_gaps(gaps: &[Gap]) -> Exit {
    if stdout::warn_of_gaps(gaps) { Exit::Incomplete } else { Exit::AllPass }
}
