//! Profiles: versioned, parameterised sets of controls.

use crate::{ALL, Control, Settings, control};
use hostssl_model::{AuditAsked, AuditRun, ControlId, TlsVersion, Word};
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
        let of = |wire: bool| ALL.into_iter().filter(|control| wire || !control.is_of_the_wire()).collect::<Vec<_>>();
        let tls12 =
            Settings { minimum_tls: TlsVersion::Tls1_2, expiry_days: 30, observation_days: 7, waiver_days: 365 };
        let tls13 = Settings { minimum_tls: TlsVersion::Tls1_3, waiver_days: 180, ..tls12 };
        let profile =
            |name, version, description, controls, settings| Self { name, version, description, controls, settings };
        vec![
            profile("baseline", "1", "every control of the declared settings; TLS 1.2 or newer", of(false), tls12),
            profile("baseline", "2", "baseline@1 plus every control that needs a probe", of(true), tls12),
            profile("strict", "1", "every control of the declared settings; TLS 1.3 only", of(false), tls13),
            profile("strict", "2", "strict@1 plus every control that needs a probe", of(true), tls13),
            profile(
                "cis-azure-foundations",
                "3.0.0",
                "CIS Microsoft Azure Foundations Benchmark 3.0.0, 5.2.1; earlier versions have the same recommendation as 4.3.1",
                vec![control(ControlId::RequireSecureTransport)],
                tls12,
            ),
        ]
    }

    /// Finds a profile by `name@version`, or by its name alone: then the newest version, of those that need nothing but
    /// what is declared unless `wire` says that listeners are probed.
    ///
    /// # Errors
    ///
    /// [`UnknownProfile`] when there is none.
    pub fn find_for(name: &str, wire: bool) -> Result<Self, UnknownProfile> {
        let named = |profile: &Self| profile.name == name && (wire || !profile.asks_the_wire());
        Self::all()
            .into_iter()
            .rev()
            .find(|profile| profile.to_string() == name || named(profile))
            .ok_or_else(|| UnknownProfile(name.chars().take(80).collect()))
    }

    /// Finds a profile for a run that does not look at the wire. See [`find_for`](Self::find_for).
    ///
    /// # Errors
    ///
    /// [`UnknownProfile`] when there is none.
    pub fn find(name: &str) -> Result<Self, UnknownProfile> {
        Self::find_for(name, false)
    }

    /// Whether a control of it judges what was seen on the wire.
    #[must_use]
    pub fn asks_the_wire(&self) -> bool {
        self.controls.iter().any(|control| control.is_of_the_wire())
    }

    /// The profile with other days that a certificate must last.
    #[must_use]
    pub fn with_expiry_days(mut self, days: u32) -> Self {
        self.settings.expiry_days = days;
        self
    }

    /// What an audit by it is asked for otherwise than the profile of its name says.
    #[must_use]
    pub fn asked(&self) -> AuditAsked {
        let name = self.to_string();
        let released = Self::all().into_iter().find(|one| one.to_string() == name);
        let is_whole = released.as_ref().is_some_and(|one| one.controls.len() == self.controls.len());
        let only = self.controls.iter().map(|control| Word::Known(control.id));
        let days = self.settings.expiry_days;
        AuditAsked {
            only: if is_whole { Vec::new() } else { only.collect() },
            expiry_days: released.is_none_or(|one| one.settings.expiry_days != days).then_some(days),
            by_graph: false,
            by_zones: false,
        }
    }

    /// The rules that a run was asked to judge by; `None` for a profile of another version of hostssl.
    #[must_use]
    pub fn of_run(run: &AuditRun) -> Option<Self> {
        let mut profile = Self::find(&run.profile).ok()?;
        let AuditAsked { only, expiry_days, by_graph: _, by_zones: _ } = &run.asked;
        if run.asked.is_narrowed() {
            profile.controls.retain(|control| only.contains(&Word::Known(control.id)));
        }
        Some(match expiry_days {
            Some(days) => profile.with_expiry_days(*days),
            None => profile,
        })
    }

    /// Keeps only these controls of the profile. An empty list keeps all.
    ///
    /// # Errors
    ///
    /// [`UnknownControl`] when the profile holds no control of that id.
    pub fn narrowed(mut self, ids: &[String]) -> Result<Self, UnknownControl> {
        let mut wanted = Vec::with_capacity(ids.len());
        for id in ids {
            let known = ControlId::from_code(id).filter(|id| self.controls.iter().any(|control| control.id == *id));
            wanted.push(known.ok_or_else(|| UnknownControl(id.chars().take(80).collect()))?);
        }
        if !wanted.is_empty() {
            self.controls.retain(|control| wanted.contains(&control.id));
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
        assert_eq!(Profile::find("baseline@9").unwrap_err().to_string(), "there is no profile `baseline@9`");
    }

    #[test]
    fn a_name_alone_asks_of_the_wire_only_what_is_looked_at() {
        assert_eq!(Profile::find_for("baseline", true).unwrap().to_string(), "baseline@2");
        assert_eq!(Profile::find_for("strict", true).unwrap().controls.len(), ALL.len());
        assert_eq!(Profile::find_for("baseline@1", true).unwrap().to_string(), "baseline@1");
        assert_eq!(Profile::find("baseline@2").unwrap().to_string(), "baseline@2");
        assert_eq!(
            Profile::find_for("cis-azure-foundations", true).unwrap().to_string(),
            "cis-azure-foundations@3.0.0"
        );
    }

    #[test]
    fn a_released_profile_never_changes() {
        let ids = |name: &str| -> Vec<&str> {
            Profile::find(name).unwrap().controls.iter().map(|control| control.id.as_str()).collect()
        };
        let declared = [
            "require-secure-transport",
            "minimum-tls-version",
            "maximum-tls-version",
            "pending-restart",
            "replica-parity",
        ];
        assert_eq!(ids("baseline@1"), declared);
        assert_eq!(ids("strict@1"), declared);
        assert_eq!(ids("cis-azure-foundations@3.0.0"), ["require-secure-transport"]);
    }

    #[test]
    fn what_a_run_was_asked_for_is_what_differs_from_its_profile() {
        for profile in Profile::all() {
            assert_eq!(profile.asked(), AuditAsked::default(), "{profile}");
        }
        let narrowed = Profile::find("baseline@2").unwrap().narrowed(&["certificate-expiry".into()]).unwrap();
        let asked = narrowed.with_expiry_days(300).asked();
        assert_eq!(asked.rules("baseline@2"), "baseline@2, only certificate-expiry, certificates for 300 days");
        assert!(asked.is_narrowed() && !asked.asks_enforcement());
        // Every control by its name is no narrower than none.
        let baseline = Profile::find("baseline").unwrap();
        let all: Vec<String> = baseline.controls.iter().map(|control| control.id.to_string()).collect();
        assert_eq!(baseline.narrowed(&all).unwrap().asked(), AuditAsked::default());
    }

    #[test]
    fn narrowing_keeps_the_named_controls_and_refuses_others() {
        let baseline = Profile::find("baseline").unwrap();
        let narrowed = baseline.clone().narrowed(&["pending-restart".into()]).unwrap();
        assert_eq!(narrowed.controls.iter().map(|control| control.id).collect::<Vec<_>>(), [ControlId::PendingRestart]);
        assert!(baseline.narrowed(&["no-such".into()]).is_err());
        assert!(Profile::find("cis-azure-foundations").unwrap().narrowed(&["pending-restart".into()]).is_err());
    }
}
