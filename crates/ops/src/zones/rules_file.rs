//! The file of the rules: reviewed like waivers, and like them believed as a whole or not at all.

use hostssl_model::untrusted::is_harmful;
use hostssl_model::{Advice, Fault, FileMistake, Hint, ZoneRule, is_zone_name, line_and_column, nearest};
use serde::Deserialize;
use std::ops::Range;
use toml::{Spanned, Value};

/// What is wrong with a file of zones, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvalidZones(#[from] pub FileMistake);

impl Advice for InvalidZones {
    fn advice(&self) -> Hint {
        "correct the file; until then no rule in it counts. `hostssl zones --help` shows how one is written".into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    zone: Spanned<String>,
    subnet: Option<Spanned<String>>,
    virtual_network: Option<Spanned<String>>,
    private_dns_zone: Option<Spanned<String>>,
    private_endpoint: Option<Spanned<String>>,
    subscription: Option<Spanned<String>>,
    location: Option<Spanned<String>>,
    server: Option<Spanned<String>>,
}

/// Reads a file of zones: its rules in their order.
///
/// # Errors
///
/// [`InvalidZones`] for the first thing that cannot be understood.
pub fn read_zones(text: &str) -> Result<Vec<ZoneRule>, InvalidZones> {
    let file: File = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let said = error.message().lines().collect::<Vec<_>>().join(" ");
        let meant = text.get(span.clone()).and_then(meant).unwrap_or_default();
        invalid(text, &span, said + &meant)
    })?;
    file.rule.into_iter().map(|entry| rule(text, entry)).collect()
}

/// The key that was probably meant by an unknown one.
fn meant(key: &str) -> Option<String> {
    let known = ZoneRule::default().conditions().map(|(name, _)| name);
    if known.contains(&key) {
        return None;
    }
    nearest(key, known).map(|near| format!("; is it `{near}`?"))
}

fn rule(text: &str, entry: Spanned<Entry>) -> Result<ZoneRule, InvalidZones> {
    let span = entry.span();
    let (line, _) = line_and_column(text, span.start);
    let entry = entry.into_inner();
    if !is_zone_name(entry.zone.get_ref()) {
        let what = format!("`{}` cannot be the name of a zone: {NAME}", entry.zone.get_ref());
        return Err(invalid(text, &entry.zone.span(), what));
    }
    let condition = |name: &str, value: Option<Spanned<String>>| {
        let Some(value) = value else { return Ok(None) };
        let pattern = value.get_ref().trim();
        if pattern.is_empty() || pattern.contains(is_harmful) {
            return Err(invalid(text, &value.span(), format!("{name} is not a line of text")));
        }
        Ok(Some(pattern.to_owned()))
    };
    let rule = ZoneRule {
        zone: entry.zone.into_inner().into(),
        subnet: condition("subnet", entry.subnet)?,
        virtual_network: condition("virtual-network", entry.virtual_network)?,
        private_dns_zone: condition("private-dns-zone", entry.private_dns_zone)?,
        private_endpoint: condition("private-endpoint", entry.private_endpoint)?,
        subscription: condition("subscription", entry.subscription)?,
        location: condition("location", entry.location)?,
        server: condition("server", entry.server)?,
        line,
    };
    if rule.is_empty() {
        let what = format!("the rule for zone {} has no condition, so it would choose nothing", rule.zone);
        return Err(invalid(text, &span, what));
    }
    Ok(rule)
}

/// What a name of a zone is.
pub(super) const NAME: &str = "it has 1 to 63 lower-case letters, digits and -, and - neither first nor last";

fn invalid(text: &str, span: &Range<usize>, what: String) -> InvalidZones {
    FileMistake::at(text, span.start, what).into()
}

/// The entry of the file for a rule.
#[must_use]
pub fn zone_rule_to_toml(rule: &ZoneRule) -> String {
    let line = |name: &str, value: &str| format!("{name} = {}\n", Value::from(value));
    let conditions = rule.conditions();
    let conditions = conditions.iter().filter_map(|(name, value)| Some(line(name, (*value)?)));
    conditions.fold(format!("[[rule]]\n{}", line("zone", &rule.zone)), |entry, line| entry + &line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_are_read_in_their_order() {
        let text = "# hubs\n[[rule]]\nzone = \"hub-weu\"\nvirtual-network = \"vnet-*\"\n\n\
                    [[rule]]\nzone = \"lab\"\nserver = \"pg-lab-*\"\nlocation = \"westeurope\"\n";
        let rules = read_zones(text).unwrap();
        let said: Vec<_> = rules.iter().map(|rule| (&*rule.zone, rule.line)).collect();
        assert_eq!(said, [("hub-weu", 2), ("lab", 6)]);
        assert_eq!(rules[1].server.as_deref(), Some("pg-lab-*"));
        assert_eq!(read_zones("").unwrap(), []);
    }

    #[test]
    fn what_cannot_be_understood_says_where_and_what() {
        for (text, place, what) in [
            ("[[rule]]\nserver = \"a\"\n", (1, 1), "missing field `zone`"),
            ("[[rule]]\nzone = \"Hub\"\nserver = \"a\"\n", (2, 8), "`Hub` cannot be the name of a zone"),
            ("[[rule]]\nzone = \"hub\"\n", (1, 1), "no condition"),
            ("[[rule]]\nzone = \"hub\"\nserver = \" \"\n", (3, 10), "server is not a line of text"),
            ("[[rule]]\nzone = \"hub\"\nvirtual_network = \"v\"\n", (3, 1), "is it `virtual-network`?"),
            ("[[zone]]\nname = \"hub\"\n", (1, 3), "unknown field `zone`"),
            ("[[rule]\n", (1, 1), ""),
        ] {
            let InvalidZones(error) = read_zones(text).unwrap_err();
            assert!(error.what.contains(what), "{text}: {error}");
            assert_eq!(error.line, place.0, "{text}: {error}");
            if !what.is_empty() {
                assert_eq!(error.column, place.1, "{text}: {error}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(zone in "[a-z0-9]{1,8}", server in "[ -~é]{1,20}", at in "[a-z]{1,9}") {
            prop_assume!(!server.trim().is_empty());
            let (server, location) = (Some(server.trim().to_owned()), Some(at));
            let rule = ZoneRule { zone: zone.into(), server, location, line: 1, ..ZoneRule::default() };
            prop_assert_eq!(read_zones(&zone_rule_to_toml(&rule)).unwrap(), [rule]);
        }
    }
}
