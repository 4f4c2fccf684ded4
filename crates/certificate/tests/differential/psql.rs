//! libpq, by way of `psql`, and a server that answers its `SSLRequest` and shakes hands with whatever certificates it has.

use crate::chains::{Case, Key};
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Hands out one chain, good or bad.
#[derive(Debug)]
struct Chain(Arc<CertifiedKey>);

impl ResolvesServerCert for Chain {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// Whether `psql` shakes hands with a server of this chain with `sslmode=verify-full`.
pub(crate) fn connect(work: &Path, keys: &[Key], case: &Case, host: &str) -> Result<(), String> {
    connect_with(work, keys, &case.root_file(), case, host)
}

/// The same with the file of roots that is given.
pub(crate) fn connect_with(work: &Path, keys: &[Key], root_file: &[u8], case: &Case, host: &str) -> Result<(), String> {
    let roots = work.join("psql-roots.pem");
    std::fs::write(&roots, root_file).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = server(&keys[case.leaf_key], case);
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        shake_hands(stream, config).is_ok()
    });
    let output = Command::new("psql")
        .args(["-X", "-w", "-c", "select 1"])
        .arg(format!(
            "host='{host}' hostaddr=127.0.0.1 port={port} user=u dbname=d sslmode=verify-full gssencmode=disable \
             connect_timeout=20 sslrootcert='{}' sslcrl=''",
            roots.display()
        ))
        // No files of whoever runs the tests, and English.
        .env_clear()
        .env("HOME", work)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C")
        .output()
        .expect("psql is needed: scripts/install-wire-servers");
    // A root file that libpq cannot read ends psql before it connects: let the server go.
    drop(TcpStream::connect(("127.0.0.1", port)));
    // libpq looks at the certificate and its name before it sends the startup packet.
    match server.join().unwrap() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

fn server(key: &Key, case: &Case) -> Arc<rustls::ServerConfig> {
    let provider = rustls::crypto::ring::default_provider();
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from(key.pkcs8());
    let key = rustls::crypto::ring::sign::any_supported_type(&der.into()).unwrap();
    let chain = case.sent.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Chain(Arc::new(CertifiedKey::new(chain, key)))));
    Arc::new(config)
}

/// Answers an `SSLRequest`, completes the handshake, reads the startup packet and hangs up.
fn shake_hands(mut stream: TcpStream, config: Arc<rustls::ServerConfig>) -> Result<(), Box<dyn std::error::Error>> {
    stream.read_exact(&mut [0; 8])?;
    stream.write_all(b"S")?;
    let mut connection = rustls::ServerConnection::new(config)?;
    let mut startup = [0; 1];
    rustls::Stream::new(&mut connection, &mut stream).read_exact(&mut startup)?;
    Ok(())
}
