//! Names of subscriptions, so that text has no ids where a name is known.

use std::collections::BTreeMap;

/// Names of subscriptions by their ids, as far as they are known.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionNames(BTreeMap<String, String>);

impl SubscriptionNames {
    /// Pairs of ids, in any letter case, and names.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(id, name)| (id.to_ascii_lowercase(), name.to_owned())).collect())
    }

    /// The name, or the id where no name is known.
    #[must_use]
    pub fn of<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(&id.to_ascii_lowercase()).map_or(id, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_compare_without_case_and_stand_for_themselves_where_nothing_is_known() {
        let names = SubscriptionNames::new([("ABC-1", "Payments")]);
        assert_eq!((names.of("abc-1"), names.of("abc-2")), ("Payments", "abc-2"));
    }
}
