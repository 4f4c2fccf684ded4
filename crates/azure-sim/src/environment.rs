//! What a client needs to know to talk to a served simulation instead of Azure.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::listeners::{Listening, POOLER, Wire};
use crate::server::RunningServer;
use crate::token::CLIENT_ID;

/// Why the files for the clients could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct WriteError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

/// The files that [`write_files`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// The certificate authority, in PEM.
    pub ca: PathBuf,
    /// A configuration directory for the Azure CLI in which the simulation is the only cloud.
    pub azure_config: PathBuf,
    /// The PostgreSQL listeners, a connection string on each line, where [`write_listeners`] was asked for them.
    pub listeners: PathBuf,
}

/// Writes the certificate authority and a configuration for the Azure CLI into `directory`, which is made if need be.
///
/// # Errors
///
/// [`WriteError`] names the file that could not be written.
pub fn write_files(server: &RunningServer, directory: &Path) -> Result<ClientFiles, WriteError> {
    let files = ClientFiles {
        ca: directory.join("ca.pem"),
        azure_config: directory.join("azure"),
        listeners: directory.join("servers.txt"),
    };
    fs::create_dir_all(&files.azure_config)
        .map_err(|source| WriteError { path: files.azure_config.clone(), source })?;
    let base = &server.base_url;
    let clouds = format!(
        "[Simulated]\n\
         endpoint_active_directory = {base}\n\
         endpoint_active_directory_resource_id = {base}/\n\
         endpoint_active_directory_graph_resource_id = {base}/graph/\n\
         endpoint_microsoft_graph_resource_id = {base}/msgraph/\n\
         endpoint_management = {base}/\n\
         endpoint_resource_manager = {base}\n"
    );
    let config = "[cloud]\nname = Simulated\n";
    for (path, text) in [
        (files.ca.clone(), server.ca_pem.as_str()),
        (files.azure_config.join("clouds.config"), &clouds),
        (files.azure_config.join("config"), config),
    ] {
        fs::write(&path, text).map_err(|source| WriteError { path, source })?;
    }
    Ok(files)
}

/// Writes the PostgreSQL listeners, for `hostssl probe --targets` and for psql, and adds their authorities to those of
/// `files`.
///
/// # Errors
///
/// [`WriteError`] names the file that could not be written.
pub fn write_listeners(
    server: &RunningServer,
    wire: &Wire,
    listening: &Listening,
    files: &ClientFiles,
) -> Result<(), WriteError> {
    let bundle = wire.roots().iter().fold(server.ca_pem.clone(), |bundle, root| bundle + &root.pem);
    let mut lines = "# the listeners of the simulated servers on this machine, as connection strings\n".to_owned();
    for listener in &listening.listeners {
        if listener.port == POOLER {
            lines += "# its pooler\n";
        }
        lines += &listener.connection_string();
        lines.push('\n');
    }
    for (path, text) in [(&files.ca, bundle), (&files.listeners, lines)] {
        fs::write(path, text).map_err(|source| WriteError { path: path.clone(), source })?;
    }
    Ok(())
}

/// The environment variables with which hostssl, the Azure CLI and the Azure SDKs meet the simulation. The secret is a
/// placeholder: it opens nothing but the simulation.
#[must_use]
pub fn environment(server: &RunningServer, files: &ClientFiles) -> Vec<(String, String)> {
    let simulation = server.simulation();
    let tenant = simulation.tenant_ids().into_iter().next().unwrap_or_default();
    let ca = files.ca.display().to_string();
    [
        ("HOSTSSL_ARM_ENDPOINT", server.base_url.clone()),
        ("HOSTSSL_AUTHORITY_HOST", server.base_url.clone()),
        ("HOSTSSL_CA_FILE", ca.clone()),
        ("HOSTSSL_AUTH", "secret".to_owned()),
        ("AZURE_TENANT_ID", tenant),
        ("AZURE_CLIENT_ID", CLIENT_ID.to_owned()),
        ("AZURE_CLIENT_SECRET", simulation.client_secret().to_owned()),
        ("AZURE_AUTHORITY_HOST", server.base_url.clone()),
        ("AZURE_CONFIG_DIR", files.azure_config.display().to_string()),
        // Without this the Azure CLI asks the public authority whether ours is one.
        ("AZURE_CORE_INSTANCE_DISCOVERY", "false".to_owned()),
        ("AZURE_CORE_COLLECT_TELEMETRY", "no".to_owned()),
        ("REQUESTS_CA_BUNDLE", ca.clone()),
        ("SSL_CERT_FILE", ca),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
