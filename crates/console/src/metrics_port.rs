//! `/metrics` alone, on a port of its own, for who watches without a console.

use crate::http_server::ServeError;
use crate::pages::{fleet_figures, metrics};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use hostssl_store::AuditStore;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Connections at once; more wait. A few Prometheus servers ask, once in a while each.
const MAX_CONNECTIONS: usize = 32;
/// A request must begin and be answered in this time; a connection that is kept open longer is closed. Prometheus opens another.
const CONNECTION: Duration = Duration::from_secs(30);
/// The same for the head of a request.
const HEAD: Duration = Duration::from_secs(10);

/// A port that answers `/metrics`, and nothing else.
pub struct MetricsPort {
    listener: TcpListener,
    store: Arc<AuditStore>,
    version: String,
}

impl MetricsPort {
    /// Takes the port. What is kept in `store` is read for each answer.
    ///
    /// # Errors
    ///
    /// [`ServeError::Bind`] when someone else has it, or it may not be used.
    pub async fn bind(address: SocketAddr, store: AuditStore, version: String) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })?;
        Ok(Self { listener, store: Arc::new(store), version })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped.
    pub async fn serve(self) {
        let app = Router::new().route("/metrics", get(show)).with_state((self.store, self.version));
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        while let Ok(place) = places.clone().acquire_owned().await {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: a pause lets connections end.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let service = TowerToHyperService::new(app.clone());
            tokio::spawn(async move {
                let mut builder = http1::Builder::new();
                builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(16 << 10);
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                let ended = tokio::time::timeout(CONNECTION, connection).await;
                if let Ok(Err(error)) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                drop(place);
            });
        }
    }
}

async fn show(State((store, version)): State<(Arc<AuditStore>, String)>) -> Result<Response, StatusCode> {
    let figures = tokio::task::spawn_blocking(move || fleet_figures(&store, version)).await;
    let figures = figures.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?.map_err(|error| {
        tracing::error!(%error, "the state cannot be read");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    metrics::answer(&figures).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
