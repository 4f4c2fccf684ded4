//! Profiles: versioned, parameterised sets of controls.

use crate::{ALL, Control, Settings, find};
use hostssl_model::TlsVersion;
use std::fmt;

/// A named and versioned set of controls with their settings.
///
/// A profile never changes once released: a new rule makes a new version, so that a recorded run can be judged again
/// under the rules that it names.
#[derive(Debug, Clone)]
pub struct Profile {
    name: &'static str,
    version: &'static str,
    /// One line: what it asks for.
    pub description: &'static str,
    /// The controls, in the order of reports.
    pub controls: Vec<&'static Control>,
    /// Their settings.
    pub settings: Settings,
}

/// No profile has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile `{0}`")]
pub struct UnknownProfile(String);

/// No control has this id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no control `{0}`")]
pub struct UnknownControl(String);

impl Profile {
    /// Every profile, the default first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let everything = ALL.to_vec();
        let only = |id: &str| ALL.into_iter().filter(|control| control.id == id).collect();
        let tls12 = Settings { minimum_tls: TlsVersion::Tls1_2 };
        vec![
            Self {
                name: "baseline",
                version: "1",
                description: "every control; TLS 1.2 or newer",
                controls: everything.clone(),
                settings: tls12,
            },
            Self {
                name: "strict",
                version: "1",
                description: "every control; TLS 1.3 only",
                controls: everything,
                settings: Settings { minimum_tls: TlsVersion::Tls1_3 },
            },
            Self {
                name: "cis-azure-foundations",
                version: "3.0.0",
                description: "CIS Microsoft Azure Foundations Benchmark 3.0.0, 5.2.1; earlier versions ask the same as 4.3.1",
                controls: only("require-secure-transport"),
                settings: tls12,
            },
        ]
    }

    /// Finds a profile by `name@version`, or by its name alone.
    ///
    /// # Errors
    ///
    /// [`UnknownProfile`] when there is none.
    pub fn find(name: &str) -> Result<Self, UnknownProfile> {
        Self::all()
            .into_iter()
            .find(|profile| profile.to_string() == name || profile.name == name)
            .ok_or_else(|| UnknownProfile(name.chars().take(80).collect()))
    }

    /// Keeps only these controls of the profile. An empty list keeps all.
    ///
    /// # Errors
    ///
    /// [`UnknownControl`] when the profile holds no control of that id.
    pub fn narrowed(mut self, ids: &[String]) -> Result<Self, UnknownControl> {
        for id in ids {
            if find(id).is_none() || !self.controls.iter().any(|control| control.id == id) {
                return Err(UnknownControl(id.chars().take(80).collect()));
            }
        }
        if !ids.is_empty() {
            self.controls.retain(|control| ids.iter().any(|id| id == control.id));
        }
        Ok(self)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_found_by_name_with_or_without_its_version() {
        assert_eq!(Profile::find("baseline").unwrap().to_string(), "baseline@1");
        assert_eq!(Profile::find("strict@1").unwrap().settings.minimum_tls, TlsVersion::Tls1_3);
        assert_eq!(Profile::find("baseline@2").unwrap_err().to_string(), "there is no profile `baseline@2`");
    }

    #[test]
    fn narrowing_keeps_the_named_controls_and_refuses_others() {
        let baseline = Profile::find("baseline").unwrap();
        let narrowed = baseline.clone().narrowed(&["pending-restart".into()]).unwrap();
        assert_eq!(narrowed.controls.iter().map(|control| control.id).collect::<Vec<_>>(), ["pending-restart"]);
        assert!(baseline.narrowed(&["no-such".into()]).is_err());
        assert!(Profile::find("cis-azure-foundations").unwrap().narrowed(&["pending-restart".into()]).is_err());
    }
}
