//! Plans and states of Terraform: resources of `azurerm` and `azapi` as servers and settings.

mod blocks;
mod servers;

use super::arm_type::{CONFIGURATIONS, is_deployment, is_of_provider, kind_of_arm_type};
use super::attributes::{TfAttributes, TfMarks};
use super::configuration::TfConfiguration;
use super::scalar::{Kept, KeptList, Lenient, MaybeObject, Scalar, TextList};
use super::terraform_address::last_key;
use crate::{IacFile, IacReason};
use hostssl_model::{Kind, Meaning, ParameterName, ResourceId};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::HashMap;

/// A resource that a plan changes or leaves.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TfChange {
    address: Scalar,
    module_address: Scalar,
    mode: Scalar,
    #[serde(rename = "type")]
    resource_type: Scalar,
    provider_name: Scalar,
    name: Scalar,
    /// An old instance that is still to be destroyed.
    deposed: Option<IgnoredAny>,
    change: TfChangeValues,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TfChangeValues {
    actions: TextList,
    before: Option<Lenient<TfAttributes>>,
    after: Option<Lenient<TfAttributes>>,
    after_unknown: TfMarks,
    before_sensitive: TfMarks,
    after_sensitive: TfMarks,
}

/// The values of a state.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TfStateValues {
    root_module: MaybeObject<TfModule>,
}

impl TfStateValues {
    /// Whether no module has a resource that is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.root_module.object().is_none_or(TfModule::is_empty)
    }

    /// Whether something else stands where the resources are.
    pub(crate) fn is_damaged(&self) -> bool {
        matches!(self.root_module, MaybeObject::Bool(_) | MaybeObject::Other)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TfModule {
    address: Scalar,
    resources: KeptList<TfResource>,
    child_modules: Vec<TfModule>,
}

impl TfModule {
    fn is_empty(&self) -> bool {
        self.resources.0.is_empty() && self.child_modules.iter().all(Self::is_empty)
    }
}

/// A resource in a state.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TfResource {
    address: Scalar,
    mode: Scalar,
    #[serde(rename = "type")]
    resource_type: Scalar,
    provider_name: Scalar,
    name: Scalar,
    values: Option<Lenient<TfAttributes>>,
    sensitive_values: TfMarks,
}

/// What a resource is, by its type in Terraform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Server(Kind),
    /// A parameter of a server of this kind.
    Parameter(Kind),
    /// A resource of PostgreSQL that is neither, such as a firewall rule.
    Other,
    /// One that may change servers by what is not read.
    Unread,
}

/// The resources of `azurerm`, by the types in Azure that they are.
const AZURERM: [(&str, &str); 2] = [
    ("azurerm_postgresql_flexible_server", "Microsoft.DBforPostgreSQL/flexibleServers"),
    ("azurerm_postgresql_server", "Microsoft.DBforPostgreSQL/servers"),
];
const AZURERM_PARAMETER: &str = "azurerm_postgresql_flexible_server_configuration";
const AZAPI: [&str; 2] = ["azapi_resource", AZAPI_UPDATE];
const AZAPI_UPDATE: &str = "azapi_update_resource";
/// Sends any request to a resource, such as a write of a parameter.
const AZAPI_ACTION: &str = "azapi_resource_action";
/// Deployments of templates by `azurerm`.
const TEMPLATES: [&str; 5] = [
    "azurerm_resource_group_template_deployment",
    "azurerm_subscription_template_deployment",
    "azurerm_management_group_template_deployment",
    "azurerm_tenant_template_deployment",
    // Before version 3 of the provider.
    "azurerm_template_deployment",
];
impl Kept for TfChange {
    fn is_kept(&self) -> bool {
        let values = &self.change;
        let attributes = [values.before.as_ref(), values.after.as_ref()].map(|one| one.map(|one| &one.0));
        is_ours(&self.mode, &self.resource_type, attributes, &values.after_unknown)
    }
}

