//! The parser of paths.

use super::{GroupPart, Plane, ServerPart, SubscriptionPart, Target};
use crate::fleet::Kind;

/// The longest path that is looked at, in bytes; ARM's own limit for a URL is near it.
const MAX_PATH: usize = 2_048;
/// The most segments that any known path has, with room for one more so that longer ones are seen to be too long.
const MAX_SEGMENTS: usize = 16;

/// Parses a decoded path.
pub(crate) fn parse(path: &str) -> Target<'_> {
    if path.len() > MAX_PATH {
        return Target::Unknown;
    }
    let mut segments = [""; MAX_SEGMENTS];
    let mut count = 0;
    // Azure CLI joins an endpoint that ends in a slash with a path that starts with one.
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        match segments.get_mut(count) {
            Some(slot) => *slot = segment,
            None => return Target::Unknown,
        }
        count += 1;
    }
    let segments = segments.get(..count).unwrap_or_default();
    match segments {
        [first, rest @ ..] if is(first, "subscriptions") => under_subscriptions(rest),
        [first, rest @ ..] if is(first, "providers") => tenant_provider(rest),
        [first] if is(first, "tenants") => Target::Tenants,
        [first, second] if is(first, "metadata") && is(second, "endpoints") => Target::Endpoints,
        [first, second] if is(first, "msi") && is(second, "token") => Target::ManagedIdentity,
        [.., last] if is(last, "oidctoken") => Target::PipelineIdentity,
        [v1, workspaces, id, query] if is(v1, "v1") && is(workspaces, "workspaces") && is(query, "query") => {
            Target::LogAnalytics(id)
        }
        [logs, server, folder, file] if is(logs, "simulated-logs") && is(folder, "serverlogs") => {
            Target::LogFile(server, file)
        }
        [tenant, version, known, document]
            if is(version, "v2.0") && is(known, ".well-known") && is(document, "openid-configuration") =>
        {
            Target::OpenId(tenant)
        }
        [tenant, oauth, version, token] if is(oauth, "oauth2") && is(version, "v2.0") && is(token, "token") => {
            Target::Token(tenant)
        }
        _ => Target::Unknown,
    }
}

fn is(segment: &str, name: &str) -> bool {
    segment.eq_ignore_ascii_case(name)
}

fn tenant_provider<'a>(segments: &[&'a str]) -> Target<'a> {
    match segments {
        [provider, kind] if is(provider, "Microsoft.ResourceGraph") && is(kind, "resources") => Target::ResourceGraph,
        [provider, kind, rest @ ..] if is(provider, "Microsoft.Management") && is(kind, "managementGroups") => {
            match rest {
                [] => Target::ManagementGroups,
                [name] => Target::ManagementGroup(name, GroupPart::Itself),
                [name, part] if is(part, "subscriptions") => Target::ManagementGroup(name, GroupPart::Subscriptions),
                [name, part] if is(part, "descendants") => Target::ManagementGroup(name, GroupPart::Descendants),
                _ => Target::Unknown,
            }
        }
        _ => Target::Unknown,
    }
}

fn under_subscriptions<'a>(segments: &[&'a str]) -> Target<'a> {
    let [subscription, rest @ ..] = segments else {
        return Target::Subscriptions;
    };
    let part = match rest {
        [] => Some(SubscriptionPart::Itself),
        [groups] if is(groups, "resourceGroups") => Some(SubscriptionPart::ResourceGroups),
        [groups, group] if is(groups, "resourceGroups") => Some(SubscriptionPart::ResourceGroup(group)),
        [groups, group, providers, rest @ ..] if is(groups, "resourceGroups") && is(providers, "providers") => {
            group_provider(group, rest)
        }
        [providers, rest @ ..] if is(providers, "providers") => subscription_provider(rest),
        _ => None,
    };
    part.map_or(Target::Unknown, |part| Target::Subscription(subscription, part))
}

