//! The arguments of the tools. Their schemas are what a model reads, so each member says what it takes.

use crate::tool_error::ToolTrouble;
use hostssl_model::Hint;
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The longest argument, in bytes.
const LONGEST: usize = 1_000;
/// The longest error text that is explained, in bytes.
const LONGEST_MESSAGE: usize = 64 << 10;
/// The most elements of a list.
const MOST: usize = 100;

/// Where to look. Without any of these: every subscription that the identity can see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ScopeAsk {
    /// Tenants, by id or domain. Without it: the home tenant.
    pub tenants: Vec<String>,
    /// Only subscriptions below these management groups.
    pub management_groups: Vec<String>,
    /// Only these subscriptions, by id, name or pattern such as `prod-*`.
    pub subscriptions: Vec<String>,
    /// Only these resource groups, by name or pattern.
    pub resource_groups: Vec<String>,
    /// Only servers of these names or patterns.
    pub servers: Vec<String>,
    /// Only servers with these tags, each as NAME=VALUE.
    pub tags: Vec<String>,
    /// Leave out servers of these names, patterns or tags (NAME=VALUE).
    pub except: Vec<String>,
}

/// The arguments of `audit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct AuditAsk {
    /// Where to look.
    pub scope: ScopeAsk,
    /// The rules to check, as name or name@version. Without it: baseline.
    pub profile: Option<String>,
    /// Check only these controls, by id.
    pub controls: Vec<String>,
    /// Whether to connect to ports 5432 and 6432 of every server found, without credentials, and check what they really do.
    pub probe: bool,
    /// Audit a simulated Azure instead: the name of a scenario, such as demo.
    pub simulate: Option<String>,
    /// The most servers of the result.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
}

/// The arguments of `servers`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ServersAsk {
    /// The audit: its id, or the beginning of it. Without it: the newest.
    pub(crate) run: Option<String>,
    /// Look among the audits of a simulated Azure: the name of a scenario, such as demo.
    pub(crate) simulate: Option<String>,
    /// Only servers with this in their name, resource group or subscription id.
    pub(crate) search: Option<String>,
    /// Only servers with one of these statuses.
    pub(crate) standings: Vec<String>,
    /// Only servers whose worst control ended so.
    pub(crate) outcomes: Vec<String>,
    /// How many servers of the list to skip: `nextOffset` of the result before.
    pub(crate) offset: u32,
    /// The most servers of the result.
    #[schemars(range(min = 1, max = 200))]
    pub(crate) limit: Option<u32>,
}

/// The arguments of `findings`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct FindingsAsk {
    /// The audit: its id, or the beginning of it. Without it: the newest.
    pub(crate) run: Option<String>,
    /// Look among the audits of a simulated Azure: the name of a scenario, such as demo.
    pub(crate) simulate: Option<String>,
    /// Only findings of these controls, by id.
    pub(crate) controls: Vec<String>,
    /// Only findings with one of these outcomes. Without it: fail and unknown.
    pub(crate) outcomes: Vec<String>,
    /// Only findings on these servers, by name or resource id.
    pub(crate) servers: Vec<String>,
    /// How many servers of the list to skip: `nextOffset` of the result before.
    pub(crate) offset: u32,
    /// The most servers of the result.
    #[schemars(range(min = 1, max = 200))]
    pub(crate) limit: Option<u32>,
}

/// The arguments of `clients`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ClientsAsk {
    /// Which servers. Without `readLogs`, only `servers` of it counts.
    pub scope: ScopeAsk,
    /// Whether to download the logs of these servers now and add what they show to what is kept. Without it, what is kept
    /// already is shown.
    pub read_logs: bool,
    /// How many days a server must have been observed before it is safe. Without it: 7.
    #[schemars(range(min = 1, max = 365))]
    pub window_days: Option<u32>,
    /// Show only clients in this state. The verdict still counts all of them.
    pub only: Option<String>,
    /// The most clients that are shown of each server, from those in plaintext on. Without it: 25.
    #[schemars(range(min = 1, max = 500))]
    pub clients_of_each: Option<u32>,
    /// Use a simulated Azure instead: the name of a scenario, such as demo.
    pub simulate: Option<String>,
    /// How many servers of the list to skip: `nextOffset` of the result before.
    pub offset: u32,
    /// The most servers of the result.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
}

/// The arguments of `plan`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct PlanAsk {
    /// Which servers.
    pub scope: ScopeAsk,
    /// The rules to check, as name or name@version. Without it: baseline.
    pub profile: Option<String>,
    /// Fix only these controls, by id.
    pub controls: Vec<String>,
    /// Plan to make log files available for download, which finding clients needs; nothing else is planned.
    pub enable_log_download: bool,
    /// Plan for a simulated Azure instead: the name of a scenario, such as demo.
    pub simulate: Option<String>,
    /// Show another part of a plan that this server has made: its hash, with `offset`. Nothing is read again.
    pub hash: Option<String>,
    /// How many steps to skip: `nextOffset` of the result before.
    pub offset: u32,
    /// The most steps of the result.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
}

