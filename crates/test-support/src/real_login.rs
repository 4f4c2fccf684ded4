//! Logins to real PostgreSQL servers, as the program makes them.

use crate::postgres::{PASSWORD, RealServer};
use hostssl_probe::certificate::RootStore;
use hostssl_probe::dial::Network;
use hostssl_probe::target::ProbeTarget;
use hostssl_sessions::{Login, Password};
use std::path::Path;
use std::sync::Arc;

/// A login to a server under the name of its certificate, with the password of its superuser.
pub fn login_to(server: &RealServer, database: &str, user: &str) -> Login {
    login_at(server.port, &server.root(), database, user)
}

/// The same to a server that another process has started: its port, and the file of its certificate.
pub fn login_at(port: u16, root: &Path, database: &str, user: &str) -> Login {
    // Ignore the error: a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = std::fs::read(root).unwrap();
    Login {
        target: ProbeTarget::new("localhost", port),
        user: user.to_owned(),
        database: database.to_owned(),
        password: Some(Password::new(PASSWORD)),
        roots: Arc::from([RootStore::from_pem("server.crt", &root).unwrap()]),
        plaintext_on_loopback: false,
        dialer: Arc::new(Network),
    }
}