fn subscription_provider<'a>(segments: &[&'a str]) -> Option<SubscriptionPart<'a>> {
    match segments {
        [provider] => Some(SubscriptionPart::Provider(provider)),
        [provider, kind] if is(provider, "Microsoft.Authorization") => authorization(kind, None),
        [provider, kind, name]
            if is(provider, "Microsoft.Authorization")
                && (is(kind, "policyDefinitions") || is(kind, "policySetDefinitions")) =>
        {
            Some(SubscriptionPart::PolicyDefinition(kind, name))
        }
        [provider, kind] if is(kind, "checkNameAvailability") && postgres(provider) => {
            Some(SubscriptionPart::CheckName)
        }
        [provider, register] if is(register, "register") => Some(SubscriptionPart::Register(provider)),
        [provider, kind] => Some(SubscriptionPart::Servers(None, server_kind(provider, kind)?)),
        [provider, types, management, values]
            if is(provider, "Microsoft.Insights")
                && is(types, "eventtypes")
                && is(management, "management")
                && is(values, "values") =>
        {
            Some(SubscriptionPart::ActivityLog)
        }
        [provider, locations, location, rest @ ..] if is(locations, "locations") && ours(provider) => {
            under_location(location, rest)
        }
        _ => None,
    }
}

fn under_location<'a>(location: &'a str, segments: &[&'a str]) -> Option<SubscriptionPart<'a>> {
    match segments {
        [part] if is(part, "capabilities") => Some(SubscriptionPart::Capabilities(location)),
        [part] if is(part, "checkNameAvailability") => Some(SubscriptionPart::CheckName),
        [part, name] if is(part, "azureAsyncOperation") => Some(SubscriptionPart::AsyncOperation(name)),
        [part, name] if is(part, "operationResults") => Some(SubscriptionPart::OperationResult(name)),
        _ => None,
    }
}

fn group_provider<'a>(group: &'a str, segments: &[&'a str]) -> Option<SubscriptionPart<'a>> {
    match segments {
        [provider, kind] if is(provider, "Microsoft.Authorization") => authorization(kind, Some(group)),
        [provider, kind] => Some(SubscriptionPart::Servers(Some(group), server_kind(provider, kind)?)),
        [provider, kind, name, rest @ ..] => {
            let kind = server_kind(provider, kind)?;
            let part = server_part(kind, rest)?;
            Some(SubscriptionPart::Server(group, kind, name, part))
        }
        _ => None,
    }
}

fn authorization<'a>(kind: &str, group: Option<&'a str>) -> Option<SubscriptionPart<'a>> {
    if is(kind, "locks") {
        Some(SubscriptionPart::Locks(group))
    } else if is(kind, "policyAssignments") {
        Some(SubscriptionPart::Policies(group))
    } else {
        is(kind, "permissions").then_some(SubscriptionPart::Permissions(group))
    }
}

fn server_part<'a>(kind: Kind, segments: &[&'a str]) -> Option<ServerPart<'a>> {
    match segments {
        [] => Some(ServerPart::Itself),
        [providers, provider, part] if is(providers, "providers") && is(provider, "Microsoft.Authorization") => {
            if is(part, "locks") {
                Some(ServerPart::Locks)
            } else if is(part, "policyAssignments") {
                Some(ServerPart::Policies)
            } else {
                is(part, "permissions").then_some(ServerPart::Permissions)
            }
        }
        // HorizonDB keeps its parameters inside the parameter group.
        _ if matches!(kind, Kind::Horizon | Kind::ParameterGroup) => None,
        [part] if is(part, "configurations") => Some(ServerPart::Configurations),
        [part, name] if is(part, "configurations") => Some(ServerPart::Configuration(Plane::Server, name)),
        [part, name] if kind == Kind::Cosmos && is(part, "coordinatorConfigurations") => {
            Some(ServerPart::Configuration(Plane::Coordinator, name))
        }
        [part, name] if kind == Kind::Cosmos && is(part, "nodeConfigurations") => {
            Some(ServerPart::Configuration(Plane::Node, name))
        }
        [part] if is(part, "replicas") => Some(ServerPart::Replicas),
        [part] if kind == Kind::Flexible && is(part, "capabilities") => Some(ServerPart::Capabilities),
        [part] if kind == Kind::Flexible && is(part, "logFiles") => Some(ServerPart::LogFiles),
        [part] if matches!(kind, Kind::Flexible | Kind::Single) && is(part, "databases") => Some(ServerPart::Databases),
        [part] if is(part, "firewallRules") => Some(ServerPart::FirewallRules),
        _ => None,
    }
}