impl Kept for TfResource {
    fn is_kept(&self) -> bool {
        is_ours(&self.mode, &self.resource_type, [self.values.as_ref().map(|one| &one.0), None], &NO_MARKS)
    }
}

fn is_ours(mode: &Scalar, resource_type: &Scalar, values: [Option<&TfAttributes>; 2], unknown: &TfMarks) -> bool {
    if mode.text().is_some_and(|mode| mode != "managed") {
        return false;
    }
    // A type that is no text is none that Terraform writes.
    let Some(name) = resource_type.text() else { return true };
    if AZAPI.contains(&name) {
        let is_of_provider = |values: &TfAttributes| arm_type(values).is_some_and(|one| is_of_provider(&one));
        return is_unread(name, values, unknown) || values.into_iter().flatten().any(is_of_provider);
    }
    if is_unread(name, values, unknown) {
        return true;
    }
    name == AZURERM_PARAMETER || AZURERM.iter().any(|(known, _)| *known == name)
}

/// Whether a resource may change servers by what is not read: a template within it, an action, or a type that is not known yet.
fn is_unread(resource_type: &str, values: [Option<&TfAttributes>; 2], unknown: &TfMarks) -> bool {
    let mut attributes = values.into_iter().flatten();
    if TEMPLATES.contains(&resource_type) {
        return unknown.has(|one| &one.template_content)
            || unknown.has(|one| &one.template_body)
            || unknown.has(|one| &one.template_spec_version_id)
            || attributes.any(|one| {
                [&one.template_content, &one.template_body, &one.template_spec_version_id]
                    .iter()
                    .any(|one| one.is_true())
            });
    }
    let is_azapi = AZAPI.contains(&resource_type);
    if !is_azapi && resource_type != AZAPI_ACTION {
        return false;
    }
    let types = || values.into_iter().flatten().filter_map(arm_type);
    // The type in Azure says what it is; one that is not known may be PostgreSQL's.
    let is_unknown = unknown.has(|one| &one.arm_type) && types().next().is_none();
    is_unknown || types().any(|one| is_deployment(&one) || (!is_azapi && is_of_provider(&one)))
}

/// The type in Azure of an `azapi` resource, without its version.
fn arm_type(values: &TfAttributes) -> Option<String> {
    values.arm_type.text().map(|text| text.split('@').next().unwrap_or_default().to_owned())
}

/// What a type in Azure is.
fn role_of_arm_type(arm_type: &str) -> Role {
    if let Some(kind) = kind_of_arm_type(arm_type) {
        return Role::Server(kind);
    }
    match arm_type.rsplit_once('/') {
        Some((server, last)) if last.eq_ignore_ascii_case(CONFIGURATIONS) => {
            kind_of_arm_type(server).map_or(Role::Other, Role::Parameter)
        }
        _ => Role::Other,
    }
}

/// Whether a provider of another source has the name of one whose resources are known: what those mean is not.
fn is_of_other_source(resource_type: &str, provider: &Scalar) -> bool {
    let mut source = provider.text().unwrap_or_default().rsplit('/');
    let (name, namespace) = (source.next(), source.next());
    let (known, owner) =
        if resource_type.starts_with("azapi_") { ("azapi", "azure") } else { ("azurerm", "hashicorp") };
    // Terraform 0.12 writes the name alone, and 0.13 a hyphen for the owner that it did not know.
    name.is_some_and(|name| !name.is_empty() && !name.eq_ignore_ascii_case(known))
        || namespace.is_some_and(|one| one != "-" && !one.eq_ignore_ascii_case(owner))
}

fn role(resource_type: &str, provider: &Scalar, values: [Option<&TfAttributes>; 2], unknown: &TfMarks) -> Role {
    if is_of_other_source(resource_type, provider) {
        return Role::Unread;
    }
    if resource_type.is_empty() || is_unread(resource_type, values, unknown) {
        return Role::Unread;
    }
    let of_type = |arm_type: &str| role_of_arm_type(arm_type);
    if AZAPI.contains(&resource_type) {
        let arm_type = values.into_iter().flatten().find_map(arm_type);
        return arm_type.as_deref().map_or(Role::Other, of_type);
    }
    if let Some((_, arm_type)) = AZURERM.iter().find(|(known, _)| *known == resource_type) {
        return of_type(arm_type);
    }
    let (_, flexible) = AZURERM[0];
    Kind::of_arm_type(flexible).filter(|_| resource_type == AZURERM_PARAMETER).map_or(Role::Other, Role::Parameter)
}

