//! Admits people who have signed in: by a one-time link, or by a proxy in front that says so.

use super::Peer;
use super::session::{SessionUser, cookie_name, cookies, is_name, is_secret, session_cookie};
use crate::options::{Proxies, RoleHeader};
use crate::reply::Failure;
use crate::shared::Shared;
use crate::user_role::Role;
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;

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
    let secrets: Vec<String> =
        cookies(request.headers(), &name).filter(|value| is_secret(value)).map(ToOwned::to_owned).collect();
    let here = secrets.iter().find_map(|secret| shared.sessions.find_here(secret));
    let known = match (here, secrets.is_empty()) {
        (Some(session), _) => Some(session),
        (None, true) => None,
        (None, false) => {
            let secrets = secrets.clone();
            shared.ask_sessions(move |sessions| sessions.find(&secrets)).await?
        }
    };
    let (session, fresh) = match (known, said) {
        // The proxy is asked every time: who was signed out there, is someone else or has another role now, is so here too.
        (Some(session), Some(person)) if session.by_proxy() && *session.identity() == person => (session, None),
        (Some(session), None) if !session.by_proxy() => (session, None),
        (known, Some(person)) => {
            // What another console behind the same proxy gave this browser. No one else can have set it: see `cookie_name`.
            let held = secrets.first().filter(|_| known.is_none() && options.is_secure());
            let (secret, session) = shared.sessions.begin_proxied(person, held.map(String::as_str))?;
            let begun = session.clone();
            if let Err(error) = shared.ask_sessions(move |sessions| sessions.keep_proxied_role(&begun)).await {
                // On a full disk people still see what was kept.
                tracing::warn!(?error, person = session.person(), "the role that a proxy gives could not be kept");
            }
            (session, Some(secret).filter(|_| held.is_none()))
        }
        (_, None) if request.method() == Method::POST => return Err(Failure::signed_out_of_form()),
        (_, None) => return Err(Failure::signed_out()),
    };
    if let Some(used_ms) = session.use_to_keep() {
        let (sessions, session) = (shared.sessions.clone(), session.clone());
        // No page waits for it.
        tokio::task::spawn_blocking(move || sessions.keep_use(&session, used_ms));
    }
    request.extensions_mut().insert(session.clone());
    let mut response = next.run(request).await;
    if let Some(cookie) = fresh.and_then(|secret| session_cookie(options, shared.port, &secret)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    // For the log, and for the connection, which is now someone's.
    response.extensions_mut().insert(session);
    Ok(response)
}

/// Who asks, when one of the trusted proxies says so, once.
fn person_by_proxy(proxies: &Proxies, peer: Option<Peer>, headers: &HeaderMap) -> Option<SessionUser> {
    let address = peer?.0.ip().to_canonical();
    if !proxies.addresses.iter().any(|trusted| trusted.to_canonical() == address) {
        return None;
    }
    let mut values = headers.get_all(proxies.header.as_str()).iter();
    let person = std::str::from_utf8(values.next()?.as_bytes()).ok()?.trim();
    let role = proxies.roles.as_ref().map_or(Role::Approver, |roles| role_by_proxy(roles, headers));
    (is_name(person) && values.next().is_none()).then(|| SessionUser::named(person, role))
}

/// The greatest role that one of the groups in the header has. A person who is in none of them may look.
fn role_by_proxy(roles: &RoleHeader, headers: &HeaderMap) -> Role {
    let lines = headers.get_all(roles.header.as_str()).iter().filter_map(|line| line.to_str().ok());
    let groups = lines.flat_map(|line| line.split(',')).map(str::trim);
    groups.filter_map(|group| roles.role_of(group)).max().unwrap_or(Role::Viewer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn role(grants: &[(&str, Role)], lines: &[&'static str]) -> Role {
        let grants = grants.iter().map(|(group, role)| ((*group).to_owned(), *role)).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-groups", HeaderValue::from_static(line));
        }
        role_by_proxy(&RoleHeader { header: "x-groups".into(), grants }, &headers)
    }

    #[test]
    fn a_proxy_gives_the_greatest_role_and_nobody_more_than_they_have() {
        assert_eq!(role(&[], &["planner"]), Role::Planner);
        assert_eq!(role(&[], &["staff, planner", "approver"]), Role::Approver);
        for lines in [&[][..], &["admin"], &["Approver"], &["approvers"], &[""]] {
            assert_eq!(role(&[], lines), Role::Viewer, "{lines:?}");
        }
        // Where groups are named, the words mean nothing.
        let grants = [("pg-admins", Role::Approver), ("pg-team", Role::Planner)];
        assert_eq!(role(&grants, &["pg-team,pg-admins"]), Role::Approver);
        assert_eq!(role(&grants, &["approver"]), Role::Viewer);
    }
}
