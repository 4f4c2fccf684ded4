//! Azure Resource Manager client: scope, discovery, parameters, throttling, sign-in.
//!
//! The only crate that knows Resource Manager. It reports facts, as `hostssl-model` values, and judges nothing.

mod activity_log;
mod answer;
mod arm_client;
mod authorization;
mod bucket;
mod cloud;
mod databases;
mod departed;
mod error;
mod limiter;
mod log_analytics;
mod log_files;
mod operation;
mod paging;
mod parameters;
pub mod permissions;
mod policies;
mod pooler;
mod proxy;
mod reachability;
mod resource_graph;
mod resource_type;
mod retry_after;
mod servers;
mod sign_in;
mod stop;
mod subscriptions;
mod transport;

pub use activity_log::{ACTIVITY_KEPT, list_activity};
pub use arm_client::{Arm, REQUESTS, RequestLimits, SendTurn};
pub use authorization::{Permission, allows, list_locks, list_permissions};
pub use cloud::{Cloud, InvalidCloud};
pub use databases::list_databases;
pub use error::{ArmError, Refusal};
pub use limiter::Quota;
pub use log_analytics::{AnalyticsHour, AnalyticsLine, AnalyticsSlice, LogAnalytics, analytics_slices};
pub use log_files::{ListedLogFile, SignedUrl, download_log_file, list_log_files};
pub use operation::{AcceptedWrite, OperationHandle, OperationStatus, poll, write, write_turn};
pub use paging::Listing;
pub use parameters::{WriteParameterError, read_parameter, read_parameters, write_parameter};
pub use policies::{EnforcingPolicy, list_enforcing_policies};
pub use pooler::read_pooler_enabled;
pub use proxy::{ProxyRoute, ProxySetting, proxy_route};
pub use reachability::{EndpointFailure, EndpointFault, EndpointReply, ask_endpoint};
pub use resource_graph::{GraphRow, query_servers};
pub use resource_type::ResourceType;
pub use servers::{Listed, NotAServer, get_document, list_documents, list_servers, read_server};
pub use sign_in::{AuthMethod, SignIn, SignInError, SignedIn, principal_of};
pub use stop::{StopSignal, stopped};
pub use subscriptions::{list_management_groups, list_subscriptions, subscriptions_of_management_group};
pub use transport::{InvalidCaFile, ca_certificates, https_transport};
