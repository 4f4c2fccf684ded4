//! The tags of a resource: names and values that its owners chose.

use std::sync::Arc;

/// The tags of a resource in the order of their names.
///
/// Azure compares the names of tags without case and their values with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Option<Arc<[Tag]>>);

/// A name and its value.
type Tag = (Box<str>, Box<str>);

impl Tags {
    /// The value of the tag of this name, in any letter case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every tag as name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|tags| tags.iter()).map(|(name, value)| (&**name, &**value))
    }

    /// Whether there is no tag.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl<N: Into<Box<str>>, V: Into<Box<str>>> FromIterator<(N, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(tags: I) -> Self {
        let mut tags: Vec<(Box<str>, Box<str>)> = tags.into_iter().map(|(n, v)| (n.into(), v.into())).collect();
        tags.sort();
        Self((!tags.is_empty()).then(|| tags.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_values_are_kept() {
        let tags: Tags = [("owner", "Shop"), ("Environment", "Production")].into_iter().collect();
        assert_eq!(tags.get("ENVIRONMENT"), Some("Production"));
        assert_eq!(tags.get("team"), None);
        assert_eq!(tags.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["Environment", "owner"]);
        assert!(Tags::default().is_empty() && !tags.is_empty());
    }
}
