//! What a waiver may be for: a server, a resource group or a subscription. A scope in which no server can ever be is a mistake.

use hostssl_model::untrusted::is_harmful;
use hostssl_model::{Kind, ResourceId, is_guid};

/// The longest name of a resource group (Azure, "Naming rules and restrictions").
const LONGEST_GROUP: usize = 90;

/// Why no server can be in a scope; nothing when one can.
pub(super) fn objection(scope: &str) -> Option<String> {
    let no_id = || Some("scope is not the resource id of a server, a resource group or a subscription".to_owned());
    let parts: Vec<&str> = scope.trim_end_matches('/').split('/').collect();
    let is = |index: usize, word: &str| parts.get(index).is_some_and(|part| part.eq_ignore_ascii_case(word));
    let is_id = is(0, "") && is(1, "subscriptions") && (parts.len() == 3 || is(3, "resourceGroups"));
    if !is_id || scope.contains(is_harmful) || parts.iter().skip(1).any(|part| part.trim().is_empty()) {
        return no_id();
    }
    if scope.contains(['*', '?']) {
        return Some("scope has a wildcard: name one server, one resource group or one subscription".to_owned());
    }
    let [_, _, subscription, rest @ ..] = parts.as_slice() else { return no_id() };
    if !is_guid(subscription) {
        return Some(format!("the subscription `{subscription}` in scope is not a GUID"));
    }
    match rest {
        [] => None,
        [_, group, ..] if !is_group(group) => {
            Some(format!("`{group}` in scope cannot be the name of a resource group"))
        }
        [_, _] => None,
        [_, _, providers, provider, kind, name, below @ ..] if providers.eq_ignore_ascii_case("providers") => {
            let kind = format!("{provider}/{kind}");
            if !Kind::ALL.iter().any(|one| one.offering().arm_type.eq_ignore_ascii_case(&kind)) {
                Some(format!("scope is of the type {kind}, and not a server"))
            } else if !below.is_empty() {
                Some("scope is of something below a server: give the id of the server".to_owned())
            } else if !is_name(name) || ResourceId::try_from(scope.trim_end_matches('/')).is_err() {
                Some(format!("`{name}` in scope cannot be the name of a server"))
            } else {
                None
            }
        }
        _ => no_id(),
    }
}

/// Letters and digits of any script, and `_`, `-`, `.`, `(` and `)`; no `.` at the end (Azure, "Naming rules and
/// restrictions").
fn is_group(name: &str) -> bool {
    let may_be = |c: char| c.is_alphanumeric() || "_-.()".contains(c);
    name.chars().all(may_be) && name.chars().count() <= LONGEST_GROUP && !name.ends_with('.')
}

/// A name is part of a name in DNS.
fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSCRIPTION: &str = "/subscriptions/11111111-2222-4333-8444-555555555555";

    #[test]
    fn what_a_server_can_be_in_is_a_scope() {
        for below in ["", "/", "/resourceGroups/legacy", "/resourcegroups/Größe_(1).x/"] {
            assert_eq!(objection(&format!("{SUBSCRIPTION}{below}")), None, "{below}");
        }
        for kind in Kind::ALL {
            let scope = format!("{SUBSCRIPTION}/resourceGroups/g/providers/{}/pg-a", kind.offering().arm_type);
            assert_eq!((objection(&scope), objection(&scope.to_uppercase())), (None, None), "{scope}");
        }
    }

    #[test]
    fn what_no_server_can_be_in_says_why() {
        let server = "/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers";
        for (scope, why) in [
            ("/subscriptions/*".to_owned(), "a wildcard"),
            (format!("{SUBSCRIPTION}/resourceGroups/*"), "a wildcard"),
            (format!("{SUBSCRIPTION}{server}/pg-?"), "a wildcard"),
            ("/subscriptions/1111…/resourceGroups/legacy".to_owned(), "`1111…` in scope is not a GUID"),
            ("/subscriptions/Contoso".to_owned(), "`Contoso` in scope is not a GUID"),
            (format!("{SUBSCRIPTION}{server}/pg-a/configurations/x"), "below a server"),
            (format!("{SUBSCRIPTION}{server}/pg.a"), "the name of a server"),
            (format!("{SUBSCRIPTION}{server}"), "not the resource id"),
            (format!("{SUBSCRIPTION}/resourceGroups/a b"), "the name of a resource group"),
            (format!("{SUBSCRIPTION}/resourceGroups/a."), "the name of a resource group"),
            (format!("{SUBSCRIPTION}/resourceGroups"), "not the resource id"),
            (format!("{SUBSCRIPTION}/locations/westeurope"), "not the resource id"),
            (
                format!("{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a"),
                "of the type Microsoft.Storage/storageAccounts",
            ),
            (
                format!("{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.DBforMySQL/flexibleServers/a"),
                "of the type Microsoft.DBforMySQL/flexibleServers",
            ),
            ("pg-a".to_owned(), "not the resource id"),
        ] {
            let said = objection(&scope).unwrap_or_default();
            assert!(said.contains(why), "{scope}: {said}");
        }
    }
}
