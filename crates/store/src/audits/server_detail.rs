//! One server of an audit, with all that is kept of it.

use super::document::{StoredFinding, StoredNetwork, StoredReading};
use super::listener::StoredListener;
use super::types::{AuditId, ServerRow};
use hostssl_model::CurrentState;
use std::collections::BTreeMap;

/// One server in one audit, with all that is kept.
#[derive(Debug, Clone)]
pub struct ServerDetail {
    /// What lists show.
    pub row: ServerRow,
    /// The name that clients connect to.
    pub fqdn: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// From where it can be reached, as Azure declared it.
    pub network: StoredNetwork,
    /// Its part in replication.
    pub role: String,
    /// The id of its primary.
    pub primary: Option<String>,
    /// What was read.
    pub readings: Vec<StoredReading>,
    /// What was observed on the wire; empty when nothing was probed.
    pub wire: Vec<StoredListener>,
    /// What the controls said.
    pub findings: Vec<StoredFinding>,
    /// The words in all that which this version does not know, each with what it stands for.
    pub newer: Vec<String>,
    /// Of the present: the evidence of each kind that stands.
    pub evidence: Option<CurrentState>,
    /// The id of the audit that the listeners were last probed by, when that is another one than the newest.
    pub probed_by: Option<AuditId>,
}
