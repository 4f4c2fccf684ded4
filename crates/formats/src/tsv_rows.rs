//! Which part of a document its TSV lists: one line for each finding, client or step rather than one for the whole document.

use crate::{
    apply_json, diff_json, doctor_json, iac_json, probe_json, probers_json, server_history_json, trend, zones_json,
};
use serde_json::Value;
use std::borrow::Cow;

/// A list of a document, and what its rows have.
struct Listed {
    schema: &'static str,
    list: &'static str,
    /// Pointers into each of its items, so that no column moves where a member is absent. Without any, all members in
    /// alphabetical order, as the Azure CLI has them.
    columns: &'static [&'static str],
}

const LISTS: [Listed; 10] = [
    Listed { schema: "hostssl/plan/v1", list: "steps", columns: &[] },
    Listed { schema: apply_json::SCHEMA, list: "steps", columns: &[] },
    Listed { schema: trend::SCHEMA, list: "audits", columns: &[] },
    Listed { schema: server_history_json::SCHEMA, list: "entries", columns: &[] },
    Listed { schema: probe_json::SCHEMA, list: "endpoints", columns: &[] },
    Listed { schema: iac_json::SCHEMA, list: "servers", columns: &[] },
    Listed { schema: probers_json::SCHEMA, list: "probers", columns: &[] },
    Listed { schema: doctor_json::SCHEMA, list: "checks", columns: &["/status", "/check", "/detail", "/fix"] },
    Listed {
        schema: diff_json::SCHEMA,
        list: "changes",
        columns: &[
            "/difference",
            "/severity",
            "/name",
            "/control",
            "/before/outcome",
            "/before/observed",
            "/after/outcome",
            "/after/observed",
            "/after/reason",
            "/who/operations/0/by",
            "/server",
        ],
    },
    Listed { schema: zones_json::SCHEMA, list: "rules", columns: &ZONES },
];

const ZONES: [&str; 10] = [
    "/zone",
    "/servers",
    "/line",
    "/subnet",
    "/virtualNetwork",
    "/privateDnsZone",
    "/privateEndpoint",
    "/subscription",
    "/location",
    "/server",
];

/// The same columns of a private server that no rule matches: it has no zone.
const UNCOVERED: [&str; 10] =
    ["/zone", "/servers", "/line", "/subnet", "/none", "/none", "/privateEndpoints/0", "/none", "/none", "/id"];

/// The rows of a document; a value that is no document with a list of its own is its own rows.
#[must_use]
pub fn tsv_rows(document: &Value) -> Cow<'_, Value> {
    let listed = document["schema"].as_str().and_then(|schema| LISTS.iter().find(|one| one.schema == schema));
    let Some((listed, items)) = listed.and_then(|listed| Some((listed, document[listed.list].as_array()?))) else {
        return Cow::Borrowed(document);
    };
    if listed.columns.is_empty() {
        return Cow::Borrowed(&document[listed.list]);
    }
    let uncovered = document["uncovered"].as_array().into_iter().flatten();
    let rows = items.iter().map(|item| row(item, listed.columns));
    Cow::Owned(rows.chain(uncovered.map(|server| row(server, &UNCOVERED))).collect())
}

fn row(item: &Value, columns: &[&str]) -> Value {
    columns.iter().map(|column| item.pointer(column).cloned().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_column_stays_where_it_is_whatever_a_row_lacks() {
        let diff = json!({
            "schema": diff_json::SCHEMA,
            "changes": [
                {"difference": "gone", "name": "a", "server": "/a", "before": null, "after": null},
                {
                    "difference": "new", "severity": "high", "name": "b", "server": "/b", "control": "c",
                    "before": {"outcome": "pass", "observed": "on"}, "after": {"outcome": "fail", "observed": "off"},
                    "who": {"operations": [{"by": "ann@contoso.com"}]},
                },
            ],
        });
        assert_eq!(
            *tsv_rows(&diff),
            json!([
                ["gone", null, "a", null, null, null, null, null, null, null, "/a"],
                ["new", "high", "b", "c", "pass", "on", "fail", "off", null, "ann@contoso.com", "/b"],
            ])
        );
    }

    #[test]
    fn private_servers_that_no_rule_matches_are_rows_without_a_zone() {
        let zones = json!({
            "schema": zones_json::SCHEMA,
            "rules": [{"zone": "hub", "line": 1, "servers": 2, "location": "westeurope"}],
            "uncovered": [{"id": "/s/pg-a", "subnet": "/n/db", "privateEndpoints": ["/e/1", "/e/2"]}],
        });
        assert_eq!(
            *tsv_rows(&zones),
            json!([
                ["hub", 2, 1, null, null, null, null, null, "westeurope", null],
                [null, null, null, "/n/db", null, null, "/e/1", null, null, "/s/pg-a"],
            ])
        );
    }

    #[test]
    fn other_lists_are_shown_as_they_are() {
        let plan = json!({"schema": "hostssl/plan/v1", "steps": [{"id": 1}], "leftOut": []});
        assert_eq!(*tsv_rows(&plan), json!([{"id": 1}]));
        for other in [json!([{"id": 1}]), json!({"schema": "other"}), json!("on"), json!({"schema": 7})] {
            assert_eq!(*tsv_rows(&other), other);
        }
    }
}
