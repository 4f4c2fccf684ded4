//! One request, taken apart.

use std::borrow::Cow;
use std::fmt::Write as _;

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};

use crate::fault::{Fault, Place};
use crate::fleet::Kind;
use crate::json::{put, quoted};
use crate::operation::Operation;
use crate::path::{GroupPart, Plane, ServerPart, SubscriptionPart, Target};
use crate::reply::Reply;
use crate::token::Principal;

/// One request with what was found out about it on the way.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    /// As sent, with its escapes.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// Scheme and authority for absolute links, from the request itself.
    pub(crate) base: &'a str,
    pub(crate) target: Target<'a>,
    pub(crate) operation: Operation,
    pub(crate) place: Place<'a>,
    pub(crate) principal: Principal,
    pub(crate) faults: Vec<Fault>,
    /// The number of the request, which its ids are made of.
    pub(crate) sequence: u64,
}

impl Call<'_> {
    /// A query parameter, by its name in any letter case, with its escapes undone.
    pub(crate) fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        parameter(self.query, name)
    }

    /// The kind of server that the path is about.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self.target {
            Target::Subscription(_, SubscriptionPart::Servers(_, kind)) => Some(kind),
            Target::Subscription(_, SubscriptionPart::Server(_, kind, ..)) => Some(kind),
            _ => None,
        }
    }

    /// A page of a list, starting where the request's `$skipToken` says.
    pub(crate) fn page<T>(
        &self,
        size: Option<usize>,
        items: impl Iterator<Item = T>,
        mut render: impl FnMut(&mut String, T),
    ) -> Reply {
        let skip = self.parameter("$skipToken").and_then(|token| token.parse().ok()).unwrap_or(0);
        let size = size.unwrap_or(usize::MAX).max(1);
        let mut items = items.skip(skip);
        let mut out = String::from(r#"{"value":["#);
        let mut count = 0;
        for item in items.by_ref().take(size) {
            if count > 0 {
                out.push(',');
            }
            count += 1;
            render(&mut out, item);
        }
        out.push(']');
        if items.next().is_some() {
            let link = self.next_link(&(skip + count).to_string());
            put!(&mut out, r#","nextLink":{}"#, quoted(&link));
        }
        out.push('}');
        Reply::json(out)
    }

    /// This request's URL with another `$skipToken`.
    pub(crate) fn next_link(&self, token: &str) -> String {
        let mut link = format!("{}{}?", self.base, self.path);
        for pair in self.query.split('&') {
            let name = pair.split('=').next().unwrap_or_default();
            if !name.is_empty() && !undo(name).eq_ignore_ascii_case("$skipToken") {
                link.push_str(pair);
                link.push('&');
            }
        }
        let _ = write!(link, "%24skiptoken={token}");
        link
    }
}

/// The value of the parameter `name` in a query or form, with its escapes undone.
pub(crate) fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| undo(key).eq_ignore_ascii_case(name))
        .map(|(_, value)| undo(value))
}

/// Undoes form encoding (`+` and percent escapes).
fn undo(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    // `path::decode` keeps an escaped slash apart from a real one; in a value there is no difference.
    Cow::Owned(crate::path::decode(&spaced).replace('\0', "/"))
}

/// Scheme and authority of absolute links: those of the request's URI, else its `Host`. `None` when neither is one
/// that can stand in a link.
pub(crate) fn base(parts: &Parts) -> Option<String> {
    let authority = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts.headers.get(HOST)?.to_str().ok()?,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let good = !authority.is_empty() && authority.len() <= 256 && authority.chars().all(plain);
    // Clients refuse to send a token in the clear, so nothing here is ever reached over http.
    good.then(|| format!("https://{authority}"))
}

