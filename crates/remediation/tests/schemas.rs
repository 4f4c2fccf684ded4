//! The frozen format of a plan: its schema is committed, and what is written keeps to it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_remediation::plan_schema;
use hostssl_test_support::fleet::*;
use hostssl_test_support::schema::Schema;
use serde_json::Value;

#[test]
fn plans_keep_to_the_committed_schema() {
    let known = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.1"), flexible("b", "on", "TLSv1.2")]);
    let plan = known.plan();
    let document: Value = serde_json::from_str(&plan.to_json()).unwrap();
    let schema = Schema::generated("plan-v1", &plan_schema());
    schema.assert_accepts(&document);
    schema.assert_refuses(&document, |wrong| wrong["steps"][0]["wave"] = "first".into());
    for member in ["schema", "hash", "createdAt", "scope", "principal", "profile", "waves", "steps", "leftOut"] {
        assert!(document.get(member).is_some(), "{member}");
    }
}
