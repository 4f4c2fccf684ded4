//! A server as `az postgres server show` printed it, for every kind of server.

use crate::{Cell, Entry, Heading, Shown, portal_link};
use hostssl_model::{Floor, Outcome, ParameterName, SslEnforcement};
use serde_json::{Map, Value};

/// Members that the Azure CLI prints for a single server even when Azure leaves them out.
const ALWAYS_THERE: [&str; 4] = ["identity", "privateEndpointConnections", "sku", "tags"];

/// Turns Azure's document into the Azure CLI's: the properties on the top level, the resource group beside them, and for
/// both generations `sslEnforcement` and `minimalTlsVersion`. These are what is declared: a setting whose value waits for a
/// restart is named in `waitingForRestart`, which is there only when there is one, and behind the Azure CLI's columns.
#[must_use]
pub fn server_document(
    raw: &Value,
    ssl_enforcement: SslEnforcement,
    minimal_tls: Option<Floor>,
    waiting: &[ParameterName],
) -> Value {
    let mut document = Map::new();
    for (key, value) in raw.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                document.extend(properties.iter().map(|(key, value)| (key.clone(), renamed(value))));
            }
            _ => {
                document.insert(key.clone(), renamed(value));
            }
        }
    }
    for key in ALWAYS_THERE {
        document.entry(key).or_insert(Value::Null);
    }
    if let Some(Value::Object(sku)) = document.get_mut("sku") {
        sku.entry("size").or_insert(Value::Null);
    }
    add_resource_groups(&mut document);
    document.insert("sslEnforcement".to_owned(), Value::from(ssl_enforcement.as_str()));
    // What Azure said stays as it was; what was derived is in the same words.
    if !document.get("minimalTlsVersion").is_some_and(Value::is_string) {
        document
            .insert("minimalTlsVersion".to_owned(), minimal_tls.map(Floor::as_azure).map_or(Value::Null, Value::from));
    }
    if !waiting.is_empty() {
        let names = waiting.iter().map(|name| Value::from(name.key())).collect();
        document.insert("waitingForRestart".to_owned(), Value::Array(names));
    }
    Value::Object(document)
}

/// The columns of a list of servers: what the Azure CLI's table of servers shows, and whether TLS is enforced.
pub const COLUMNS: &[Heading] = &[
    Heading::new("name", Shown::Always),
    Heading::new("resource-group", Shown::WithRoom(3)),
    Heading::new("location", Shown::WithRoom(4)),
    Heading::new("version", Shown::WithRoom(5)),
    Heading::new("tier", Shown::WithRoom(7)),
    Heading::new("sku", Shown::WithRoom(6)),
    Heading::new("state", Shown::WithRoom(1)),
    Heading::new("ssl-enforcement", Shown::Always),
    Heading::new("minimal-tls-version", Shown::WithRoom(2)),
];

/// The place of the location in [`COLUMNS`].
const LOCATION: usize = 2;

/// A location as commands take it: some providers answer with `West Europe`, others with `westeurope`, for the same one.
#[must_use]
pub fn location_name(location: &str) -> String {
    location.chars().filter(|letter| !letter.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// A server in the list.
#[must_use]
pub fn entry(server: &Value, cloud: &str) -> Entry {
    let text = |path: &str| server.pointer(path).and_then(Value::as_str).unwrap_or("-");
    // A single server calls its state by another name.
    let state = if server.get("state").is_none() { "/userVisibleState" } else { "/state" };
    let paths = ["/name", "/resourceGroup", "/location", "/version", "/sku/tier", "/sku/name", state];
    let mut line: Vec<Cell> = paths.map(|path| Cell::plain(text(path))).to_vec();
    if let Some(name) = line.first_mut() {
        *name = Cell::plain(text("/name")).linked(portal_link(cloud, None, text("/id")));
    }
    if let Some(location) = line.get_mut(LOCATION) {
        *location = Cell::plain(location_name(text("/location")));
    }
    let waiting = waiting_of(server);
    let waits = |which: fn(ParameterName) -> bool| waiting.iter().copied().any(which);
    // What waits for a restart is not in effect: until then clients may connect without TLS.
    let enforcement = SslEnforcement::from_code(text("/sslEnforcement"));
    let (word, outcome) = match (enforcement, waits(ParameterName::is_switch)) {
        (Some(SslEnforcement::Enabled), false) => ("enabled", Outcome::Pass),
        (Some(SslEnforcement::Enabled | SslEnforcement::Disabled), _) => ("disabled", Outcome::Fail),
        (Some(SslEnforcement::Unknown) | None, _) => ("unknown", Outcome::Unknown),
    };
    line.push(Cell::outcome(outcome, after_restart(text("/sslEnforcement"), waits(ParameterName::is_switch))));
    line.push(Cell::plain(after_restart(text("/minimalTlsVersion"), waits(ParameterName::is_floor))));
    Entry { word, lines: vec![line] }
}

/// The settings of a document that wait for a restart.
fn waiting_of(document: &Value) -> Vec<ParameterName> {
    let names = document["waitingForRestart"].as_array().into_iter().flatten();
    names.filter_map(|name| ParameterName::from_key(name.as_str()?)).collect()
}

/// A value that is declared. One that waits for a restart is not in effect, and does not look as if it were.
pub(crate) fn after_restart(value: &str, waits: bool) -> String {
    if waits { format!("{value} after restart") } else { value.to_owned() }
}

/// The Azure CLI spells these two members in its own way, because its Python attributes are `storage_mb` and
/// `storage_size_gb`.
fn renamed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| {
                let key = match key.as_str() {
                    "storageMB" => "storageMb",
                    "storageSizeGB" => "storageSizeGb",
                    other => other,
                };
                (key.to_owned(), renamed(value))
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(renamed).collect()),
        other => other.clone(),
    }
}

