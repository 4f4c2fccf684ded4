//! How the JSON Schemas of the formats are made.

use schemars::JsonSchema;
use serde_json::Value;

/// The schema of a document whose member `schema` is always `name`. Members that may be null are always there.
pub(crate) fn of<Document: JsonSchema>(name: &str) -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Document>();
    schema.insert("$id".to_owned(), format!("{name}/schema").into());
    if let Some(member) = schema.pointer_mut("/properties/schema").and_then(Value::as_object_mut) {
        member.insert("const".to_owned(), name.into());
    }
    schema.to_value()
}
