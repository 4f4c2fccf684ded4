//! The Activity Log: who did what to the servers of a subscription.
//!
//! Shapes are those of "Activity Logs - List" (2015-04-01) and of "Azure Activity Log event schema".

use crate::error::one_line;
use crate::paging::{Listing, list};
use crate::{Arm, ArmError, Quota};
use hostssl_model::{Act, Activity, ActivityEnd, Caller, CallerKind, ResourceId, SubscriptionId};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// The api-version of the Activity Log.
const VERSION: &str = "2015-04-01";
/// How long Azure keeps events: 90 days. An hour less, because a start before that is refused, and clocks differ.
pub const ACTIVITY_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24 - 1);
/// The claims that name a person and an object.
const UPN: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn";
const OBJECT: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";
/// Application ids that are the same in every tenant ("Verify first-party Microsoft applications in sign-in reports").
const TOOLS: [(&str, &str); 3] = [
    ("c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure portal"),
    ("04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Azure CLI"),
    ("1950a258-227b-4e31-a9cf-717495945fc2", "Azure PowerShell"),
];

/// Lists what was done to the servers of one resource provider in a subscription, the newest first.
///
/// The whole provider is asked for, and not one server: whether the filter for a resource also returns the events of what is
/// below it, such as a parameter, is not documented. Azure shows an event some minutes late, so that the end of the time range
/// is never certain.
pub async fn list_activity(
    arm: &Arm,
    subscription: &SubscriptionId,
    provider: &str,
    (since, until): (Timestamp, Timestamp),
) -> Listing<Activity> {
    let path = [
        "subscriptions",
        subscription.as_str(),
        "providers",
        "Microsoft.Insights",
        "eventtypes",
        "management",
        "values",
    ];
    let mut url = arm.url(path, VERSION);
    let filter = format!(
        "eventTimestamp ge '{since:.6}' and eventTimestamp le '{until:.6}' and resourceProvider eq '{provider}'"
    );
    url.query_pairs_mut().append_pair("$filter", &filter);
    // A space is `+` in forms alone.
    let query = url.query().unwrap_or_default().replace('+', "%20");
    url.set_query(Some(&query));
    let Listing { items, error } = list(arm, url, &Quota::Reads(subscription.clone()), read_event).await.readable();
    let mut operations = Operations::default();
    items.into_iter().flatten().for_each(|event| operations.add(event));
    Listing { items: operations.newest_first(), error }
}

/// What is read of an event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventEntry {
    event_timestamp: String,
    resource_id: Option<String>,
    operation_name: Word,
    status: Option<Word>,
    caller: Option<String>,
    #[serde(default)]
    claims: Option<HashMap<String, Value>>,
    correlation_id: Option<String>,
    operation_id: Option<String>,
    #[serde(default)]
    properties: Option<Value>,
}

/// A word with its translation.
#[derive(Deserialize)]
struct Word {
    value: Option<String>,
}

/// An event that is about a server, and what belongs together.
struct ServerEvent {
    key: (String, String, String),
    activity: Activity,
}

fn read_event(entry: &str) -> Result<Option<ServerEvent>, ArmError> {
    let odd = || ArmError::Malformed("an event of the Activity Log cannot be read".to_owned());
    let event: EventEntry = serde_json::from_str(entry).map_err(|_| odd())?;
    let operation = event.operation_name.value.ok_or_else(odd)?;
    // What is about no resource, or about one that is not below a server's type, is no business of a server.
    let Some((server, act)) = event.resource_id.as_deref().and_then(|id| place(id, &operation)) else {
        return Ok(None);
    };
    let at: Timestamp = event.event_timestamp.parse().map_err(|_| odd())?;
    let end = match event.status.and_then(|status| status.value).unwrap_or_default().to_ascii_lowercase().as_str() {
        "succeeded" => ActivityEnd::Succeeded,
        "failed" => ActivityEnd::Failed,
        _ => ActivityEnd::Unknown,
    };
    let of_service = event.properties.as_ref().and_then(|all| all.get("serviceRequestId")).and_then(Value::as_str);
    let correlation = event.correlation_id.unwrap_or_default();
    let requests = [of_service, Some(correlation.as_str())].into_iter().flatten().filter(|id| !id.is_empty());
    let requests = requests.map(|id| Arc::from(one_line(id))).collect();
    let key = (
        event.operation_id.unwrap_or_else(|| correlation.clone()),
        event.resource_id.unwrap_or_default().to_ascii_lowercase(),
        operation.to_ascii_lowercase(),
    );
    let activity = Activity {
        server,
        at: format!("{at:.6}").into(),
        act,
        operation: one_line(&operation).into(),
        end,
        caller: caller(event.caller.as_deref().unwrap_or_default(), &event.claims.unwrap_or_default()),
        requests,
    };
    Ok(Some(ServerEvent { key, activity }))
}