/// The Azure CLI adds the resource group beside every id, at any depth.
fn add_resource_groups(members: &mut Map<String, Value>) {
    for value in members.values_mut() {
        match value {
            Value::Object(inner) => add_resource_groups(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(add_resource_groups),
            _ => {}
        }
    }
    let group = members.get("id").and_then(Value::as_str).and_then(|id| {
        let mut segments = id.split('/').skip(3);
        segments.next().filter(|segment| segment.eq_ignore_ascii_case("resourceGroups"))?;
        segments.next().map(str::to_owned)
    });
    if let Some(group) = group {
        members.entry("resourceGroup").or_insert(Value::from(group));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::TlsVersion;
    use serde_json::json;

    #[test]
    fn a_single_server_as_the_azure_cli_prints_it() {
        let raw = json!({
            "id": "/subscriptions/s/resourceGroups/Shop/providers/Microsoft.DBforPostgreSQL/servers/orders",
            "name": "orders",
            "sku": {"name": "B_Gen5_1"},
            "properties": {
                "sslEnforcement": "Disabled",
                "minimalTlsVersion": "TLSEnforcementDisabled",
                "storageProfile": {"storageMB": 5120},
            },
        });
        let document = server_document(&raw, SslEnforcement::Disabled, Some(Floor::None), &[]);
        assert_eq!(document["resourceGroup"], "Shop");
        assert_eq!(document["sslEnforcement"], "Disabled");
        assert_eq!(document["minimalTlsVersion"], "TLSEnforcementDisabled");
        assert_eq!(document["storageProfile"]["storageMb"], 5120);
        assert_eq!(document["sku"]["size"], Value::Null);
        assert!(document.get("properties").is_none());
    }

    #[test]
    fn a_flexible_server_says_the_same_two_words() {
        let raw = json!({"id": "/subscriptions/s/resourceGroups/g/providers/p/t/n", "properties": {"state": "Ready"}});
        let document = server_document(&raw, SslEnforcement::Enabled, Some(Floor::At(TlsVersion::Tls1_3)), &[]);
        assert_eq!(
            (&document["sslEnforcement"], &document["minimalTlsVersion"]),
            (&json!("Enabled"), &json!("TLS1_3"))
        );
    }

    #[test]
    fn what_waits_for_a_restart_does_not_look_as_if_it_were_in_effect() {
        let switch = ParameterName::from_key("require_secure_transport").unwrap();
        let document = server_document(&json!({"name": "n"}), SslEnforcement::Enabled, None, &[switch]);
        assert_eq!(document["sslEnforcement"], "Enabled", "what is declared stays");
        assert_eq!(document["waitingForRestart"], json!(["require_secure_transport"]));
        let Entry { word, lines } = entry(&document, "AzureCloud");
        assert_eq!(word, "disabled");
        assert!(format!("{lines:?}").contains("Enabled after restart"), "{lines:?}");
        let settled = server_document(&json!({"name": "n"}), SslEnforcement::Enabled, None, &[]);
        assert_eq!((entry(&settled, "AzureCloud").word, settled.get("waitingForRestart")), ("enabled", None));
    }

    #[test]
    fn what_is_no_object_is_still_a_document() {
        let document = server_document(&json!(7), SslEnforcement::Unknown, None, &[]);
        assert_eq!(document["sslEnforcement"], "Unknown");
    }
}
