//! Answers before they are HTTP, and the error bodies that ARM and the resource provider make.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use bytes::Bytes;

use crate::json::{put, quoted};

/// Marks a response that must never reach the client: the transport breaks the connection instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionReset {
    /// Whether the request had been sent by then.
    pub(crate) sent: bool,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// In lower case. A list is smaller than a map, and answers are passed around more than they are searched.
    pub(crate) headers: Vec<(&'static str, HeaderValue)>,
    pub(crate) content: Content,
}

/// What an answer carries.
#[derive(Debug)]
pub(crate) enum Content {
    /// A JSON document.
    Json(String),
    /// A page for people.
    Html(&'static str),
    /// Nothing.
    Empty,
    /// A body of its own making.
    Stream(Body),
    /// Not even an answer.
    Reset,
    /// Not even a connection.
    Refused,
}

impl Reply {
    /// 200 with a JSON body.
    pub(crate) fn json(body: String) -> Self {
        Self::with(StatusCode::OK, Content::Json(body))
    }

    /// Any status and content.
    pub(crate) fn with(status: StatusCode, content: Content) -> Self {
        Self { status, headers: Vec::new(), content }
    }

    /// An error made by the resource provider.
    pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Self {
        let mut body = String::with_capacity(64 + code.len() + message.len());
        put!(&mut body, r#"{{"error":{{"code":{},"message":{}}}}}"#, quoted(code), quoted(message));
        Self::with(status, Content::Json(body))
    }

    /// An error made by ARM itself, which says so in a header.
    pub(crate) fn gateway(status: StatusCode, code: &str, message: &str) -> Self {
        Self::error(status, code, message).header("x-ms-failure-cause", "gateway")
    }

    /// The same answer with a header more. A value that no header can hold is left out.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The HTTP response.
    pub(crate) fn into_response(self) -> Response<Body> {
        const JSON: Option<&str> = Some("application/json; charset=utf-8");
        let broken = match self.content {
            Content::Reset => Some(ConnectionReset { sent: true }),
            Content::Refused => Some(ConnectionReset { sent: false }),
            _ => None,
        };
        let (content_type, body) = match self.content {
            Content::Json(text) => (JSON, Body::from(Bytes::from(text))),
            Content::Html(text) => (Some("text/html"), Body::from(text)),
            Content::Stream(body) => (JSON, body),
            Content::Empty | Content::Reset | Content::Refused => (None, Body::empty()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
        if let Some(content_type) = content_type {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Some(broken) = broken {
            response.extensions_mut().insert(broken);
        }
        response
    }
}

/// 404 for an unknown path.
pub(crate) fn no_such_path() -> Reply {
    Reply::gateway(StatusCode::NOT_FOUND, "NotFound", "The simulated Azure has nothing at this path.")
}

/// 404 for a resource that ARM does not know.
pub(crate) fn resource_not_found(kind: crate::fleet::Kind, name: &str, group: &str) -> Reply {
    Reply::gateway(
        StatusCode::NOT_FOUND,
        "ResourceNotFound",
        &format!(
            "The Resource '{}/{}/{name}' under resource group '{group}' was not found.",
            kind.provider(),
            kind.type_segment()
        ),
    )
}

/// 404 for a subscription that ARM does not know.
pub(crate) fn subscription_not_found(id: &str) -> Reply {
    Reply::gateway(
        StatusCode::NOT_FOUND,
        "SubscriptionNotFound",
        &format!("The subscription '{id}' could not be found."),
    )
}

/// 404 for a resource group that ARM does not know.
pub(crate) fn group_not_found(name: &str) -> Reply {
    Reply::gateway(
        StatusCode::NOT_FOUND,
        "ResourceGroupNotFound",
        &format!("Resource group '{name}' could not be found."),
    )
}

/// 400 for a body that cannot be used.
pub(crate) fn bad_request(message: &str) -> Reply {
    Reply::error(StatusCode::BAD_REQUEST, "InvalidRequestContent", message)
}

/// 403 for an action that the principal may not do.
pub(crate) fn forbidden(principal: &str, action: &str, scope: &str) -> Reply {
    Reply::gateway(
        StatusCode::FORBIDDEN,
        "AuthorizationFailed",
        &format!(
            "The client '{principal}' with object id '{principal}' does not have authorization to perform action \
             '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh \
             your credentials."
        ),
    )
}

/// 400 from a server that is stopped.
pub(crate) fn server_stopped(name: &str) -> Reply {
    Reply::error(
        StatusCode::BAD_REQUEST,
        "ServerStoppedError",
        &format!("The operation cannot be done because server '{name}' is stopped."),
    )
}

/// 500 from a server that is not yet there.
pub(crate) fn internal_error() -> Reply {
    Reply::error(
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalServerError",
        "An unexpected error occured while processing the request.",
    )
}

/// A write that would be forgotten is not accepted.
pub(crate) fn not_kept(error: &std::io::Error) -> Reply {
    let message = format!("The simulated Azure cannot keep the write in the state directory: {error}.");
    Reply::error(StatusCode::CONFLICT, "SimulatedWriteNotKept", &message)
}

/// The answer of a server that has another write on its way.
pub(crate) fn server_busy(status: u16, name: &str) -> Reply {
    Reply::error(
        StatusCode::from_u16(status).unwrap_or(StatusCode::CONFLICT),
        "ServerIsBusy",
        &format!(
            "Cannot complete operation while server '{name}' is busy processing another operation. Try again later."
        ),
    )
}