/// The server that the resource is or belongs to, and what was done to it.
fn place(resource: &str, operation: &str) -> Option<(ResourceId, Act)> {
    let segments: Vec<&str> = resource.split('/').collect();
    let server = ResourceId::try_from(segments.get(..9)?.join("/").as_str()).ok()?;
    let below = segments.get(9..).unwrap_or_default();
    let verb = operation.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let act = match (below, verb.as_str()) {
        ([collection, name], "write") if collection.to_ascii_lowercase().ends_with("configurations") => {
            Act::Setting(one_line(name).into())
        }
        ([], "write") => Act::Write,
        ([], "delete") => Act::Delete,
        ([], "action") => Act::Action(one_line(operation.rsplit('/').nth(1)?).into()),
        (parts, "write" | "delete") => Act::Part(one_line(&parts.join("/")).into()),
        _ => return None,
    };
    Some((server, act))
}

fn caller(named: &str, claims: &HashMap<String, Value>) -> Caller {
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let upn = claim(UPN).or_else(|| Some(named).filter(|name| name.contains('@')));
    let app = claim("appid");
    let object_id = claim(OBJECT).map(|id| one_line(id).into());
    // The claim of a managed identity is the id of the resource that it belongs to.
    let managed = claim("xms_mirid").and_then(|id| id.rsplit('/').next());
    let (kind, name) = match (upn, managed, app) {
        (Some(upn), ..) => (CallerKind::Person, upn),
        (None, Some(managed), _) => (CallerKind::ManagedIdentity, managed),
        (None, None, Some(app)) => (CallerKind::Application, app),
        (None, None, None) => (CallerKind::Unknown, named),
    };
    let tool =
        TOOLS.iter().find(|(id, _)| kind == CallerKind::Person && app.is_some_and(|app| app.eq_ignore_ascii_case(id)));
    Caller { kind, name: one_line(name).into(), object_id, tool: tool.map(|(_, tool)| *tool) }
}

/// Operations, each put together from its events.
#[derive(Default)]
struct Operations {
    found: Vec<Activity>,
    places: HashMap<(String, String, String), usize>,
}

impl Operations {
    /// An operation is told several times: that it began, was accepted, and ended. It counts from its beginning.
    fn add(&mut self, event: ServerEvent) {
        let ServerEvent { key, activity } = event;
        let known = self.places.get(&key).and_then(|place| self.found.get_mut(*place));
        // An event without any id belongs to no other.
        let Some(known) = known.filter(|_| !key.0.is_empty()) else {
            self.places.insert(key, self.found.len());
            self.found.push(activity);
            return;
        };
        if activity.at < known.at {
            known.at = activity.at;
        }
        if activity.end != ActivityEnd::Unknown {
            known.end = activity.end;
        }
        if known.caller.name.is_empty() {
            known.caller = activity.caller;
        }
        for request in activity.requests {
            if !known.is_request(&request) {
                known.requests.push(request);
            }
        }
    }

