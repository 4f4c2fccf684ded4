//! TLS 1.3 between two sides that know each other by the hashes of their keys, and by no authority.

use crate::prober_key::{KeyPin, ProberKey};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::{Arc, Mutex, PoisonError};

/// The pin of the key that a certificate carries.
///
/// # Errors
///
/// When it is no certificate.
pub fn pin_of_certificate(certificate: &CertificateDer<'_>) -> Result<KeyPin, Error> {
    Ok(KeyPin::of(&ParsedCertificate::try_from(certificate)?.subject_public_key_info()))
}

/// How the console serves probers: TLS 1.3 alone, and no client without a key. Whose key it is, decides what was enrolled.
///
/// # Errors
///
/// None that a key of this crate can cause.
pub fn server_config(key: &ProberKey) -> Result<ServerConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(AnyKey(Arc::clone(&provider)));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(key.chain(), key.private())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Each connection proves the key anew.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The key that answered in place of the console's, if one did.
pub type StrangerKey = Arc<Mutex<Option<KeyPin>>>;

/// How a prober reaches the console with this pin, and where it is told which other key answered.
///
/// # Errors
///
/// None that a key of this crate can cause.
pub fn client_config(key: &ProberKey, pin: KeyPin) -> Result<(ClientConfig, StrangerKey), Error> {
    let provider = Arc::new(ring::default_provider());
    let stranger = StrangerKey::default();
    let verifier = PinnedConsole { provider: Arc::clone(&provider), pin, stranger: Arc::clone(&stranger) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(key.chain(), key.private())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok((config, stranger))
}

/// Takes every client that proves its key.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        pin_of_certificate(certificate).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 alone is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes the one console, whatever its name, and remembers what else answered.
#[derive(Debug)]
struct PinnedConsole {
    provider: Arc<CryptoProvider>,
    pin: KeyPin,
    stranger: StrangerKey,
}

impl ServerCertVerifier for PinnedConsole {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = pin_of_certificate(certificate)?;
        let is_console = found == self.pin;
        *self.stranger.lock().unwrap_or_else(PoisonError::into_inner) = (!is_console).then_some(found);
        if is_console {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 alone is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
