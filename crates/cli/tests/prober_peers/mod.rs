//! The other side of a prober or of a console, which does what a test wants: one prober and one console that are not honest.

use hostssl_prober::{KeyPin, PROBER_PATH, ProberKey, server_config};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConnection, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The name of the protocol.
pub const SCHEMA: &str = "hostssl/prober/v1";

/// Takes any server: what is tried here is the server.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A prober that sends whatever a test wants.
pub struct RawProber {
    address: SocketAddr,
    key: Option<rcgen::KeyPair>,
    versions: Vec<&'static SupportedProtocolVersion>,
}

impl RawProber {
    pub fn new(address: &str) -> Self {
        let key = Some(rcgen::KeyPair::generate().unwrap());
        Self { address: address.parse().unwrap(), key, versions: vec![&rustls::version::TLS13] }
    }

    pub fn without_key(address: &str) -> Self {
        Self { key: None, ..Self::new(address) }
    }

    pub fn with_old_tls(address: &str) -> Self {
        Self { versions: vec![&rustls::version::TLS12], ..Self::new(address) }
    }

    fn config(&self) -> ClientConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer(provider)));
        match &self.key {
            None => builder.with_no_client_auth(),
            Some(key) => {
                let names = vec!["stranger".to_owned()];
                let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(key).unwrap();
                let private = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
                builder.with_client_auth_cert(vec![certificate.der().clone()], private).unwrap()
            }
        }
    }

    /// Sends bytes as they are, and reads to the end. An error is that of the connection.
    pub fn exchange(&self, request: &[u8]) -> std::io::Result<String> {
        let name = ServerName::try_from("console.example").unwrap();
        let connection = ClientConnection::new(Arc::new(self.config()), name).unwrap();
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut tls = StreamOwned::new(connection, stream);
        // A server that refuses early may close before it has read everything.
        let sent = tls.write_all(request).and_then(|()| tls.flush());
        let mut answer = Vec::new();
        match tls.read_to_end(&mut answer) {
            Err(error) if answer.is_empty() => Err(sent.err().unwrap_or(error)),
            _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    }

    /// Posts a body; the status and what the console says.
    pub fn post(&self, body: &[u8]) -> (u16, Value) {
        self.post_part(body.len(), body)
    }

    /// Posts what is said to have this length.
    pub fn post_part(&self, length: usize, body: &[u8]) -> (u16, Value) {
        let head =
            format!("POST {PROBER_PATH} HTTP/1.1\r\nhost: c\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n",);
        let answer = self.exchange(&[head.as_bytes(), body].concat()).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    /// Asks, with the name of the protocol.
    pub fn ask(&self, mut request: Value) -> (u16, Value) {
        request["schema"] = SCHEMA.into();
        self.post(request.to_string().as_bytes())
    }

    /// Enrols with a join string.
    pub fn enrol(&self, join: &str) -> (u16, Value) {
        self.ask(json!({"ask": "enrol", "secret": join.rsplit(':').next().unwrap(), "version": "0"}))
    }
}

/// A console that answers whatever a test wants; what it is asked is passed on.
pub struct FakeConsole {
    pub address: SocketAddr,
    pub pin: KeyPin,
    pub asked: Receiver<Value>,
}

impl FakeConsole {
    /// Answers each request by a function; where that has no answer, it says nothing more on that connection.
    pub fn start(folder: &Path, mut answer: impl FnMut(&Value) -> Option<Value> + Send + 'static) -> Self {
        let key = ProberKey::load_or_make(&folder.join("fake-key.pem")).unwrap();
        let (pin, config) = (key.pin(), Arc::new(server_config(&key).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = channel();
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut tls = StreamOwned::new(connection, stream.unwrap());
                while let Some(request) = read_request(&mut tls) {
                    let reply = answer(&request);
                    if tell.send(request).is_err() {
                        return;
                    }
                    let Some(mut reply) = reply else {
                        // It stays open.
                        silent.push(tls);
                        break;
                    };
                    reply["schema"] = SCHEMA.into();
                    let text = reply.to_string();
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len());
                    if tls.write_all((head + &text).as_bytes()).and_then(|()| tls.flush()).is_err() {
                        break;
                    }
                }
            }
        });
        Self { address, pin, asked }
    }

    pub fn join(&self) -> String {
        format!("https://{}#sha256:{}:{}", self.address, self.pin, "a".repeat(64))
    }
}

fn read_request(stream: &mut impl Read) -> Option<Value> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1)?.split("\r\n").next()?.parse::<usize>().ok()?;
            if body.len() >= length {
                return serde_json::from_str(body).ok();
            }
        }
        match stream.read(&mut part) {
            Ok(count @ 1..) => bytes.extend_from_slice(part.get(..count)?),
            _ => return None,
        }
    }
}
