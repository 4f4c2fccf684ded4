//! `--query`: JMESPath, as the Azure CLI has it.

use jmespath::ast::Ast;
use serde_json::Value;

/// A query that was understood.
#[derive(Debug, Clone)]
pub struct Query {
    expression: jmespath::Expression<'static>,
    columns: Vec<String>,
}

/// The text is no JMESPath query, or it cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the query cannot be used: {0}")]
pub struct InvalidQuery(String);

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    ///
    /// [`InvalidQuery`] with the place of the first error.
    pub fn parse(text: &str) -> Result<Self, InvalidQuery> {
        let expression = jmespath::compile(&with_text_literals(text)).map_err(|error| invalid(&error))?;
        let mut columns = Vec::new();
        collect_columns(expression.as_ast(), &mut columns);
        Ok(Self { expression, columns })
    }

    /// Applies the query.
    ///
    /// # Errors
    ///
    /// [`InvalidQuery`] when a function is given what it cannot take.
    pub fn apply(&self, value: &Value) -> Result<Value, InvalidQuery> {
        let found = self.expression.search(value).map_err(|error| invalid(&error))?;
        serde_json::to_value(&*found).map_err(|error| InvalidQuery(error.to_string()))
    }

    /// The columns in the order in which the query names them, for formats where the order is seen.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

/// The query with text in backticks as JSON has it: `` `Disabled` `` becomes `` `"Disabled"` ``. The Azure CLI's library takes
/// such literals (jmespath.py, `_consume_literal`), and half of the queries in the world have them.
fn with_text_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '`']) {
        let (before, quoted) = rest.split_at(at);
        let quote = quoted.chars().next().unwrap_or('`');
        let Some(end) = closing(quoted, quote) else { break };
        let (literal, behind) = quoted.split_at(end);
        out.push_str(before);
        let inner = literal.get(1..end - 1).unwrap_or_default();
        let as_text = format!("\"{}\"", inner.trim_start());
        let plain = inner.replace("\\`", "`");
        let is_json = |text: &str| serde_json::from_str::<Value>(text).is_ok();
        if quote == '`' && !is_json(&plain) && is_json(&as_text.replace("\\`", "`")) {
            out.push_str(&format!("`{as_text}`"));
        } else {
            out.push_str(literal);
        }
        rest = behind;
    }
    out + rest
}

/// The end of a quoted part, behind its closing quote; a backslash escapes one.
fn closing(quoted: &str, quote: char) -> Option<usize> {
    let mut characters = quoted.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == quote {
            return Some(at + 1);
        }
    }
    None
}

fn invalid(error: &jmespath::JmespathError) -> InvalidQuery {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    InvalidQuery(first.trim_end_matches(':').to_owned())
}

/// Finds the outermost `{name: …, …}` of the query.
fn collect_columns(ast: &Ast, columns: &mut Vec<String>) {
    match ast {
        Ast::MultiHash { elements, .. } => columns.extend(elements.iter().map(|pair| pair.key.clone())),
        Ast::Projection { lhs, rhs, .. } | Ast::Subexpr { lhs, rhs, .. } => {
            collect_columns(rhs, columns);
            if columns.is_empty() {
                collect_columns(lhs, columns);
            }
        }
        Ast::Condition { then, .. } => collect_columns(then, columns),
        Ast::Flatten { node, .. } | Ast::ObjectValues { node, .. } => collect_columns(node, columns),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn columns_keep_the_order_of_the_query() {
        let query = Query::parse("[*].{rg:resourceGroup, name:name}").unwrap();
        assert_eq!(query.columns(), ["rg", "name"]);
        let found = query.apply(&json!([{"name": "n", "resourceGroup": "g", "x": 1}])).unwrap();
        assert_eq!(found, json!([{"rg": "g", "name": "n"}]));
        assert_eq!(Query::parse("[?x=='1'].{b:b,a:a} | [0]").unwrap().columns(), ["b", "a"]);
    }

    #[test]
    fn text_in_backticks_is_taken_as_the_azure_cli_takes_it() {
        let servers = json!([{"ssl": "Disabled", "n": 1}, {"ssl": "Enabled", "n": 2}]);
        let of = |query: &str| Query::parse(query).unwrap().apply(&servers).unwrap();
        assert_eq!(of("[?ssl==`Disabled`].n"), json!([1]));
        assert_eq!(of("[?ssl==` Disabled`].n"), json!([1]));
        assert_eq!(of("[?ssl==`\"Enabled\"`].n"), json!([2]));
        assert_eq!(of("[?n==`2`].ssl"), json!(["Enabled"]));
        assert_eq!(of("[?ssl=='`Disabled`'].n"), json!([]));
        assert!(Query::parse("[?ssl==`Disabled].n").is_err());
    }

    #[test]
    fn a_bad_query_is_told_on_one_line() {
        let error = Query::parse("[*").unwrap_err().to_string();
        assert!(error.starts_with("the query cannot be used: "), "{error}");
        assert!(!error.contains('\n'));
        assert!(Query::parse("length(`1`)").unwrap().apply(&json!([])).is_err());
    }

    proptest! {
        #[test]
        fn no_query_panics(text in "[a-z0-9\\[\\]{}*.?='`@|&<>!(), :\"-]{0,40}") {
            if let Ok(query) = Query::parse(&text) {
                let _ = query.apply(&json!([{"a": 1, "b": [true, null]}]));
            }
        }
    }
}
