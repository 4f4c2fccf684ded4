//! TLS as libpq's `sslmode=verify-full` has it: the judge of certificates decides, before a password is sent.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt as _};
use hostssl_probe::certificate::{CertificateEvidence, RootStore, judge};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// Begins TLS over a connection to one host.
pub(crate) struct VerifiedTls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// Why a certificate was refused, once it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct CertificateRefusal(Arc<OnceLock<String>>);

impl CertificateRefusal {
    pub(crate) fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

impl VerifiedTls {
    /// For the server at `host`, whose chain must end in one of `roots`. With `direct`, TLS begins without being asked
    /// for.
    pub(crate) fn new(
        host: &str,
        named: bool,
        roots: Arc<[RootStore]>,
        revocation_lists: bool,
        direct: bool,
    ) -> Result<(Self, CertificateRefusal), String> {
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned())
            .map_err(|_| format!("\"{host}\" is not a name that a certificate can be issued for"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let refusal = CertificateRefusal::default();
        let verifier = VerifyFull {
            host: if named { host.to_owned() } else { String::new() },
            roots,
            revocation_lists,
            algorithms: provider.signature_verification_algorithms,
            refusal: refusal.clone(),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        if direct {
            // PostgreSQL refuses direct TLS without the name of its protocol.
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok((Self { config: Arc::new(config), name }, refusal))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for VerifiedTls {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Encrypted<S>>>;

    fn connect(self, stream: S) -> Self::Future {
        async move {
            let connector = tokio_rustls::TlsConnector::from(self.config);
            Ok(Encrypted(connector.connect(self.name, stream).await?))
        }
        .boxed()
    }
}

/// An encrypted connection.
pub(crate) struct Encrypted<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    /// None: the certificate was checked already.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}

/// Lets the judge of certificates decide about a handshake.
#[derive(Debug)]
struct VerifyFull {
    host: String,
    roots: Arc<[RootStore]>,
    revocation_lists: bool,
    algorithms: WebPkiSupportedAlgorithms,
    refusal: CertificateRefusal,
}

impl ServerCertVerifier for VerifyFull {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain: Vec<Vec<u8>> = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec()).collect();
        let evidence = CertificateEvidence {
            chain: &chain,
            host: &self.host,
            roots: &self.roots,
            now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            revocation_lists: self.revocation_lists,
            // A proof that does not hold ends the handshake below.
            key_proof: Ok(()),
        };
        let verdict = judge(&evidence).map(|assessment| assessment.verify_full).unwrap_or_default();
        if verdict.ok == Some(true) {
            return Ok(ServerCertVerified::assertion());
        }
        let reason = verdict.reason.unwrap_or_else(|| "the server sent no certificate".to_owned());
        // One handshake sets it once.
        let _ = self.refusal.0.set(reason.clone());
        Err(rustls::Error::General(reason))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
