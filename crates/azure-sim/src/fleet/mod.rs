//! What the simulated Azure holds, as plain data.
//!
//! A fleet is either written out, as in the demonstration, or generated from a seed. Both are turned into the
//! compact records that the simulator serves; nothing here knows about requests.

mod demo;
mod generate;
mod traps;

pub(crate) use demo::{demo, demo_past, enforced};
pub(crate) use generate::generate;
pub(crate) use traps::traps;

/// Where the servers of a [`Scenario`](crate::Scenario) come from.
#[derive(Debug, Clone, PartialEq)]
pub enum FleetSource {
    /// Written out.
    Listed(Fleet),
    /// Made from a seed when the simulation is made.
    Generated(FleetSize),
}

/// The size of a generated fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetSize {
    /// The same seed gives the same fleet, on every machine.
    pub seed: u64,
    /// Directories; at least one is made.
    pub tenants: usize,
    /// Subscriptions in each tenant; at least one is made.
    pub subscriptions_per_tenant: usize,
    /// Servers in all subscriptions together.
    pub servers: usize,
    /// Which kinds they are.
    pub mix: Mix,
}

impl Default for FleetSize {
    fn default() -> Self {
        Self { seed: 1, tenants: 1, subscriptions_per_tenant: 100, servers: 2_000, mix: Mix::default() }
    }
}

/// Relative shares of the kinds of servers in a generated fleet. Their sum is free; all zero means flexible only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// Flexible servers.
    pub flexible: u32,
    /// Flexible servers that are elastic clusters.
    pub elastic: u32,
    /// Read replicas of flexible servers.
    pub replica: u32,
    /// Single servers.
    pub single: u32,
    /// Azure Cosmos DB for PostgreSQL clusters.
    pub cosmos: u32,
    /// HorizonDB clusters.
    pub horizon: u32,
}

impl Default for Mix {
    fn default() -> Self {
        Self { flexible: 78, elastic: 3, replica: 8, single: 6, cosmos: 3, horizon: 2 }
    }
}

impl Mix {
    /// Only plain flexible servers, for figures that are easy to compare.
    pub const FLEXIBLE_ONLY: Self = Self { flexible: 1, elastic: 0, replica: 0, single: 0, cosmos: 0, horizon: 0 };
}

/// Everything that one simulated Azure holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fleet {
    /// The directories.
    pub tenants: Vec<Tenant>,
}

/// A directory and what is billed in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tenant {
    /// The directory id, in the form of a GUID.
    pub id: String,
    /// The display name.
    pub name: String,
    /// Management groups below the root group, which always exists and has the tenant's id as its name.
    pub groups: Vec<ManagementGroup>,
    /// The subscriptions, in the order in which ARM lists them.
    pub subscriptions: Vec<Subscription>,
}

/// A management group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagementGroup {
    /// Its name, which is its id in paths.
    pub name: String,
    /// The display name.
    pub display_name: String,
    /// The group above it; `None` is the tenant's root group.
    pub parent: Option<String>,
}

/// A subscription and its servers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Subscription {
    /// The subscription id, in the form of a GUID.
    pub id: String,
    /// The display name.
    pub name: String,
    /// Its state.
    pub state: SubscriptionState,
    /// The management group that holds it; `None` is the tenant's root group.
    pub management_group: Option<String>,
    /// Whether `Microsoft.DBforPostgreSQL` can be used in it.
    pub postgres: ProviderState,
    /// Whether `Microsoft.HorizonDb` can be used in it.
    pub horizon: ProviderState,
    /// Its servers.
    pub servers: Vec<Server>,
}

/// The state of a subscription, in ARM's words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SubscriptionState {
    /// Can be read and written.
    #[default]
    Enabled,
    /// Payment is late; still works.
    Warned,
    /// Can be read only.
    Disabled,
}

impl SubscriptionState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Warned => "Warned",
            Self::Disabled => "Disabled",
        }
    }
}

/// Whether a resource provider can be used in a subscription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProviderState {
    /// Registered.
    #[default]
    Registered,
    /// Known but not registered: ARM answers 409 `MissingSubscriptionRegistration`.
    NotRegistered,
    /// Not there at all, as in a sovereign cloud: ARM answers 404 `InvalidResourceType`.
    Unsupported,
}

/// A server, a cluster or a HorizonDB parameter group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, also the first label of its host name.
    pub name: String,
    /// Its resource group.
    pub group: String,
    /// What it is.
    pub kind: Kind,
    /// The region in its short form, such as `westeurope`.
    pub location: String,
    /// The major version of PostgreSQL.
    pub version: u8,
    /// Whether it runs.
    pub state: ServerState,
    /// Parameters that differ from their defaults. Single servers have `sslEnforcement`, `minimalTlsVersion` and
    /// `publicNetworkAccess` here too; a server group's parameters are prefixed with `coordinator:` or `node:`.
    pub parameters: Vec<(String, String)>,
    /// Names of the parameters whose value waits for a restart.
    pub pending_restart: Vec<String>,
    /// The name of the server in the same subscription and resource group that this one replicates.
    pub replica_of: Option<String>,
    /// Worker nodes: an elastic cluster has some, any other flexible server none.
    pub nodes: u8,
    /// Reachable in a virtual network only.
    pub private: bool,
    /// The name of the parameter group that a HorizonDB cluster uses.
    pub parameter_group: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// What Resource Graph knows of it.
    pub graph: GraphView,
    /// Where its listeners do something else than it declares, or have a certificate to complain about.
    pub quirks: Vec<WireQuirk>,
}

