//! From where a server can be reached, as Azure declares it.

/// What Azure says of a server's network. Nothing of it is a verdict: only a connection proves that there is a way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkAccess {
    /// Whether the server has an endpoint on the Internet; `None` where Azure did not say.
    pub public_access: Option<bool>,
    /// Its place in private networks, where it has one.
    pub private: Option<Box<PrivateNetwork>>,
}

/// The place of a server in private networks. The ids are Azure's own, as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrivateNetwork {
    /// The subnet that the server was placed in (`delegatedSubnetResourceId`).
    pub subnet: Option<Box<str>>,
    /// The private DNS zone that has its name (`privateDnsZoneArmResourceId`).
    pub dns_zone: Option<Box<str>>,
    /// The private endpoints that lead to it.
    pub endpoints: Vec<Box<str>>,
}

/// What stands between the id of a virtual network and the name of a subnet in it.
const SUBNETS: &str = "/subnets/";

impl NetworkAccess {
    /// Whether Azure says that only private networks lead to the server: it is in a subnet, or public access is off.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.public_access == Some(false) || self.subnet().is_some()
    }

    /// The subnet that the server is in.
    #[must_use]
    pub fn subnet(&self) -> Option<&str> {
        self.private.as_ref()?.subnet.as_deref()
    }

    /// The virtual network of that subnet.
    #[must_use]
    pub fn virtual_network(&self) -> Option<&str> {
        let subnet = self.subnet()?;
        let end = subnet.to_ascii_lowercase().rfind(SUBNETS)?;
        subnet.get(..end)
    }

    /// The private DNS zone that has the server's name.
    #[must_use]
    pub fn dns_zone(&self) -> Option<&str> {
        self.private.as_ref()?.dns_zone.as_deref()
    }

    /// The private endpoints that lead to the server.
    #[must_use]
    pub fn endpoints(&self) -> &[Box<str>] {
        self.private.as_ref().map_or(&[], |private| &private.endpoints)
    }

    /// Where the server is, in words: its virtual network or a private endpoint by name, or that Azure lists neither.
    #[must_use]
    pub fn place(&self) -> String {
        match (self.virtual_network().or(self.subnet()), self.endpoints()) {
            (Some(network), _) => format!("in the virtual network {}", named(network)),
            (None, [endpoint, ..]) => format!("behind the private endpoint {}", named(endpoint)),
            (None, []) => "without public access, and no private endpoint is listed".to_owned(),
        }
    }
}

/// The name in an id, and the resource group that makes it unique among a person's own.
fn named(id: &str) -> String {
    let parts: Vec<&str> = id.split('/').collect();
    let name = parts.last().copied().unwrap_or(id);
    let group = parts.windows(2).find_map(|pair| match pair {
        [word, group] if word.eq_ignore_ascii_case("resourceGroups") => Some(*group),
        _ => None,
    });
    group.map_or_else(|| name.to_owned(), |group| format!("{name} (resource group {group})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_subnet(subnet: &str) -> NetworkAccess {
        let private = PrivateNetwork { subnet: Some(subnet.into()), ..PrivateNetwork::default() };
        NetworkAccess { public_access: None, private: Some(Box::new(private)) }
    }

    #[test]
    fn a_subnet_or_no_public_access_makes_a_server_private() {
        assert!(!NetworkAccess::default().is_private());
        assert!(!NetworkAccess { public_access: Some(true), private: None }.is_private());
        assert!(NetworkAccess { public_access: Some(false), private: None }.is_private());
        assert!(in_subnet("/subscriptions/s/virtualNetworks/v/subnets/db").is_private());
    }

    #[test]
    fn the_virtual_network_is_what_stands_before_the_subnet() {
        assert_eq!(in_subnet("/a/virtualNetworks/v/Subnets/db").virtual_network(), Some("/a/virtualNetworks/v"));
        assert_eq!(in_subnet("/a/odd").virtual_network(), None);
        assert_eq!(in_subnet("/a/odd").place(), "in the virtual network odd");
        let id =
            "/subscriptions/s/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/vnet-data/subnets/db";
        assert_eq!(in_subnet(id).place(), "in the virtual network vnet-data (resource group rg-net)");
    }
}
