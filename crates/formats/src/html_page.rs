//! What every page for people without the program has: one style, and a policy by which nothing else is loaded or run.

pub(crate) mod filters;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest, Sha256};

/// The style of the pages.
pub(crate) const STYLE: &str = include_str!("../assets/audit.css");

/// The policy (Content Security Policy, Level 3) of a page with the style and at most this script.
pub(crate) fn policy(script: Option<&str>) -> String {
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
    let script = script.map(|script| format!(" script-src {};", hash(script))).unwrap_or_default();
    format!("default-src 'none'; style-src {};{script} base-uri 'none'; form-action 'none'", hash(STYLE))
}
