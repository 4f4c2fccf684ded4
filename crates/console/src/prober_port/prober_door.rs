//! The port for probers: TLS 1.3 that ends here, and a key on the other side. It shares nothing with the port for people.

use super::door_places::{Arrival, DoorPlaces};
use super::prober_talk::{ProvenKey, talk};
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
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

/// The whole visit of one who is not enrolled, with the handshake: it is over after one small request.
const STRANGER: Duration = Duration::from_secs(10);
/// The handshake alone.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// A client that takes longer is dropped: for the head of a request, with the idle time before it.
const HEAD: Duration = Duration::from_secs(15);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// A connection that lasts longer is ended: the next one proves its key anew.
const LONGEST: Duration = Duration::from_secs(600);

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
            .with_state(shared.clone());
        let door = Arc::new(Door { tls: self.tls, app, places: DoorPlaces::new(), shared });
        let mut visits = JoinSet::new();
        loop {
            let (stream, _) = match self.listener.accept().await {
                Ok(arrived) => arrived,
                Err(error) => {
                    // Out of file descriptors, most likely: a pause lets connections end.
                    tracing::warn!(%error, "cannot accept a prober");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            while visits.try_join_next().is_some() {}
            let arrival = door.places.arrival();
            let (visited, number) = (Arc::clone(&door), arrival.number());
            let visit = visits.spawn(async move {
                if let Err(error) = visited.visit(stream, arrival).await {
                    tracing::debug!(error, "the connection of a prober ended early");
                }
            });
            door.places.is_visited_by(number, visit);
        }
    }
}

type EndedEarly = Box<dyn std::error::Error + Send + Sync>;

struct Door {
    tls: TlsAcceptor,
    app: Router,
    places: DoorPlaces,
    shared: Shared,
}

impl Door {
    async fn visit(&self, stream: TcpStream, arrival: Arrival) -> Result<(), EndedEarly> {
        let ends = Instant::now() + STRANGER;
        let _ = stream.set_nodelay(true);
        let (stream, key, is_enrolled) = timeout(HANDSHAKE, self.greet(stream)).await??;
        if !is_enrolled {
            return timeout_at(ends, self.talk_with(stream, key)).await?;
        }
        let _place = self.places.enrolled(key).ok_or("its key has enough connections, or there are too many")?;
        drop(arrival);
        timeout(LONGEST, self.talk_with(stream, key)).await?
    }

    /// The handshake. Returns the key that it proved, and whether that may do more than enrol.
    async fn greet(&self, stream: TcpStream) -> Result<(TlsStream<TcpStream>, KeyPin, bool), EndedEarly> {
        let stream = self.tls.accept(stream).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let key = pin_of_certificate(certificate.ok_or("it has no certificate")?)?;
        let find = key.to_string();
        let known = self.shared.ask(move |store| store.prober_of_key(&find)).await;
        let known = known.map_err(|_| "the state cannot be read")?;
        Ok((stream, key, known.is_some_and(|prober| prober.revoked_ms.is_none() && !prober.is_suspended())))
    }

    async fn talk_with(&self, stream: TlsStream<TcpStream>, key: KeyPin) -> Result<(), EndedEarly> {
        let app = self.app.clone().layer(Extension(ProvenKey(key)));
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
}
