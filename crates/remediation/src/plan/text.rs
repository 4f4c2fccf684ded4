//! Texts in the file form of a plan.

use super::InvalidPlan;
use crate::SafeText;

/// A text that is not what stands in this place.
pub(super) fn bad(place: &'static str, text: &str, wanted: &'static str) -> InvalidPlan {
    InvalidPlan::BadText { place, text: SafeText::new(text), wanted }
}

/// Text that hostssl wrote is safe already; anything else would not have its hash.
pub(super) fn safe_from(place: &'static str, text: &str) -> Result<SafeText, InvalidPlan> {
    let safe = SafeText::new(text);
    if safe.as_str() == text { Ok(safe) } else { Err(bad(place, text, "text that is safe to print")) }
}
