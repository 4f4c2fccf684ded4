//! Whether a request is meant for this console, and whether a change comes from one of its pages.

use crate::options::PublicUrl;
use crate::reply::Failure;
use crate::shared::Shared;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};

/// What a console answers to.
#[derive(Debug)]
struct Names<'a> {
    listen: SocketAddr,
    hosts: &'a [String],
    public: Option<&'a PublicUrl>,
    tls: bool,
    /// Someone in front may speak TLS and another port.
    proxied: bool,
}

/// Refuses requests that name another host, and changes that come from elsewhere.
pub(crate) async fn check_host(
    State(shared): State<Shared>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let options = &shared.options;
    let names = Names {
        listen: SocketAddr::new(options.listen.ip(), shared.port),
        hosts: &options.hosts,
        public: options.public.as_ref(),
        tls: options.tls.is_some(),
        proxied: options.proxies.is_some(),
    };
    // Over HTTP/2 the name is in the request's own address (RFC 9113, 8.3.1).
    let named = match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => only(request.headers(), &HOST),
    };
    let named = named.and_then(|name| name.parse::<Authority>().ok()).filter(|name| names.answers_to(name));
    let Some(named) = named else { return Err(Failure::wrong_host()) };
    match *request.method() {
        Method::GET | Method::HEAD => {}
        Method::POST if names.comes_from_here(request.headers(), &named) => {}
        Method::POST => return Err(Failure::wrong_origin()),
        _ => return Err(Failure::wrong_method()),
    }
    Ok(next.run(request).await)
}

/// The value of a header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

impl Names<'_> {
    /// A page of another site can make a browser ask this console under that site's name, whose address its owner
    /// chooses (DNS rebinding); it cannot do so under an address, or under a name that it does not own.
    fn answers_to(&self, name: &Authority) -> bool {
        if name.as_str().contains('@') {
            return false;
        }
        if self.public.is_some_and(|public| public.is(name)) {
            return true;
        }
        let host = name.host().trim_start_matches('[').trim_end_matches(']');
        let port = name.port_u16();
        let given = |given: &&String| {
            let given = given.parse::<Authority>();
            given.is_ok_and(|given| {
                given.host().eq_ignore_ascii_case(name.host()) && (given.port().is_none() || given.port_u16() == port)
            })
        };
        if self.hosts.iter().find(given).is_some() {
            return true;
        }
        let default = if self.tls { 443 } else { 80 };
        if port.unwrap_or(default) != self.listen.port() {
            return false;
        }
        match host.parse::<IpAddr>() {
            Ok(address) if self.listen.ip().is_unspecified() => !address.is_unspecified(),
            Ok(address) => address == self.listen.ip() || (self.listen.ip().is_loopback() && address.is_loopback()),
            Err(_) => self.listen.ip().is_loopback() && host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Browsers say with every form where it comes from (WHATWG Fetch, 3.2), so an answer is always there.
    fn comes_from_here(&self, headers: &HeaderMap, named: &Authority) -> bool {
        let Some(origin) = only(headers, &ORIGIN) else { return false };
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        // What is in front may or may not hand on the name that the browser used; its origin is one, whatever the name.
        if let Some(public) = self.public {
            let is_public = authority.parse().is_ok_and(|authority| public.is(&authority));
            if is_public || public.is(named) {
                return is_public && (scheme == "https") == public.tls;
            }
        }
        let scheme_fits = match scheme {
            "https" => self.tls || self.proxied,
            "http" => !self.tls,
            _ => false,
        };
        scheme_fits && authority.eq_ignore_ascii_case(named.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(listen: &str, hosts: &[&str], name: &str) -> bool {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let names = Names { listen: listen.parse().unwrap(), hosts: &hosts, public: None, tls: false, proxied: false };
        names.answers_to(&name.parse().unwrap())
    }

    #[test]
    fn on_loopback_only_loopback_names_are_answered() {
        let at = "127.0.0.1:8443";
        for name in ["127.0.0.1:8443", "localhost:8443", "LOCALHOST:8443", "[::1]:8443"] {
            assert!(answers(at, &[], name), "{name}");
        }
        for name in [
            "evil.example:8443",
            "localhost:8444",
            "localhost",
            "localhost.evil.example:8443",
            "user@localhost:8443",
            "0.0.0.0:8443",
            "192.0.2.1:8443",
        ] {
            assert!(!answers(at, &[], name), "{name}");
        }
    }

    #[test]
    fn elsewhere_addresses_and_given_names_are_answered() {
        let at = "0.0.0.0:8443";
        assert!(answers(at, &[], "192.0.2.1:8443"));
        assert!(!answers(at, &[], "console.example:8443"));
        assert!(answers(at, &["console.example"], "console.example:8443"));
        assert!(answers(at, &["console.example"], "Console.Example"));
        assert!(!answers(at, &["console.example:443"], "console.example:8443"));
        assert!(!answers("192.0.2.1:8443", &[], "192.0.2.2:8443"));
    }

    #[test]
    fn a_change_must_say_that_it_comes_from_here() {
        let comes = |tls: bool, proxied: bool, origins: &[&str]| {
            let names = Names { listen: "127.0.0.1:8443".parse().unwrap(), hosts: &[], public: None, tls, proxied };
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(ORIGIN, origin.parse().unwrap());
            }
            names.comes_from_here(&headers, &"localhost:8443".parse().unwrap())
        };
        assert!(comes(false, false, &["http://localhost:8443"]));
        assert!(comes(true, false, &["https://localhost:8443"]));
        assert!(comes(false, true, &["https://localhost:8443"]));
        for origins in [
            &[][..],
            &["null"],
            &["https://localhost:8443"],
            &["http://localhost:8444"],
            &["http://evil.example"],
            &["http://localhost:8443", "http://evil.example"],
        ] {
            assert!(!comes(false, false, origins), "{origins:?}");
        }
        assert!(!comes(true, false, &["http://localhost:8443"]));
    }

    #[test]
    fn behind_something_with_a_name_of_its_own_that_name_counts() {
        let public: PublicUrl = "https://console.example".parse().unwrap();
        let listen = "127.0.0.1:8443".parse().unwrap();
        let names = Names { listen, hosts: &[], public: Some(&public), tls: false, proxied: false };
        for (name, answered) in [
            ("console.example", true),
            ("Console.Example:443", true),
            ("console.example:8443", false),
            ("evil.example", false),
            ("127.0.0.1:8443", true),
        ] {
            assert_eq!(names.answers_to(&name.parse().unwrap()), answered, "{name}");
        }
        for (origin, here) in [
            ("https://console.example", true),
            ("http://console.example", false),
            ("https://evil.example", false),
            ("https://console.example:444", false),
        ] {
            let headers = HeaderMap::from_iter([(ORIGIN, origin.parse().unwrap())]);
            // A proxy may ask under the address, as many do unless they are told otherwise.
            for named in ["console.example", "127.0.0.1:8443"] {
                assert_eq!(names.comes_from_here(&headers, &named.parse().unwrap()), here, "{origin}");
            }
        }
    }
}