/// Puts the resources of a plan into a file.
pub(super) fn plan(file: &mut IacFile, changes: Vec<TfChange>, drift: &[TfChange], configuration: &TfConfiguration) {
    let outside = changed_outside(drift);
    let resources: Vec<Seen> = changes.iter().map(|change| Seen::of_change(change, &outside)).collect();
    let mut servers = servers::Servers::of(&resources, configuration);
    blocks::add(file, &resources, &mut servers);
    file.servers = servers.into_blocks();
}

/// Puts the resources of a state into a file.
pub(super) fn state(file: &mut IacFile, values: TfStateValues) {
    let mut found = Vec::new();
    if let Some(module) = values.root_module.object() {
        collect(module, &mut found);
    }
    let resources: Vec<Seen> = found.iter().map(|(module, resource)| Seen::of_state(module, resource)).collect();
    let configuration = TfConfiguration::default();
    let mut servers = servers::Servers::of(&resources, &configuration);
    blocks::add(file, &resources, &mut servers);
    file.servers = servers.into_blocks();
}

fn collect<'a>(module: &'a TfModule, found: &mut Vec<(&'a str, &'a TfResource)>) {
    let address = module.address.text().unwrap_or_default();
    found.extend(module.resources.0.iter().map(|resource| (address, resource)));
    module.child_modules.iter().for_each(|child| collect(child, found));
}

/// The values that settings had before someone changed them outside Terraform, by the addresses of their blocks and by setting.
type Outside = HashMap<(Box<str>, ParameterName), Meaning>;

fn changed_outside(drift: &[TfChange]) -> Outside {
    let mut outside = Outside::new();
    for change in drift {
        let seen = Seen::of_change(change, &Outside::new());
        let Some(address) = change.address.text() else { continue };
        for name in ParameterName::ALL {
            let (before, after) = (seen.stated(Moment::Before, name), seen.stated(Moment::After, name));
            if let Some(meaning) = before.meaning().filter(|meaning| after.meaning() != Some(*meaning)) {
                outside.insert((address.into(), name), meaning);
            }
        }
    }
    outside
}

/// One resource of a plan or a state, as both say it.
struct Seen<'a> {
    address: &'a str,
    module: &'a str,
    resource_type: &'a str,
    name: &'a str,
    role: Role,
    actions: Vec<&'a str>,
    is_deposed: bool,
    before: Option<&'a TfAttributes>,
    after: Option<&'a TfAttributes>,
    unknown: &'a TfMarks,
    hidden_before: &'a TfMarks,
    hidden_after: &'a TfMarks,
    is_state: bool,
    outside: Vec<(ParameterName, Meaning)>,
}

/// Before or after an apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// What a plan may do to a resource (Terraform, "JSON Output Format", change representation).
const ACTIONS: [&str; 6] = ["no-op", "create", "read", "update", "delete", "forget"];

static NO_MARKS: TfMarks = TfMarks::All(false);

impl<'a> Seen<'a> {
    fn of_change(change: &'a TfChange, outside: &Outside) -> Self {
        let values = &change.change;
        let (before, after) = (values.before.as_ref().map(|one| &one.0), values.after.as_ref().map(|one| &one.0));
        let resource_type = change.resource_type.text().unwrap_or_default();
        let address = change.address.text().unwrap_or_default();
        let of_address = |name: &ParameterName| outside.get(&(address.into(), *name)).map(|one| (*name, *one));
        Self {
            address,
            module: change.module_address.text().unwrap_or_default(),
            resource_type,
            name: change.name.text().unwrap_or_default(),
            role: role(resource_type, &change.provider_name, [after, before], &values.after_unknown),
            actions: values.actions.0.iter().map(AsRef::as_ref).collect(),
            is_deposed: change.deposed.is_some(),
            before,
            after,
            unknown: &values.after_unknown,
            hidden_before: &values.before_sensitive,
            hidden_after: &values.after_sensitive,
            is_state: false,
            outside: ParameterName::ALL.iter().filter_map(of_address).collect(),
        }
    }

