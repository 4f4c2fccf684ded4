//! Where a resource is in the Azure portal.

/// The portal of each cloud (Azure, "Compare Azure Government and global Azure"; "Azure China 21Vianet: developer guide"). The
/// portal of AzureBleuCloud is not documented there, and that of a cloud of one's own is not known.
const PORTALS: [(&str, &str); 3] = [
    ("AzureCloud", "https://portal.azure.com"),
    ("AzureUSGovernment", "https://portal.azure.us"),
    ("AzureChinaCloud", "https://portal.azure.cn"),
];

/// The page of a resource in the portal of its cloud; `None` where that portal is not known, as of simulated servers. The tenant
/// keeps the portal from looking for the resource in another one.
#[must_use]
pub fn portal_link(cloud: &str, tenant: Option<&str>, id: &str) -> Option<String> {
    let (_, portal) = PORTALS.iter().find(|(name, _)| *name == cloud)?;
    // The parts of an id have no other letters; one that has some leads nowhere.
    let is_plain = |text: &str| text.chars().all(|one| one.is_alphanumeric() || "/-_.()".contains(one));
    if !id.starts_with('/') || !is_plain(id) {
        return None;
    }
    let tenant = tenant.filter(|tenant| !tenant.is_empty() && is_plain(tenant) && !tenant.contains('/'));
    Some(format!("{portal}/#{}resource{id}", tenant.map(|tenant| format!("@{tenant}/")).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::portal_link;

    #[test]
    fn a_link_leads_to_the_portal_of_the_cloud_alone() {
        let id = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/rg-shop-prod/providers/\
                  Microsoft.DBforPostgreSQL/flexibleServers/pg-orders-prod";
        let tenant = Some("10000000-0000-4000-8000-000000000001");
        let public = format!("https://portal.azure.com/#@10000000-0000-4000-8000-000000000001/resource{id}");
        assert_eq!(portal_link("AzureCloud", tenant, id), Some(public));
        assert_eq!(portal_link("AzureChinaCloud", None, id), Some(format!("https://portal.azure.cn/#resource{id}")));
        for cloud in ["AzureBleuCloud", "custom", "simulated:demo", ""] {
            assert_eq!(portal_link(cloud, tenant, id), None, "{cloud}");
        }
        for id in ["", "javascript:alert(1)", "/subscriptions/x?y", "/a/\"onmouseover=x"] {
            assert_eq!(portal_link("AzureCloud", tenant, id), None, "{id}");
        }
    }
}
