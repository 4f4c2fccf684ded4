//! What a request is, in one word.

use std::fmt;

use crate::fleet::Kind;

/// What a request does. Requests are counted by it and faults are aimed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// Signing in: the OpenID document and every kind of token request.
    SignIn,
    /// `GET /metadata/endpoints`.
    Endpoints,
    /// `GET /tenants`.
    ListTenants,
    /// `GET /subscriptions`.
    ListSubscriptions,
    /// One subscription.
    GetSubscription,
    /// Resource groups, one or all.
    ResourceGroups,
    /// A resource provider's registration.
    GetProvider,
    /// Management groups and what is under them.
    ManagementGroups,
    /// A Resource Graph query.
    ResourceGraph,
    /// Servers of a kind, in a subscription or a resource group.
    ListServers,
    /// One server.
    GetServer,
    /// All parameters of a server.
    ListConfigurations,
    /// One parameter of a server.
    GetConfiguration,
    /// Replicas of a server.
    ListReplicas,
    /// Firewall rules of a server.
    ListFirewallRules,
    /// Log files of a server.
    ListLogFiles,
    /// Databases of a server.
    ListDatabases,
    /// A log file, from storage.
    DownloadLogFile,
    /// A query of Log Analytics.
    QueryLogAnalytics,
    /// Locks on a scope.
    ListLocks,
    /// Policy assignments on a scope.
    ListPolicies,
    /// A policy definition or an initiative.
    GetPolicyDefinition,
    /// What the caller may do at a scope.
    ListPermissions,
    /// Events of the Activity Log of a subscription.
    ListActivity,
    /// What can be made in a location, whether a name is free.
    Capabilities,
    /// A write to a server or to a parameter group.
    UpdateServer,
    /// A write to a parameter.
    UpdateConfiguration,
    /// A poll of `Azure-AsyncOperation`.
    PollOperation,
    /// A poll of `Location`.
    GetOperationResult,
    /// Anything else.
    Unknown,
}

impl Operation {
    /// Whether it changes something.
    #[must_use]
    pub fn is_write(self) -> bool {
        matches!(self, Self::UpdateServer | Self::UpdateConfiguration)
    }

    /// Whether it reads parameters.
    pub(crate) fn reads_parameters(self) -> bool {
        matches!(self, Self::ListConfigurations | Self::GetConfiguration)
    }

    /// Whether it addresses one server or something under it.
    pub(crate) fn on_server(self) -> bool {
        self.is_write()
            || self.reads_parameters()
            || matches!(
                self,
                Self::GetServer
                    | Self::ListReplicas
                    | Self::ListFirewallRules
                    | Self::ListLogFiles
                    | Self::ListDatabases
            )
    }

    /// Whether it answers with a page of a list.
    pub(crate) fn is_list(self) -> bool {
        matches!(
            self,
            Self::ListTenants
                | Self::ListSubscriptions
                | Self::ListServers
                | Self::ListConfigurations
                | Self::ListReplicas
                | Self::ListDatabases
                | Self::ListActivity
        )
    }

    /// The action that a role must hold, as `AuthorizationFailed` names it. Names of the polls and of the parameter
    /// writes follow the pattern of the others; no recording has them.
    pub(crate) fn action(self, kind: Option<Kind>) -> String {
        let resource = kind.map_or_else(String::new, |kind| format!("{}/{}", kind.provider(), kind.type_segment()));
        let provider = kind.map_or("Microsoft.DBforPostgreSQL", Kind::provider);
        match self {
            Self::ListServers | Self::GetServer => format!("{resource}/read"),
            Self::ListConfigurations | Self::GetConfiguration => {
                format!("{resource}/configurations/read")
            }
            Self::ListReplicas => format!("{resource}/replicas/read"),
            Self::ListFirewallRules => format!("{resource}/firewallRules/read"),
            Self::ListLogFiles => format!("{resource}/logFiles/read"),
            Self::ListDatabases => format!("{resource}/databases/read"),
            Self::UpdateServer => format!("{resource}/write"),
            Self::UpdateConfiguration => format!("{resource}/configurations/write"),
            Self::PollOperation => format!("{provider}/locations/azureAsyncOperation/read"),
            Self::GetOperationResult => format!("{provider}/locations/operationResults/read"),
            Self::Capabilities => format!("{provider}/locations/capabilities/read"),
            Self::ListLocks => "Microsoft.Authorization/locks/read".to_owned(),
            Self::ListPolicies => "Microsoft.Authorization/policyAssignments/read".to_owned(),
            Self::GetPolicyDefinition => "Microsoft.Authorization/policySetDefinitions/read".to_owned(),
            Self::ListPermissions => "Microsoft.Authorization/permissions/read".to_owned(),
            Self::ListActivity => "Microsoft.Insights/eventtypes/values/read".to_owned(),
            Self::ManagementGroups => "Microsoft.Management/managementGroups/read".to_owned(),
            Self::ResourceGraph => "Microsoft.ResourceGraph/resources/read".to_owned(),
            Self::ResourceGroups => "Microsoft.Resources/subscriptions/resourceGroups/read".to_owned(),
            Self::GetProvider => "Microsoft.Resources/subscriptions/providers/read".to_owned(),
            Self::SignIn
            | Self::Endpoints
            | Self::ListTenants
            | Self::ListSubscriptions
            | Self::GetSubscription
            | Self::DownloadLogFile
            | Self::QueryLogAnalytics
            | Self::Unknown => "Microsoft.Resources/subscriptions/read".to_owned(),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
