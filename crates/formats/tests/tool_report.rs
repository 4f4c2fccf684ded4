//! The envelope of the results of tools.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_formats::tool_json::{LeftAway, ListPart, ToolOutput, schema, value};
use hostssl_model::{Gap, GapScope, Reason, Unchecked};
use hostssl_test_support::schema::Schema;
use serde_json::json;

#[test]
fn the_schema_is_the_committed_one_and_results_keep_to_it() {
    let schema = Schema::generated("tool-v1", &schema());
    let output = |page, kept| ToolOutput {
        tool: "servers",
        simulated: Some("demo"),
        kept,
        complete: Some(false),
        gaps: vec![Gap { scope: GapScope::AllSubscriptions, unchecked: Unchecked::new(Reason::Permission, "no") }],
        warnings: vec!["something".to_owned()],
        page,
        left_out: vec![LeftAway { what: "gaps", count: 3, how: "`hostssl audit`".into() }],
        untrusted: &["/result/servers/*/name"],
        result: json!({"schema": "hostssl/audit/v1", "servers": []}),
    };
    let part = ListPart { of: "servers", matched: 3, offset: 0, returned: 2 };
    let written = value(output(Some(part), Some(true))).unwrap();
    schema.assert_accepts(&written);
    schema.assert_accepts(&value(output(None, None)).unwrap());
    schema.assert_refuses(&written, |wrong| wrong["leftOut"][0]["count"] = "3".into());
    assert_eq!(written["leftOut"], json!([{"what": "gaps", "count": 3, "how": "`hostssl audit`"}]));
}