/// What a request does; `None` when its path does not take its method.
pub(crate) fn operation(method: &Method, target: &Target<'_>) -> Option<Operation> {
    let get = method == Method::GET;
    let post = method == Method::POST;
    let write = method == Method::PATCH || method == Method::PUT;
    let only = |allowed: bool, operation: Operation| allowed.then_some(operation);
    match target {
        Target::OpenId(_) | Target::ManagedIdentity => only(get, Operation::SignIn),
        Target::Token(_) | Target::PipelineIdentity => only(post, Operation::SignIn),
        Target::Endpoints => only(get, Operation::Endpoints),
        Target::Tenants => only(get, Operation::ListTenants),
        Target::Subscriptions => only(get, Operation::ListSubscriptions),
        Target::ManagementGroups
        | Target::ManagementGroup(_, GroupPart::Itself | GroupPart::Subscriptions | GroupPart::Descendants) => {
            only(get, Operation::ManagementGroups)
        }
        Target::ResourceGraph => only(post, Operation::ResourceGraph),
        Target::LogFile(..) => only(get, Operation::DownloadLogFile),
        Target::LogAnalytics(_) => only(post, Operation::QueryLogAnalytics),
        Target::Unknown => Some(Operation::Unknown),
        Target::Subscription(_, part) => match part {
            SubscriptionPart::Itself => only(get, Operation::GetSubscription),
            SubscriptionPart::ResourceGroups | SubscriptionPart::ResourceGroup(_) => {
                only(get, Operation::ResourceGroups)
            }
            SubscriptionPart::Provider(_) => only(get, Operation::GetProvider),
            SubscriptionPart::Register(_) => only(post, Operation::GetProvider),
            SubscriptionPart::Servers(..) => only(get, Operation::ListServers),
            SubscriptionPart::AsyncOperation(_) => only(get, Operation::PollOperation),
            SubscriptionPart::OperationResult(_) => only(get, Operation::GetOperationResult),
            SubscriptionPart::Capabilities(_) => only(get, Operation::Capabilities),
            SubscriptionPart::CheckName => only(post, Operation::Capabilities),
            SubscriptionPart::Locks(_) => only(get, Operation::ListLocks),
            SubscriptionPart::Policies(_) => only(get, Operation::ListPolicies),
            SubscriptionPart::PolicyDefinition(..) => only(get, Operation::GetPolicyDefinition),
            SubscriptionPart::Permissions(_) => only(get, Operation::ListPermissions),
            SubscriptionPart::ActivityLog => only(get, Operation::ListActivity),
            SubscriptionPart::Server(_, kind, _, part) => match part {
                ServerPart::Itself if get => Some(Operation::GetServer),
                ServerPart::Itself => only(method == Method::PATCH, Operation::UpdateServer),
                ServerPart::Configurations => only(get, Operation::ListConfigurations),
                ServerPart::Configuration(..) if get => Some(Operation::GetConfiguration),
                // A server group's combined view of a parameter is for reading.
                ServerPart::Configuration(Plane::Server, _) if *kind == Kind::Cosmos => None,
                ServerPart::Configuration(..) => only(write, Operation::UpdateConfiguration),
                ServerPart::Replicas => only(get, Operation::ListReplicas),
                ServerPart::FirewallRules => only(get, Operation::ListFirewallRules),
                ServerPart::LogFiles => only(get, Operation::ListLogFiles),
                ServerPart::Databases => only(get, Operation::ListDatabases),
                ServerPart::Capabilities => only(get, Operation::Capabilities),
                ServerPart::Locks => only(get, Operation::ListLocks),
                ServerPart::Policies => only(get, Operation::ListPolicies),
                ServerPart::Permissions => only(get, Operation::ListPermissions),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_in_any_case_and_form() {
        let query = "api-version=2021-03-01&%24skiptoken=12&x=a+b%2Fc";
        assert_eq!(parameter(query, "API-Version").unwrap(), "2021-03-01");
        assert_eq!(parameter(query, "$skipToken").unwrap(), "12");
        assert_eq!(parameter(query, "x").unwrap(), "a b/c");
        assert_eq!(parameter(query, "y"), None);
        assert_eq!(parameter("", "x"), None);
    }

    #[test]
    fn links_use_the_authority_of_the_request() {
        let parts = |uri: &str, host: Option<&str>| {
            let mut request = axum::http::Request::builder().uri(uri);
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            request.body(()).unwrap().into_parts().0
        };
        assert_eq!(base(&parts("https://management.azure.com/x", None)).unwrap(), "https://management.azure.com");
        assert_eq!(base(&parts("/x", Some("localhost:8443"))).unwrap(), "https://localhost:8443");
        assert_eq!(base(&parts("/x", None)), None);
        assert_eq!(base(&parts("/x", Some("evil\"host"))), None);
        assert_eq!(base(&parts("/x", Some("user@host"))), None);
    }
}
