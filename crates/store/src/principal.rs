//! Who ran something, as it is kept.

use crate::StoreError;
use hostssl_model::Principal;
use serde_json::{Value, json};

/// A principal as it is kept.
pub(crate) fn principal_to(principal: &Principal) -> String {
    json!({
        "name": principal.name,
        "objectId": principal.object_id,
        "tenant": principal.tenant,
        "method": principal.method,
    })
    .to_string()
}

/// Reads what was kept; what it leaves out is empty.
pub(crate) fn principal_from(text: &str) -> Result<Principal, StoreError> {
    let value: Value = serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let member = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Principal {
        name: member("name").unwrap_or_default(),
        object_id: member("objectId"),
        tenant: member("tenant"),
        method: member("method").unwrap_or_default(),
    })
}
