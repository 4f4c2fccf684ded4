//! A TLS client that completes a handshake with whatever certificate comes, and keeps what it saw.
//!
//! Trust is judged afterwards, on the facts ([`hostssl_certificate`]); a handshake that ended at a bad chain could not
//! show the chain. Nothing secret is ever sent over such a connection.

use std::sync::{Arc, Mutex, PoisonError};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use hostssl_certificate::is_checkable;
use hostssl_pgwire::tls::{CipherSuite, NamedGroup, ProtocolVersion};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::attempt::AttemptFailure;
use crate::offer::Handshake;

/// The protocol name of PostgreSQL for ALPN.
pub(crate) const ALPN: &[u8] = b"postgresql";

/// The configuration that all connections share.
#[derive(Debug)]
pub(crate) struct TlsClient {
    newest: Arc<ClientConfig>,
    /// Offers TLS 1.2 alone.
    tls12: Arc<ClientConfig>,
    provider: Arc<CryptoProvider>,
}

/// The versions that a handshake offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfferedVersions {
    /// TLS 1.3 and 1.2.
    All,
    /// TLS 1.2 alone.
    OnlyTls12,
}

/// Why a handshake failed, and what was seen before it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandshakeFault {
    pub(crate) reason: AttemptFailure,
    /// The peer refused the application protocol that was offered.
    pub(crate) alpn_refused: bool,
    /// The peer has none of the versions that were offered, in so many words.
    pub(crate) version_refused: bool,
    pub(crate) chain: Vec<Vec<u8>>,
}

impl TlsClient {
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let mut provider = rustls::crypto::ring::default_provider();
        // PostgreSQL up to 17 knows P-256 only unless told otherwise. rustls sends a share for the first group, and a
        // share for another would cost a HelloRetryRequest.
        provider.kx_groups = vec![
            rustls::crypto::ring::kx_group::SECP256R1,
            rustls::crypto::ring::kx_group::X25519,
            rustls::crypto::ring::kx_group::SECP384R1,
        ];
        let provider = Arc::new(provider);
        let capture = Arc::new(Capture::new(provider.signature_verification_algorithms));
        let config = |versions: &[&'static rustls::SupportedProtocolVersion]| {
            let mut config = ClientConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(versions)?
                .dangerous()
                .with_custom_certificate_verifier(capture.clone())
                .with_client_cert_resolver(capture.clone());
            config.resumption = Resumption::disabled();
            Ok::<_, rustls::Error>(Arc::new(config))
        };
        let newest = config(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        let tls12 = config(&[&rustls::version::TLS12])?;
        Ok(Self { newest, tls12, provider })
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        // It fails only where the system has no randomness; no secret depends on these bytes.
        let _ = self.provider.secure_random.fill(&mut bytes);
        bytes
    }

    /// Completes a handshake over `stream` as a client of `host`, with or without the protocol of PostgreSQL.
    pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: ServerName<'static>,
        versions: OfferedVersions,
        alpn: bool,
        stream: S,
    ) -> Result<(TlsStream<S>, Handshake), HandshakeFault> {
        let capture = Arc::new(Capture::new(self.provider.signature_verification_algorithms));
        let mut config = ClientConfig::clone(match versions {
            OfferedVersions::All => &self.newest,
            OfferedVersions::OnlyTls12 => &self.tls12,
        });
        config.dangerous().set_certificate_verifier(capture.clone());
        config.client_auth_cert_resolver = capture.clone();
        if alpn {
            config.alpn_protocols = vec![ALPN.to_vec()];
        }
        match TlsConnector::from(Arc::new(config)).connect(host, stream).await {
            Ok(stream) => {
                let handshake = capture.handshake(stream.get_ref().1)?;
                Ok((stream, handshake))
            }
            Err(error) => Err(capture.fault(&error)),
        }
    }
}