impl PlanAsk {
    /// Whether it asks for more than a part of a plan.
    pub(crate) fn asks_otherwise(&self) -> bool {
        let part = Self { hash: self.hash.clone(), offset: self.offset, limit: self.limit, ..Self::default() };
        *self != part
    }
}

/// The arguments of `explain`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainAsk {
    /// The error as the client printed it: the output of psql or of a driver, with several lines.
    #[schemars(length(min = 1, max = 65536))]
    pub(crate) text: String,
}

/// Reads the arguments of a call.
pub(crate) fn read<T: DeserializeOwned>(arguments: Option<JsonObject>) -> Result<T, ToolTrouble> {
    let arguments = Value::Object(arguments.unwrap_or_default());
    bounded("", &arguments)?;
    serde_json::from_value(arguments).map_err(|error| {
        ToolTrouble::new(format!("the arguments are wrong: {error}"), "the tool's input schema says what it takes")
    })
}

/// Fails when something is longer than any argument.
fn bounded(name: &str, value: &Value) -> Result<(), ToolTrouble> {
    let too_long =
        |most: usize, of: &str| ToolTrouble::new(format!("`{name}` has more than {most} {of}"), "ask for less at once");
    match value {
        Value::String(text) => {
            let most = if name == "text" { LONGEST_MESSAGE } else { LONGEST };
            if text.len() > most { Err(too_long(most, "bytes")) } else { Ok(()) }
        }
        Value::Array(items) if items.len() > MOST => Err(too_long(MOST, "elements")),
        Value::Array(items) => items.iter().try_for_each(|item| bounded(name, item)),
        // An unknown name is told by the reader of the type, which may print it.
        Value::Object(members) if members.keys().any(|name| name.len() > LONGEST) => {
            Err(ToolTrouble::new("the name of an argument is too long", "the tool's input schema says what it takes"))
        }
        Value::Object(members) => members.iter().try_for_each(|(name, value)| bounded(name, value)),
        _ => Ok(()),
    }
}

/// The values of these codes, each of which must be known.
pub(crate) fn words<T: Copy>(
    name: &str,
    given: &[String],
    all: &[T],
    code: impl Fn(T) -> &'static str,
) -> Result<Vec<T>, ToolTrouble> {
    let known = |word: &String| {
        all.iter().copied().find(|one| code(*one) == word).ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|one| code(*one)).collect();
            ToolTrouble::new(
                format!("`{name}` has no value `{word}`"),
                Hint::with("values are {}", &[&known.join(", ")]),
            )
        })
    };
    given.iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Option<JsonObject> {
        value.as_object().cloned()
    }

    #[test]
    fn arguments_are_read_and_bounded() {
        let ask: AuditAsk = read(object(json!({"scope": {"servers": ["a"]}, "probe": true}))).unwrap();
        assert!(ask.probe && ask.scope.servers == ["a"]);
        assert_eq!(read::<AuditAsk>(None).unwrap(), AuditAsk::default());
        let what = |value: Value| read::<AuditAsk>(object(value)).unwrap_err().what;
        assert!(what(json!({"probe": "yes"})).contains("invalid type"));
        assert!(what(json!({"apply": true})).contains("unknown field `apply`"));
        assert_eq!(what(json!({"profile": "x".repeat(1001)})), "`profile` has more than 1000 bytes");
        assert_eq!(what(json!({"controls": vec!["x"; 101]})), "`controls` has more than 100 elements");
        assert_eq!(what(json!({"x".repeat(1001): 1})), "the name of an argument is too long");
        assert!(read::<ExplainAsk>(None).is_err());
        assert!(read::<ExplainAsk>(object(json!({"text": "x".repeat(60_000)}))).is_ok());
        assert!(read::<ExplainAsk>(object(json!({"text": "x".repeat(70_000)}))).is_err());
    }

    #[test]
    fn unknown_words_are_told_with_those_that_are_known() {
        let all = hostssl_model::Outcome::ALL;
        let code = hostssl_model::Outcome::as_str;
        assert_eq!(words("outcomes", &["fail".into()], &all, code).unwrap(), [hostssl_model::Outcome::Fail]);
        let wrong = words("outcomes", &["bad".into()], &all, code).unwrap_err();
        assert_eq!(wrong.what, "`outcomes` has no value `bad`");
        assert!(wrong.hint.to_string().contains("not-applicable, pass"), "{}", wrong.hint);
    }
}
