//! Controls, profiles and their evaluation: pure decisions over observed facts.
//!
//! A control is a rule with a stable id. It examines the [`Posture`](hostssl_model::Posture) of one server and says
//! pass, fail, unknown or not applicable; it uses nothing else, so the same facts can be judged again under
//! another profile at any time.

mod control;
mod controls;
mod declared;
mod diff;
mod evaluate;
mod gate;
mod listeners;
mod mapping;
mod profile;
mod waivers;
mod who;

pub use control::{Control, ControlInput, ControlResult, EvidenceSource, Settings};
pub use controls::{ALL, control, find};
pub use declared::{minimal_tls_version, ssl_enforcement};
pub use diff::{Change, Diff, Difference, LastKnown, ListedBy, NotInScope, NotLooked, diff, diff_knowing};
pub use evaluate::{evaluate, needed_parameters, server_report};
pub use gate::gate;
pub use mapping::{Basis, Mapping, standards};
pub use profile::{Profile, UnknownControl, UnknownProfile};
pub use waivers::{InvalidWaivers, NewWaiver, RefusedWaiver, WaiverLayer, apply_waivers, read_waivers};
pub use who::{ActivityRead, SubscriptionActivity, Who, WhoUnknown, earliest_start, name_authors};