impl Server {
    /// A running server of PostgreSQL 17 in West Europe with default parameters.
    pub fn new(kind: Kind, group: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            group: group.into(),
            kind,
            location: "westeurope".to_owned(),
            version: if kind == Kind::Single { 11 } else { 17 },
            state: ServerState::Ready,
            parameters: Vec::new(),
            pending_restart: Vec::new(),
            replica_of: None,
            nodes: 0,
            private: false,
            parameter_group: None,
            tags: Vec::new(),
            graph: GraphView::Current,
            quirks: Vec::new(),
        }
    }

    /// The same server with one parameter set.
    #[must_use]
    pub fn with(mut self, parameter: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((parameter.into(), value.into()));
        self
    }

    /// The same server with a quirk of its listeners.
    #[must_use]
    pub fn quirky(mut self, quirk: WireQuirk) -> Self {
        self.quirks.push(quirk);
        self
    }

    /// The same server in another region.
    #[must_use]
    pub fn at(mut self, location: impl Into<String>) -> Self {
        self.location = location.into();
        self
    }

    /// The same server with one tag more.
    #[must_use]
    pub fn tagged(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((name.into(), value.into()));
        self
    }
}

/// The resource types that the simulator has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `Microsoft.DBforPostgreSQL/flexibleServers`, elastic clusters included.
    Flexible,
    /// `Microsoft.DBforPostgreSQL/servers`, the retired Single Server.
    Single,
    /// `Microsoft.DBforPostgreSQL/serverGroupsv2`, Azure Cosmos DB for PostgreSQL.
    Cosmos,
    /// `Microsoft.HorizonDb/clusters`.
    Horizon,
    /// `Microsoft.HorizonDb/parameterGroups`.
    ParameterGroup,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Flexible, Self::Single, Self::Cosmos, Self::Horizon, Self::ParameterGroup];

    /// The resource provider's namespace.
    #[must_use]
    pub fn provider(self) -> &'static str {
        match self {
            Self::Flexible | Self::Single | Self::Cosmos => "Microsoft.DBforPostgreSQL",
            Self::Horizon | Self::ParameterGroup => "Microsoft.HorizonDb",
        }
    }

    /// The type's segment in a path.
    #[must_use]
    pub fn type_segment(self) -> &'static str {
        match self {
            Self::Flexible => "flexibleServers",
            Self::Single => "servers",
            Self::Cosmos => "serverGroupsv2",
            Self::Horizon => "clusters",
            Self::ParameterGroup => "parameterGroups",
        }
    }
}

/// The state of a server, in the words of the flexible server's `properties.state`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServerState {
    /// Runs; the only state in which it can be changed.
    #[default]
    Ready,
    /// Is being started.
    Starting,
    /// Is being stopped.
    Stopping,
    /// Is stopped.
    Stopped,
    /// Is being changed.
    Updating,
    /// Is being dropped.
    Dropping,
    /// Is disabled.
    Disabled,
    /// Is being restarted.
    Restarting,
    /// Cannot reach its encryption key.
    Inaccessible,
    /// Is being made: its parameters answer 500.
    Provisioning,
}

impl ServerState {
    const ALL: [Self; 10] = [
        Self::Ready,
        Self::Starting,
        Self::Stopping,
        Self::Stopped,
        Self::Updating,
        Self::Dropping,
        Self::Disabled,
        Self::Restarting,
        Self::Inaccessible,
        Self::Provisioning,
    ];

    /// The state of this word.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// The word in `properties.state`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Starting => "Starting",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Updating => "Updating",
            Self::Dropping => "Dropping",
            Self::Disabled => "Disabled",
            Self::Restarting => "Restarting",
            Self::Inaccessible => "Inaccessible",
            Self::Provisioning => "Provisioning",
        }
    }
}

/// What a server's listeners do that its parameters do not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireQuirk {
    /// PostgreSQL lets clients in without TLS, whatever is declared.
    PlaintextAccepted,
    /// PostgreSQL lets clients into one of the databases without TLS, whatever is declared.
    DatabasePlaintextAccepted,
    /// The built-in pooler lets clients in without TLS, whatever is declared.
    PoolerPlaintextAccepted,
    /// The certificate ends in nine days.
    CertificateExpiresSoon,
    /// The certificate names another server.
    CertificateOfOtherName,
}

/// What Resource Graph, which lags behind ARM, knows of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GraphView {
    /// The same as ARM.
    #[default]
    Current,
    /// Not yet: ARM lists it, Resource Graph does not.
    Missing,
    /// Still: Resource Graph lists it, ARM no longer does.
    Stale,
}
