//! The resource types that are PostgreSQL servers, and the api-versions to ask for them.

use crate::{ArmError, Refusal, permissions};
use hostssl_model::Kind;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A resource type of Resource Manager that holds PostgreSQL servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceType {
    /// `Microsoft.DBforPostgreSQL/flexibleServers`: flexible servers and elastic clusters.
    FlexibleServers,
    /// `Microsoft.DBforPostgreSQL/servers`: single servers.
    Servers,
    /// `Microsoft.DBforPostgreSQL/serverGroupsv2`: Azure Cosmos DB for PostgreSQL clusters.
    ServerGroups,
    /// `Microsoft.HorizonDb/clusters`: HorizonDB clusters (preview).
    HorizonClusters,
}

impl ResourceType {
    /// Every type, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::FlexibleServers, Self::Servers, Self::ServerGroups, Self::HorizonClusters];

    /// The type of a kind of server.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Flexible | Kind::ElasticCluster => Self::FlexibleServers,
            Kind::Single => Self::Servers,
            Kind::CosmosCluster => Self::ServerGroups,
            Kind::Horizon => Self::HorizonClusters,
        }
    }

    /// A kind of the servers that it holds.
    fn kind(self) -> Kind {
        match self {
            Self::FlexibleServers => Kind::Flexible,
            Self::Servers => Kind::Single,
            Self::ServerGroups => Kind::CosmosCluster,
            Self::HorizonClusters => Kind::Horizon,
        }
    }

    /// Provider and type, as Resource Graph and error messages write them.
    #[must_use]
    pub fn full_name(self) -> &'static str {
        self.kind().offering().arm_type
    }

    /// The resource provider.
    #[must_use]
    pub fn provider(self) -> &'static str {
        self.full_name().split('/').next().unwrap_or_default()
    }

    /// The type without its provider.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.full_name().split('/').nth(1).unwrap_or_default()
    }

    /// The permission that listing and reading needs.
    #[must_use]
    pub fn read_action(self) -> &'static str {
        match self {
            Self::FlexibleServers => permissions::READ_FLEXIBLE_SERVERS,
            Self::Servers => permissions::READ_SERVERS,
            Self::ServerGroups => permissions::READ_SERVER_GROUPS,
            Self::HorizonClusters => permissions::READ_HORIZON_CLUSTERS,
        }
    }

    /// The usual name of the servers of this type.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::FlexibleServers => "flexible servers",
            Self::Servers => "single servers",
            Self::ServerGroups => "Azure Cosmos DB for PostgreSQL clusters",
            Self::HorizonClusters => "HorizonDB clusters",
        }
    }

    /// The api-versions that this program can read, the preferred one first. Sovereign clouds lag behind the public
    /// one.
    fn known_versions(self) -> &'static [&'static str] {
        match self {
            Self::FlexibleServers => &["2025-08-01", "2024-08-01", "2022-12-01", "2021-06-01"],
            Self::Servers => &["2017-12-01"],
            Self::ServerGroups => &["2022-11-08", "2023-03-02-preview"],
            Self::HorizonClusters => &["2026-05-01-preview", "2026-01-20-preview"],
        }
    }
}

/// Which of the known api-versions one Resource Manager turned out to have. Found out once, by being refused.
#[derive(Debug, Default)]
pub(crate) struct Versions([AtomicUsize; 4]);

impl Versions {
    /// The version to ask for.
    pub(crate) fn current(&self, resource_type: ResourceType) -> &'static str {
        let known = resource_type.known_versions();
        known.get(self.0[resource_type as usize].load(Ordering::Relaxed)).or(known.first()).copied().unwrap_or_default()
    }

    /// After an error: the next version to ask for, when the error says that `asked` is not known there.
    pub(crate) fn after(&self, error: &ArmError, resource_type: ResourceType, asked: &str) -> Option<&'static str> {
        let ArmError::Refused(refusal) = error else { return None };
        let known = resource_type.known_versions();
        let next = next_version(refusal, known, asked)?;
        self.0[resource_type as usize].store(next, Ordering::Relaxed);
        known.get(next).copied()
    }
}

fn next_version(refusal: &Refusal, known: &[&str], asked: &str) -> Option<usize> {
    if !refusal.is(&["NoRegisteredProviderFound", "InvalidResourceType", "InvalidApiVersionParameter"]) {
        return None;
    }
    let supported = refusal.supported_versions();
    let asked = known.iter().position(|version| *version == asked)?;
    // Only ever forward, so that two answers that contradict each other cannot make a loop.
    known.iter().enumerate().skip(asked + 1).find(|(_, version)| supported.contains(version)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(versions: &str) -> ArmError {
        let body = format!(
            r#"{{"error":{{"code":"NoRegisteredProviderFound","message":"No registered resource provider found. The supported api-versions are '{versions}'."}}}}"#
        );
        ArmError::Refused(Refusal::read(400, body.as_bytes(), None))
    }

    #[test]
    fn a_kind_is_of_the_type_that_its_offering_names() {
        for kind in Kind::ALL {
            assert_eq!(ResourceType::of(kind).full_name(), kind.offering().arm_type);
        }
        let names = ResourceType::ALL.map(|one| (one.provider(), one.name()));
        assert_eq!(names[0], ("Microsoft.DBforPostgreSQL", "flexibleServers"));
        assert_eq!(names[3], ("Microsoft.HorizonDb", "clusters"));
    }

    #[test]
    fn an_older_cloud_is_asked_in_its_own_version() {
        let versions = Versions::default();
        let kind = ResourceType::FlexibleServers;
        assert_eq!(versions.current(kind), "2025-08-01");
        assert_eq!(versions.after(&refusal("2020-02-14-preview, 2022-12-01"), kind, "2025-08-01"), Some("2022-12-01"));
        assert_eq!(versions.current(kind), "2022-12-01");
        assert_eq!(versions.after(&refusal("2025-08-01"), kind, "2022-12-01"), None);
        assert_eq!(versions.after(&refusal("2099-01-01"), ResourceType::Servers, "2017-12-01"), None);
    }
}
