//! The output formats of the Azure CLI, for any JSON value: `json`, `jsonc`, `yaml`, `yamlc`, `table`, `tsv`, `none`.

use crate::json_text::scalar_json;
use crate::{Palette, safe, write_json};
use anstyle::AnsiColor;
use hostssl_model::untrusted::visible_lines;
use serde_json::{Map, Value};
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, indented, keys in alphabetical order.
    Json,
    /// The same in colour.
    Jsonc,
    /// YAML.
    Yaml,
    /// The same in colour.
    Yamlc,
    /// A table of the values that are not lists or objects.
    Table,
    /// Values apart by tabs, without a heading.
    Tsv,
    /// Nothing.
    None,
}

/// Writes a value. `columns` is the order in which a query named its columns; without a query it is empty, and the
/// order is alphabetical.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_value(
    out: &mut dyn Write,
    value: &Value,
    format: Format,
    columns: &[String],
    palette: Palette,
) -> io::Result<()> {
    match format {
        Format::Json => {
            write_json(out, value)?;
            writeln!(out)
        }
        Format::Jsonc => {
            write_json_in_colour(out, value, 0, palette)?;
            writeln!(out)
        }
        Format::Yaml => write!(out, "{}", yaml(value)?),
        Format::Yamlc => write_yaml_in_colour(out, &yaml(value)?, palette),
        Format::Table => write_table(out, value, columns),
        Format::Tsv => write_tsv(out, value, columns),
        Format::None => Ok(()),
    }
}

fn yaml(value: &Value) -> io::Result<String> {
    let mut text = serde_saphyr::to_string(&shown(value)).map_err(io::Error::other)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// A value whose names and texts hold nothing harmful: YAML has no escape for plain text.
fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(visible_lines(text).into_owned()),
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (safe(name).into_owned(), shown(member))).collect()
        }
        other => other.clone(),
    }
}

fn write_json_in_colour(out: &mut dyn Write, value: &Value, depth: usize, palette: Palette) -> io::Result<()> {
    let pad = "  ".repeat(depth + 1);
    let paint = |colour: AnsiColor, text: &str| palette.paint(colour.on_default(), text);
    match value {
        Value::Object(members) if !members.is_empty() => {
            writeln!(out, "{{")?;
            for (index, (key, member)) in members.iter().enumerate() {
                write!(out, "{pad}{}: ", paint(AnsiColor::Blue, &scalar_json(&Value::from(key.as_str()))))?;
                write_json_in_colour(out, member, depth + 1, palette)?;
                writeln!(out, "{}", if index + 1 < members.len() { "," } else { "" })?;
            }
            write!(out, "{}}}", "  ".repeat(depth))
        }
        Value::Array(items) if !items.is_empty() => {
            writeln!(out, "[")?;
            for (index, item) in items.iter().enumerate() {
                write!(out, "{pad}")?;
                write_json_in_colour(out, item, depth + 1, palette)?;
                writeln!(out, "{}", if index + 1 < items.len() { "," } else { "" })?;
            }
            write!(out, "{}]", "  ".repeat(depth))
        }
        Value::String(_) => write!(out, "{}", paint(AnsiColor::Green, &scalar_json(value))),
        Value::Object(_) | Value::Array(_) => write!(out, "{value}"),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            write!(out, "{}", paint(AnsiColor::Cyan, &value.to_string()))
        }
    }
}

fn write_yaml_in_colour(out: &mut dyn Write, text: &str, palette: Palette) -> io::Result<()> {
    for line in text.lines() {
        let start = line.len() - line.trim_start_matches([' ', '-']).len();
        let (lead, rest) = line.split_at(start);
        match rest
            .split_once(": ")
            .map(|(key, value)| (key, format!(": {value}")))
            .or_else(|| rest.strip_suffix(':').map(|key| (key, ":".to_owned())))
        {
            Some((key, tail)) if !key.contains(['"', '\'', ' ']) => {
                writeln!(out, "{lead}{}{tail}", palette.paint(AnsiColor::Blue.on_default(), key))?;
            }
            _ => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

/// Members that the Azure CLI leaves out of its tables.
const NOT_IN_TABLES: [&str; 3] = ["id", "type", "etag"];

fn write_table(out: &mut dyn Write, value: &Value, columns: &[String]) -> io::Result<()> {
    let items = as_items(value);
    let rows: Vec<Vec<(String, String)>> = items.iter().map(|item| table_row(item, columns)).collect();
    let mut headings: Vec<String> = Vec::new();
    for (heading, _) in rows.iter().flatten() {
        if !headings.contains(heading) {
            headings.push(heading.clone());
        }
    }
    if headings.is_empty() {
        return Ok(());
    }
    let cells: Vec<Vec<&str>> = rows
        .iter()
        .map(|row| {
            let cell = |heading: &String| row.iter().find(|(name, _)| name == heading).map_or("", |(_, text)| text);
            headings.iter().map(cell).collect()
        })
        .collect();
    let width = |index: usize, heading: &String| {
        // The Azure CLI's tables leave two columns behind a heading.
        cells.iter().filter_map(|row| row.get(index)).map(|cell| cell.width()).fold(heading.width() + 2, usize::max)
    };
    let widths: Vec<usize> = headings.iter().enumerate().map(|(index, heading)| width(index, heading)).collect();
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    write_row(out, headings.iter().map(String::as_str), &widths)?;
    write_row(out, dashes.iter().map(String::as_str), &widths)?;
    for row in &cells {
        write_row(out, row.iter().copied(), &widths)?;
    }
    Ok(())
}

fn write_row<'a>(out: &mut dyn Write, cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> io::Result<()> {
    let mut line = String::new();
    for (cell, width) in cells.zip(widths) {
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
    }
    writeln!(out, "{}", line.trim_end())
}

fn as_items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        other => vec![other],
    }
}

