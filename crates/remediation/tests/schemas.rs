//! The frozen format of a plan: its schema is committed, and what is written keeps to it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_remediation::plan_schema;
use hostssl_test_support::fleet::*;
use serde_json::Value;

/// The committed schema, which must be the generated one.
fn committed(name: &str, generated: &Value) -> Value {
    let path = format!("{}/../../docs/schemas/{name}", env!("CARGO_MANIFEST_DIR"));
    let generated = format!("{}\n", serde_json::to_string_pretty(generated).unwrap());
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        committed == generated,
        "{name}: the format changed: it is frozen. If members were only added, run with UPDATE_SCHEMAS=1"
    );
    serde_json::from_str(&committed).unwrap()
}

fn assert_keeps_to(schema: &Value, document: &Value, break_it: impl Fn(&mut Value)) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    // The schema can refuse.
    let mut wrong = document.clone();
    break_it(&mut wrong);
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn plans_keep_to_the_committed_schema() {
    let known = Known::new(vec![flexible("a", "off", "TLSv1.1"), flexible("b", "on", "TLSv1.2")]);
    let plan = known.plan();
    let document: Value = serde_json::from_str(&plan.to_json()).unwrap();
    let schema = committed("plan-v1.schema.json", &plan_schema());
    assert_keeps_to(&schema, &document, |wrong| wrong["steps"][0]["wave"] = "first".into());
    for member in ["schema", "hash", "createdAt", "scope", "principal", "profile", "waves", "steps", "leftOut"] {
        assert!(document.get(member).is_some(), "{member}");
    }
}
