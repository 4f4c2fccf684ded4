//! Expressions of ARM templates, as far as they say a name: literal texts, `format`, `concat`, variables, and parameters that a
//! nested template is given. Everything else stays an expression, which is decided at deployment.

use super::scalar::Scalar;
use std::collections::BTreeMap;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Piece {
    Text(String),
    /// An expression, with the template that it is of: equal ones have one value.
    Expression(usize, String),
}

/// What the expressions of one template can name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArmScope<'a> {
    /// Which template of the file.
    pub(crate) template: usize,
    /// Which loop of the file, or the template where there is none.
    pub(crate) in_loop: usize,
    /// By their names in lower case, as all that follow.
    pub(crate) variables: &'a BTreeMap<Box<str>, Scalar>,
    /// What a nested template is given, and where; the parameters of the file itself are given at deployment.
    pub(crate) given: Option<(&'a BTreeMap<Box<str>, Scalar>, &'a ArmScope<'a>)>,
    /// What a nested template has for parameters that it is not given.
    pub(crate) defaults: &'a BTreeMap<Box<str>, Scalar>,
}

/// Expressions within expressions: deeper ones are left as they are.
const DEEPEST: usize = 24;
/// Calls and bytes of text that one value may take. A name of Azure has at most some hundred characters, and variables that name
/// each other twice would take any amount.
const MOST_WORK: usize = 64 * 1024;

impl ArmScope<'_> {
    /// The pieces of a value: one text where all of it is known.
    pub(crate) fn pieces(&self, value: &str) -> Vec<Piece> {
        let mut work = MOST_WORK;
        joined(self.evaluate(value, 0, &mut work))
    }

    /// The text of a value that is known as a whole.
    pub(crate) fn text(&self, value: &str) -> Option<String> {
        match self.pieces(value).as_slice() {
            [] => Some(String::new()),
            [Piece::Text(text)] => Some(text.clone()),
            _ => None,
        }
    }

    fn evaluate(&self, value: &str, depth: usize, work: &mut usize) -> Vec<Piece> {
        *work = work.saturating_sub(value.len() + 1);
        let inner = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match inner {
            // Two brackets stand for one.
            Some(inner) if inner.starts_with('[') => vec![Piece::Text(value.get(1..).unwrap_or_default().to_owned())],
            Some(inner) => self.call(inner.trim(), depth, work),
            None => vec![Piece::Text(value.to_owned())],
        }
    }

    fn call(&self, expression: &str, depth: usize, work: &mut usize) -> Vec<Piece> {
        *work = work.saturating_sub(1);
        let unknown = || {
            let text = without_spaces(expression);
            let of_loop = text.to_ascii_lowercase().contains("copyindex");
            vec![Piece::Expression(if of_loop { self.in_loop } else { self.template }, text)]
        };
        if depth > DEEPEST || *work == 0 {
            return unknown();
        }
        if let Some(text) = literal(expression) {
            return vec![Piece::Text(text)];
        }
        let Some((function, arguments)) = parsed(expression) else { return unknown() };
        let first = arguments.first().map(|argument| self.call(argument, depth + 1, work));
        let name = first.as_deref().and_then(|pieces| match pieces {
            [Piece::Text(name)] => Some(name.as_str()),
            _ => None,
        });
        match (function.to_ascii_lowercase().as_str(), name) {
            ("concat", _) => {
                let mut pieces = first.unwrap_or_default();
                for argument in arguments.iter().skip(1) {
                    pieces.extend(self.call(argument, depth + 1, work));
                }
                pieces
            }
            ("format", Some(format)) => {
                let rest: Vec<_> =
                    arguments.iter().skip(1).map(|argument| self.call(argument, depth + 1, work)).collect();
                filled(format, &rest).unwrap_or_else(unknown)
            }
            ("variables", Some(name)) => match self.variables.get(name.to_ascii_lowercase().as_str()) {
                Some(Scalar::Text(value)) => self.evaluate(value, depth + 1, work),
                _ => unknown(),
            },
            ("parameters", Some(name)) => self.parameter(name, depth, work).unwrap_or_else(unknown),
            _ => unknown(),
        }
    }

    /// The value of a parameter of a nested template.
    fn parameter(&self, name: &str, depth: usize, work: &mut usize) -> Option<Vec<Piece>> {
        let (given, outer) = self.given?;
        let name = name.to_ascii_lowercase();
        match given.get(name.as_str()) {
            Some(Scalar::Text(value)) => Some(outer.evaluate(value, depth + 1, work)),
            Some(_) => None,
            None => match self.defaults.get(name.as_str()) {
                Some(Scalar::Text(value)) => Some(self.evaluate(value, depth + 1, work)),
                _ => None,
            },
        }
    }
}

/// Neighbouring texts as one.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
            (_, Piece::Text(text)) if text.is_empty() => {}
            (_, piece) => joined.push(piece),
        }
    }
    joined
}

/// The segments of a name, which slashes separate.
pub(crate) fn segments(pieces: &[Piece]) -> Vec<Vec<Piece>> {
    let mut segments: Vec<Vec<Piece>> = vec![Vec::new()];
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                for (index, part) in text.split('/').enumerate() {
                    if index > 0 {
                        segments.push(Vec::new());
                    }
                    if let Some(last) = segments.last_mut().filter(|_| !part.is_empty()) {
                        last.push(Piece::Text(part.to_owned()));
                    }
                }
            }
            Piece::Expression(..) => {
                if let Some(last) = segments.last_mut() {
                    last.push(piece.clone());
                }
            }
        }
    }
    segments
}

/// The text between two quotation marks, of which two within stand for one.
fn literal(expression: &str) -> Option<String> {
    let inner = expression.strip_prefix('\'')?.strip_suffix('\'')?;
    let alone = inner.replace("''", "");
    (!alone.contains('\'')).then(|| inner.replace("''", "'"))
}

