//! A tag in an address: `NAME=VALUE`.

/// The tag as it stands in an address. An equals sign of the name is written as `%3D`, as the first one ends the name.
pub(crate) fn tag_text(name: &str, value: &str) -> String {
    let name = name.replace('%', "%25").replace('=', "%3D");
    format!("{name}={value}")
}

/// Reads the tag of an address.
pub(crate) fn tag_pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    Some((name.replace("%3D", "=").replace("%25", "%"), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_what_ends_a_name() {
        for (name, value) in [("env", "prod"), ("a=b", "c=d"), ("100%", ""), ("%3D", "%25")] {
            assert_eq!(tag_pair(&tag_text(name, value)), Some((name.to_owned(), value.to_owned())));
        }
        assert_eq!(tag_pair("env"), None);
    }
}
