//! Discovery by Azure Resource Graph: one query for hundreds of subscriptions.
//!
//! Resource Graph is a copy that lags behind, and it leaves out in silence what the identity may not read. It is good
//! for speed and cannot prove completeness; its callers must say so.

use crate::paging::Listing;
use crate::servers::{Listed, NotAServer, read_server};
use crate::{Arm, ArmError, Quota, ResourceType};
use hostssl_model::SubscriptionId;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;

/// The api-version of `Microsoft.ResourceGraph/resources`.
const VERSION: &str = "2021-03-01";
/// Rows a page: the maximum ("Working with large Azure resource data sets").
const ROWS: u32 = 1000;

/// One row of the answer: a server, or an entry that is not one.
pub type GraphRow = Result<Listed, NotAServer>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    data: Vec<Value>,
    #[serde(default)]
    total_records: Option<u64>,
    #[serde(rename = "$skipToken", default)]
    skip_token: Option<String>,
    /// The text "true" or "false" in some versions, a boolean in others.
    #[serde(default)]
    result_truncated: Value,
}

/// Finds the PostgreSQL servers of these subscriptions. Give at most a few hundred at a time.
pub async fn query_servers(arm: &Arm, subscriptions: &[SubscriptionId]) -> Listing<GraphRow> {
    let url = arm.url(["providers", "Microsoft.ResourceGraph", "resources"], VERSION);
    let types: Vec<String> = ResourceType::ALL.iter().map(|t| format!("'{}'", t.full_name().to_lowercase())).collect();
    // Without an order the pages overlap, and without the id there is no skip token (same page of the documentation).
    let query = format!(
        "resources | where type in~ ({}) | project id, name, type, location, tags, properties | order by id asc",
        types.join(", ")
    );
    let ids: Vec<&str> = subscriptions.iter().map(SubscriptionId::as_str).collect();
    let mut listing = Listing { items: Vec::new(), error: None };
    let mut tokens = HashSet::new();
    let mut skip_token: Option<String> = None;
    loop {
        let mut options = json!({ "$top": ROWS, "resultFormat": "objectArray" });
        if let Some(token) = &skip_token {
            options["$skipToken"] = json!(token);
        }
        let body = json!({ "subscriptions": ids, "query": query, "options": options });
        let answer: Answer = match arm.query(url.clone(), &body, &Quota::ResourceGraph).await {
            Ok(answer) => answer,
            Err(error) => {
                listing.error = Some(error);
                return listing;
            }
        };
        listing.items.extend(answer.data.iter().map(read_row));
        match answer.skip_token {
            Some(token) if tokens.len() >= arm.limits().pages || !tokens.insert(token.clone()) => {
                listing.error = Some(ArmError::Malformed("the pages of the answer do not end".to_owned()));
                return listing;
            }
            Some(token) => skip_token = Some(token),
            None => {
                listing.error = shortfall(&answer, listing.items.len());
                return listing;
            }
        }
    }
}

/// Whether the last page admits that rows are missing.
fn shortfall(last: &Answer, rows: usize) -> Option<ArmError> {
    let truncated = last.result_truncated.as_bool().unwrap_or(last.result_truncated == "true");
    let total = last.total_records.unwrap_or(rows as u64);
    (truncated || total > rows as u64)
        .then(|| ArmError::Malformed(format!("Resource Graph counts {total} servers and returned {rows}")))
}

fn read_row(row: &Value) -> GraphRow {
    let kind = row.get("type").and_then(Value::as_str).unwrap_or_default();
    let resource_type = ResourceType::ALL.into_iter().find(|t| t.full_name().eq_ignore_ascii_case(kind));
    let unknown = || NotAServer(format!("a row has the type `{}`", kind.chars().take(80).collect::<String>()));
    let mut listed = read_server(&row.to_string(), resource_type.ok_or_else(unknown)?)?;
    // Settings in the copy may be old: they are read again at the server.
    listed.posture.readings.clear();
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: Value) -> Answer {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn an_answer_that_admits_to_miss_rows_is_not_whole() {
        assert!(shortfall(&answer(json!({"data": [], "totalRecords": 0, "resultTruncated": "false"})), 0).is_none());
        assert!(shortfall(&answer(json!({"data": [], "resultTruncated": "true"})), 0).is_some());
        assert!(shortfall(&answer(json!({"data": [], "resultTruncated": true})), 0).is_some());
        assert!(shortfall(&answer(json!({"data": [], "totalRecords": 3})), 2).is_some());
    }

    #[test]
    fn settings_of_the_copy_are_not_believed() {
        let row = json!({
            "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/servers/old",
            "type": "microsoft.dbforpostgresql/servers",
            "properties": {"sslEnforcement": "Enabled"},
        });
        assert!(read_row(&row).unwrap().posture.readings.is_empty());
        assert!(read_row(&json!({"type": "microsoft.web/sites"})).is_err());
    }
}
