//! Addresses of Terraform, such as `module.shop["a.b"].azurerm_postgresql_flexible_server.main[0]`.

/// One step of an address: a name, and the key of an instance behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddressStep<'a> {
    pub(crate) name: &'a str,
    /// With its quotation marks, as written.
    pub(crate) key: Option<&'a str>,
}

/// The steps of an address. Dots and brackets in a key are part of the key.
pub(crate) fn steps(address: &str) -> Vec<AddressStep<'_>> {
    let mut steps = Vec::new();
    let mut rest = address;
    while !rest.is_empty() {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let (key, behind) = match behind.strip_prefix('[') {
            Some(inner) => {
                let end = key_end(inner);
                (inner.get(..end), inner.get(end + 1..).unwrap_or_default())
            }
            None => (None, behind),
        };
        steps.push(AddressStep { name, key });
        rest = behind.strip_prefix('.').unwrap_or(behind);
        if rest.len() == address.len() {
            break;
        }
    }
    steps
}

/// Where the key ends, which a bracket does outside quotation marks.
fn key_end(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    let end = text.char_indices().find(|&(_, c)| {
        let ends = c == ']' && !quoted;
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at)
}

/// The modules of an address: `module.a["x"].module.b` as `a` and `b` with their keys.
pub(crate) fn modules(address: &str) -> Vec<AddressStep<'_>> {
    let mut modules = Vec::new();
    let mut steps = steps(address).into_iter();
    while let Some(step) = steps.next() {
        if step.name != "module" {
            break;
        }
        modules.extend(steps.next());
    }
    modules
}

/// The key of the resource at the end of an address.
pub(crate) fn last_key(address: &str) -> Option<&str> {
    steps(address).last().and_then(|step| step.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_may_hold_anything() {
        let address = r#"module.a["x.y]\"z"].module.b[0].azurerm_x.main["k"]"#;
        let found = steps(address);
        assert_eq!(
            found.iter().map(|step| step.name).collect::<Vec<_>>(),
            ["module", "a", "module", "b", "azurerm_x", "main"]
        );
        assert_eq!(found[1].key, Some(r#""x.y]\"z""#));
        assert_eq!(modules(address).iter().map(|step| step.name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(last_key(address), Some(r#""k""#));
        assert_eq!((modules("azurerm_x.main"), last_key("azurerm_x.main")), (Vec::new(), None));
    }

    proptest! {
        #[test]
        fn no_address_panics_or_loops(address in "[a.\\[\\]\"\\\\0é]{0,40}") {
            let _ = (steps(&address), modules(&address));
        }
    }
}
