//! What a control is.

use crate::Mapping;
use hostssl_model::untrusted::visible;
use hostssl_model::{
    ControlId, Kind, Meaning, Parameter, ParameterName, Posture, Reading, Reason, ReplicationRole, Severity,
    TlsVersion, Unchecked,
};
use std::borrow::Cow;

/// A rule about one server.
#[derive(Debug)]
pub struct Control {
    /// The stable kebab-case id: also the name of its file and of its documentation page.
    pub id: ControlId,
    /// One line: what a server that passes does.
    pub title: &'static str,
    /// How much a failure matters.
    pub severity: Severity,
    /// What it judges.
    pub source: EvidenceSource,
    /// The control of the wire that ends alike where the server does what it declares: then a finding is confirmed by
    /// the wire.
    pub counterpart: Option<ControlId>,
    /// Whether it compares a replica with its primary, so that the same settings of the primary are read too.
    pub needs_primary: bool,
    /// Whether a write of its settings makes it pass.
    pub fixable: bool,
    /// The settings that a verdict on such a server needs, and no others: each costs a request.
    pub needs: fn(Kind, ReplicationRole) -> Vec<ParameterName>,
    /// The decision.
    pub judge: fn(&ControlInput<'_>, &Settings) -> ControlResult,
    /// Where the standards ask for it.
    pub mappings: &'static [Mapping],
    /// The documentation page, in Markdown.
    pub documentation: &'static str,
}

/// What a control judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvidenceSource {
    /// What Azure declares.
    Declared,
    /// What the wire showed.
    Wire,
}

/// What a profile may set for the controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The lowest protocol version that a server may accept.
    pub minimum_tls: TlsVersion,
    /// The days that a certificate must last at least.
    pub expiry_days: u32,
    /// The days over which clients must have been observed before enforcement counts as safe. A week has every weekly
    /// job in it.
    pub observation_days: u32,
    /// How many days away the last day of a waiver may be at most.
    pub waiver_days: u32,
}

/// The facts that a control examines.
#[derive(Debug)]
pub struct ControlInput<'a> {
    /// What was observed of the server.
    pub posture: &'a Posture,
    /// For a replica: what was observed of its primary.
    pub primary: Option<&'a Reading<Posture>>,
}

impl ControlInput<'_> {
    /// The reading of a setting, or the reason why there is none.
    ///
    /// # Errors
    ///
    /// The [`Unchecked`] that stands in for the value.
    pub fn parameter(&self, name: ParameterName) -> Result<&Parameter, Unchecked> {
        parameter(self.posture, name)
    }

    /// The reading of a setting with what it means.
    ///
    /// # Errors
    ///
    /// The [`Unchecked`] that replaces the value, or that says that the value is unknown.
    pub(crate) fn meaning(&self, name: ParameterName) -> Result<(&Parameter, Meaning), Unchecked> {
        let parameter = self.parameter(name)?;
        match parameter.meaning() {
            Some(meaning) => Ok((parameter, meaning)),
            None => {
                let shown: String = visible(parameter.value()).chars().take(40).collect();
                Err(Unchecked::new(Reason::MalformedAnswer, format!("{name} has the unknown value `{shown}`")))
            }
        }
    }
}

/// The reading of a setting in a posture, or the reason why there is none.
pub(crate) fn parameter(posture: &Posture, name: ParameterName) -> Result<&Parameter, Unchecked> {
    match posture.reading(name) {
        Some(Reading::Known(parameter)) => Ok(parameter),
        Some(Reading::Unknown(unchecked)) => Err(unchecked.clone()),
        None => Err(Unchecked::new(Reason::NotReturned, format!("{name} was not read"))),
    }
}

/// What a control says about a server. `observed` and `expected` are in the words of the setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlResult {
    /// As it should be.
    Pass {
        /// The observed value.
        observed: Cow<'static, str>,
    },
    /// Not as it should be.
    Fail {
        /// The observed value.
        observed: Cow<'static, str>,
        /// What would pass.
        expected: Cow<'static, str>,
    },
    /// Could not be checked.
    Unknown(Unchecked),
    /// The control has nothing to say about this server.
    NotApplicable,
}

impl ControlResult {
    /// A pass with what was seen.
    pub fn pass(observed: impl Into<Cow<'static, str>>) -> Self {
        Self::Pass { observed: observed.into() }
    }

    /// A failure with what was seen and what would pass.
    pub fn fail(observed: impl Into<Cow<'static, str>>, expected: impl Into<Cow<'static, str>>) -> Self {
        Self::Fail { observed: observed.into(), expected: expected.into() }
    }
}

/// A setting with a meaning, in the setting's own words: `require_secure_transport = on`.
pub(crate) fn statement(name: ParameterName, meaning: Meaning) -> String {
    format!("{name} = {}", name.spell(meaning).unwrap_or_default())
}

/// A value as it stands in findings.
pub(crate) fn shown(value: &str) -> String {
    let text: String = visible(value.trim()).chars().take(40).collect();
    if text.is_empty() { "(not set)".into() } else { text }
}
