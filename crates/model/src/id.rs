//! Azure resource ids: compared without case, printed as Azure spelled them.

use crate::hex;
use sha2::{Digest as _, Sha256};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The longest resource id that is accepted, in bytes. Real ones stay below 1 KiB.
const MAX_LENGTH: usize = 2048;

/// The id of one Azure resource, such as
/// `/subscriptions/S/resourceGroups/G/providers/Microsoft.DBforPostgreSQL/flexibleServers/N`.
///
/// Azure changes the case of ids between a list and a get, so two ids are equal when they differ in case alone. The
/// spelling that Azure sent is kept for display.
#[derive(Clone)]
pub struct ResourceId(Arc<str>);

/// The text is not the id of a resource in a resource group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a resource id of the form /subscriptions/…/resourceGroups/…/providers/…")]
pub struct InvalidResourceId(String);

impl ResourceId {
    /// The id as Azure spelled it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id in lower case: a key for maps outside this program.
    #[must_use]
    pub fn to_lowercase(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// A short name that depends on the id alone, whatever its case: 20 hexadecimal digits of the SHA-256 of the id in lower
    /// case, for addresses and names of files.
    #[must_use]
    pub fn key(&self) -> String {
        hex(&Sha256::digest(self.to_lowercase())[..10])
    }

    /// The subscription that holds the resource.
    #[must_use]
    pub fn subscription(&self) -> SubscriptionId {
        SubscriptionId::new(self.segment(2))
    }

    /// The name of the resource group, as spelled in this id.
    #[must_use]
    pub fn resource_group(&self) -> &str {
        self.segment(4)
    }

    /// The name of the resource: the last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The resource type without its provider, such as `flexibleServers`.
    #[must_use]
    pub fn resource_type(&self) -> &str {
        self.segment(7)
    }

    /// The resource type with its provider, such as `Microsoft.DBforPostgreSQL/flexibleServers`.
    #[must_use]
    pub fn arm_type(&self) -> String {
        format!("{}/{}", self.segment(6), self.segment(7))
    }

    fn segment(&self, index: usize) -> &str {
        self.0.split('/').nth(index).unwrap_or_default()
    }
}

impl TryFrom<&str> for ResourceId {
    type Error = InvalidResourceId;

    fn try_from(text: &str) -> Result<Self, InvalidResourceId> {
        let invalid = || InvalidResourceId(text.chars().take(200).collect());
        let segments: Vec<&str> = text.split('/').collect();
        let well_formed = text.len() <= MAX_LENGTH
            && segments.len() >= 9
            && segments.len() % 2 == 1
            && segments[0].is_empty()
            && segments[1].eq_ignore_ascii_case("subscriptions")
            && segments[3].eq_ignore_ascii_case("resourceGroups")
            && segments[5].eq_ignore_ascii_case("providers")
            && segments[1..].iter().all(|segment| !segment.is_empty())
            // The id becomes part of a URL path: nothing in it may end the path or escape from it.
            && !text.contains(['?', '#', '\\', '%'])
            && !text.chars().any(|c| hostssl_untrusted::is_harmful(c) || c.is_whitespace())
            && segments.iter().all(|segment| *segment != "." && *segment != "..");
        if well_formed { Ok(Self(text.into())) } else { Err(invalid()) }
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ResourceId {}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_without_case(&self.0, &other.0)
    }
}

impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the text is a GUID, as the ids of subscriptions are: eight, four, four, four and twelve hexadecimal digits.
#[must_use]
pub fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// The id of a subscription: a GUID, held in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(Arc<str>);

impl SubscriptionId {
    /// Takes the id in any case.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(id.to_ascii_lowercase().into())
    }

    /// The id in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn compare_without_case(left: &str, right: &str) -> Ordering {
    left.bytes().map(|b| b.to_ascii_lowercase()).cmp(right.bytes().map(|b| b.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const ID: &str =
        "/subscriptions/AAAA/resourceGroups/Shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/Orders";

    #[test]
    fn ids_keep_their_spelling_and_compare_without_case() {
        let id = ResourceId::try_from(ID).unwrap();
        let lower = ResourceId::try_from(ID.to_lowercase().as_str()).unwrap();
        assert_eq!(id, lower);
        assert_eq!(HashSet::from([id.clone(), lower]).len(), 1);
        assert_eq!(id.to_string(), ID);
        assert_eq!(id.subscription().as_str(), "aaaa");
        assert_eq!((id.resource_group(), id.resource_type(), id.name()), ("Shop", "flexibleServers", "Orders"));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "/",
            "/subscriptions/a",
            "/subscriptions/a/resourceGroups/g/providers/p/t",
            "/subscriptions/a/resourceGroups/g/providers/p/t/..",
            "/subscriptions/a/resourceGroups/g/providers/p/t/n?x=1",
            "/subscriptions/a/resourceGroups/g/providers/p/t/n\n",
            "https://elsewhere/subscriptions/a/resourceGroups/g/providers/p/t/n",
        ] {
            assert!(ResourceId::try_from(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = ResourceId::try_from(text.as_str());
        }

        #[test]
        fn case_never_matters(name in "[a-zA-Z0-9-]{1,40}") {
            let id = |n: &str| ResourceId::try_from(format!("/subscriptions/s/resourceGroups/g/providers/p/t/{n}").as_str()).unwrap();
            prop_assert_eq!(id(&name), id(&name.to_uppercase()));
            prop_assert_eq!(id(&name).cmp(&id(&name.to_lowercase())), Ordering::Equal);
        }
    }
}
