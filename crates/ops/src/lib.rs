//! The use cases of hostssl, each a function: they connect observation to decision, keep the bounds, and report what
//! happens as events. They know no terminal and no file format.

mod activity_reading;
mod audit;
mod audit_event;
mod clients;
mod doctor;
mod documents;
mod judge_again;
mod listener_probe;
mod log_analytics;
mod policies_over_plaintext;
mod readiness;
mod remediation;
mod run_context;
mod scope;
mod selection;
mod subscription;
mod zones;

pub use activity_reading::{SubscriptionOf, activity_kept, own_write, read_activity};
pub use audit::{AuditRequest, Discovery, audit, audit_and_probe};
pub use audit_event::{AuditEvent, PlanReading};
pub use clients::{ClientSource, ClientsCensus, ServerCensus, take_census};
pub use doctor::{
    CaFileFacts, EndpointTrial, FoundServers, Obstacle, ScopeRights, ca_file_check, clock_check, endpoint_check,
    find_servers, listener_checks, name_check, proxy_check, read_rights, rights_checks, sign_in_check, state_checks,
    store_check, subscriptions_check,
};
pub use documents::{Document, Documents, ShowError, list_server_documents, show_server_document};
pub use judge_again::{JudgedAgain, JudgedServer, expiry_days, judge_again, rules_of};
pub use listener_probe::{ListenerProbe, ServerProbe, TakeReports, carried_observation, observation};
pub use log_analytics::LogAnalyticsSource;
pub use policies_over_plaintext::{PolicyOverPlaintext, policies_over_plaintext};
pub use readiness::{OtherServers, Readiness, ReadyServer};
pub use remediation::{
    AcceptBreakage, ClientsSeen, FailedBefore, KeptEvidence, NotPermitted, PlanError, PlanRequest, PlanWaivers,
    Planned, Remediation, RemediationError, WireJudge, failed_before, failed_last_time, make_plan, worth_observing,
};
pub use scope::{ScopeError, Tenant, Visible, resolve_scope};
pub use selection::{NoMatch, Selector};
pub use zones::{
    InvalidLooks, InvalidZones, KnownServer, KnownSwitch, Looks, PROBE_AGAIN, Vantages, ZonedServer, ZonedServers,
    list_zones, looks_of_zone, read_zones, zone_rule_to_toml, zone_targets,
};

// What the functions above take and return, for those who need nothing else of these crates.
pub use hostssl_audit::{
    ActivityRead, Change as AuditChange, Control, Difference, NewWaiver, Profile, RefusedWaiver, SubscriptionActivity,
    UnknownProfile, WaiverLayer, apply_waivers, diff as compare_audits, gate, read_waivers,
};
pub use hostssl_azure::StopSignal;
pub use hostssl_model::Stop;
pub use run_context::{RunContext, rfc3339};

/// Every control, in the order of reports.
#[must_use]
pub fn controls() -> &'static [&'static Control] {
    &hostssl_audit::ALL
}

/// The control with this id.
#[must_use]
pub fn find_control(id: &str) -> Option<&'static Control> {
    hostssl_audit::find(id)
}
