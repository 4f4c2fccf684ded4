//! A request as it is read: one flat object, whose looks stay text until each was measured.
//!
//! The frozen request says its name within itself. A reader of that keeps the whole as a tree, many times as large as the
//! text, before anything was measured. The members here are the same.

use super::frozen_messages::OutcomeJson;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;

/// Any request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object that asks")]
pub(super) struct HeldRequest<'a> {
    pub(super) schema: String,
    pub(super) ask: String,
    pub(super) secret: Option<String>,
    pub(super) version: Option<String>,
    pub(super) after_host: Option<String>,
    pub(super) after_port: Option<u16>,
    pub(super) wanted: Option<u64>,
    #[serde(borrow)]
    pub(super) answers: Option<Vec<HeldAnswer<'a>>>,
    pub(super) ended: Option<u64>,
}

/// The answer to one target.
#[derive(Debug, Deserialize)]
pub(super) struct HeldAnswer<'a> {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) outcome: OutcomeJson,
    pub(super) why: Option<String>,
    #[serde(borrow, default)]
    pub(super) endpoints: Vec<&'a RawValue>,
}

/// A member that this request must have.
pub(super) fn needed<T>(member: Option<T>, name: &'static str) -> Result<T, serde_json::Error> {
    member.ok_or_else(|| serde_json::Error::missing_field(name))
}