/// What one handshake shows, by way of the two questions that rustls asks during it.
#[derive(Debug)]
struct Capture {
    algorithms: WebPkiSupportedAlgorithms,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    chain: Vec<Vec<u8>>,
    key_proof: Option<Result<(), String>>,
    certificate_requested: bool,
}

impl Seen {
    /// Whether the key of the server's certificate is one whose signatures can be checked here.
    fn is_checkable(&self) -> bool {
        let leaf = self.chain.first().and_then(|der| X509Certificate::from_der(der).ok());
        leaf.is_some_and(|(_, leaf)| is_checkable(leaf.public_key()))
    }
}

impl Capture {
    fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { algorithms, seen: Mutex::default() }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handshake(&self, connection: &rustls::ClientConnection) -> Result<Handshake, HandshakeFault> {
        let mut seen = self.seen();
        let version = connection.protocol_version().and_then(|version| ProtocolVersion::from_wire(version.into()));
        let suite = connection.negotiated_cipher_suite();
        let (Some(version), Some(suite)) = (version, suite) else {
            // rustls sets both before a handshake completes.
            return Err(HandshakeFault {
                reason: AttemptFailure::Handshake("no version and suite were negotiated".to_owned()),
                alpn_refused: false,
                version_refused: false,
                chain: std::mem::take(&mut seen.chain),
            });
        };
        Ok(Handshake {
            version,
            suite: CipherSuite(suite.suite().into()),
            group: connection.negotiated_key_exchange_group().map(|group| NamedGroup(group.name().into())),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            chain: std::mem::take(&mut seen.chain),
            key_proof: seen.key_proof.take().unwrap_or_else(|| Err("it was not given".to_owned())),
            certificate_requested: seen.certificate_requested,
        })
    }

    fn fault(&self, error: &std::io::Error) -> HandshakeFault {
        let mut seen = self.seen();
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let alert = match tls {
            Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
            _ => None,
        };
        let reason = match (tls, alert) {
            // Up to TLS 1.2 the server's demand ends the handshake itself.
            (_, Some(alert)) if seen.certificate_requested && is_demand(alert) => AttemptFailure::ClientCertificate,
            (Some(rustls::Error::InvalidCertificate(CertificateError::BadSignature)), _) => {
                AttemptFailure::FalseSignature
            }
            (Some(error), _) => AttemptFailure::Handshake(error.to_string()),
            (None, _) => AttemptFailure::from_io(error, "completing the TLS handshake"),
        };
        HandshakeFault {
            reason,
            alpn_refused: alert == Some(AlertDescription::NoApplicationProtocol),
            version_refused: alert == Some(AlertDescription::ProtocolVersion),
            chain: std::mem::take(&mut seen.chain),
        }
    }

    fn keep_proof(
        &self,
        proof: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match &proof {
            Ok(_) => self.seen().key_proof = Some(Ok(())),
            // The key of the certificate did not make it: not a weakness but a lie. ring says the same of keys that it
            // cannot read.
            Err(rustls::Error::InvalidCertificate(CertificateError::BadSignature)) if self.seen().is_checkable() => {
                return proof;
            }
            // A key or an algorithm that we cannot check. Go on, to see the rest, and remember.
            Err(error) => self.seen().key_proof = Some(Err(error.to_string())),
        }
        Ok(HandshakeSignatureValid::assertion())
    }
}

/// The alerts by which servers refuse a client without a certificate.
fn is_demand(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::HandshakeFailure
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired
    )
}

impl ServerCertVerifier for Capture {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec());
        self.seen().chain = chain.collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.keep_proof(verify_tls12_signature(message, certificate, signature, &self.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.keep_proof(verify_tls13_signature(message, certificate, signature, &self.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        // What ring cannot check is offered too: a server with such a key is better seen than missed.
        schemes.extend([SignatureScheme::ECDSA_NISTP521_SHA512, SignatureScheme::ED448]);
        schemes
    }
}

impl ResolvesClientCert for Capture {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        self.seen().certificate_requested = true;
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
