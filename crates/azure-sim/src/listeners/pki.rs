//! The authorities of the simulated servers, and the certificates that they issue when a server is first asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::time::OffsetDateTime;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::WireError;
use super::policy::{Certificate, Policy, TLS12, TLS13, Version};

const DAY: i64 = 86_400;
/// How long a good certificate lasts from the start of the simulation.
const GOOD_DAYS: i64 = 180;
/// How long one lasts that is about to expire. Half a day more keeps the count of whole days steady while a run lasts.
const SHORT_DAYS: i64 = 9;

/// A root certificate that stands for one of Azure's.
#[derive(Debug, Clone)]
pub struct Root {
    /// The common name.
    pub name: &'static str,
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// The certificate in PEM.
    pub pem: String,
}

const ROOTS: [&str; 2] = ["Simulated Azure Root G2", "Simulated Azure RSA Root 2017"];

/// Certificates that cover one pattern of names.
type LeafKey = (Box<str>, Certificate, usize);
type ConfigKey = (LeafKey, Version, Version);

/// The authorities and what they have issued.
#[derive(Debug)]
pub(super) struct Pki {
    roots: Vec<Root>,
    issuers: Vec<Issuer>,
    key: KeyPair,
    provider: Arc<CryptoProvider>,
    /// Seconds since 1970 at the start of the simulation.
    now: i64,
    issued: Mutex<HashMap<LeafKey, Arc<Vec<Vec<u8>>>>>,
    configs: Mutex<HashMap<ConfigKey, Arc<ServerConfig>>>,
}

struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is private.
        f.write_str("Issuer")
    }
}

impl Pki {
    pub(super) fn new(now: i64) -> Result<Self, WireError> {
        let mut roots = Vec::new();
        let mut issuers = Vec::new();
        for name in ROOTS {
            let root = CertifiedIssuer::self_signed(authority(name, now, 1)?, KeyPair::generate()?)?;
            let issuing = format!("{name}, issuing authority");
            issuers.push(Issuer(CertifiedIssuer::signed_by(
                authority(&issuing, now, 0)?,
                KeyPair::generate()?,
                &root,
            )?));
            roots.push(Root { name, der: root.der().to_vec(), pem: root.pem() });
        }
        Ok(Self {
            roots,
            issuers,
            key: KeyPair::generate()?,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            now,
            issued: Mutex::default(),
            configs: Mutex::default(),
        })
    }

    pub(super) fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The certificates that a server sends, its own first, in DER.
    pub(super) fn chain(&self, policy: &Policy) -> Result<Arc<Vec<Vec<u8>>>, WireError> {
        let key = leaf_key(policy);
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chain) = issued.get(&key) {
            return Ok(Arc::clone(chain));
        }
        let chain = Arc::new(self.issue(&key)?);
        issued.insert(key, Arc::clone(&chain));
        Ok(chain)
    }

    /// The TLS of a listener.
    pub(super) fn config(&self, policy: &Policy) -> Result<Arc<ServerConfig>, WireError> {
        let key = (leaf_key(policy), policy.floor, policy.cap);
        if let Some(config) = self.configs.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(config));
        }
        let versions: Vec<_> = [(TLS13, &rustls::version::TLS13), (TLS12, &rustls::version::TLS12)]
            .into_iter()
            .filter(|(version, _)| (policy.floor..=policy.cap).contains(version))
            .map(|(_, version)| version)
            .collect();
        let chain = self.chain(policy)?.iter().map(|der| CertificateDer::from(der.clone())).collect();
        let own = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&versions)?
            .with_no_client_auth()
            .with_single_cert(chain, own)?;
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        // PostgreSQL sends no tickets.
        config.send_tls13_tickets = 0;
        let config = Arc::new(config);
        self.configs.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&config));
        Ok(config)
    }

    fn issue(&self, (pattern, certificate, root): &LeafKey) -> Result<Vec<Vec<u8>>, WireError> {
        let name = match certificate {
            Certificate::OtherName => "pg-restored.postgres.database.azure.com.invalid".to_owned(),
            Certificate::Good | Certificate::ExpiresSoon => pattern.to_string(),
        };
        let mut leaf = CertificateParams::new(vec![name.clone()])?;
        leaf.distinguished_name.push(DnType::CommonName, name);
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let end = match certificate {
            Certificate::ExpiresSoon => self.now + SHORT_DAYS * DAY + DAY / 2,
            Certificate::Good | Certificate::OtherName => self.now + GOOD_DAYS * DAY + DAY / 2,
        };
        leaf.not_before = time(self.now - DAY);
        leaf.not_after = time(end);
        let Some(Issuer(issuer)) = self.issuers.get(*root) else {
            return Err(WireError::Certificate(rcgen::Error::CouldNotParseCertificate));
        };
        Ok(vec![leaf.signed_by(&self.key, issuer)?.der().to_vec(), issuer.der().to_vec()])
    }
}

/// Servers whose names differ in the first label alone share a certificate, as a wildcard covers them.
fn leaf_key(policy: &Policy) -> LeafKey {
    let pattern = policy.host.split_once('.').map_or_else(|| policy.host.clone(), |(_, rest)| format!("*.{rest}"));
    (pattern.into(), policy.certificate, policy.root)
}

fn authority(name: &str, now: i64, below: u8) -> Result<CertificateParams, rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.use_authority_key_identifier_extension = true;
    authority.not_before = time(now - 365 * DAY);
    authority.not_after = time(now + 3650 * DAY);
    Ok(authority)
}

/// A time that X.509 can hold, or the first second of 1970.
fn time(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
