//! Resource providers: registered or not, what they can make.

use axum::http::StatusCode;

use crate::call::Call;
use crate::estate::SubscriptionRecord;
use crate::fleet::{Kind, ProviderState};
use crate::json::quoted;
use crate::refuse::FLEXIBLE_VERSIONS;
use crate::render;
use crate::reply::{self, Reply};
use crate::state::AzureState;

/// Providers without which there is no ARM. The Azure CLI registers the second before it lists management groups.
const ALWAYS_THERE: &[&str] =
    &["Microsoft.Authorization", "Microsoft.Management", "Microsoft.ResourceGraph", "Microsoft.Resources"];

/// Refuses a kind whose provider the subscription does not have.
pub(crate) fn unavailable(subscription: &SubscriptionRecord, kind: Kind) -> Option<Reply> {
    let state = match kind {
        Kind::Flexible | Kind::Single | Kind::Cosmos => subscription.postgres,
        Kind::Horizon | Kind::ParameterGroup => subscription.horizon,
    };
    match state {
        ProviderState::Registered => None,
        ProviderState::NotRegistered => Some(Reply::gateway(
            StatusCode::CONFLICT,
            "MissingSubscriptionRegistration",
            &format!("The subscription is not registered to use namespace '{}'.", kind.provider()),
        )),
        ProviderState::Unsupported => Some(Reply::gateway(
            StatusCode::NOT_FOUND,
            "InvalidResourceType",
            &format!(
                "The resource type '{}' could not be found in the namespace '{}'.",
                kind.type_segment(),
                kind.provider()
            ),
        )),
    }
}

/// A provider's registration.
pub(super) fn provider(simulation: &AzureState, subscription: &SubscriptionRecord, namespace: &str) -> Reply {
    let known = Kind::ALL.into_iter().find(|kind| kind.provider().eq_ignore_ascii_case(namespace));
    let (namespace, state) = match known {
        Some(kind) if kind.provider() == Kind::Horizon.provider() => (kind.provider(), subscription.horizon),
        Some(kind) => (kind.provider(), subscription.postgres),
        None => match ALWAYS_THERE.iter().find(|known| known.eq_ignore_ascii_case(namespace)) {
            Some(known) => (*known, ProviderState::Registered),
            None => (namespace, ProviderState::Unsupported),
        },
    };
    if state == ProviderState::Unsupported {
        return Reply::gateway(
            StatusCode::NOT_FOUND,
            "InvalidResourceNamespace",
            &format!("The resource namespace '{namespace}' is invalid."),
        );
    }
    let versions = simulation.scenario.flexible_versions.clone();
    let versions = versions.unwrap_or_else(|| FLEXIBLE_VERSIONS.iter().map(|version| (*version).to_owned()).collect());
    let mut body = String::new();
    render::provider(&mut body, &subscription.id, namespace, state, &versions);
    Reply::json(body)
}

/// Whether a server name is free.
pub(super) fn check_name(call: &Call<'_>, simulation: &AzureState) -> Reply {
    let body: serde_json::Value = match serde_json::from_slice(call.body) {
        Ok(body) => body,
        Err(_) => return reply::bad_request("The request content is not valid JSON."),
    };
    let Some(name) = body.get("name").and_then(serde_json::Value::as_str) else {
        return reply::bad_request("The member 'name' is missing.");
    };
    let taken = simulation.estate.servers.iter().any(|record| record.name().eq_ignore_ascii_case(name));
    Reply::json(format!(
        r#"{{"name":{},"type":"Microsoft.DBforPostgreSQL/flexibleServers","nameAvailable":{},"message":"{}"}}"#,
        quoted(name),
        !taken,
        if taken { "Specified server name is already used." } else { "" }
    ))
}

/// Enough for a client that asks which versions and editions there are.
pub(super) const CAPABILITIES: &str = r#"{"value":[{"name":"FlexibleServerCapabilities","supportedServerEditions":[{"name":"GeneralPurpose","defaultSkuName":"Standard_D4ds_v5","supportedStorageEditions":[{"name":"ManagedDisk","defaultStorageSizeMb":131072,"supportedStorageMb":[{"supportedIops":500,"storageSizeMb":131072,"defaultIopsTier":"P10","supportedIopsTiers":[{"name":"P10","iops":500}]}]}],"supportedServerSkus":[{"name":"Standard_D2ds_v5","vCores":2,"supportedIops":3200,"supportedMemoryPerVcoreMb":4096,"supportedZones":["1","2","3"],"supportedHaMode":["SameZone","ZoneRedundant"]}]}],"supportedServerVersions":[{"name":"14","supportedVersionsToUpgrade":["15","16","17"]},{"name":"15","supportedVersionsToUpgrade":["16","17"]},{"name":"16","supportedVersionsToUpgrade":["17"]},{"name":"17","supportedVersionsToUpgrade":[]}],"supportedFeatures":[],"fastProvisioningSupported":"Disabled","geoBackupSupported":"Enabled","zoneRedundantHaSupported":"Enabled","zoneRedundantHaAndGeoBackupSupported":"Enabled","storageAutoGrowthSupported":"Enabled","onlineResizeSupported":"Enabled","restricted":"Disabled"}]}"#;
