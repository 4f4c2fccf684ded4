//! Text from outside within Markdown.

use crate::safe;

/// The text as one line of Markdown without markup, links, mentions and references to issues.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in safe(text).chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // GitHub and GitLab know mentions and references behind a backslash, too.
            '@' => escaped.push_str("&#64;"),
            '#' => escaped.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '!' | '~' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
    }
    // A renderer makes links out of bare addresses too.
    escaped.replace("://", ":&#47;&#47;").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_in_markdown() {
        assert_eq!(escaped("[x](http://y) | <b>_a_`"), "\\[x\\](http:&#47;&#47;y) \\| &lt;b&gt;\\_a\\_\\`");
    }
}
