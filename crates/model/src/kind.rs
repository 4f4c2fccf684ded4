//! The kinds of servers, and what Azure offers on each. A kind that is added does not compile before its [`Offering`]
//! is written, and the rest of the program follows it.

use crate::ParameterName::{
    LogDownloadEnable, LogRetentionDays, MinimalTlsVersion, NodeSslMinProtocolVersion, RequireSecureTransport,
    SslEnforcement, SslMaxProtocolVersion, SslMinProtocolVersion,
};
use crate::{Floor, Meaning, ParameterName, ResourceId, TlsVersion, coded};

coded! {
    /// What kind of Azure service a server is. The kinds keep the switch for encryption in different places. The codes
    /// stand in JSON and on the command line; the order is that of reports.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Kind {
        /// Azure Database for PostgreSQL flexible server.
        Flexible = "flexible",
        /// A flexible server that is an elastic cluster (several nodes behind one name).
        ElasticCluster = "elastic-cluster",
        /// Azure Database for PostgreSQL single server, retired on 2025-03-28.
        Single = "single",
        /// Azure Cosmos DB for PostgreSQL cluster, which cannot turn TLS off.
        CosmosCluster = "cosmos-cluster",
        /// Azure HorizonDB cluster (preview).
        Horizon = "horizon",
    }
}

/// What enforces TLS on a kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// A setting.
    Parameter(ParameterName),
    /// The platform: TLS cannot be turned off.
    ByPlatform,
}

/// The port of PostgreSQL.
pub const POSTGRES_PORT: u16 = 5432;
/// The port of the built-in PgBouncer (Azure, "PgBouncer in Azure Database for PostgreSQL").
pub const POOLER_PORT: u16 = 6432;

/// What Azure offers on a kind of server: the one place that knows.
#[derive(Debug)]
pub struct Offering {
    /// Resource provider and type, as Azure spells them.
    pub arm_type: &'static str,
    /// What Azure calls one server of the kind, whole.
    pub title: &'static str,
    /// The same for a column of a table.
    pub short_title: &'static str,
    /// Where the portal has the settings.
    pub portal: &'static str,
    /// The Azure CLI's command that sets a parameter; `None` where it has none.
    pub az_parameter_set: Option<&'static str>,
    /// The ports that clients may find a listener at. A pooler need not be there.
    pub ports: &'static [u16],
    /// Whether Azure says if a server has a pooler.
    pub tells_pooler: bool,
    /// What enforces TLS.
    pub switch: Switch,
    /// The settings that bound protocol versions from below, each of some nodes: first the one that clients meet.
    pub floors: &'static [ParameterName],
    /// The setting that bounds protocol versions from above.
    pub cap: Option<ParameterName>,
    /// The floors that Azure takes, the loosest first.
    pub floor_values: &'static [Floor],
    /// What a new server starts with, and what a setting that is reset goes back to; empty where that is not documented.
    pub defaults: &'static [(ParameterName, Meaning)],
    /// Whether Azure says of a setting that a change waits for a restart.
    pub tells_pending_restart: bool,
    /// Whether read replicas are servers with settings of their own.
    pub has_replicas: bool,
    /// Whether its log files can be had through Resource Manager (Azure, "Download PostgreSQL server logs").
    pub has_log_files: bool,
    /// Whether its state says that Azure is at work on it.
    pub tells_busy: bool,
    /// The states in which Azure changes settings.
    pub ready_states: &'static [&'static str],
    /// Why hostssl does not write its settings; `None` where it does.
    pub not_written: Option<&'static str>,
}

/// `allowedValues` of `ssl_min_protocol_version` of flexible servers. For Cosmos DB for PostgreSQL and HorizonDB the
/// same two are assumed.
const POSTGRESQL_FLOORS: &[Floor] = &[Floor::At(TlsVersion::Tls1_2), Floor::At(TlsVersion::Tls1_3)];

/// `defaultValue` of the parameters of flexible servers (Azure Database for PostgreSQL, "Server parameters", connections and
/// authentication, TLS).
const FLEXIBLE_DEFAULTS: &[(ParameterName, Meaning)] = &[
    (RequireSecureTransport, Meaning::Enforced(true)),
    (SslMinProtocolVersion, Meaning::Floor(Floor::At(TlsVersion::Tls1_2))),
    (SslMaxProtocolVersion, Meaning::Cap(None)),
];

/// `minimalTlsVersion` (REST API `Microsoft.DBforPostgreSQL/servers`, 2017-12-01).
const SINGLE_SERVER_FLOORS: &[Floor] =
    &[Floor::None, Floor::At(TlsVersion::Tls1_0), Floor::At(TlsVersion::Tls1_1), Floor::At(TlsVersion::Tls1_2)];

