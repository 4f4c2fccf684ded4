//! What the values of settings mean, and how each meaning is spelled: decided here and nowhere else.

use crate::ParameterName::{
    LogDownloadEnable, LogRetentionDays, MinimalTlsVersion, NodeSslMinProtocolVersion, RequireSecureTransport,
    SslEnforcement, SslMaxProtocolVersion, SslMinProtocolVersion,
};
use crate::{ParameterName, TlsVersion, WireVersion};
use std::cmp::Ordering;
use std::fmt;

/// A single server's word for "no floor" (REST API `Microsoft.DBforPostgreSQL/servers`, 2017-12-01).
const NO_FLOOR: &str = "TLSEnforcementDisabled";

/// The lowest protocol version that a server accepts. A greater floor refuses more clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Floor {
    /// There is none: a single server's `TLSEnforcementDisabled`. No other kind of server has it.
    None,
    /// This version.
    At(TlsVersion),
}

impl Floor {
    /// The Azure CLI's word: `TLS1_2`, or `TLSEnforcementDisabled`.
    #[must_use]
    pub const fn as_azure(self) -> &'static str {
        match self {
            Self::None => NO_FLOOR,
            Self::At(version) => version.as_azure(),
        }
    }

    /// Reads the Azure CLI's word, in any letter case.
    #[must_use]
    pub fn from_azure(text: &str) -> Option<Self> {
        match same_value(text, NO_FLOOR) {
            true => Some(Self::None),
            false => TlsVersion::from_azure(text).map(Self::At),
        }
    }

    /// Whether a server with this floor refuses clients of a version.
    #[must_use]
    pub fn refuses(self, version: WireVersion) -> bool {
        match self {
            Self::None => false,
            Self::At(floor) => version < WireVersion::Tls(floor),
        }
    }
}

impl crate::Coded for Floor {
    fn code(self) -> &'static str {
        self.as_azure()
    }

    fn of_code(code: &str) -> Option<Self> {
        Self::from_azure(code)
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("any"),
            Self::At(version) => version.fmt(f),
        }
    }
}

/// What a value of a setting says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// Whether clients must use TLS.
    Enforced(bool),
    /// The lowest protocol version.
    Floor(Floor),
    /// The highest protocol version; `None` when there is no cap.
    Cap(Option<TlsVersion>),
    /// Whether log files can be downloaded.
    LogDownload(bool),
    /// The days that log files are kept.
    LogDays(u8),
}

/// The days that Azure keeps log files: `allowedValues` of `logfiles.retention_days` is `1-7`.
const DAYS: [&str; 7] = ["1", "2", "3", "4", "5", "6", "7"];
/// The longest time that Azure keeps log files, in days.
pub const MOST_LOG_DAYS: u8 = 7;

impl Meaning {
    /// Compares by strictness: the greater one refuses more clients, or shows more of them in logs. `None` for meanings of
    /// different settings, and for caps, which make a server older and not stricter.
    #[must_use]
    pub fn strictness(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Enforced(on), Self::Enforced(other)) => Some(on.cmp(&other)),
            (Self::Floor(floor), Self::Floor(other)) => Some(floor.cmp(&other)),
            (Self::LogDownload(on), Self::LogDownload(other)) => Some(on.cmp(&other)),
            (Self::LogDays(days), Self::LogDays(other)) => Some(days.cmp(&other)),
            _ => None,
        }
    }

    /// Whether it refuses every client that `other` refuses.
    #[must_use]
    pub fn is_as_strict_as(self, other: Self) -> bool {
        self.strictness(other).is_some_and(Ordering::is_ge)
    }

    /// Whether it admits clients that `other` refuses.
    #[must_use]
    pub fn is_looser_than(self, other: Self) -> bool {
        self.strictness(other).is_some_and(Ordering::is_lt)
    }
}

/// The words that a setting takes.
enum Vocabulary {
    Switch {
        on: &'static str,
        off: &'static str,
    },
    /// PostgreSQL's versions, `TLSv1.2`.
    Floor,
    /// A single server's versions, `TLS1_2`, and its word for none.
    AzureFloor,
    /// PostgreSQL's versions; the empty string, the default, means no cap.
    Cap,
    LogDownload,
    LogDays,
}

