//! What is kept of why something could not be checked. Frozen like the other documents.

use hostssl_model::{Reason, Unchecked};
use serde::{Deserialize, Serialize};

/// Why something could not be checked.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StoredUnchecked {
    /// The stable code of the reason.
    pub reason: String,
    /// The action that is missing, when that is the reason.
    pub missing_permission: Option<String>,
    /// One line of text.
    pub detail: String,
}

impl From<&Unchecked> for StoredUnchecked {
    fn from(unchecked: &Unchecked) -> Self {
        Self {
            reason: unchecked.reason.as_str().to_owned(),
            missing_permission: unchecked.missing_permission.as_deref().map(ToOwned::to_owned),
            detail: unchecked.detail.to_string(),
        }
    }
}

impl StoredUnchecked {
    /// The model's form. A reason of another version is kept in its detail.
    pub(crate) fn to_unchecked(&self) -> Unchecked {
        let (reason, detail) = match Reason::from_code(&self.reason) {
            Some(reason) => (reason, self.detail.clone()),
            None => (Reason::MalformedAnswer, format!("{}: {}", self.reason, self.detail)),
        };
        Unchecked {
            reason,
            missing_permission: self.missing_permission.as_deref().map(Into::into),
            detail: detail.into(),
            is_of_newer: false,
        }
    }
}
