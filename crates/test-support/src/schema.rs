//! The committed JSON Schemas of the formats.

use serde_json::Value;
use std::path::PathBuf;

/// A schema of `docs/schemas`.
pub struct Schema {
    name: &'static str,
    validator: jsonschema::Validator,
}

impl Schema {
    /// The schema of this name, such as `audit-v1`.
    pub fn committed(name: &'static str) -> Self {
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap();
        Self { name, validator: jsonschema::validator_for(&schema).unwrap() }
    }

    /// The same, which must be the one that the code generates.
    pub fn generated(name: &'static str, generated: &Value) -> Self {
        let generated = format!("{}\n", serde_json::to_string_pretty(generated).unwrap());
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(path(name), &generated).unwrap();
        }
        assert!(
            std::fs::read_to_string(path(name)).unwrap() == generated,
            "{name}: the format changed: it is frozen. If members were only added, run with UPDATE_SCHEMAS=1"
        );
        Self::committed(name)
    }

    pub fn assert_accepts(&self, document: &Value) {
        let errors: Vec<String> = self.validator.iter_errors(document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", self.name);
    }

    /// That the document, once it is broken, is refused.
    pub fn assert_refuses(&self, document: &Value, break_it: impl FnOnce(&mut Value)) {
        let mut wrong = document.clone();
        break_it(&mut wrong);
        assert!(!self.validator.is_valid(&wrong), "{}: the schema accepts anything", self.name);
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("{}/../../docs/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR")))
}
