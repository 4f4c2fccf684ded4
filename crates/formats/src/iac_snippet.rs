//! The Terraform and Bicep that make a server enforce TLS.

use hostssl_model::{Floor, Kind, Meaning, ParameterName, ResourceId, TlsVersion};
use std::io::{self, Write};

/// A stable version of the REST API of flexible servers.
const FLEXIBLE_API: &str = "2024-08-01";

/// The language of a snippet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnippetLanguage {
    /// For the provider `azurerm`.
    Terraform,
    /// For a Bicep file.
    Bicep,
}

/// What the values of a snippet must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnippetAim {
    /// The lowest version of TLS.
    pub minimum: TlsVersion,
    /// Whether the highest version is raised to TLS 1.3 too. Most servers have none set, so that nothing needs to be raised.
    pub raises_maximum: bool,
}

/// Why there is no snippet for a kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSnippet {
    /// TLS cannot be turned off.
    #[error("clusters of Azure Cosmos DB for PostgreSQL always enforce TLS")]
    AlwaysOn,
    /// The setting is shared.
    #[error("the parameters of HorizonDB are in a parameter group, which other clusters may share")]
    ParameterGroup,
    /// A name that would be something else in a template.
    #[error("its name has characters that no server of Azure has")]
    Name,
}

/// Writes what makes a server enforce TLS, with these versions.
///
/// # Errors
///
/// Whatever the writer returns; [`NoSnippet`] inside, when there is none.
pub fn write(
    out: &mut dyn Write,
    kind: Kind,
    server: &ResourceId,
    aim: SnippetAim,
    language: SnippetLanguage,
) -> io::Result<Result<(), NoSnippet>> {
    // What Azure allows in such ids, and no template gives another meaning.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.()/".contains(c);
    if !server.as_str().chars().all(plain) {
        return Ok(Err(NoSnippet::Name));
    }
    let values = settings(kind, aim);
    match (kind, language) {
        (Kind::CosmosCluster, _) => return Ok(Err(NoSnippet::AlwaysOn)),
        (Kind::Horizon, _) => return Ok(Err(NoSnippet::ParameterGroup)),
        (Kind::Flexible | Kind::ElasticCluster, SnippetLanguage::Terraform) => {
            flexible_terraform(out, server, &values)?
        }
        (Kind::Flexible | Kind::ElasticCluster, SnippetLanguage::Bicep) => flexible_bicep(out, server, &values)?,
        (Kind::Single, SnippetLanguage::Terraform) => single_terraform(out, server, &values)?,
        (Kind::Single, SnippetLanguage::Bicep) => single_bicep(out, server, &values)?,
    }
    Ok(Ok(()))
}

/// The settings of a kind of server, and the values that pass. Where Azure does not offer the version, the newest below it.
/// The highest version comes before the lowest, which may not be above it.
fn settings(kind: Kind, aim: SnippetAim) -> Vec<(ParameterName, &'static str)> {
    let on = kind.switch().and_then(|name| Some((name, kind.spell(name, Meaning::Enforced(true))?)));
    let versions = TlsVersion::ALL.into_iter().rev().filter(|version| *version <= aim.minimum);
    let cap = kind.offering().cap.filter(|_| aim.raises_maximum);
    let cap = cap.and_then(|name| Some((name, kind.spell(name, Meaning::Cap(Some(TlsVersion::Tls1_3)))?)));
    let floor = kind.client_floor().and_then(|name| {
        let spelled = |version| kind.spell(name, Meaning::Floor(Floor::At(version)));
        versions.clone().find_map(spelled).map(|value| (name, value))
    });
    on.into_iter().chain(cap).chain(floor).collect()
}

fn flexible_terraform(out: &mut dyn Write, server: &ResourceId, values: &[(ParameterName, &str)]) -> io::Result<()> {
    writeln!(
        out,
        "# These parameters are dynamic: no restart. If the server is in this configuration, use its id instead."
    )?;
    writeln!(
        out,
        "# Where a block sets one of them already, change its value: two blocks of one parameter overwrite each other."
    )?;
    let block = "azurerm_postgresql_flexible_server_configuration";
    let prefix = identifier(server.name());
    let raised = values.iter().find(|(name, _)| Some(*name) == Kind::Flexible.offering().cap);
    for (index, (name, value)) in values.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        writeln!(
            out,
            "{gap}resource \"{block}\" \"{prefix}_{name}\" {{\n  name      = \"{name}\"\n  server_id = \"{server}\"\n  \
             value     = \"{value}\""
        )?;
        if let Some((cap, _)) = raised.filter(|_| name.is_floor()) {
            writeln!(
                out,
                "  # PostgreSQL takes no minimum above the maximum.\n  depends_on = [{block}.{prefix}_{cap}]"
            )?;
        }
        writeln!(out, "}}")?;
    }
    Ok(())
}

fn flexible_bicep(out: &mut dyn Write, server: &ResourceId, values: &[(ParameterName, &str)]) -> io::Result<()> {
    let arm_type = Kind::Flexible.offering().arm_type;
    writeln!(out, "// Deploy it to the resource group {}.", server.resource_group())?;
    writeln!(out, "resource server '{arm_type}@{FLEXIBLE_API}' existing = {{\n  name: '{}'\n}}", server.name())?;
    let mut before: Option<String> = None;
    for (name, value) in values {
        let symbol = camel_case(name.as_str());
        writeln!(out, "\nresource {symbol} '{arm_type}/configurations@{FLEXIBLE_API}' = {{")?;
        writeln!(out, "  parent: server\n  name: '{name}'")?;
        writeln!(out, "  properties: {{\n    value: '{value}'\n    source: 'user-override'\n  }}")?;
        if let Some(before) = &before {
            writeln!(out, "  // Azure takes one parameter of a server at a time.\n  dependsOn: [\n    {before}\n  ]")?;
        }
        writeln!(out, "}}")?;
        before = Some(symbol);
    }
    Ok(())
}

/// The attributes of a single server in Terraform.
fn attribute(name: ParameterName) -> &'static str {
    if name.is_switch() { "ssl_enforcement_enabled" } else { "ssl_minimal_tls_version_enforced" }
}

fn single_terraform(out: &mut dyn Write, server: &ResourceId, values: &[(ParameterName, &str)]) -> io::Result<()> {
    writeln!(out, "# In the block of the server, with its other arguments as they are:")?;
    writeln!(out, "resource \"azurerm_postgresql_server\" \"{}\" {{", identifier(server.name()))?;
    for (name, value) in values {
        let value = if name.is_switch() { "true".to_owned() } else { format!("\"{value}\"") };
        writeln!(out, "  {:<32} = {value}", attribute(*name))?;
    }
    writeln!(out, "}}")
}

fn single_bicep(out: &mut dyn Write, server: &ResourceId, values: &[(ParameterName, &str)]) -> io::Result<()> {
    writeln!(out, "// In the resource of the server {}, with its other properties as they are:", server.name())?;
    writeln!(out, "properties: {{")?;
    for (name, value) in values {
        writeln!(out, "  {name}: '{value}'")?;
    }
    writeln!(out, "}}")
}

/// A name as Terraform takes it: letters, digits and underscores, a letter first.
fn identifier(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    let text: String = letters.collect();
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) { text } else { format!("pg_{text}") }
}

/// `require_secure_transport` as `requireSecureTransport`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let mut letters = word.chars();
        let upper = letters.next().map(|c| c.to_ascii_uppercase());
        text + &upper.into_iter().chain(letters).collect::<String>()
    })
}
