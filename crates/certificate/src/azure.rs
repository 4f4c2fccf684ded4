//! The roots in which the chains of Azure Database for PostgreSQL end.

use webpki_root_certs::TLS_SERVER_ROOT_CERTS;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::RootStore;

/// The common names of the roots (Microsoft's page "Networking overview using SSL and TLS", section "Root CAs used for
/// verification"): every certificate of a server chains to one of them, and Microsoft has moved servers from one to
/// another before.
pub const AZURE_ROOTS: [&str; 2] = ["DigiCert Global Root G2", "Microsoft RSA Root Certificate Authority 2017"];

/// The Azure roots, each as a store of its own, so that a report can say what verifies with only one of them. The
/// certificates are those of Mozilla's root programme.
#[must_use]
pub fn azure_roots() -> Vec<RootStore> {
    let named = |name: &str| {
        let certificate = TLS_SERVER_ROOT_CERTS.iter().find(|der| common_name(der).as_deref() == Some(name))?;
        RootStore::from_der(name, vec![certificate.to_vec()]).ok()
    };
    AZURE_ROOTS.into_iter().filter_map(named).collect()
}

fn common_name(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_roots_are_at_hand() {
        let stores = azure_roots();
        assert_eq!(stores.iter().map(RootStore::name).collect::<Vec<_>>(), AZURE_ROOTS);
    }
}
