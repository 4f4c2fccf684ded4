//! What a request path addresses.
//!
//! ARM paths compare without case and clients write them in every spelling, so this is one hand-written parser over
//! the segments of the path instead of a route table. It allocates only where a path holds percent escapes.

mod parse;

pub(crate) use parse::parse;

use std::borrow::Cow;

use crate::fleet::Kind;

/// What a path addresses. Names keep the spelling of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// `/{tenant}/v2.0/.well-known/openid-configuration`.
    OpenId(&'a str),
    /// `/{tenant}/oauth2/v2.0/token`.
    Token(&'a str),
    /// `/msi/token`: the managed identity endpoint of App Service.
    ManagedIdentity,
    /// Any path that ends in `/oidctoken`: the identity endpoint of Azure Pipelines.
    PipelineIdentity,
    /// `/metadata/endpoints`.
    Endpoints,
    /// `/tenants`.
    Tenants,
    /// `/subscriptions`.
    Subscriptions,
    /// `/providers/Microsoft.Management/managementGroups`.
    ManagementGroups,
    /// One management group, or something under it.
    ManagementGroup(&'a str, GroupPart),
    /// `/providers/Microsoft.ResourceGraph/resources`.
    ResourceGraph,
    /// `/simulated-logs/{server}/serverlogs/{file}`: a log in the storage of the simulated Azure.
    LogFile(&'a str, &'a str),
    /// `/v1/workspaces/{id}/query`: the query API of Log Analytics.
    LogAnalytics(&'a str),
    /// Anything under a subscription.
    Subscription(&'a str, SubscriptionPart<'a>),
    /// A path that the simulator does not have.
    Unknown,
}

/// What is asked of a management group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupPart {
    /// The group.
    Itself,
    /// Its subscriptions.
    Subscriptions,
    /// Everything below it.
    Descendants,
}

/// What is asked of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubscriptionPart<'a> {
    /// The subscription.
    Itself,
    /// Its resource groups.
    ResourceGroups,
    /// One resource group.
    ResourceGroup(&'a str),
    /// A resource provider's registration.
    Provider(&'a str),
    /// `POST .../register`: asks for a registration.
    Register(&'a str),
    /// All servers of a kind, in one resource group or in all.
    Servers(Option<&'a str>, Kind),
    /// One server, or something under it.
    Server(&'a str, Kind, &'a str, ServerPart<'a>),
    /// The status of a long-running operation.
    AsyncOperation(&'a str),
    /// The result of a long-running operation.
    OperationResult(&'a str),
    /// What flexible servers can be in a location.
    Capabilities(&'a str),
    /// Whether a server name is free.
    CheckName,
    /// Locks on a subscription or resource group.
    Locks(Option<&'a str>),
    /// Policy assignments on a subscription or resource group.
    Policies(Option<&'a str>),
    /// A policy definition, or an initiative, of the subscription: by its kind and name.
    PolicyDefinition(&'a str, &'a str),
    /// What the caller may do on a subscription or resource group.
    Permissions(Option<&'a str>),
    /// The events of its Activity Log.
    ActivityLog,
}

/// What is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerPart<'a> {
    /// The server.
    Itself,
    /// All its parameters.
    Configurations,
    /// One parameter. On a server group, the plane says of which nodes.
    Configuration(Plane, &'a str),
    /// Its read replicas.
    Replicas,
    /// Its firewall rules.
    FirewallRules,
    /// Its log files.
    LogFiles,
    /// Its databases.
    Databases,
    /// What it could become.
    Capabilities,
    /// Locks on it.
    Locks,
    /// Policy assignments on it.
    Policies,
    /// What the caller may do with it.
    Permissions,
}

/// Whose parameter is meant: only server groups tell nodes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plane {
    /// `configurations`: the server, or all roles of a server group.
    Server,
    /// `coordinatorConfigurations`.
    Coordinator,
    /// `nodeConfigurations`.
    Node,
}

/// `path` with its percent escapes undone; an escaped slash becomes a character that no name holds.
pub(crate) fn decode(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let escape = match (byte, tail) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|pair| (pair, after)),
            _ => None,
        };
        match escape {
            Some(((high, low), after)) => {
                let value = high * 16 + low;
                bytes.push(if value == b'/' { 0 } else { value });
                rest = after;
            }
            None => bytes.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_an_escaped_slash_splits_nothing() {
        assert_eq!(decode("/locations/Canada%20Central"), "/locations/Canada Central");
        assert_eq!(decode("/a%2Fb"), "/a\0b");
        assert_eq!(decode("/a%zz%"), "/a%zz%");
        assert_eq!(decode("/a%ff").chars().count(), 3);
    }
}
