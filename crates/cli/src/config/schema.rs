//! The JSON Schema of the file, for editors: out of the keys, with the help of their options.

use super::keys::{ConfigKey, KEYS, KeyForm};
use crate::command_line::Cli;
use clap::CommandFactory as _;
use serde_json::{Map, Value, json};

/// The schema.
pub(super) fn schema() -> Value {
    let members: Map<String, Value> = KEYS.iter().map(|key| (key.name.to_owned(), member(key))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "hostssl/config/v1/schema",
        "title": "hostssl.toml",
        "description": "The configuration file of hostssl: values for options that neither the command line nor the environment gives.",
        "type": "object",
        "properties": members,
        "additionalProperties": false,
    })
}

fn member(key: &ConfigKey) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let mut member = match key.form {
        KeyForm::Text => text,
        KeyForm::Number => json!({ "type": "integer", "minimum": 0 }),
        KeyForm::Texts => json!({ "anyOf": [text, { "type": "array", "items": text, "minItems": 1 }] }),
    };
    member["description"] = help(key).into();
    member
}

/// The help of the option.
fn help(key: &ConfigKey) -> String {
    let command = Cli::command();
    let command = key.sample.first().and_then(|word| command.find_subcommand(word)).unwrap();
    let argument = command.get_arguments().find(|argument| argument.get_id() == key.id).unwrap();
    argument.get_help().unwrap().to_string()
}
