//! The connection to Azure: TLS with the system's roots and, where asked for, one more.

use azure_core::http::Transport;
use hostssl_model::{Advice, Fault, Hint};
use reqwest::Certificate;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A file of certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCaFile {
    /// The file cannot be read.
    #[error("the CA file {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no certificate in PEM form.
    #[error("the CA file {} contains no PEM certificate", .0.display())]
    NoCertificate(PathBuf),
    /// The TLS client cannot be made.
    #[error("the TLS client cannot be set up")]
    Client(#[source] reqwest::Error),
}

impl Advice for InvalidCaFile {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::Unreadable { .. } | Self::NoCertificate(_) => {
                "name a file of certificates in PEM form with --ca-file"
            }
            Self::Client(_) => "install the system's CA certificates, or name some with --ca-file",
        })
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Unreadable { .. } | Self::NoCertificate(_) => Fault::Request,
            Self::Client(_) => Fault::Environment,
        }
    }
}

/// The largest CA file that is read: the system's whole bundle is about 250 KB.
const LARGEST_CA_FILE: u64 = 8 << 20;

/// A transport over HTTPS that trusts the system's roots and those in `ca_file`.
///
/// The process must have installed a default crypto provider of rustls.
///
/// # Errors
///
/// [`InvalidCaFile`] when the file cannot be used, or when the system has no root certificates.
pub fn https_transport(ca_file: Option<&Path>) -> Result<Transport, InvalidCaFile> {
    let mut builder = reqwest::Client::builder()
        .https_only(false)
        // A redirect would carry the token to wherever it points.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .pool_idle_timeout(Duration::from_secs(60))
        // Answers are many and small. h2 takes a burst of small frames for an attack unless the window of the
        // connection is large (its budget for them is half that window), and breaks the connection with all requests on
        // it.
        .http2_initial_connection_window_size(16 << 20)
        .http2_initial_stream_window_size(2 << 20);
    if let Some(path) = ca_file {
        builder = builder.tls_certs_merge(ca_certificates(path)?);
    }
    let client = builder.build().map_err(InvalidCaFile::Client)?;
    Ok(Transport::new(Arc::new(client)))
}

/// The certificates in a PEM file, to be trusted beside those of the system.
///
/// # Errors
///
/// [`InvalidCaFile`] when the file cannot be read, is too large, or has no certificate.
pub fn ca_certificates(path: &Path) -> Result<Vec<Certificate>, InvalidCaFile> {
    let unreadable = |source| InvalidCaFile::Unreadable { path: path.to_owned(), source };
    // Nothing endless, and nothing that waits.
    let file = std::fs::metadata(path).map_err(unreadable)?;
    if file.len() > LARGEST_CA_FILE || !file.is_file() {
        return Err(InvalidCaFile::NoCertificate(path.to_owned()));
    }
    let pem = std::fs::read(path).map_err(unreadable)?;
    let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if certificates.is_empty() { Err(InvalidCaFile::NoCertificate(path.to_owned())) } else { Ok(certificates) }
}
