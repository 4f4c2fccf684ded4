//! Whether a server has a pooler: asked only where the probe cannot show it.

use crate::servers::get_in_known_version;
use crate::{Arm, ResourceType, permissions};
use hostssl_model::{Reason, ResourceId, Unchecked};
use serde_json::Value;

/// The parameter that turns the built-in PgBouncer on (Azure, "PgBouncer in Azure Database for PostgreSQL").
const NAME: &str = "pgbouncer.enabled";

/// Whether Azure declares that the built-in PgBouncer of a flexible server is turned on. A server without the
/// parameter, as those of the Burstable tier, has none.
///
/// # Errors
///
/// The [`Unchecked`] that says why it could not be read.
pub async fn read_pooler_enabled(arm: &Arm, id: &ResourceId) -> Result<bool, Unchecked> {
    let path = || id.as_str().split('/').skip(1).chain(["configurations", NAME]);
    let url = |version: &str| arm.url(path(), version);
    let answer = get_in_known_version(arm, &id.subscription(), ResourceType::FlexibleServers, url).await;
    let answer: Value = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let unchecked = error.unchecked(permissions::READ_CONFIGURATIONS);
            return if unchecked.reason == Reason::Vanished { Ok(false) } else { Err(unchecked) };
        }
    };
    match answer["properties"]["value"].as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("true" | "on") => Ok(true),
        Some("false" | "off") => Ok(false),
        _ => Err(Unchecked::new(Reason::MalformedAnswer, format!("{NAME} has a value that is neither true nor false"))),
    }
}
