//! The vocabulary of hostssl as types: what was checked, what was observed, and what follows from it.
//!
//! Everything here is a plain value. Nothing in this crate does I/O, reads a clock or an environment, or decides a
//! control: observers fill these types, controls judge them, and reports render them.

mod activity;
mod advice;
mod audit_reach;
mod code;
mod control_id;
mod coverage;
mod current;
mod doctor;
mod finding;
mod hexadecimal;
mod hint;
mod id;
mod kind;
mod known_standing;
mod listener;
mod lock;
mod network;
mod newest_look;
mod overlay;
mod parameter;
mod posture;
mod report;
mod scope;
mod selector;
mod server;
mod setting;
mod standing;
mod stop;
mod tags;
mod text_place;
mod tls;
mod waiver;
mod zone;

pub use activity::{Act, Activity, ActivityEnd, Caller, CallerKind};
pub use advice::{Advice, Fault, REPORT_DEFECT, chain};
pub use audit_reach::{Apart, AuditReach, Hidden, NotListed};
pub use hostssl_untrusted as untrusted;

pub use code::{Coded, Word};
pub use control_id::ControlId;
pub use coverage::{Gap, GapScope, Reason, Unchecked};
pub use current::{CurrentState, Evidence, LastLooks, LookEnd, Observation, SwitchChange, ZonesSeen};
pub use doctor::{DoctorCheck, DoctorCheckId, DoctorReport, DoctorStatus};
pub use finding::{Confidence, Finding, Outcome, Severity};
pub use hexadecimal::hex;
pub use hint::Hint;
pub use id::{InvalidResourceId, ResourceId, SubscriptionId, is_guid};
pub use kind::{Kind, Offering, POOLER_PORT, POSTGRES_PORT, Switch};
pub use known_standing::KnownStanding;
pub use listener::{
    Acceptance, WireCertificate, WireListener, WireObservation, WireTransport, WireVersion, WorstListener,
};
pub use lock::ManagementLock;
pub use network::{NetworkAccess, PrivateNetwork};
pub use newest_look::standing_looks;
pub use overlay::{BaselineUse, FailOn, FindingPlace, Gated, Overlay};
pub use parameter::{Origin, Parameter, ParameterName};
pub use posture::{Posture, Reading};
pub use report::{AuditAsked, AuditEnd, AuditReport, AuditRun, Principal, ServerReport, SslEnforcement, Summary};
pub use scope::{Scope, Subscription, SubscriptionState};
pub use selector::{matches_pattern, matches_tag, nearest, selects};
pub use server::{ReplicationRole, Server, ServerState};
pub use setting::{Floor, MOST_LOG_DAYS, Meaning, same_value};
pub use standing::{Enforcement, Proof, Standing, Standings};
pub use stop::Stop;
pub use tags::Tags;
pub use text_place::{FileMistake, line_and_column};
pub use tls::TlsVersion;
pub use waiver::{UnusedWaiver, Waiver, WaiverFile, WaiverState, WaiverUse};
pub use zone::{Vantage, ZoneRule, is_zone_name, zone_rule_of};