/// A function and its arguments, if the expression is one call and nothing behind it.
fn parsed(expression: &str) -> Option<(&str, Vec<&str>)> {
    let open = expression.find('(')?;
    let (function, rest) = expression.split_at(open);
    let inner = rest.strip_prefix('(')?.strip_suffix(')')?;
    if function.is_empty() || !function.chars().all(|c| c.is_ascii_alphanumeric() || c == '.') {
        return None;
    }
    let (mut arguments, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0_usize, false);
    for (at, c) in inner.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            // It closes what the call opened, so that there is something behind the call.
            ')' | ']' if !quoted => depth = depth.checked_sub(1)?,
            ',' if !quoted && depth == 0 => {
                arguments.push(inner.get(start..at)?.trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = inner.get(start..)?.trim();
    if !last.is_empty() || !arguments.is_empty() {
        arguments.push(last);
    }
    (depth == 0 && !quoted).then_some((function, arguments))
}

/// A format with its arguments in place; `None` when it names one that is not there, or formats it in its own way.
fn filled(format: &str, arguments: &[Vec<Piece>]) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some((before, behind)) = rest.split_once('{') {
        pieces.push(Piece::Text(before.to_owned()));
        if let Some(behind) = behind.strip_prefix('{') {
            pieces.push(Piece::Text("{".to_owned()));
            rest = behind;
            continue;
        }
        let (index, behind) = behind.split_once('}')?;
        pieces.extend(arguments.get(index.parse::<usize>().ok()?)?.iter().cloned());
        rest = behind;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Some(pieces)
}

fn without_spaces(expression: &str) -> String {
    expression.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(members: &[(&str, &str)]) -> BTreeMap<Box<str>, Scalar> {
        members.iter().map(|(name, value)| ((*name).into(), Scalar::Text((*value).into()))).collect()
    }

    fn root<'a>(variables: &'a BTreeMap<Box<str>, Scalar>, none: &'a BTreeMap<Box<str>, Scalar>) -> ArmScope<'a> {
        ArmScope { template: 0, in_loop: 0, variables, given: None, defaults: none }
    }

    #[test]
    fn a_value_that_would_take_any_amount_of_work_is_not_evaluated() {
        let names: Vec<(String, String)> = (0..23)
            .map(|at| (format!("v{at}"), format!("[concat(variables('v{0}'), variables('v{0}'))]", at + 1)))
            .chain([("v23".to_owned(), "pg".to_owned())])
            .collect();
        let members: Vec<(&str, &str)> = names.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (variables, none) = (texts(&members), texts(&[]));
        let scope = root(&variables, &none);
        assert_eq!(scope.text("[variables('v0')]"), None);
        assert_eq!(scope.text("[variables('v21')]").as_deref(), Some("pgpgpgpg"));
        let nested = format!("[{}'a'{}]", "concat(".repeat(20), ")".repeat(20));
        assert_eq!(scope.text(&nested).as_deref(), Some("a"));
    }

    #[test]
    fn names_are_evaluated_as_far_as_they_are_known() {
        let (variables, none) =
            (texts(&[("prefix", "pg"), ("full", "[concat(variables('prefix'), '-a')]")]), texts(&[]));
        let scope = root(&variables, &none);
        let text = |value: &str| scope.text(value);
        assert_eq!(text("plain").as_deref(), Some("plain"));
        assert_eq!(text("[[x]").as_deref(), Some("[x]"));
        assert_eq!(text("['it''s']").as_deref(), Some("it's"));
        assert_eq!(text("[format('{0}/{1}', variables('full'), 'a,b(')]").as_deref(), Some("pg-a/a,b("));
        assert_eq!(text("[concat('a', 'b')]").as_deref(), Some("ab"));
        for unknown in ["[parameters('x')]", "[toLower('A')]", "[format('{0:D2}', 1)]", "[concat('a', 'b').c]", "[if(]"]
        {
            assert_eq!(text(unknown), None, "{unknown}");
        }
        let child = scope.pieces("[format('{0}/{1}', parameters( 'server' ), 'x')]");
        let parts = segments(&child);
        assert_eq!(parts[0], scope.pieces("[parameters('server')]"), "spaces do not matter");
        assert_eq!(parts[1], [Piece::Text("x".to_owned())]);
    }

    #[test]
    fn a_nested_template_knows_what_it_is_given() {
        let (outer, none) = (texts(&[("v", "pg-a")]), texts(&[]));
        let (given, defaults) =
            (texts(&[("server", "[variables('v')]"), ("late", "[parameters('p')]")]), texts(&[("d", "on")]));
        let outer = root(&outer, &none);
        let given = Some((&given, &outer));
        let inner = ArmScope { template: 1, in_loop: 1, variables: &none, given, defaults: &defaults };
        assert_eq!(inner.text("[parameters('server')]").as_deref(), Some("pg-a"));
        assert_eq!(inner.text("[parameters('d')]").as_deref(), Some("on"));
        assert_eq!(inner.text("[parameters('none')]"), None);
        // What is not known is the outer template's expression, so that both mean one thing.
        assert_eq!(inner.pieces("[parameters('late')]"), outer.pieces("[parameters('p')]"));
    }

    #[test]
    fn a_variable_that_names_itself_ends() {
        let (variables, none) = (texts(&[("a", "[variables('a')]")]), texts(&[]));
        assert_eq!(root(&variables, &none).text("[variables('a')]"), None);
    }

    proptest! {
        #[test]
        fn no_expression_panics(value in "\\[?[a-z(){}'\\[\\],0é ]{0,40}\\]?") {
            let none = texts(&[]);
            let _ = segments(&root(&none, &none).pieces(&value));
        }
    }
}
