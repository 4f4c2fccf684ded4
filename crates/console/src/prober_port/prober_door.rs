//! The port for probers: TLS 1.3 that ends here, and a key on the other side. It shares nothing with the port for people.

use super::prober_talk::talk;
use crate::shared::Shared;
use axum::extract::DefaultBodyLimit;
use axum::http::Request as HttpRequest;
use axum::routing::post;
use axum::{Extension, Router};
use hostssl_prober::{KeyPin, PROBER_PATH, pin_of_certificate};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// Connections at once: a zone has few probers.
const MAX_PROBERS: usize = 128;
/// A client that cannot finish a handshake in this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The same for the head of a request, with the idle time before it.
const HEAD: Duration = Duration::from_secs(15);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// A connection that lasts longer is ended: the next one proves its key anew.
const LONGEST: Duration = Duration::from_secs(600);

/// The key that a connection proved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProvenKey(pub(crate) KeyPin);

/// A port for probers that waits to be served.
pub(crate) struct ProberDoor {
    pub(crate) listener: TcpListener,
    pub(crate) tls: TlsAcceptor,
}

impl ProberDoor {
    /// Serves until it is dropped.
    pub(crate) async fn serve(self, shared: Shared) {
        let app = Router::new()
            .route(PROBER_PATH, post(talk))
            // The handler has limits of its own, by who sends.
            .layer(DefaultBodyLimit::disable())
            .with_state(shared);
        let places = Arc::new(Semaphore::new(MAX_PROBERS));
        let mut visits = JoinSet::new();
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: a pause lets connections end.
                    tracing::warn!(%error, "cannot accept a prober");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            while visits.try_join_next().is_some() {}
            let (tls, app) = (self.tls.clone(), app.clone());
            visits.spawn(async move {
                match tokio::time::timeout(LONGEST, visit(stream, tls, app)).await {
                    Ok(Ok(())) | Err(_) => {}
                    Ok(Err(error)) => tracing::debug!(error, "the connection of a prober ended early"),
                }
                drop(place);
            });
        }
    }
}

async fn visit(
    stream: TcpStream,
    tls: TlsAcceptor,
    app: Router,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let _ = stream.set_nodelay(true);
    let stream = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await??;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let proven = ProvenKey(pin_of_certificate(certificate.ok_or("it has no certificate")?)?);
    let app = app.layer(Extension(proven));
    let service = tower::service_fn(move |request: HttpRequest<hyper::body::Incoming>| {
        app.clone().oneshot(request.map(axum::body::Body::new))
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await?;
    Ok(())
}
