//! The simulation as the transport and credential of the Azure SDK, without a socket.

use axum::body::Body;
use axum::http::Request;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::request::{Body as SdkBody, Request as SdkRequest};
use azure_core::http::{AsyncRawResponse, HttpClient, StatusCode};
use azure_core::time::OffsetDateTime;
use futures::StreamExt as _;

use crate::reply::ConnectionReset;
use crate::simulation::Simulation;
use crate::token::{self, CLIENT_ID};

/// Calls a simulation in process. For `ClientOptions.transport` of the Azure SDK.
#[derive(Debug, Clone)]
pub struct SimTransport(Simulation);

impl SimTransport {
    /// The transport into `simulation`.
    #[must_use]
    pub fn new(simulation: &Simulation) -> Self {
        Self(simulation.clone())
    }
}

#[async_trait::async_trait]
impl HttpClient for SimTransport {
    /// Sends a request.
    ///
    /// # Errors
    ///
    /// An I/O error where the simulation breaks the connection; a data error for a request that is no HTTP.
    async fn execute_request(&self, request: &SdkRequest) -> azure_core::Result<AsyncRawResponse> {
        let mut builder = Request::builder().method(request.method().as_ref()).uri(request.url().as_str());
        for (name, value) in request.headers().iter() {
            builder = builder.header(name.as_str(), value.as_str());
        }
        let body = match request.body() {
            SdkBody::Bytes(bytes) => Body::from(bytes.clone()),
            SdkBody::SeekableStream(_) => {
                return Err(azure_core::Error::with_message(
                    ErrorKind::Other,
                    "the simulated transport does not take streams as request bodies",
                ));
            }
        };
        let request = builder.body(body).map_err(|error| azure_core::Error::new(ErrorKind::DataConversion, error))?;
        let response = self.0.handle(request).await;
        if let Some(broken) = response.extensions().get::<ConnectionReset>() {
            let (kind, cause) = if broken.sent {
                (ErrorKind::Io, std::io::ErrorKind::ConnectionReset)
            } else {
                // As the SDK's transport over sockets calls it.
                (ErrorKind::Connection, std::io::ErrorKind::ConnectionRefused)
            };
            return Err(azure_core::Error::new(kind, std::io::Error::from(cause)));
        }
        let (parts, body) = response.into_parts();
        let mut headers = Headers::new();
        for (name, value) in &parts.headers {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        let stream =
            body.into_data_stream().map(|piece| piece.map_err(|error| azure_core::Error::new(ErrorKind::Io, error)));
        Ok(AsyncRawResponse::new(StatusCode::from(parts.status.as_u16()), headers, Box::pin(stream)))
    }
}

/// A credential that gets its tokens from the simulated authority without asking over HTTP.
#[derive(Debug, Clone)]
pub struct SimCredential {
    simulation: Simulation,
    tenant: String,
}

impl SimCredential {
    /// The credential of the demonstration's service principal in `tenant`. Whether the tenant exists is for ARM to
    /// say.
    #[must_use]
    pub fn new(simulation: &Simulation, tenant: impl Into<String>) -> Self {
        Self { simulation: simulation.clone(), tenant: tenant.into() }
    }
}

#[async_trait::async_trait]
impl TokenCredential for SimCredential {
    /// A token for the first of `scopes`.
    ///
    /// # Errors
    ///
    /// A credential error when no scope ends in `/.default`.
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let audience = scopes.first().copied().and_then(token::audience_of_scope).ok_or_else(|| {
            azure_core::Error::with_message(
                ErrorKind::Credential,
                "the caller asked for no scope that ends in /.default",
            )
        })?;
        let (issued, expires) = self.simulation.issue(&self.tenant, CLIENT_ID, audience);
        let expires = OffsetDateTime::from_unix_timestamp(expires)
            .map_err(|error| azure_core::Error::new(ErrorKind::Credential, error))?;
        Ok(AccessToken::new(issued, expires))
    }
}
