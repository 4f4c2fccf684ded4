//! What is read of an ARM template: its resources, and of each what says which server it is about and what becomes of it.

use super::arm_type::{CONFIGURATIONS, is_deployment, is_of_provider};
use super::scalar::{
    AnyCase, Kept, KeptList, Lenient, MaybeObject, Members, NamedMembers, Scalar, identifier, word_or_expression,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A template, or one within another.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ArmTemplate {
    pub(super) resources: KeptList<AnyCase<ArmResource>>,
    pub(super) variables: NamedMembers<Scalar>,
    pub(super) parameters: NamedMembers<Lenient<ArmDefault>>,
}

/// A parameter of a template, as far as a nested one needs it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ArmDefault {
    #[serde(rename = "defaultvalue")]
    pub(super) default_value: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ArmResource {
    #[serde(rename = "type", deserialize_with = "identifier")]
    pub(super) arm_type: Scalar,
    pub(super) name: Scalar,
    pub(super) existing: Scalar,
    pub(super) condition: Scalar,
    pub(super) copy: Option<Lenient<ArmCopy>>,
    pub(super) properties: MaybeObject<ArmProperties>,
    pub(super) resources: KeptList<AnyCase<ArmResource>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ArmProperties {
    /// Of a parameter of a server.
    #[serde(deserialize_with = "word_or_expression")]
    pub(super) value: Scalar,
    /// Of a single server.
    #[serde(rename = "sslenforcement", deserialize_with = "word_or_expression")]
    pub(super) ssl_enforcement: Scalar,
    #[serde(rename = "minimaltlsversion", deserialize_with = "word_or_expression")]
    pub(super) minimal_tls_version: Scalar,
    /// Of a deployment of another template.
    pub(super) template: MaybeObject<Box<ArmTemplate>>,
    pub(super) parameters: MaybeObject<Members<Lenient<ArmGiven>>>,
    /// Of parameters that are elsewhere.
    #[serde(rename = "parameterslink")]
    pub(super) parameters_link: Option<IgnoredAny>,
    #[serde(rename = "expressionevaluationoptions")]
    pub(super) evaluation: MaybeObject<ArmEvaluation>,
}

/// A loop that makes several of a resource.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ArmCopy {
    pub(super) count: ArmCount,
}

/// How often: a number, or an expression.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum ArmCount {
    Number(u64),
    Expression(Box<str>),
    #[default]
    Other,
    Unknown(IgnoredAny),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ArmGiven {
    pub(super) value: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ArmEvaluation {
    pub(super) scope: Scalar,
}

impl Kept for ArmResource {
    fn is_kept(&self) -> bool {
        // A child in its parent has a type of one part only.
        let is_ours = match &self.arm_type {
            Scalar::Text(one) => is_of_provider(one) || is_deployment(one) || one.eq_ignore_ascii_case(CONFIGURATIONS),
            // A type that is an expression may be any.
            Scalar::Other => true,
            Scalar::Absent | Scalar::Null | Scalar::Bool(_) => false,
        };
        is_ours || !self.resources.0.is_empty()
    }
}
