//! Names of subscriptions, so that text has no ids where a name is known.

use hostssl_remediation::Plan;
use std::collections::BTreeMap;

/// Names of subscriptions by their ids, as far as they are known.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionNames(BTreeMap<String, String>);

impl SubscriptionNames {
    /// Pairs of ids, in any letter case, and names.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(id, name)| (id.to_ascii_lowercase(), name.to_owned())).collect())
    }

    /// The same with the names that a plan has: they are those of when it was made.
    #[must_use]
    pub fn with_plan(mut self, plan: &Plan) -> Self {
        let names = plan.subscription_names();
        self.0.extend(names.map(|(id, name)| (id.as_str().to_ascii_lowercase(), name.as_str().to_owned())));
        self
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
