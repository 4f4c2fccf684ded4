//! Values of closed lists: help and completion show them, and the user of the value reports what is wrong with another.

use clap::builder::{PossibleValue, TypedValueParser};
use std::ffi::OsStr;

/// Takes any text, and suggests those of a list.
#[derive(Debug, Clone)]
pub(crate) struct Suggested(pub(crate) fn() -> Vec<String>);

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        clap::builder::StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().into_iter().map(PossibleValue::new)))
    }
}

/// Takes what a function reads of a text, and suggests the words of a list.
pub(crate) struct SuggestedAs<T>(pub(crate) fn(&str) -> Result<T, String>, pub(crate) fn() -> Vec<String>);

impl<T> Clone for SuggestedAs<T> {
    fn clone(&self) -> Self {
        Self(self.0, self.1)
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for SuggestedAs<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        self.0.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.1)().into_iter().map(PossibleValue::new)))
    }
}

/// The clouds of Azure.
pub(crate) fn clouds() -> Vec<String> {
    hostssl_azure::Cloud::names().map(ToOwned::to_owned).collect()
}

/// Profiles by their names, the newest version of each.
pub(crate) fn profiles() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for profile in hostssl_audit::Profile::all() {
        let text = profile.to_string();
        let name = text.split('@').next().unwrap_or_default().to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Every control.
pub(crate) fn controls() -> Vec<String> {
    hostssl_audit::ALL.iter().map(|control| control.id.to_string()).collect()
}

/// The controls that a plan can fix.
pub(crate) fn fixable_controls() -> Vec<String> {
    hostssl_remediation::FixableControl::AUDITED.into_iter().map(|control| control.to_string()).collect()
}

/// The scenarios of the simulated Azure.
pub(crate) fn scenarios() -> Vec<String> {
    crate::simulated_azure::Scenario::NAMES.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// The run that needs no id.
pub(crate) fn latest() -> Vec<String> {
    vec!["latest".to_owned()]
}