fn table_row(item: &Value, columns: &[String]) -> Vec<(String, String)> {
    match item {
        Value::Object(members) => ordered(members, columns)
            .filter(|(key, value)| {
                !NOT_IN_TABLES.contains(&key.as_str()) && !value.is_null() && !value.is_array() && !value.is_object()
            })
            .map(|(key, value)| (capitalised(&safe(key)), scalar(value)))
            .collect(),
        Value::Array(cells) => {
            cells.iter().enumerate().map(|(index, cell)| (format!("Column{}", index + 1), scalar(cell))).collect()
        }
        other => vec![("Result".to_owned(), scalar(other))],
    }
}

/// The members in the order of the query, then whatever it did not name, in alphabetical order.
fn ordered<'a>(
    members: &'a Map<String, Value>,
    columns: &'a [String],
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let named = columns.iter().filter_map(|column| members.get_key_value(column));
    named.chain(members.iter().filter(|(key, _)| !columns.contains(key)))
}

fn capitalised(key: &str) -> String {
    let mut characters = key.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// A scalar as the Azure CLI, a Python program, prints it in tables.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => safe(text).into_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn write_tsv(out: &mut dyn Write, value: &Value, columns: &[String]) -> io::Result<()> {
    let cell = |value: &Value| match value {
        Value::Array(items) => items.len().to_string(),
        Value::Object(_) => String::new(),
        Value::Null => "None".to_owned(),
        other => scalar(other),
    };
    let items: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    };
    for item in items {
        let cells: Vec<String> = match item {
            Value::Object(members) => ordered(members, columns).map(|(_, value)| cell(value)).collect(),
            Value::Array(values) => values.iter().map(cell).collect(),
            Value::Bool(flag) => vec![flag.to_string()],
            other => vec![cell(other)],
        };
        writeln!(out, "{}", cells.join("\t"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(value: &Value, format: Format, columns: &[&str]) -> String {
        let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
        let mut out = Vec::new();
        write_value(&mut out, value, format, &columns, Palette::Plain).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_of_the_procedure_to_the_letter() {
        let servers = json!([
            {"name": "cc-production-server", "resourceGroup": "cloud-shell-storage-westeurope"},
            {"name": "cc-postgresql-server", "resourceGroup": "cloud-shell-storage-westeurope"},
        ]);
        assert_eq!(
            written(&servers, Format::Table, &["name", "resourceGroup"]),
            "Name                  ResourceGroup\n\
             --------------------  ------------------------------\n\
             cc-production-server  cloud-shell-storage-westeurope\n\
             cc-postgresql-server  cloud-shell-storage-westeurope\n"
        );
    }

    #[test]
    fn a_scalar_is_a_json_string() {
        assert_eq!(written(&json!("Disabled"), Format::Json, &[]), "\"Disabled\"\n");
        assert_eq!(written(&json!("Disabled"), Format::Tsv, &[]), "Disabled\n");
        assert_eq!(written(&json!("Disabled"), Format::Table, &[]), "Result\n--------\nDisabled\n");
        assert_eq!(written(&json!("Disabled"), Format::None, &[]), "");
    }

    #[test]
    fn tables_and_tsv_are_those_of_the_azure_cli() {
        let rows =
            json!([{"b": true, "a": null, "id": "x", "tags": {"k": "v"}, "list": [1, 2]}, {"a": 7, "b": "\u{1b}[2J"}]);
        assert_eq!(written(&rows, Format::Table, &[]), "B     A\n----  ---\nTrue\n\u{fffd}[2J  7\n");
        assert_eq!(written(&rows, Format::Tsv, &[]), "None\tTrue\tx\t2\t\n7\t\u{fffd}[2J\n");
        assert_eq!(written(&json!([]), Format::Table, &[]), "");
        assert_eq!(
            written(&json!([["a", "b"]]), Format::Table, &[]),
            "Column1    Column2\n---------  ---------\na          b\n"
        );
    }

    #[test]
    fn yaml_keeps_texts_texts() {
        let value =
            json!([{"name": "on", "n": 1, "none": null, "empty": [], "nested": {"k": ["v"]}, "date": "2021-05-26"}]);
        insta::assert_snapshot!(written(&value, Format::Yaml, &[]));
    }

    #[test]
    fn colour_is_only_added() {
        let value = json!({"a": [1, "x", {}, []], "b": {"c": null}});
        let mut out = Vec::new();
        write_value(&mut out, &value, Format::Jsonc, &[], Palette::Colour).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("\u{1b}["));
        assert_eq!(written(&value, Format::Jsonc, &[]), written(&value, Format::Json, &[]));
        assert_eq!(written(&value, Format::Yamlc, &[]), written(&value, Format::Yaml, &[]));
    }
}
