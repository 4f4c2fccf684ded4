//! Lists that come in pages.

use crate::{Arm, ArmError, Quota};
use azure_core::http::Url;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;

/// A list as far as it could be read. What came before an error is kept: it is true, if not whole.
#[derive(Debug)]
pub struct Listing<T> {
    /// What was read.
    pub items: Vec<T>,
    /// Why there may be more.
    pub error: Option<ArmError>,
}

impl<T> Listing<Result<T, ArmError>> {
    /// The entries that could be read. The first that could not is why there may be more, where nothing else is.
    pub(crate) fn readable(self) -> Listing<T> {
        let mut error = self.error;
        let mut items = Vec::with_capacity(self.items.len());
        for item in self.items {
            match item {
                Ok(item) => items.push(item),
                Err(odd) => error = error.or(Some(odd)),
            }
        }
        Listing { items, error }
    }
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Box<RawValue>>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

/// Reads a list to its end, page by page, and hands each entry to `read`.
///
/// The link to the next page is followed as it came, but only to Resource Manager: it would be sent the token. A link
/// that was followed before, and more pages than [`crate::Limits::pages`], end the list with an error.
pub(crate) async fn list<T>(arm: &Arm, first: Url, quota: &Quota, read: impl Fn(&str) -> T) -> Listing<T> {
    let mut listing = Listing { items: Vec::new(), error: None };
    let mut followed = HashSet::new();
    let mut next = Some(first);
    while let Some(url) = next.take() {
        if followed.len() >= arm.limits().pages {
            listing.error = Some(ArmError::Malformed(format!("the list continues after {} pages", followed.len())));
            break;
        }
        if !followed.insert(url.to_string()) {
            listing.error = Some(ArmError::Malformed("the list links to a page that was read before".to_owned()));
            break;
        }
        let page: Page = match arm.get(url, quota).await {
            Ok(page) => page,
            Err(error) => {
                listing.error = Some(error);
                break;
            }
        };
        listing.items.extend(page.value.iter().map(|entry| read(entry.get())));
        match page.next_link.as_deref().filter(|link| !link.is_empty()).map(Url::parse) {
            None => {}
            Some(Ok(url)) => next = Some(url),
            Some(Err(_)) => {
                listing.error = Some(ArmError::Malformed("the link to the next page is not a URL".to_owned()));
            }
        }
    }
    listing
}