    fn of_state(module: &'a str, resource: &'a TfResource) -> Self {
        let values = resource.values.as_ref().map(|one| &one.0);
        let resource_type = resource.resource_type.text().unwrap_or_default();
        Self {
            address: resource.address.text().unwrap_or_default(),
            module,
            resource_type,
            name: resource.name.text().unwrap_or_default(),
            role: role(resource_type, &resource.provider_name, [values, None], &NO_MARKS),
            actions: Vec::new(),
            is_deposed: false,
            before: values,
            after: values,
            unknown: &NO_MARKS,
            hidden_before: &resource.sensitive_values,
            hidden_after: &resource.sensitive_values,
            is_state: true,
            outside: Vec::new(),
        }
    }

    /// Whether nothing is said of what it is, neither now nor after an apply.
    fn has_no_values(&self) -> bool {
        self.before.is_none() && self.after.is_none() && !matches!(self.unknown, TfMarks::All(true))
    }

    fn has_action(&self, action: &str) -> bool {
        self.actions.contains(&action)
    }

    /// Whether the plan does something to it that this version does not know, or does not say what.
    fn has_unknown_action(&self) -> bool {
        !self.is_state && (self.actions.is_empty() || self.actions.iter().any(|action| !ACTIONS.contains(action)))
    }

    fn is_azapi(&self) -> bool {
        AZAPI.contains(&self.resource_type)
    }

    fn key(&self) -> Option<&'a str> {
        last_key(self.address)
    }

    /// A text of the resource; `None` when it is not known then, or is a secret.
    fn text(&self, moment: Moment, attribute: impl Fn(&TfAttributes) -> &Scalar + Copy) -> Option<&'a str> {
        self.hidden(moment, attribute).is_none().then_some(())?;
        let values = if moment == Moment::Before { self.before } else { self.after }?;
        // The closure borrows from what it is given, which lives as long as the resource.
        let scalar: &'a Scalar = scalar_of(values, attribute);
        scalar.text()
    }

    /// The text after an apply, and before it where it is not known after.
    fn text_of_either(&self, attribute: impl Fn(&TfAttributes) -> &Scalar + Copy) -> Option<&'a str> {
        self.text(Moment::After, attribute).or_else(|| {
            // What becomes unknown is not what it was.
            if self.unknown.has(attribute) { None } else { self.text(Moment::Before, attribute) }
        })
    }

    /// Why an attribute cannot be read at a moment.
    fn hidden(&self, moment: Moment, attribute: impl Fn(&TfAttributes) -> &Scalar + Copy) -> Option<IacReason> {
        match moment {
            Moment::After if self.unknown.has(attribute) => Some(IacReason::UntilApply),
            Moment::After if self.hidden_after.has(attribute) => Some(IacReason::Sensitive),
            Moment::Before if self.hidden_before.has(attribute) => Some(IacReason::Sensitive),
            _ => None,
        }
    }

    /// Whether an attribute is marked as sensitive before or after an apply.
    fn is_secret(&self, attribute: impl Fn(&TfAttributes) -> &Scalar + Copy) -> bool {
        self.hidden_before.has(attribute) || self.hidden_after.has(attribute)
    }

    fn id(&self, moment: Moment, attribute: impl Fn(&TfAttributes) -> &Scalar + Copy) -> Option<ResourceId> {
        self.text(moment, attribute).and_then(|text| ResourceId::try_from(text).ok())
    }
}

fn scalar_of(values: &TfAttributes, attribute: impl Fn(&TfAttributes) -> &Scalar) -> &Scalar {
    attribute(values)
}
