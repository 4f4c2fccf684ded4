//! The names of subscriptions in the file form of a plan.

use super::InvalidPlan;
use super::text::{bad, safe_from};
use crate::SafeText;
use hostssl_model::SubscriptionId;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SubscriptionV1 {
    id: String,
    name: String,
}

pub(super) fn to_json(names: &BTreeMap<SubscriptionId, SafeText>) -> Vec<SubscriptionV1> {
    names.iter().map(|(id, name)| SubscriptionV1 { id: id.as_str().into(), name: name.as_str().into() }).collect()
}

pub(super) fn from_json(names: Vec<SubscriptionV1>) -> Result<BTreeMap<SubscriptionId, SafeText>, InvalidPlan> {
    let count = names.len();
    let read = |one: SubscriptionV1| {
        let id = SubscriptionId::new(safe_from("subscriptions", &one.id)?.as_str());
        if id.as_str() != one.id {
            return Err(bad("subscriptions", &one.id, "the id of a subscription in lower case"));
        }
        Ok((id, safe_from("subscriptions", &one.name)?))
    };
    let read: BTreeMap<_, _> = names.into_iter().map(read).collect::<Result<_, InvalidPlan>>()?;
    if read.len() == count { Ok(read) } else { Err(InvalidPlan::Inconsistent("a subscription has two names".into())) }
}
