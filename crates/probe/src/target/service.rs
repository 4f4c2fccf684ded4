//! Service files (libpq, section "The Connection Service File"; parseServiceFile in fe-connect.c).

use std::collections::{HashMap, HashSet};

use super::TargetError;
use super::connection_parameters::Parameters;
use super::keywords::check_libpq;

/// The services of one or more files, read by the caller. Passwords in them are dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFile {
    services: HashMap<String, Result<Parameters, TargetError>>,
}

impl ServiceFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// [`TargetError::ServiceFile`] for a line that is neither a section nor a keyword with a value. A keyword or a value that
    /// cannot be used is an error of its service alone: libpq reads no other one.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let mut file = Self::default();
        let mut current: Option<String> = None;
        let mut set = HashSet::new();
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let malformed = || TargetError::ServiceFile(index + 1);
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                // libpq reads the first section of a name, and of a keyword in it the first value.
                current = (!file.services.contains_key(name)).then(|| name.to_owned());
                set.clear();
                file.services.entry(name.to_owned()).or_insert_with(|| Ok(Parameters::default()));
                continue;
            }
            let (keyword, value) = line.split_once('=').ok_or_else(malformed)?;
            if current.is_none() || !set.insert(keyword) {
                continue;
            }
            // libpq does not look services up in services.
            let service =
                current.as_ref().filter(|_| keyword != "service").and_then(|name| file.services.get_mut(name));
            if let Some(service) = service {
                let taken = service
                    .as_mut()
                    .map(|parameters| check_libpq(keyword).and_then(|()| parameters.set(keyword, value.to_owned())));
                if let Ok(Err(error)) = taken {
                    *service = Err(error);
                }
            }
        }
        Ok(file)
    }

    /// Adds the services of `other` that this file does not have: libpq looks into the user's file, then into the system's.
    pub fn or(&mut self, other: Self) {
        for (name, parameters) in other.services {
            self.services.entry(name).or_insert(parameters);
        }
    }

    pub(super) fn get(&self, name: &str) -> Result<&Parameters, TargetError> {
        self.services.get(name).ok_or(TargetError::NoService)?.as_ref().map_err(Clone::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As psql has it.
    #[test]
    fn the_first_section_of_a_name_and_the_first_value_of_a_keyword_count() {
        let text = "[db]\nhost=a\nhost=b\nport=1\nport=2\n[other]\nhost=c\n[db]\nhost=d\nuser=late\n";
        let file = ServiceFile::parse(text).unwrap();
        let db = file.get("db").unwrap();
        assert_eq!((db.host.as_deref(), db.port.as_deref(), db.user.as_deref()), (Some("a"), Some("1"), None));
        assert_eq!(file.get("other").unwrap().host.as_deref(), Some("c"));
    }
}