impl ParameterName {
    fn vocabulary(self) -> Vocabulary {
        match self {
            RequireSecureTransport => Vocabulary::Switch { on: "on", off: "off" },
            SslEnforcement => Vocabulary::Switch { on: "Enabled", off: "Disabled" },
            SslMinProtocolVersion | NodeSslMinProtocolVersion => Vocabulary::Floor,
            MinimalTlsVersion => Vocabulary::AzureFloor,
            SslMaxProtocolVersion => Vocabulary::Cap,
            LogDownloadEnable => Vocabulary::LogDownload,
            LogRetentionDays => Vocabulary::LogDays,
        }
    }

    /// What a value of this setting says, in any letter case. `None` when it says nothing that this program knows.
    #[must_use]
    pub fn meaning(self, value: &str) -> Option<Meaning> {
        match self.vocabulary() {
            Vocabulary::Switch { on, .. } if same_value(value, on) => Some(Meaning::Enforced(true)),
            Vocabulary::Switch { off, .. } if same_value(value, off) => Some(Meaning::Enforced(false)),
            Vocabulary::Switch { .. } => None,
            Vocabulary::Floor => TlsVersion::from_postgresql(value).map(|version| Meaning::Floor(Floor::At(version))),
            Vocabulary::AzureFloor => Floor::from_azure(value).map(Meaning::Floor),
            Vocabulary::Cap if value.trim().is_empty() => Some(Meaning::Cap(None)),
            Vocabulary::Cap => TlsVersion::from_postgresql(value).map(|version| Meaning::Cap(Some(version))),
            Vocabulary::LogDownload if same_value(value, "on") => Some(Meaning::LogDownload(true)),
            Vocabulary::LogDownload if same_value(value, "off") => Some(Meaning::LogDownload(false)),
            Vocabulary::LogDownload => None,
            Vocabulary::LogDays => {
                (1..).zip(DAYS).find(|(_, word)| same_value(value, word)).map(|(days, _)| Meaning::LogDays(days))
            }
        }
    }

    /// How this setting spells a meaning; `None` when it cannot say that. Whether Azure takes the value for a kind of
    /// server is another question: [`Kind::offers`](crate::Kind::offers).
    #[must_use]
    pub fn spell(self, meaning: Meaning) -> Option<&'static str> {
        match (self.vocabulary(), meaning) {
            (Vocabulary::Switch { on, off }, Meaning::Enforced(enforced)) => Some(if enforced { on } else { off }),
            (Vocabulary::Floor, Meaning::Floor(Floor::At(version))) => Some(version.as_postgresql()),
            (Vocabulary::AzureFloor, Meaning::Floor(floor)) => Some(floor.as_azure()),
            (Vocabulary::Cap, Meaning::Cap(cap)) => Some(cap.map_or("", TlsVersion::as_postgresql)),
            (Vocabulary::LogDownload, Meaning::LogDownload(on)) => Some(if on { "on" } else { "off" }),
            (Vocabulary::LogDays, Meaning::LogDays(days)) => DAYS.get(usize::from(days.checked_sub(1)?)).copied(),
            _ => None,
        }
    }
}