    fn newest_first(mut self) -> Vec<Activity> {
        self.found.sort_by(|a, b| b.at.cmp(&a.at));
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg";

    fn event(tail: &str, operation: &str, status: &str, at: &str) -> String {
        format!(
            r#"{{"caller":"ann@contoso.example","claims":{{"appid":"04b07795-8ddb-461a-bbee-02f9e1bf7b46","{UPN}":"ann@contoso.example"}},"correlationId":"c-1","operationId":"o-1","resourceId":"{SERVER}{tail}","operationName":{{"value":"Microsoft.DBforPostgreSQL/flexibleServers{operation}"}},"status":{{"value":"{status}"}},"eventTimestamp":"{at}","properties":{{"serviceRequestId":"r-1"}}}}"#
        )
    }

    fn read(entries: &[String]) -> Vec<Activity> {
        let mut operations = Operations::default();
        entries.iter().filter_map(|entry| read_event(entry).unwrap()).for_each(|event| operations.add(event));
        operations.newest_first()
    }

    #[test]
    fn the_events_of_one_operation_are_one_operation_from_its_beginning() {
        let tail = "/configurations/require_secure_transport";
        let entries = [
            event(tail, "/configurations/write", "Succeeded", "2026-04-01T14:02:09.1234567Z"),
            event(tail, "/configurations/write", "Accepted", "2026-04-01T14:02:03Z"),
            event(tail, "/configurations/write", "Started", "2026-04-01T14:02:01Z"),
            event("", "/write", "Failed", "2026-04-01T13:00:00Z"),
        ];
        let found = read(&entries);
        assert_eq!(found.len(), 2);
        assert_eq!((&*found[0].at, found[0].end), ("2026-04-01T14:02:01.000000Z", ActivityEnd::Succeeded));
        assert_eq!(found[0].act, Act::Setting("require_secure_transport".into()));
        assert_eq!(found[0].caller.to_string(), "ann@contoso.example (Azure CLI)");
        assert!(found[0].is_request("R-1") && found[0].is_request("c-1"));
        assert_eq!((&found[1].act, found[1].end), (&Act::Write, ActivityEnd::Failed));
    }

    #[test]
    fn what_is_about_no_server_is_left_out_and_what_cannot_be_read_is_told() {
        let elsewhere = event("", "/write", "Succeeded", "2026-04-01T14:02:09Z").replace("/flexibleServers/pg", "");
        assert!(matches!(read_event(&elsewhere), Ok(None)));
        assert!(matches!(read_event(&event("", "/read", "Succeeded", "2026-04-01T14:02:09Z")), Ok(None)));
        for bad in ["{}", "[]", "null", &event("", "/write", "Succeeded", "yesterday")] {
            assert!(read_event(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn actions_and_parts_are_named() {
        let act = |tail, operation| place(&format!("{SERVER}{tail}"), operation).map(|(_, act)| act.to_string());
        assert_eq!(act("", "p/flexibleServers/stop/action").as_deref(), Some("stop"));
        assert_eq!(act("", "p/flexibleServers/delete").as_deref(), Some("server deleted"));
        assert_eq!(act("/firewallRules/all", "p/x/firewallRules/write").as_deref(), Some("firewallRules/all"));
    }

    #[test]
    fn a_caller_is_what_the_claims_say() {
        let claims = |pairs: &[(&str, &str)]| -> HashMap<String, Value> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
        };
        let words = |named, pairs: &[(&str, &str)]| caller(named, &claims(pairs)).to_string();
        assert_eq!(words("ann@contoso.example", &[]), "ann@contoso.example");
        assert_eq!(words("oid", &[("appid", "app-1"), ("idtyp", "app")]), "application app-1");
        let assignment = "/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/tls";
        assert_eq!(words("oid", &[("appid", "a"), ("xms_mirid", assignment)]), "managed identity tls");
        assert_eq!(words("", &[]), "a caller that the event does not name");
        // Text from outside is on one line and harmless.
        assert!(!words("a\u{1b}[31m\n@b", &[]).contains(['\u{1b}', '\n']));
    }
}
