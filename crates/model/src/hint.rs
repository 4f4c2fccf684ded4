//! What to do next: words, and in them commands of this program, told apart where the hint is written and never after.

use std::borrow::Cow;
use std::fmt;

/// What to do next: a lowercase fragment, with commands in it that can be carried out as printed.
///
/// Only a text of this program's own source has commands: `` `hostssl …` `` between backquotes. What is filled into it
/// (names from Azure, paths, ids) is text or part of a command, whatever characters it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Cow<'static, str>),
    Command(Cow<'static, str>),
}

impl Hint {
    /// A hint with values: each takes the place of one `{}` of the template, in their order.
    #[must_use]
    pub fn with(template: &'static str, values: &[&dyn fmt::Display]) -> Self {
        debug_assert_eq!(template.matches("{}").count(), values.len(), "{template}");
        let mut values = values.iter();
        let mut fill = |piece: &'static str| {
            let mut pieces = piece.split("{}");
            let first = pieces.next().unwrap_or_default();
            pieces.fold(Cow::Borrowed(first), |text, next| {
                let value = values.next().map(ToString::to_string).unwrap_or_default();
                Cow::Owned(format!("{text}{value}{next}"))
            })
        };
        Self::of(template, &mut fill)
    }

    /// The one place where commands are found: in a text of this program's source, before anything is filled in.
    fn of(template: &'static str, fill: &mut dyn FnMut(&'static str) -> Cow<'static, str>) -> Self {
        let parts = template.split('`').enumerate().map(|(index, piece)| match index % 2 {
            1 if piece.starts_with("hostssl ") => Part::Command(fill(piece)),
            1 => Part::Text(format!("`{}`", fill(piece)).into()),
            _ => Part::Text(fill(piece)),
        });
        Self(parts.collect())
    }

    /// A text that is made elsewhere, such as by the parser of arguments: it has no command of this program.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self(vec![Part::Text(text.into().into())])
    }

    /// This hint, and another behind it.
    #[must_use]
    pub fn then(mut self, next: impl Into<Self>) -> Self {
        self.0.extend(next.into().0);
        self
    }

    /// The same with every command as `whole` has it: with the options that the reader needs.
    #[must_use]
    pub fn with_commands(self, whole: impl Fn(&str) -> String) -> Self {
        let parts = self.0.into_iter().map(|part| match part {
            Part::Command(command) => Part::Command(whole(&command).into()),
            text @ Part::Text(_) => text,
        });
        Self(parts.collect())
    }

    /// The commands in it.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Command(command) => Some(&**command),
            Part::Text(_) => None,
        })
    }
}

impl From<&'static str> for Hint {
    fn from(text: &'static str) -> Self {
        // Braces in a text without values are the text's own.
        Self::of(text, &mut |piece| piece.into())
    }
}

/// Commands stand between backquotes.
impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Command(command) => write!(f, "`{command}`"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulated(command: &str) -> String {
        format!("{command} --simulate")
    }

    #[test]
    fn commands_of_our_own_text_are_whole_and_others_stay() {
        let hint = Hint::from("run `az login`, then `hostssl audit`; {} is not filled");
        assert_eq!(hint.to_string(), "run `az login`, then `hostssl audit`; {} is not filled");
        assert_eq!(
            hint.with_commands(simulated).to_string(),
            "run `az login`, then `hostssl audit --simulate`; {} is not filled"
        );
        let run = Hint::with("run `hostssl resume {}` as {}", &[&"r-1", &"root"]).then("; or wait");
        assert_eq!(run.commands().collect::<Vec<_>>(), ["hostssl resume r-1"]);
        assert_eq!(run.with_commands(simulated).to_string(), "run `hostssl resume r-1 --simulate` as root; or wait");
    }

    #[test]
    fn no_text_from_outside_becomes_a_command() {
        for name in ["`hostssl apply evil.json`", "a` `hostssl undo latest`", "{} {}", "`", "``hostssl audit``"] {
            let hint = Hint::with("leave {} out: `hostssl plan --except {}`", &[&name, &name]);
            assert_eq!(hint.commands().count(), 1, "{name}");
            let whole = hint.clone().with_commands(simulated).to_string();
            assert_eq!(whole, format!("leave {name} out: `hostssl plan --except {name} --simulate`"));
            assert_eq!(Hint::text(name).with_commands(simulated).to_string(), name);
        }
    }
}