const FLEXIBLE: Offering = Offering {
    arm_type: "Microsoft.DBforPostgreSQL/flexibleServers",
    title: "Azure Database for PostgreSQL flexible server",
    short_title: "Flexible server",
    portal: "Settings › Server parameters",
    az_parameter_set: Some("az postgres flexible-server parameter set"),
    ports: &[POSTGRES_PORT, POOLER_PORT],
    tells_pooler: true,
    switch: Switch::Parameter(RequireSecureTransport),
    floors: &[SslMinProtocolVersion],
    cap: Some(SslMaxProtocolVersion),
    floor_values: POSTGRESQL_FLOORS,
    defaults: FLEXIBLE_DEFAULTS,
    tells_pending_restart: true,
    has_replicas: true,
    has_log_files: true,
    tells_busy: true,
    ready_states: &["Ready"],
    not_written: None,
};

const ELASTIC_CLUSTER: Offering =
    Offering { title: "Azure Database for PostgreSQL elastic cluster", short_title: "Elastic cluster", ..FLEXIBLE };

const SINGLE: Offering = Offering {
    arm_type: "Microsoft.DBforPostgreSQL/servers",
    title: "Azure Database for PostgreSQL single server",
    short_title: "Single server",
    portal: "Settings › Connection security › SSL settings",
    az_parameter_set: None,
    // It never had a pooler.
    ports: &[POSTGRES_PORT],
    tells_pooler: false,
    switch: Switch::Parameter(SslEnforcement),
    floors: &[MinimalTlsVersion],
    cap: None,
    floor_values: SINGLE_SERVER_FLOORS,
    defaults: &[],
    tells_pending_restart: false,
    has_replicas: true,
    has_log_files: false,
    tells_busy: false,
    ready_states: &["Ready"],
    not_written: None,
};

const COSMOS_CLUSTER: Offering = Offering {
    arm_type: "Microsoft.DBforPostgreSQL/serverGroupsv2",
    title: "Azure Cosmos DB for PostgreSQL cluster",
    short_title: "Cosmos DB cluster",
    portal: "Settings › Coordinator node parameters",
    az_parameter_set: None,
    ports: &[POSTGRES_PORT, POOLER_PORT],
    tells_pooler: false,
    // Azure Cosmos DB for PostgreSQL, "TLS configuration".
    switch: Switch::ByPlatform,
    floors: &[SslMinProtocolVersion, NodeSslMinProtocolVersion],
    cap: None,
    floor_values: POSTGRESQL_FLOORS,
    defaults: &[],
    tells_pending_restart: false,
    has_replicas: false,
    has_log_files: false,
    tells_busy: false,
    ready_states: &["Ready"],
    not_written: None,
};

const HORIZON: Offering = Offering {
    arm_type: "Microsoft.HorizonDb/clusters",
    title: "Azure HorizonDB cluster",
    short_title: "HorizonDB cluster",
    portal: "the parameter group of the cluster",
    az_parameter_set: None,
    ports: &[POSTGRES_PORT, POOLER_PORT],
    tells_pooler: false,
    switch: Switch::Parameter(RequireSecureTransport),
    floors: &[SslMinProtocolVersion],
    cap: None,
    floor_values: POSTGRESQL_FLOORS,
    defaults: &[],
    tells_pending_restart: false,
    has_replicas: false,
    has_log_files: false,
    tells_busy: false,
    // It has no state of its own, only whether its last provisioning succeeded.
    ready_states: &["Ready", "Succeeded"],
    not_written: Some("it is in a parameter group, which other clusters may share: change it there manually"),
};

