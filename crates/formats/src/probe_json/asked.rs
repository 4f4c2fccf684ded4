//! What a probe asks of every endpoint, as it is kept beside the probe: frozen.

use hostssl_probe::{ProbeOptions, Replication, StartupNames};
use serde::{Deserialize, Serialize};

/// The names that are tried, and what else decides the result. The members stand in the order in which they are written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeAsked {
    /// Findings that did not count. Absent if all did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Databases that were named.
    pub databases: Vec<String>,
    /// Days that a certificate must still last, if any.
    expiry_days: Option<u32>,
    /// The only findings that counted. Absent if all did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fail_on: Vec<String>,
    /// The names beside those: `given`, `fewest` or `well-known`.
    names: String,
    repeat: u16,
    /// `none`, `physical` or `logical`.
    pub replication: Vec<String>,
    /// Users that were named.
    pub users: Vec<String>,
}

impl From<&ProbeOptions> for ProbeAsked {
    fn from(options: &ProbeOptions) -> Self {
        let names = match options.names {
            StartupNames::Given => "given",
            StartupNames::Fewest => "fewest",
            StartupNames::WellKnown => "well-known",
        };
        let replication = options.replication.iter().map(|kind| match kind {
            Replication::None => "none",
            Replication::Physical => "physical",
            Replication::Logical => "logical",
        });
        Self {
            allow: Vec::new(),
            fail_on: Vec::new(),
            databases: options.databases.clone(),
            expiry_days: options.expiry_days,
            names: names.to_owned(),
            repeat: options.repeat,
            replication: replication.map(ToOwned::to_owned).collect(),
            users: options.users.clone(),
        }
    }
}

impl ProbeAsked {
    /// As text on one line, for [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// None that options can cause.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads what was kept. What it leaves out is empty.
    ///
    /// # Errors
    ///
    /// When the text is damaged.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_kept_in_these_bytes_and_read_back() {
        let options = ProbeOptions {
            users: vec!["app".into()],
            replication: vec![Replication::None, Replication::Physical, Replication::Logical],
            names: StartupNames::WellKnown,
            repeat: 2,
            expiry_days: Some(30),
            databases: Vec::new(),
            ..ProbeOptions::default()
        };
        let text = ProbeAsked::from(&options).to_text().unwrap();
        let kept = r#"{"databases":[],"expiryDays":30,"names":"well-known","repeat":2,"replication":["none","physical","logical"],"users":["app"]}"#;
        assert_eq!(text, kept);
        assert_eq!(ProbeAsked::read(&text).unwrap().to_text().unwrap(), text);
        assert_eq!(ProbeAsked::read(r#"{"users":["app"]}"#).unwrap().users, ["app"]);
    }
}
