//! The names of a server's databases.

use crate::paging::{Listing, list};
use crate::{Arm, Quota, ResourceType};
use hostssl_model::ResourceId;
use serde_json::Value;

/// Lists the databases of a server by their names. An entry without a name that can be sent is left out.
pub async fn list_databases(arm: &Arm, server: &ResourceId, resource_type: ResourceType) -> Listing<String> {
    let quota = Quota::Reads(server.subscription());
    let mut version = arm.versions().current(resource_type);
    let listing = loop {
        let url = arm.url(server.as_str().split('/').skip(1).chain(["databases"]), version);
        let listing = list(arm, url, &quota, name_of).await;
        match listing.error.as_ref().and_then(|error| arm.versions().after(error, resource_type, version)) {
            Some(older) => version = older,
            None => break listing,
        }
    };
    Listing { items: listing.items.into_iter().flatten().collect(), error: listing.error }
}

/// PostgreSQL cuts names off at 63 bytes (NAMEDATALEN).
fn name_of(entry: &str) -> Option<String> {
    let entry: Value = serde_json::from_str(entry).ok()?;
    let name = entry["name"].as_str()?;
    let can_be_sent = (1..=63).contains(&name.len()) && !name.contains(char::is_control);
    can_be_sent.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_can_be_sent_are_kept() {
        assert_eq!(name_of(r#"{"name":"shop","properties":{}}"#).as_deref(), Some("shop"));
        let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(64));
        for entry in ["{}", "7", r#"{"name":""}"#, r#"{"name":"a\u0000b"}"#, r#"{"name":["a"]}"#, &long] {
            assert_eq!(name_of(entry), None, "{entry}");
        }
    }
}
