//! Whether Resource Manager can be reached at all: one request without a token, sent once.

use crate::Cloud;
use crate::error::one_line;
use crate::retry_after::{date, retry_after};
use crate::subscriptions::SUBSCRIPTIONS;
use azure_core::http::headers::HeaderName;
use azure_core::http::{Context, Method, Request, Transport};
use jiff::Timestamp;
use std::error::Error;
use std::io;
use std::time::Duration;

/// The answer to a request without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointReply {
    /// The HTTP status: 401 by Resource Manager.
    pub status: u16,
    /// The time of the answer by the clock that answered, to the second.
    pub date: Option<Timestamp>,
    /// How long it asks to wait before the next request.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointFault {
    /// The certificate that came is not trusted, or not for this host.
    Certificate,
    /// No connection, be it to the host or to the proxy.
    Unreachable,
    /// The connection broke, or what came is no HTTP.
    Broken,
}

/// There is no answer from Resource Manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointFailure {
    /// Why.
    pub fault: EndpointFault,
    /// What the system said, on one line.
    pub detail: String,
}

/// Asks Resource Manager for the subscriptions without saying who asks.
///
/// # Errors
///
/// [`EndpointFailure`] when no HTTP answer comes.
pub async fn ask_endpoint(transport: &Transport, cloud: &Cloud) -> Result<EndpointReply, EndpointFailure> {
    let mut url = cloud.arm_endpoint.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push("subscriptions");
    }
    url.query_pairs_mut().append_pair("api-version", SUBSCRIPTIONS);
    let mut request = Request::new(url, Method::Get);
    let answer = transport.send(&Context::new(), &mut request).await.map_err(|error| failure(&error))?;
    let headers = answer.headers();
    let date = headers.get_optional_str(&HeaderName::from_static("date")).and_then(date);
    let retry_after = retry_after(headers, Timestamp::now());
    Ok(EndpointReply { status: u16::from(answer.status()), date, retry_after })
}

fn failure(error: &(dyn Error + 'static)) -> EndpointFailure {
    let causes = || std::iter::successors(Some(error), |error| (*error).source());
    let detail = one_line(&causes().last().map(ToString::to_string).unwrap_or_default());
    let http = causes().find_map(|cause| cause.downcast_ref::<reqwest::Error>());
    let fault = if is_about_certificates(error) {
        EndpointFault::Certificate
    } else if http.is_some_and(|http| http.is_connect() || http.is_timeout()) {
        EndpointFault::Unreachable
    } else {
        EndpointFault::Broken
    };
    EndpointFailure { fault, detail }
}

/// Whether a certificate is among the causes. An I/O error does not show what it wraps as its cause, but the cause of that.
fn is_about_certificates(error: &(dyn Error + 'static)) -> bool {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return matches!(tls, rustls::Error::InvalidCertificate(_));
    }
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.is_some_and(|wrapped| is_about_certificates(wrapped)) || error.source().is_some_and(is_about_certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap().as_second(), 784_111_777);
        assert_eq!(date("yesterday"), None);
    }

    #[test]
    fn a_certificate_is_found_below_what_wraps_it() {
        let refused = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, refused));
        let error = azure_core::Error::new(azure_core::error::ErrorKind::Io, wrapped);
        assert_eq!(failure(&error).fault, EndpointFault::Certificate);
        let broken =
            azure_core::Error::new(azure_core::error::ErrorKind::Io, io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(failure(&broken).fault, EndpointFault::Broken);
    }
}
