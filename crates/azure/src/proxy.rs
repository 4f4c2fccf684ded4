//! How requests leave this machine: through the proxy that environment variables name, or directly.

use azure_core::http::Url;
use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;

/// The variables, in the order in which the HTTP client looks for them. One that is set hides the next, even if it is empty.
const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const ALL: [&str; 2] = ["ALL_PROXY", "all_proxy"];
const HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const NONE: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// How requests to a host leave this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyRoute {
    /// The host.
    pub host: String,
    /// What the environment says.
    pub setting: ProxySetting,
}

/// What the environment says of a proxy for a host. Nothing here holds a user name or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxySetting {
    /// No variable names a proxy.
    Unset,
    /// There is a proxy for http alone, which no request of this program uses.
    OnlyForHttp {
        /// The variable that names it.
        variable: &'static str,
    },
    /// A variable names a proxy, and another one leaves the host out.
    Excluded {
        /// The variable that names it.
        variable: &'static str,
        /// The variable that leaves the host out.
        by: &'static str,
    },
    /// A variable is set to what is not an address of a proxy: it has no effect.
    Unusable {
        /// Which.
        variable: &'static str,
    },
    /// A variable names a proxy of a kind that the HTTP client does not speak.
    Socks {
        /// Which.
        variable: &'static str,
        /// The proxy.
        address: String,
    },
    /// Requests go through a proxy.
    Through {
        /// The variable that names it.
        variable: &'static str,
        /// The proxy.
        address: String,
        /// Whether a user name is sent to it.
        has_user: bool,
    },
}

/// What the variables say of requests to `url`, by the rules of the HTTP client itself.
#[must_use]
pub fn proxy_route(url: &Url, environment: &dyn Fn(&str) -> Option<String>) -> ProxyRoute {
    let host = url.host_str().unwrap_or_default().to_owned();
    ProxyRoute { setting: setting(url, environment), host }
}

fn setting(url: &Url, environment: &dyn Fn(&str) -> Option<String>) -> ProxySetting {
    let first =
        |names: [&'static str; 2]| names.into_iter().find_map(|name| environment(name).map(|value| (name, value)));
    let (https, all, none) = (first(HTTPS), first(ALL), first(NONE));
    let Ok(uri) = url.as_str().parse::<Uri>() else { return ProxySetting::Unset };
    // In a CGI program, `HTTP_PROXY` may be a header of a request: the HTTP client reads no variable then.
    if environment("REQUEST_METHOD").is_some() {
        return ProxySetting::Unset;
    }
    let named = [&https, &all].into_iter().flatten().filter(|(_, value)| !value.is_empty());
    let mut unusable = None;
    for (variable, value) in named {
        let matcher = Matcher::builder().https(value.as_str()).build();
        let Some(proxy) = matcher.intercept(&uri) else {
            unusable.get_or_insert(*variable);
            continue;
        };
        if let Some((by, hosts)) = &none {
            let excluding = Matcher::builder().https(value.as_str()).no(hosts.as_str()).build();
            if excluding.intercept(&uri).is_none() {
                return ProxySetting::Excluded { variable, by };
            }
        }
        let address = proxy.uri().to_string().trim_end_matches('/').to_owned();
        return if proxy.uri().scheme_str().is_some_and(|scheme| scheme.starts_with("socks")) {
            ProxySetting::Socks { variable, address }
        } else {
            ProxySetting::Through { variable, address, has_user: proxy.basic_auth().is_some() }
        };
    }
    match (unusable, first(HTTP).filter(|(_, value)| !value.is_empty())) {
        (Some(variable), _) => ProxySetting::Unusable { variable },
        (None, Some((variable, _))) => ProxySetting::OnlyForHttp { variable },
        (None, None) => ProxySetting::Unset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)]) -> ProxySetting {
        let url = Url::parse("https://management.azure.com/").unwrap();
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        proxy_route(&url, &value).setting
    }

    #[test]
    fn the_variable_that_counts_is_named_without_its_password() {
        let through = |variable, address: &str, has_user| ProxySetting::Through {
            variable,
            address: address.to_owned(),
            has_user,
        };
        assert_eq!(said(&[]), ProxySetting::Unset);
        assert_eq!(said(&[("https_proxy", "proxy:3128")]), through("https_proxy", "http://proxy:3128", false));
        let both = [("HTTPS_PROXY", "http://u:hunter2@a:1"), ("ALL_PROXY", "http://b:2")];
        assert_eq!(said(&both), through("HTTPS_PROXY", "http://a:1", true));
        assert!(!format!("{:?}", said(&both)).contains("hunter2"));
        // An empty one hides the one in small letters, and leaves the proxy for everything.
        let hidden = [("HTTPS_PROXY", ""), ("https_proxy", "http://a:1"), ("ALL_PROXY", "http://b:2")];
        assert_eq!(said(&hidden), through("ALL_PROXY", "http://b:2", false));
    }

    #[test]
    fn what_has_no_effect_is_said() {
        let proxy = ("HTTPS_PROXY", "http://a:1");
        let by = |by| ProxySetting::Excluded { variable: "HTTPS_PROXY", by };
        assert_eq!(said(&[proxy, ("NO_PROXY", "localhost, .azure.com")]), by("NO_PROXY"));
        assert_eq!(said(&[proxy, ("no_proxy", "*")]), by("no_proxy"));
        assert!(matches!(said(&[proxy, ("NO_PROXY", "azure.org")]), ProxySetting::Through { .. }));
        assert_eq!(said(&[("HTTP_PROXY", "http://a:1")]), ProxySetting::OnlyForHttp { variable: "HTTP_PROXY" });
        assert_eq!(said(&[("HTTPS_PROXY", "ftp://a:1")]), ProxySetting::Unusable { variable: "HTTPS_PROXY" });
        let socks = said(&[("ALL_PROXY", "socks5h://u:hunter2@a:1080")]);
        assert_eq!(socks, ProxySetting::Socks { variable: "ALL_PROXY", address: "socks5h://a:1080".to_owned() });
        assert_eq!(said(&[proxy, ("REQUEST_METHOD", "GET")]), ProxySetting::Unset);
    }
}
