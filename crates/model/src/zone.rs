//! Zones: what can be reached, by name, from one place, and which servers are probed from there.

use crate::{Server, Subscription, matches_pattern};
use std::sync::Arc;

/// Which servers are probed from a zone. Every condition that is given must hold; a rule without one chooses nothing. Letter
/// case does not count; `*` stands for any characters and `?` for one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ZoneRule {
    /// The name of the zone, as [`is_zone_name`] has it.
    pub zone: Arc<str>,
    /// The id of a subnet.
    pub subnet: Option<String>,
    /// The id of a virtual network.
    pub virtual_network: Option<String>,
    /// The id of a private DNS zone, or its name alone.
    pub private_dns_zone: Option<String>,
    /// The id of a private endpoint, or its name alone.
    pub private_endpoint: Option<String>,
    /// The id or the name of a subscription.
    pub subscription: Option<String>,
    /// A location, such as `westeurope`.
    pub location: Option<String>,
    /// The name of a server.
    pub server: Option<String>,
    /// The line of the file where it stands, from 1; 0 when it stands in none.
    pub line: u32,
}

/// Where a look at a listener was taken, when that was not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vantage {
    /// The zone.
    pub zone: Arc<str>,
    /// When, in milliseconds since 1970-01-01T00:00:00Z, by the clock of the machine there.
    pub observed_ms: i64,
    /// The id of the prober that took it; nothing for one that was carried here in a file.
    pub prober: Option<Arc<str>>,
}

/// The longest name of a zone: it becomes part of names of files, jobs and Kubernetes objects (RFC 1123 labels).
const LONGEST_NAME: usize = 63;

/// Whether a text can be the name of a zone: lower-case letters, digits and `-` within.
#[must_use]
pub fn is_zone_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(is_inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The rule that says which zone a server is probed from: the first that matches, and its number, from 0.
#[must_use]
pub fn zone_rule_of<'a>(
    rules: &'a [ZoneRule],
    server: &Server,
    subscription: &Subscription,
) -> Option<(usize, &'a ZoneRule)> {
    rules.iter().enumerate().find(|(_, rule)| rule.matches(server, subscription))
}

impl ZoneRule {
    /// Each condition by its name in a file of zones.
    #[must_use]
    pub fn conditions(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("subnet", self.subnet.as_deref()),
            ("virtual-network", self.virtual_network.as_deref()),
            ("private-dns-zone", self.private_dns_zone.as_deref()),
            ("private-endpoint", self.private_endpoint.as_deref()),
            ("subscription", self.subscription.as_deref()),
            ("location", self.location.as_deref()),
            ("server", self.server.as_deref()),
        ]
    }

    /// Whether it has no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conditions().iter().all(|(_, condition)| condition.is_none())
    }

    /// Whether it chooses a server.
    #[must_use]
    pub fn matches(&self, server: &Server, subscription: &Subscription) -> bool {
        let network = &server.network;
        let is = |wanted: &Option<String>, holds: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(holds);
        let one = |known: Option<&str>, wanted: &str| known.is_some_and(|known| matches_id(wanted, known));
        !self.is_empty()
            && is(&self.subnet, &|wanted| one(network.subnet(), wanted))
            && is(&self.virtual_network, &|wanted| one(network.virtual_network(), wanted))
            && is(&self.private_dns_zone, &|wanted| one(network.dns_zone(), wanted))
            && is(&self.private_endpoint, &|wanted| network.endpoints().iter().any(|id| matches_id(wanted, id)))
            && is(&self.subscription, &|wanted| {
                matches_pattern(wanted, subscription.id.as_str()) || matches_pattern(wanted, &subscription.name)
            })
            && is(&self.location, &|wanted| is_location(wanted, &server.location))
            && is(&self.server, &|wanted| matches_pattern(wanted, server.name()))
    }
}

/// Whether a pattern is that of an id, or, without a slash, of its last part, which is its name.
fn matches_id(wanted: &str, id: &str) -> bool {
    if wanted.contains('/') {
        return matches_pattern(wanted.trim_end_matches('/'), id);
    }
    matches_pattern(wanted, id.rsplit('/').next().unwrap_or(id))
}

