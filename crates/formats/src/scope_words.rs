//! What was asked for, in words.

use hostssl_model::Scope;

/// The parts of a scope; without any, that it was everything.
#[must_use]
pub fn scope_words(scope: &Scope) -> String {
    let parts = [
        ("tenants", &scope.tenants),
        ("management groups", &scope.management_groups),
        ("subscriptions", &scope.subscriptions),
        ("resource groups", &scope.resource_groups),
        ("servers", &scope.servers),
        ("tags", &scope.tags),
        ("left out on request", &scope.except),
    ];
    let named = parts.into_iter().filter(|(_, names)| !names.is_empty());
    let text = named.map(|(what, names)| format!("{what}: {}", names.join(", "))).collect::<Vec<_>>().join("; ");
    if text.is_empty() { "every subscription that the identity can see".to_owned() } else { text }
}