/// Whether two spellings are one value. Azure answers `on` to a client that wrote `ON`.
#[must_use]
pub fn same_value(left: &str, right: &str) -> bool {
    left.trim().eq_ignore_ascii_case(right.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSIONS: [TlsVersion; 4] = [TlsVersion::Tls1_0, TlsVersion::Tls1_1, TlsVersion::Tls1_2, TlsVersion::Tls1_3];

    fn meanings() -> Vec<Meaning> {
        let of_versions =
            VERSIONS.into_iter().flat_map(|one| [Meaning::Floor(Floor::At(one)), Meaning::Cap(Some(one))]);
        let of_logs = (0..=9).map(Meaning::LogDays).chain([true, false].map(Meaning::LogDownload));
        [Meaning::Enforced(true), Meaning::Enforced(false), Meaning::Floor(Floor::None), Meaning::Cap(None)]
            .into_iter()
            .chain(of_versions)
            .chain(of_logs)
            .collect()
    }

    #[test]
    fn every_spelling_is_understood_as_what_it_spells_in_any_case() {
        let mut spelled = 0;
        for name in ParameterName::ALL {
            for meaning in meanings() {
                let Some(text) = name.spell(meaning) else { continue };
                for text in [text.to_owned(), text.to_uppercase(), format!(" {} ", text.to_lowercase())] {
                    assert_eq!(name.meaning(&text), Some(meaning), "{name} = `{text}`");
                }
                spelled += 1;
            }
        }
        // Two switches of two values, two floors of four versions, a single server's five, a cap's five; of logs a switch and
        // seven numbers of days.
        assert_eq!(spelled, 2 * 2 + 2 * 4 + 5 + 5 + 2 + 7);
    }

    #[test]
    fn the_words_are_azures() {
        let words = [
            (RequireSecureTransport, Meaning::Enforced(true), "on"),
            (RequireSecureTransport, Meaning::Enforced(false), "off"),
            (SslEnforcement, Meaning::Enforced(true), "Enabled"),
            (SslEnforcement, Meaning::Enforced(false), "Disabled"),
            (SslMinProtocolVersion, Meaning::Floor(Floor::At(TlsVersion::Tls1_0)), "TLSv1"),
            (NodeSslMinProtocolVersion, Meaning::Floor(Floor::At(TlsVersion::Tls1_2)), "TLSv1.2"),
            (MinimalTlsVersion, Meaning::Floor(Floor::None), "TLSEnforcementDisabled"),
            (MinimalTlsVersion, Meaning::Floor(Floor::At(TlsVersion::Tls1_1)), "TLS1_1"),
            (SslMaxProtocolVersion, Meaning::Cap(None), ""),
            (SslMaxProtocolVersion, Meaning::Cap(Some(TlsVersion::Tls1_3)), "TLSv1.3"),
            (LogDownloadEnable, Meaning::LogDownload(true), "on"),
            (LogRetentionDays, Meaning::LogDays(MOST_LOG_DAYS), "7"),
        ];
        for (name, meaning, word) in words {
            assert_eq!(name.spell(meaning), Some(word));
        }
    }

    #[test]
    fn a_word_of_one_setting_says_nothing_to_another() {
        for (name, word) in [
            (RequireSecureTransport, "Enabled"),
            (SslEnforcement, "on"),
            (SslMinProtocolVersion, "TLS1_2"),
            (SslMinProtocolVersion, "TLSEnforcementDisabled"),
            (MinimalTlsVersion, "TLSv1.2"),
            (SslMaxProtocolVersion, "TLS1_2"),
        ] {
            assert_eq!(name.meaning(word), None, "{name} = {word}");
        }
        for name in ParameterName::ALL {
            assert_eq!(name.meaning("maybe"), None);
            assert_eq!(name.meaning("").is_some(), name == SslMaxProtocolVersion);
        }
    }

    #[test]
    fn a_stricter_value_is_greater() {
        let floors = ["TLSEnforcementDisabled", "TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"].map(Floor::from_azure);
        assert!(floors.is_sorted_by(|a, b| a < b), "{floors:?}");
        // A greater floor refuses one version more; 1.0 refuses SSL 3.0, which none does.
        let refused = |floor: Floor| WireVersion::ALL.into_iter().filter(|version| floor.refuses(*version)).count();
        assert_eq!(floors.map(|floor| floor.map(refused)), [0, 1, 2, 3, 4].map(Some));
        let (on, off) = (Meaning::Enforced(true), Meaning::Enforced(false));
        assert!(on.is_as_strict_as(off) && on.is_as_strict_as(on) && off.is_looser_than(on));
        assert_eq!(on.strictness(Meaning::Floor(Floor::None)), None);
        assert_eq!(Meaning::Cap(None).strictness(Meaning::Cap(None)), None);
    }
}
