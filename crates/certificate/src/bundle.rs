//! Files of root certificates for clients (libpq's `sslrootcert`): the one that Azure's servers need, and what a given one
//! holds.

use crate::x509::Certificate;
use crate::{AZURE_ROOTS, CertificateFacts, RootStore, azure_roots, pem};
use std::fmt::Write as _;

/// What a file of roots holds, as far as Azure's servers are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleContents {
    /// Each root of [`AZURE_ROOTS`], and whether the file has it.
    pub azure_roots: Vec<(&'static str, bool)>,
    /// The subjects of certificates that are not roots: trusting one of them breaks when Azure replaces it, which it does
    /// without notice.
    pub not_roots: Vec<String>,
    /// The subjects of certificates whose validity has ended.
    pub expired: Vec<String>,
}

impl BundleContents {
    /// Reads what `store` holds. `now` is in seconds since 1970.
    #[must_use]
    pub fn of(store: &RootStore, now: i64) -> Self {
        let known = azure_roots();
        let has = |name: &str| {
            let root = known.iter().find(|root| root.name() == name);
            root.is_some_and(|root| root.certificates().iter().all(|der| store.certificates().contains(der)))
        };
        let mut contents = Self {
            azure_roots: AZURE_ROOTS.iter().map(|name| (*name, has(name))).collect(),
            not_roots: Vec::new(),
            expired: Vec::new(),
        };
        for certificate in store.certificates().iter().filter_map(|der| Certificate::read(der)) {
            let facts = CertificateFacts::of(&certificate);
            if facts.subject != facts.issuer {
                contents.not_roots.push(facts.subject.clone());
            }
            if facts.has_expired(now) {
                contents.expired.push(facts.subject);
            }
        }
        contents
    }

    /// Whether it has every root that Azure's servers may chain to.
    #[must_use]
    pub fn has_all_azure_roots(&self) -> bool {
        self.azure_roots.iter().all(|(_, is_present)| *is_present)
    }
}

/// The file of roots for clients of Azure's servers, in PEM, each root under its name.
#[must_use]
pub fn azure_bundle() -> String {
    let mut bundle = String::new();
    for root in azure_roots() {
        for der in root.certificates() {
            // Writing to a string cannot fail.
            let _ = writeln!(bundle, "# {}\n{}", root.name(), pem::encoded(der));
        }
    }
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-28
    const NOW: i64 = 1_795_824_000;

    #[test]
    fn the_bundle_reads_back_as_the_roots() {
        let store = RootStore::from_pem("bundle", azure_bundle().as_bytes()).unwrap();
        let roots: Vec<Vec<u8>> = azure_roots().iter().flat_map(|root| root.certificates().to_vec()).collect();
        assert_eq!(store.certificates(), roots);
        assert_eq!(roots.len(), AZURE_ROOTS.len());
        let contents = BundleContents::of(&store, NOW);
        assert!(contents.has_all_azure_roots() && contents.not_roots.is_empty() && contents.expired.is_empty());
        // 2039: DigiCert Global Root G2 ends in January 2038.
        assert_eq!(BundleContents::of(&store, NOW + 13 * 366 * 86_400).expired.len(), 1);
    }

    #[test]
    fn what_is_missing_and_what_is_pinned_is_told() {
        let one = azure_roots().remove(1);
        let contents = BundleContents::of(&one, NOW);
        assert_eq!(contents.azure_roots, [(AZURE_ROOTS[0], false), (AZURE_ROOTS[1], true)]);
        let key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(vec![]).unwrap();
        authority.distinguished_name.push(rcgen::DnType::CommonName, "root");
        let issuer = rcgen::Issuer::new(authority, key);
        let mut leaf = rcgen::CertificateParams::new(vec!["db.example".into()]).unwrap();
        leaf.distinguished_name.push(rcgen::DnType::CommonName, "leaf");
        let leaf = leaf.signed_by(&rcgen::KeyPair::generate().unwrap(), &issuer).unwrap();
        let store = RootStore::from_der("pinned", vec![leaf.der().to_vec()]).unwrap();
        let contents = BundleContents::of(&store, NOW);
        assert!(!contents.has_all_azure_roots());
        assert_eq!(contents.not_roots.len(), 1, "{contents:?}");
        assert!(contents.not_roots[0].contains("leaf"));
    }
}
