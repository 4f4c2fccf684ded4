//! The configuration in a plan: which server a block of a new server belongs to, whose id Terraform does not know yet.

use super::scalar::{CaseSensitive, Kept, KeptList, Lenient, Members, Scalar, TextList};
use super::terraform_address::{AddressStep, modules, steps};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TfConfiguration {
    root_module: Lenient<TfConfigModule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TfConfigModule {
    resources: KeptList<ConfigResource>,
    module_calls: CaseSensitive<Members<Lenient<ModuleCall>>>,
    outputs: CaseSensitive<Members<Lenient<ModuleOutput>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigResource {
    #[serde(rename = "type")]
    resource_type: Scalar,
    name: Scalar,
    expressions: Lenient<ServerExpressions>,
    for_each_expression: Lenient<ConfigExpression>,
}

/// The expressions that can name a server.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServerExpressions {
    server_id: Lenient<ConfigExpression>,
    parent_id: Lenient<ConfigExpression>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ModuleCall {
    module: Lenient<TfConfigModule>,
    expressions: CaseSensitive<Members<Lenient<ConfigExpression>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ModuleOutput {
    expression: Lenient<ConfigExpression>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigExpression {
    references: TextList,
}

impl Kept for ConfigResource {
    fn is_kept(&self) -> bool {
        let of_server = |expression: &Lenient<ConfigExpression>| !expression.0.references.0.is_empty();
        of_server(&self.expressions.0.server_id) || of_server(&self.expressions.0.parent_id)
    }
}

/// A resource that an expression names: its module, type and name, and the instance if the expression names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedResource {
    pub(crate) modules: Vec<String>,
    pub(crate) resource_type: String,
    pub(crate) name: String,
    pub(crate) instance: NamedInstance,
}

/// Which instance of a resource is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NamedInstance {
    /// The one with this key, or the only one.
    Key(Option<String>),
    /// The one with the key of the instance that names it: `each.key` or `count.index`.
    Own,
    /// Another expression decides.
    Unclear,
}

/// Modules within modules and outputs of outputs: no configuration of people goes deeper.
const DEEPEST: usize = 16;
/// References that are followed for one block at most: no configuration of people has so many for one id.
const MOST_REFERENCES: usize = 1_000;

impl TfConfiguration {
    /// The one server that a block names, if it names exactly one resource. `module_address` is that of the block.
    pub(crate) fn server_of(&self, module_address: &str, resource_type: &str, name: &str) -> Option<NamedResource> {
        let path: Vec<String> = modules(module_address).iter().map(|step| step.name.to_owned()).collect();
        let module = self.module(&path)?;
        let block = module
            .resources
            .0
            .iter()
            .find(|one| one.resource_type.text() == Some(resource_type) && one.name.text() == Some(name))?;
        let expressions = &block.expressions.0;
        let expression = [&expressions.server_id, &expressions.parent_id]
            .into_iter()
            .find(|expression| !expression.0.references.0.is_empty())?;
        let mut found = Vec::new();
        match of_each_value(&expression.0) {
            true => self.resolve_each(&path, &block.for_each_expression.0, &mut found)?,
            false => self.resolve(&path, &expression.0, true, 0, &mut { MOST_REFERENCES }, &mut found)?,
        }
        found.dedup();
        match found.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        }
    }

    fn module(&self, path: &[String]) -> Option<&TfConfigModule> {
        path.iter().try_fold(&self.root_module.0, |module, name| {
            module.module_calls.0.0.get(name.as_str()).map(|call| &call.0.module.0)
        })
    }

    /// Adds the resource that a block repeats for each of: `for_each = azurerm_postgresql_flexible_server.main`.
    fn resolve_each(&self, path: &[String], repeated: &ConfigExpression, found: &mut Vec<NamedResource>) -> Option<()> {
        self.resolve(path, repeated, false, 0, &mut { MOST_REFERENCES }, found)?;
        // Each instance of the block is for the instance of the same key.
        found.iter_mut().filter(|one| one.instance == NamedInstance::Key(None)).for_each(|one| {
            one.instance = NamedInstance::Own;
        });
        Some(())
    }

    /// Adds what an expression of a module names. `None` when a part of it leads nowhere that is known.
    fn resolve(
        &self,
        path: &[String],
        expression: &ConfigExpression,
        is_own: bool,
        depth: usize,
        left: &mut usize,
        found: &mut Vec<NamedResource>,
    ) -> Option<()> {
        // Terraform lists `var.a.id` and `var.a` for one expression: the same place is gone to once.
        let mut seen = BTreeSet::new();
        let references = expression.references.0.iter().map(|one| steps(one));
        let references: Vec<Vec<AddressStep<'_>>> = references.filter(|steps| is_new_place(steps, &mut seen)).collect();
        *left = left.checked_sub(references.len())?;
        if depth > DEEPEST {
            return None;
        }
        let names_own_key =
            references.iter().any(|steps| is_path(steps, &["each", "key"]) || is_path(steps, &["count", "index"]));
        let names_other = references.iter().any(|steps| is_path(steps, &["each", "value"]));
        for steps in &references {
            match steps.as_slice() {
                [one, two, ..] if one.name == "var" => {
                    let (call, above) = path.split_last()?;
                    let call = self.module(above)?.module_calls.0.0.get(call.as_str())?;
                    let passed = call.0.expressions.0.0.get(two.name)?;
                    self.resolve(above, &passed.0, false, depth + 1, left, found)?;
                }
                [one, module, output, ..] if one.name == "module" => {
                    let below: Vec<String> = path.iter().cloned().chain([module.name.to_owned()]).collect();
                    // Of a module with several instances, which one is not known.
                    let expression = &self.module(&below)?.outputs.0.0.get(output.name)?.0.expression.0;
                    if module.key.is_some() {
                        return None;
                    }
                    self.resolve(&below, expression, false, depth + 1, left, found)?;
                }
                // The module as a whole stands behind its output.
                [one, _] if one.name == "module" => {}
                [one, ..] if one.name == "each" || one.name == "count" => {}
                [one, two, ..] if one.name.contains('_') && one.name != "data" => {
                    let instance = match two.key {
                        Some(key) => NamedInstance::Key(Some(key.to_owned())),
                        None if names_other => NamedInstance::Unclear,
                        None if names_own_key && is_own => NamedInstance::Own,
                        None if names_own_key => NamedInstance::Unclear,
                        None => NamedInstance::Key(None),
                    };
                    let named = NamedResource {
                        modules: path.to_vec(),
                        resource_type: one.name.to_owned(),
                        name: two.name.to_owned(),
                        instance,
                    };
                    add(found, named);
                }
                _ => return None,
            }
        }
        Some(())
    }
}

/// Whether a reference leads to a variable or an output that no earlier one of the expression has led to. Every other kind
/// of reference is looked at as it is.
fn is_new_place(steps: &[AddressStep<'_>], seen: &mut BTreeSet<String>) -> bool {
    let place = match steps {
        [one, two, ..] if one.name == "var" => format!("var.{}", two.name),
        [one, module, output, ..] if one.name == "module" => {
            format!("module.{}[{}].{}", module.name, module.key.unwrap_or_default(), output.name)
        }
        _ => return true,
    };
    seen.insert(place)
}

/// Whether an expression is made of `each.value` alone.
fn of_each_value(expression: &ConfigExpression) -> bool {
    let references = &expression.references.0;
    !references.is_empty() && references.iter().all(|one| is_path(&steps(one), &["each", "value"]))
}

fn is_path(steps: &[AddressStep<'_>], names: &[&str]) -> bool {
    steps.len() >= names.len() && steps.iter().zip(names).all(|(step, name)| step.name == *name)
}

/// Adds a resource once: Terraform lists `a.b["k"].id`, `a.b["k"]` and `a.b` for one expression.
fn add(found: &mut Vec<NamedResource>, named: NamedResource) {
    let same = |other: &&mut NamedResource| {
        (&other.modules, &other.resource_type, &other.name) == (&named.modules, &named.resource_type, &named.name)
    };
    match found.iter_mut().find(same) {
        Some(known) => {
            let is_vague = |instance: &NamedInstance| matches!(instance, NamedInstance::Key(None));
            if is_vague(&known.instance) {
                known.instance = named.instance;
            } else if !is_vague(&named.instance) && known.instance != named.instance {
                known.instance = NamedInstance::Unclear;
            }
        }
        None => found.push(named),
    }
}
