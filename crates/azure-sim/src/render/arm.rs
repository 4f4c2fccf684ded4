//! Bodies of ARM's own resources.

use crate::estate::{SubscriptionRecord, TenantRecord};
use crate::fleet::{Kind, ProviderState};
use crate::json::{put, quoted, string};

/// A tenant.
pub(crate) fn tenant(out: &mut String, tenant: &TenantRecord) {
    let id = quoted(&tenant.id);
    put!(
        out,
        r#"{{"id":{},"tenantId":{id},"countryCode":"NL","displayName":{},"domains":["contoso.invalid"],"tenantCategory":"Home","defaultDomain":"contoso.invalid","tenantType":"AAD"}}"#,
        quoted(&format!("/tenants/{}", tenant.id)),
        quoted(&tenant.name)
    );
}

/// A subscription.
pub(crate) fn subscription(out: &mut String, tenant: &TenantRecord, subscription: &SubscriptionRecord) {
    put!(
        out,
        r#"{{"id":{},"authorizationSource":"RoleBased","managedByTenants":[],"subscriptionId":{},"tenantId":{},"displayName":{},"state":"{}","subscriptionPolicies":{{"locationPlacementId":"Public_2014-09-01","quotaId":"EnterpriseAgreement_2014-09-01","spendingLimit":"Off"}}}}"#,
        quoted(&format!("/subscriptions/{}", subscription.id)),
        quoted(&subscription.id),
        quoted(&tenant.id),
        quoted(&subscription.name),
        subscription.state.as_str()
    );
}

/// A resource group.
pub(crate) fn resource_group(out: &mut String, subscription: &str, name: &str, location: &str) {
    put!(
        out,
        r#"{{"id":{},"name":{},"type":"Microsoft.Resources/resourceGroups","location":{},"properties":{{"provisioningState":"Succeeded"}}}}"#,
        quoted(&format!("/subscriptions/{subscription}/resourceGroups/{name}")),
        quoted(name),
        quoted(location)
    );
}

/// A resource provider's registration. `versions` are the api-versions of flexible servers.
pub(crate) fn provider(
    out: &mut String,
    subscription: &str,
    namespace: &str,
    state: ProviderState,
    versions: &[String],
) {
    put!(
        out,
        r#"{{"id":{},"namespace":{},"registrationPolicy":"RegistrationRequired","registrationState":"{}","resourceTypes":["#,
        quoted(&format!("/subscriptions/{subscription}/providers/{namespace}")),
        quoted(namespace),
        if state == ProviderState::Registered { "Registered" } else { "NotRegistered" }
    );
    let mut first = true;
    for kind in Kind::ALL {
        if kind.provider() != namespace {
            continue;
        }
        if !first {
            out.push(',');
        }
        first = false;
        put!(
            out,
            r#"{{"resourceType":"{}","locations":["West Europe","North Europe"],"apiVersions":["#,
            kind.type_segment()
        );
        let known: Vec<&str> = match kind {
            Kind::Flexible => versions.iter().map(String::as_str).collect(),
            Kind::Single => vec!["2017-12-01"],
            Kind::Cosmos => vec!["2023-03-02-preview", "2022-11-08"],
            Kind::Horizon | Kind::ParameterGroup => {
                vec!["2026-05-01-preview", "2026-01-20-preview"]
            }
        };
        for (index, version) in known.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            string(out, version);
        }
        out.push_str("]}");
    }
    out.push_str("]}");
}

/// A management group as lists have it.
pub(crate) fn management_group(out: &mut String, tenant: &str, name: &str, display_name: &str) {
    put!(
        out,
        r#"{{"id":{},"type":"Microsoft.Management/managementGroups","name":{},"properties":{{"tenantId":{},"displayName":{}}}}}"#,
        quoted(&format!("/providers/Microsoft.Management/managementGroups/{name}")),
        quoted(name),
        quoted(tenant),
        quoted(display_name)
    );
}

/// The endpoints of this cloud, for clients that register it by its ARM address.
pub(crate) fn endpoints(out: &mut String, base: &str) {
    let url = |tail: &str| quoted(&format!("{base}{tail}"));
    put!(
        out,
        r#"{{"name":"Simulated","portal":{root},"resourceManager":{root},"authentication":{{"loginEndpoint":{bare},"audiences":[{root},{bare}],"tenant":"common","identityProvider":"AAD"}},"graph":{graph},"graphAudience":{graph},"microsoftGraphResourceId":{graph},"media":{root},"batch":{root},"sqlManagement":{root},"gallery":{root},"vmImageAliasDoc":{root},"activeDirectoryDataLake":{root},"suffixes":{{"postgresqlServerEndpoint":"postgres.database.azure.com"}}}}"#,
        root = url("/"),
        bare = url(""),
        graph = url("/graph/"),
    );
}
