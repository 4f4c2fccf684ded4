//! Where a password comes from, as libpq has it: the service file, `PGPASSWORD`, the password file. Pure: the caller reads
//! the variables and the files.
//!
//! A password in a connection string on the command line is not taken: every user of the machine can read it there.

use std::fmt;

/// A password, or a token that stands for one. It shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes a secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret, for the one message that needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What was found of passwords.
#[derive(Clone, Debug, Default)]
pub struct PasswordSources {
    /// `PGPASSWORD`.
    pub variable: Option<Password>,
    /// The texts of the service files, those of the user first.
    pub service_files: Vec<Password>,
    /// The text of `PGPASSFILE`, or of `~/.pgpass`.
    pub password_file: Option<Password>,
}

impl PasswordSources {
    /// The password for a login; `service` is the service that its connection string names.
    #[must_use]
    pub fn find(&self, service: Option<&str>, host: &str, port: u16, database: &str, user: &str) -> Option<Password> {
        let of_service = || {
            let service = service?;
            self.service_files.iter().find_map(|file| of_service_file(file.reveal(), service))
        };
        let of_file = || {
            let port = port.to_string();
            of_password_file(self.password_file.as_ref()?.reveal(), [host, &port, database, user])
        };
        of_service().or_else(|| self.variable.clone()).or_else(of_file).filter(|password| !password.reveal().is_empty())
    }
}

/// The password of a service (libpq, section "The Connection Service File").
fn of_service_file(text: &str, service: &str) -> Option<Password> {
    let mut is_here = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_here = name == service;
        } else if let Some(password) = line.strip_prefix("password=").filter(|_| is_here) {
            return Some(Password::new(password));
        }
    }
    None
}

/// The first line that fits (libpq, section "The Password File"): `host:port:database:user:password`, where `*` fits
/// everything and a backslash takes the meaning off a colon or a backslash.
fn of_password_file(text: &str, wanted: [&str; 4]) -> Option<Password> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line;
        for wanted in wanted {
            let (field, behind) = field(rest)?;
            let is_any = rest.starts_with("*:");
            if !is_any && field != wanted {
                return None;
            }
            rest = behind;
        }
        // The password reaches to the end of the line; a colon in it need not be marked.
        let mut password = String::new();
        let mut characters = rest.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => password.extend(characters.next()),
                ':' => break,
                other => password.push(other),
            }
        }
        Some(Password::new(password))
    })
}

/// The field that a line begins with, and what is behind its colon.
fn field(line: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut characters = line.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => field.extend(characters.next().map(|(_, next)| next)),
            ':' => return Some((field, line.get(at + 1..)?)),
            other => field.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sources() -> PasswordSources {
        PasswordSources {
            variable: None,
            service_files: vec![Password::new("# mine\n[shop]\nhost=db\npassword=of service\n[other]\npassword=x\n")],
            password_file: Some(Password::new(
                "# a comment\ndb.example:5432:shop:app:one\n*:*:*:we\\:ird:two\\\\\\:x\n::1:5432:a:b:never\n\\:\\:1:*:*:*:six\n*:6432:pgbouncer:*:three\nbroken\n",
            )),
        }
    }

    fn found(service: Option<&str>, host: &str, port: u16, database: &str, user: &str) -> Option<String> {
        sources().find(service, host, port, database, user).map(|password| password.reveal().to_owned())
    }

    #[test]
    fn the_first_line_that_fits_counts() {
        assert_eq!(found(None, "db.example", 5432, "shop", "app").as_deref(), Some("one"));
        assert_eq!(found(None, "db.example", 5432, "shop", "we:ird").as_deref(), Some("two\\:x"));
        assert_eq!(found(None, "::1", 5432, "a", "b").as_deref(), Some("six"));
        assert_eq!(found(None, "any", 6432, "pgbouncer", "app").as_deref(), Some("three"));
        assert_eq!(found(None, "db.example", 5433, "shop", "app"), None);
    }

    #[test]
    fn the_service_comes_before_the_variable_and_that_before_the_file() {
        let mut sources = sources();
        sources.variable = Some(Password::new("variable"));
        let found = |service: Option<&str>| sources.find(service, "db.example", 5432, "shop", "app");
        assert_eq!(found(Some("shop")), Some(Password::new("of service")));
        assert_eq!(found(Some("none")), Some(Password::new("variable")));
        assert_eq!(found(None), Some(Password::new("variable")));
        assert!(!format!("{sources:?}").contains("variable\")"), "{sources:?}");
        assert!(!format!("{sources:?}").contains("of service"));
    }

    proptest! {
        #[test]
        fn names_of_any_kind_are_found(names in prop::array::uniform4("[a-z:\\\\*ü ]{1,8}"), password in "[a-z:\\\\ ]{1,8}") {
            let escape = |text: &String| text.replace('\\', "\\\\").replace(':', "\\:");
            let line: Vec<String> = names.iter().chain([&password]).map(escape).collect();
            let [a, b, c, d] = &names;
            prop_assert_eq!(of_password_file(&line.join(":"), [a, b, c, d]), Some(Password::new(password)));
        }
    }
}
