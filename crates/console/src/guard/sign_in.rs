//! Lets in who has signed in: by a one-time link, or by a proxy in front that says so.

use super::Peer;
use super::session::{cookie, cookie_name, session_cookie};
use crate::options::Proxies;
use crate::reply::Failure;
use crate::state::Shared;
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use hostssl_model::untrusted::is_harmful;

/// The longest name of a person that a proxy may give.
const MAX_NAME: usize = 200;

/// Lets a request pass when its session goes on, or when a proxy says who asks.
pub(crate) async fn require_session(
    State(shared): State<Shared>,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let options = &shared.options;
    let peer = request.extensions().get::<Peer>().copied();
    let said = options.proxies.as_ref().and_then(|proxies| person_by_proxy(proxies, peer, request.headers()));
    let name = cookie_name(options, shared.port);
    let known = cookie(request.headers(), &name).and_then(|secret| shared.sessions.find(secret));
    let (session, fresh) = match (known, said) {
        // The proxy is asked every time: who was signed out there, or is somebody else now, is so here too.
        (Some(session), Some(person)) if session.by_proxy() && session.person() == person => (session, None),
        (Some(session), None) if !session.by_proxy() => (session, None),
        (_, Some(person)) => {
            let (secret, session) = shared.sessions.begin(&person, true).ok_or_else(Failure::defect)?;
            (session, Some(secret))
        }
        (_, None) if request.method() == Method::POST => return Err(Failure::signed_out_of_form()),
        (_, None) => return Err(Failure::signed_out()),
    };
    request.extensions_mut().insert(session);
    let mut response = next.run(request).await;
    if let Some(cookie) = fresh.and_then(|secret| session_cookie(options, shared.port, &secret)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Who asks, when one of the trusted proxies says so, once.
fn person_by_proxy(proxies: &Proxies, peer: Option<Peer>, headers: &HeaderMap) -> Option<String> {
    let address = peer?.0.ip().to_canonical();
    if !proxies.addresses.iter().any(|trusted| trusted.to_canonical() == address) {
        return None;
    }
    let mut values = headers.get_all(proxies.header.as_str()).iter();
    let person = std::str::from_utf8(values.next()?.as_bytes()).ok()?.trim();
    let usable = !person.is_empty() && person.len() <= MAX_NAME && !person.contains(is_harmful);
    (usable && values.next().is_none()).then(|| person.to_owned())
}