fn postgres(provider: &str) -> bool {
    is(provider, "Microsoft.DBforPostgreSQL")
}

fn ours(provider: &str) -> bool {
    postgres(provider) || is(provider, "Microsoft.HorizonDb")
}

fn server_kind(provider: &str, kind: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|candidate| is(provider, candidate.provider()) && is(kind, candidate.type_segment()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSCRIPTION: &str = "/subscriptions/s1";

    fn part(tail: &str) -> Option<SubscriptionPart<'_>> {
        match parse(tail) {
            Target::Subscription("s1", part) => Some(part),
            _ => None,
        }
    }

    #[test]
    fn paths_compare_without_case_and_names_keep_their_spelling() {
        let path = "/SUBSCRIPTIONS/s1/resourcegroups/My-RG/PROVIDERS/microsoft.dbForPostgreSql/FLEXIBLESERVERS/Pg-1/Configurations/Require_Secure_Transport";
        assert_eq!(
            part(path),
            Some(SubscriptionPart::Server(
                "My-RG",
                Kind::Flexible,
                "Pg-1",
                ServerPart::Configuration(Plane::Server, "Require_Secure_Transport")
            ))
        );
    }

    #[test]
    fn doubled_and_trailing_slashes_do_not_matter() {
        assert_eq!(parse("//subscriptions/"), Target::Subscriptions);
    }

    #[test]
    fn authority_paths() {
        assert_eq!(parse("/common/v2.0/.well-known/openid-configuration"), Target::OpenId("common"));
        assert_eq!(parse("/t1/oauth2/v2.0/token"), Target::Token("t1"));
        assert_eq!(parse("/msi/token"), Target::ManagedIdentity);
        assert_eq!(parse("/org/project/_apis/oidctoken"), Target::PipelineIdentity);
        assert_eq!(parse("/metadata/endpoints"), Target::Endpoints);
    }

    #[test]
    fn management_groups_and_graph() {
        assert_eq!(
            parse("/providers/microsoft.management/managementgroups/Root/descendants"),
            Target::ManagementGroup("Root", GroupPart::Descendants)
        );
        assert_eq!(parse("/providers/Microsoft.ResourceGraph/resources"), Target::ResourceGraph);
    }

    #[test]
    fn subscription_paths() {
        let cases = [
            ("", SubscriptionPart::Itself),
            ("/resourcegroups", SubscriptionPart::ResourceGroups),
            ("/resourceGroups/rg", SubscriptionPart::ResourceGroup("rg")),
            ("/providers/Microsoft.HorizonDb", SubscriptionPart::Provider("Microsoft.HorizonDb")),
            ("/providers/Microsoft.DBforPostgreSQL/servers", SubscriptionPart::Servers(None, Kind::Single)),
            ("/providers/microsoft.insights/EventTypes/management/values", SubscriptionPart::ActivityLog),
            (
                "/providers/Microsoft.DBforPostgreSQL/locations/westeurope/azureAsyncOperation/o1",
                SubscriptionPart::AsyncOperation("o1"),
            ),
            (
                "/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/serverGroupsv2/c1/coordinatorConfigurations/x",
                SubscriptionPart::Server("rg", Kind::Cosmos, "c1", ServerPart::Configuration(Plane::Coordinator, "x")),
            ),
            (
                "/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/servers/s/providers/Microsoft.Authorization/locks",
                SubscriptionPart::Server("rg", Kind::Single, "s", ServerPart::Locks),
            ),
        ];
        for (tail, expected) in cases {
            let path = format!("{SUBSCRIPTION}{tail}");
            assert_eq!(part(&path), Some(expected), "{path}");
        }
    }

    #[test]
    fn what_is_not_known_is_unknown() {
        let long = format!("/subscriptions/{}", "x/".repeat(40));
        let longer = format!("/subscriptions/{}", "x".repeat(4_000));
        for path in [
            "/",
            "",
            "/nothing",
            "/subscriptions/s1/providers/Microsoft.Compute/virtualMachines",
            "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.HorizonDb/clusters/c/configurations/x",
            "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/servers/s/coordinatorConfigurations/x",
            &long,
            &longer,
        ] {
            assert_eq!(parse(path), Target::Unknown, "{path}");
        }
    }
}
