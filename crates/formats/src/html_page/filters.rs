//! What the template does with text from outside, besides escaping it.
#![expect(unreachable_pub, reason = "the template engine's macro makes the function public")]

use crate::safe;
use jiff::Timestamp;
use std::fmt::Display;

/// The text without characters that could steer a page.
#[askama::filter_fn]
pub(crate) fn visible(text: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(safe(&text.to_string()).into_owned())
}

/// A moment in RFC 3339 as people read it, to the second; text that is not a moment stays what it is.
#[askama::filter_fn]
pub(crate) fn moment(text: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
    let text = text.to_string();
    let moment = text.parse::<Timestamp>().ok().map(|moment| moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    Ok(moment.unwrap_or_else(|| safe(&text).into_owned()))
}