/// Azure spells one location as `West Europe` and as `westeurope`.
fn is_location(wanted: &str, location: &str) -> bool {
    let plain = |text: &str| text.replace(' ', "");
    matches_pattern(&plain(wanted), &plain(location))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Kind, NetworkAccess, PrivateNetwork, ReplicationRole, ResourceId, SubscriptionId, SubscriptionState, Tags,
    };

    const VNET: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/vnet-data";

    fn server(name: &str) -> Server {
        let id =
            format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}");
        let private = PrivateNetwork {
            subnet: Some(format!("{VNET}/subnets/postgres").into()),
            dns_zone: Some("/subscriptions/s/privateDnsZones/contoso.postgres.database.azure.com".into()),
            endpoints: vec!["/subscriptions/s/privateEndpoints/pe-a".into()],
        };
        Server {
            id: ResourceId::try_from(id.as_str()).unwrap(),
            kind: Kind::Flexible,
            location: "West Europe".into(),
            state: None,
            fqdn: None,
            role: ReplicationRole::None,
            primary: None,
            tags: Tags::default(),
            administrator: None,
            created_at: None,
            network: NetworkAccess { public_access: Some(false), private: Some(Box::new(private)) },
        }
    }

    fn subscription() -> Subscription {
        Subscription {
            id: SubscriptionId::new("11111111-2222-4333-8444-555555555555"),
            name: "Production".into(),
            tenant: "t".into(),
            state: SubscriptionState::Enabled,
        }
    }

    fn rule(set: impl FnOnce(&mut ZoneRule)) -> ZoneRule {
        let mut rule = ZoneRule::default();
        set(&mut rule);
        rule
    }

    #[test]
    fn each_condition_chooses_by_its_own_fact() {
        let chooses = |rule: ZoneRule| rule.matches(&server("pg-ledger-prod"), &subscription());
        for yes in [
            rule(|it| it.subnet = Some(format!("{}/SUBNETS/postgres", VNET.to_uppercase()))),
            rule(|it| it.subnet = Some("postgres".into())),
            rule(|it| it.virtual_network = Some(VNET.into())),
            rule(|it| it.virtual_network = Some("vnet-*".into())),
            rule(|it| it.private_dns_zone = Some("contoso.postgres.database.azure.com".into())),
            rule(|it| it.private_endpoint = Some("pe-?".into())),
            rule(|it| it.subscription = Some("production".into())),
            rule(|it| it.subscription = Some("11111111-*".into())),
            rule(|it| it.location = Some("westeurope".into())),
            rule(|it| it.server = Some("pg-*-prod".into())),
        ] {
            assert!(chooses(yes.clone()), "{yes:?}");
        }
        for no in [
            ZoneRule::default(),
            rule(|it| it.subnet = Some("post".into())),
            rule(|it| it.virtual_network = Some(format!("{VNET}/subnets/postgres"))),
            rule(|it| it.location = Some("northeurope".into())),
            rule(|it| it.virtual_network = Some("*resourceGroups*".into())),
            rule(|it| (it.server, it.location) = (Some("pg-*".into()), Some("northeurope".into()))),
        ] {
            assert!(!chooses(no.clone()), "{no:?}");
        }
    }

    #[test]
    fn a_server_without_a_network_matches_no_rule_of_networks() {
        let open = Server { network: NetworkAccess::default(), ..server("pg-a") };
        for rule in [rule(|it| it.subnet = Some("*".into())), rule(|it| it.private_endpoint = Some("*".into()))] {
            assert!(!rule.matches(&open, &subscription()), "{rule:?}");
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let by_name = |zone: &str, pattern: &str| rule(|it| (it.zone, it.server) = (zone.into(), Some(pattern.into())));
        let rules = [by_name("one", "x"), by_name("one", "pg-a*"), by_name("two", "*")];
        let of = |rules: &[ZoneRule], name: &str| {
            zone_rule_of(rules, &server(name), &subscription()).map(|(number, rule)| (number, rule.zone.to_string()))
        };
        assert_eq!(of(&rules, "pg-ab"), Some((1, "one".to_owned())));
        assert_eq!(of(&rules, "other"), Some((2, "two".to_owned())));
        assert_eq!(of(&rules[..2], "other"), None);
    }

    #[test]
    fn names_of_zones_are_labels() {
        for name in ["hub-weu", "a", "0", &"a".repeat(63)] {
            assert!(is_zone_name(name), "{name}");
        }
        for name in ["", "-a", "a-", "Hub", "a b", "a.b", "ä", &"a".repeat(64)] {
            assert!(!is_zone_name(name), "{name}");
        }
    }
}
