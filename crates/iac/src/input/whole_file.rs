//! A file as a whole: which format it has is known when all of it was read, because members may come in any order.

use super::InvalidIac;
use super::arm_resource::{ArmResource, ArmTemplate};
use super::configuration::TfConfiguration;
use super::scalar::{AnyCase, KeptList, Lenient, MaybeObject, NamedMembers, Scalar};
use super::terraform::{TfChange, TfStateValues, plan, state};
use crate::{IacFile, IacFormat, IacGap, IacGapKind};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The members of every format that is read. What no format has, and what none of them is asked for, is skipped unread.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct IacDocument {
    // Terraform.
    format_version: Scalar,
    terraform_version: Scalar,
    resource_changes: Option<KeptList<TfChange>>,
    resource_drift: KeptList<TfChange>,
    planned_values: MaybeObject<TfStateValues>,
    prior_state: MaybeObject<TfPriorState>,
    values: MaybeObject<TfStateValues>,
    configuration: Option<Lenient<TfConfiguration>>,
    deferred_changes: Option<IgnoredAny>,
    errored: Scalar,
    complete: Scalar,
    // A state as Terraform keeps it, and the log of a run.
    lineage: Option<IgnoredAny>,
    serial: Option<IgnoredAny>,
    #[serde(rename = "@level")]
    level: Option<IgnoredAny>,
    // A template.
    #[serde(rename = "$schema")]
    schema: Scalar,
    #[serde(rename = "contentversion")]
    content_version: Scalar,
    resources: Option<KeptList<AnyCase<ArmResource>>>,
    variables: NamedMembers<Scalar>,
}

/// The state that a plan was made from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TfPriorState {
    values: MaybeObject<TfStateValues>,
}

/// Longer texts are not versions.
const LONGEST_VERSION: usize = 20;

impl IacDocument {
    pub(crate) fn is_log(&self) -> bool {
        self.level.is_some()
    }

    /// What it says about servers.
    pub(crate) fn into_file(self) -> Result<IacFile, InvalidIac> {
        let schema = self.schema.text().unwrap_or_default().to_ascii_lowercase();
        if self.is_log() {
            Err(InvalidIac::Log)
        } else if self.lineage.is_some() && self.serial.is_some() {
            Err(InvalidIac::StateFile)
        } else if !self.format_version.is_nothing() {
            self.into_terraform()
        } else if schema.contains("deploymentparameters") {
            Err(InvalidIac::ParameterFile)
        } else if let Some(resources) = self.resources
            && (schema.contains("deploymenttemplate") || !self.content_version.is_nothing())
        {
            Ok(ArmTemplate { resources, variables: self.variables, parameters: NamedMembers::default() }.into_file())
        } else {
            Err(InvalidIac::Other)
        }
    }

    fn into_terraform(self) -> Result<IacFile, InvalidIac> {
        let version = version(&self.format_version).ok_or_else(|| InvalidIac::Version("no version".to_owned()))?;
        if version.split('.').next() != Some("1") {
            return Err(InvalidIac::Version(version.into()));
        }
        let is_plan = self.resource_changes.is_some()
            || !matches!(self.planned_values, MaybeObject::Nothing)
            || self.configuration.is_some()
            || !matches!(self.prior_state, MaybeObject::Nothing);
        let mut gaps = Vec::new();
        let mut add = |found: bool, kind| gaps.extend(found.then_some(IacGap { kind, address: None }));
        add(self.errored.is_true(), IacGapKind::Errored);
        // An errored plan is incomplete as well.
        let is_partial = self.complete == Scalar::Bool(false) || self.deferred_changes.is_some();
        add(is_partial && !self.errored.is_true(), IacGapKind::Partial);
        let mut file = IacFile {
            format: if is_plan { IacFormat::TerraformPlan } else { IacFormat::TerraformState },
            tool_version: self::version(&self.terraform_version).map(Into::into),
            gaps,
            servers: Vec::new(),
            settings: Vec::new(),
        };
        match self.resource_changes {
            Some(changes) => {
                let configuration = self.configuration.unwrap_or_default();
                plan(&mut file, changes.0, &self.resource_drift.0, &configuration.0);
            }
            // A plan without changes is a state that is not changed. One that only refreshes has no planned values.
            None => {
                let own = undamaged(self.values)?;
                let planned = undamaged(self.planned_values)?;
                let prior = undamaged(undamaged(self.prior_state)?.unwrap_or_default().values)?;
                let values = own.or(planned).unwrap_or_default();
                let prior = prior.unwrap_or_default();
                if values.is_damaged() || prior.is_damaged() {
                    return Err(InvalidIac::Other);
                }
                state(&mut file, if values.is_empty() { prior } else { values });
            }
        }
        Ok(file)
    }
}

/// An object that is there. A value of another type is one of a damaged file: a state without resources has none at all.
fn undamaged<T>(object: MaybeObject<T>) -> Result<Option<T>, InvalidIac> {
    match object {
        MaybeObject::Object(object) => Ok(Some(object)),
        MaybeObject::Nothing => Ok(None),
        MaybeObject::Bool(_) | MaybeObject::Other => Err(InvalidIac::Other),
    }
}

/// The numbers of a version: no other text of the file becomes one.
fn version(value: &Scalar) -> Option<&str> {
    let numbers = value.text()?.split(['-', '+']).next()?;
    let is_version = numbers.len() <= LONGEST_VERSION && numbers.starts_with(|c: char| c.is_ascii_digit());
    (is_version && numbers.chars().all(|c| c.is_ascii_digit() || c == '.')).then_some(numbers)
}
