//! The roots that a chain may end in, as the caller gives them.

use std::collections::HashMap;

use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::distinguished_name::DistinguishedName;
use crate::pem::{self, PemFault};
use crate::x509::Certificate;

/// One set of roots under a name: the system's, a file, a single root of a cloud.
#[derive(Clone, Debug)]
pub struct RootStore {
    name: String,
    certificates: Vec<Vec<u8>>,
    by_subject: HashMap<DistinguishedName, Vec<usize>>,
    anchors: Vec<TrustAnchor<'static>>,
}

/// Why a set of roots cannot be used. The fault of who gives it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// The text is not PEM as OpenSSL reads it.
    #[error("malformed PEM in the roots \"{store}\", line {line}: {why}; libpq refuses such a file")]
    Pem {
        /// The name of the roots.
        store: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        why: &'static str,
    },
    /// One of the certificates cannot be read.
    #[error("certificate {number} in the roots \"{store}\" cannot be read; libpq refuses such a file")]
    Unreadable {
        /// The name of the roots.
        store: String,
        /// Which certificate, from 1.
        number: usize,
    },
    /// No certificate that can be read is in it.
    #[error("no readable certificate in the roots \"{0}\"")]
    Empty(String),
}

impl RootStore {
    /// Roots from certificates in DER. Those that cannot be read are left out: system stores hold strange ones.
    ///
    /// # Errors
    ///
    /// [`RootError::Empty`] when none can be read.
    pub fn from_der(name: impl Into<String>, certificates: Vec<Vec<u8>>) -> Result<Self, RootError> {
        let mut store =
            Self { name: name.into(), certificates: Vec::new(), by_subject: HashMap::new(), anchors: Vec::new() };
        for der in certificates {
            let Some(subject) = Certificate::read(&der).map(|certificate| certificate.subject) else {
                continue;
            };
            if let Ok(anchor) = webpki::anchor_from_trusted_cert(&CertificateDer::from(der.as_slice())) {
                store.anchors.push(anchor.to_owned());
            }
            store.by_subject.entry(subject).or_default().push(store.certificates.len());
            store.certificates.push(der);
        }
        if store.certificates.is_empty() {
            return Err(RootError::Empty(store.name));
        }
        Ok(store)
    }

    /// Roots from a file in PEM, such as `sslrootcert` names. As in libpq, one certificate that cannot be read spoils the file.
    ///
    /// # Errors
    ///
    /// [`RootError`] when the text is malformed, holds no certificate, or one that cannot be read.
    pub fn from_pem(name: impl Into<String>, pem: &[u8]) -> Result<Self, RootError> {
        let name = name.into();
        let certificates = match pem::certificates(pem) {
            Ok(certificates) => certificates,
            Err(PemFault { line, why }) => return Err(RootError::Pem { store: name, line, why }),
        };
        match certificates.iter().position(|der| Certificate::read(der).is_none()) {
            Some(at) => Err(RootError::Unreadable { store: name, number: at + 1 }),
            None => Self::from_der(name, certificates),
        }
    }

    /// The roots of all `stores` under one name.
    ///
    /// # Errors
    ///
    /// [`RootError::Empty`] when there are none.
    pub fn merged(name: impl Into<String>, stores: &[Self]) -> Result<Self, RootError> {
        Self::from_der(name, stores.iter().flat_map(|store| store.certificates.clone()).collect())
    }

    /// The name given by the caller.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many certificates it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.certificates.len()
    }

    /// The certificates, in DER.
    pub(crate) fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// The roots with this subject, in DER.
    pub(crate) fn with_subject(&self, subject: &DistinguishedName) -> impl Iterator<Item = &[u8]> {
        let indices = self.by_subject.get(subject).map(Vec::as_slice).unwrap_or_default();
        indices.iter().filter_map(|&index| self.certificates.get(index)).map(Vec::as_slice)
    }

    pub(crate) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pem_and_finds_by_subject() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["a".into()]).unwrap().self_signed(&key).unwrap();
        let store = RootStore::from_pem("mine", certificate.pem().as_bytes()).unwrap();
        let certificate = Certificate::read(certificate.der()).unwrap();
        assert_eq!(store.with_subject(&certificate.subject).count(), 1);
        assert_eq!(store.name(), "mine");
    }

    #[test]
    fn faults() {
        assert_eq!(RootStore::from_pem("x", b"").err(), Some(RootError::Empty("x".into())));
        assert_eq!(RootStore::from_der("x", vec![vec![1, 2]]).err(), Some(RootError::Empty("x".into())));
        let half = b"-----BEGIN CERTIFICATE-----\nAAAA";
        assert!(RootStore::from_pem("x", half).is_err());
        let garbage = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let good = rcgen::generate_simple_self_signed(vec!["a".into()]).unwrap().cert.pem();
        let both = [good.as_bytes(), garbage].concat();
        let spoiled = RootError::Unreadable { store: "x".into(), number: 2 };
        assert_eq!(RootStore::from_pem("x", &both).err(), Some(spoiled));
    }
}