impl Kind {
    /// What Azure offers on it.
    #[must_use]
    pub const fn offering(self) -> &'static Offering {
        match self {
            Self::Flexible => &FLEXIBLE,
            Self::ElasticCluster => &ELASTIC_CLUSTER,
            Self::Single => &SINGLE,
            Self::CosmosCluster => &COSMOS_CLUSTER,
            Self::Horizon => &HORIZON,
        }
    }

    /// The kind that Azure calls by this resource type, in any letter case. Of two kinds of one type it is the first.
    #[must_use]
    pub fn of_arm_type(arm_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.offering().arm_type.eq_ignore_ascii_case(arm_type))
    }

    /// The kind of the server that an id is of; `None` for the id of something else, or of a part of a server.
    #[must_use]
    pub fn of_resource(id: &ResourceId) -> Option<Self> {
        let is_whole = id.as_str().split('/').count() == 9;
        Self::of_arm_type(&id.arm_type()).filter(|_| is_whole)
    }

    /// What a setting of a new server says, and of one that is reset; `None` where that is not documented.
    #[must_use]
    pub fn default_of(self, name: ParameterName) -> Option<Meaning> {
        self.offering().defaults.iter().find(|(setting, _)| *setting == name).map(|(_, meaning)| *meaning)
    }

    /// The setting of such a server that Azure calls so, in any letter case.
    #[must_use]
    pub fn setting_named(self, name: &str) -> Option<ParameterName> {
        self.settings().into_iter().find(|setting| setting.as_str().eq_ignore_ascii_case(name))
    }

    /// The setting that enforces TLS; `None` where the platform does.
    #[must_use]
    pub fn switch(self) -> Option<ParameterName> {
        match self.offering().switch {
            Switch::Parameter(name) => Some(name),
            Switch::ByPlatform => None,
        }
    }

    /// The floor that clients meet. Behind a coordinator there may be nodes with floors of their own.
    #[must_use]
    pub fn client_floor(self) -> Option<ParameterName> {
        self.offering().floors.first().copied()
    }

    /// The settings that decide which log files can be downloaded, and from when; none where there are no log files.
    #[must_use]
    pub fn log_settings(self) -> &'static [ParameterName] {
        if self.offering().has_log_files { &[LogDownloadEnable, LogRetentionDays] } else { &[] }
    }

    /// Every setting that decides about encryption in transit: switch, floors, cap.
    #[must_use]
    pub fn settings(self) -> Vec<ParameterName> {
        let offering = self.offering();
        self.switch().into_iter().chain(offering.floors.iter().copied()).chain(offering.cap).collect()
    }

    /// Whether Azure takes this meaning for a setting of such a server.
    #[must_use]
    pub fn offers(self, meaning: Meaning) -> bool {
        match meaning {
            Meaning::Enforced(_) => self.switch().is_some(),
            Meaning::Floor(floor) => self.offering().floor_values.contains(&floor),
            Meaning::Cap(_) => self.offering().cap.is_some(),
            Meaning::LogDownload(_) | Meaning::LogDays(_) => self.offering().has_log_files,
        }
    }

    /// How Azure spells this meaning for a setting of such a server; `None` when it does not offer it.
    #[must_use]
    pub fn spell(self, name: ParameterName, meaning: Meaning) -> Option<&'static str> {
        name.spell(meaning).filter(|_| self.offers(meaning))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_can_be_spelled() {
        for kind in Kind::ALL {
            let offering = kind.offering();
            for name in offering.floors {
                for floor in offering.floor_values {
                    assert!(kind.spell(*name, Meaning::Floor(*floor)).is_some(), "{kind}: {name} {floor}");
                }
            }
            if let Some(name) = kind.switch() {
                for on in [true, false] {
                    assert!(kind.spell(name, Meaning::Enforced(on)).is_some(), "{kind}: {name}");
                }
            }
            assert!(offering.floor_values.is_sorted_by(|a, b| a < b), "{kind}");
            assert_eq!(offering.ports.first(), Some(&POSTGRES_PORT), "{kind}");
        }
    }

    #[test]
    fn defaults_are_settings_of_the_kind_that_can_be_spelled() {
        for kind in Kind::ALL {
            for (name, meaning) in kind.offering().defaults {
                assert!(kind.settings().contains(name) && kind.spell(*name, *meaning).is_some(), "{kind}: {name}");
            }
        }
        assert_eq!(Kind::Flexible.default_of(RequireSecureTransport), Some(Meaning::Enforced(true)));
        assert_eq!(Kind::Single.default_of(SslEnforcement), None, "it was always written down");
    }

    #[test]
    fn a_kind_and_a_setting_are_found_by_azures_name() {
        assert_eq!(Kind::of_arm_type("microsoft.dbforpostgresql/FLEXIBLESERVERS"), Some(Kind::Flexible));
        assert_eq!(Kind::of_arm_type("Microsoft.DBforPostgreSQL/servers"), Some(Kind::Single));
        assert_eq!(Kind::of_arm_type("Microsoft.DBforMySQL/servers"), None);
        let of = |rest: &str| {
            let id = format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/{rest}");
            Kind::of_resource(&ResourceId::try_from(id.as_str()).unwrap())
        };
        assert_eq!(of("servers/a"), Some(Kind::Single));
        assert_eq!((of("servers/a/configurations/b"), of("clouds/a")), (None, None));
        assert_eq!(Kind::Flexible.setting_named("REQUIRE_SECURE_TRANSPORT"), Some(RequireSecureTransport));
        assert_eq!(Kind::Single.setting_named("require_secure_transport"), None);
    }

    #[test]
    fn a_floor_that_azure_does_not_take_is_not_offered() {
        let floor = |version| Meaning::Floor(Floor::At(version));
        assert_eq!(Kind::Flexible.spell(SslMinProtocolVersion, floor(TlsVersion::Tls1_1)), None);
        assert_eq!(Kind::Flexible.spell(SslMinProtocolVersion, floor(TlsVersion::Tls1_3)), Some("TLSv1.3"));
        assert_eq!(Kind::Single.spell(MinimalTlsVersion, floor(TlsVersion::Tls1_3)), None);
        assert_eq!(Kind::Single.spell(MinimalTlsVersion, Meaning::Floor(Floor::None)), Some("TLSEnforcementDisabled"));
        assert_eq!(Kind::CosmosCluster.spell(RequireSecureTransport, Meaning::Enforced(false)), None);
    }

    #[test]
    fn the_settings_of_a_kind_are_its_own() {
        assert_eq!(Kind::Flexible.settings(), [RequireSecureTransport, SslMinProtocolVersion, SslMaxProtocolVersion]);
        assert_eq!(Kind::Single.settings(), [SslEnforcement, MinimalTlsVersion]);
        assert_eq!(Kind::CosmosCluster.settings(), [SslMinProtocolVersion, NodeSslMinProtocolVersion]);
        assert_eq!(Kind::Horizon.settings(), [RequireSecureTransport, SslMinProtocolVersion]);
    }
}
