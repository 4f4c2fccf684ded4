//! Where a server stands: what Azure declares and what a probe showed, folded into one of six answers. Every count of
//! servers, in text, JSON and the console, is a count of these.

use crate::{
    ControlId, Finding, Outcome, Reading, ServerReport, SslEnforcement, WireObservation, WireTransport, WorstListener,
};

/// Whether Azure declares that clients must use TLS, as far as it was read. A value that waits for a restart is not in
/// effect, so it does not count as on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enforcement {
    /// It is on, and in effect.
    Enforced,
    /// It could not be read.
    Unknown,
    /// It is off, or on only after a restart.
    NotEnforced,
}

impl Enforcement {
    /// The control that says whether the switch is on and in effect.
    pub const CONTROL: ControlId = ControlId::RequireSecureTransport;
    /// The controls that a probe answers and that the switch decides: what they found before it was turned is outdated.
    pub const ON_THE_WIRE: [ControlId; 2] = [ControlId::PlaintextRefused, ControlId::DeclaredMatchesWire];

    /// Every one, from best to worst.
    pub const ALL: [Self; 3] = [Self::Enforced, Self::Unknown, Self::NotEnforced];

    /// The word in addresses and formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Unknown => "unknown",
            Self::NotEnforced => "not-enforced",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// What the control `require-secure-transport` says; where the profile does not hold it, what is declared. A switch
    /// that waits for a restart is declared on and enforces nothing, so the control goes first.
    #[must_use]
    pub fn of(report: &ServerReport) -> Self {
        let control = report.findings.iter().find(|finding: &&Finding| finding.control == Self::CONTROL);
        match control.map(|finding| finding.outcome) {
            Some(Outcome::Pass) => Self::Enforced,
            Some(Outcome::Fail) => Self::NotEnforced,
            Some(Outcome::Unknown) => Self::Unknown,
            Some(Outcome::NotApplicable) | None => match report.ssl_enforcement {
                SslEnforcement::Enabled if report.switch_waits() => Self::NotEnforced,
                SslEnforcement::Enabled => Self::Enforced,
                SslEnforcement::Disabled => Self::NotEnforced,
                SslEnforcement::Unknown => Self::Unknown,
            },
        }
    }
}

/// What probes of a server's listeners showed about clients that connect without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proof {
    /// No probe is known.
    NotProbed,
    /// Every listener refused plaintext.
    RefusesPlaintext,
    /// At least one listener could not be reached or answered nothing that decides, and none accepted plaintext.
    Undecided,
    /// At least one listener accepted a client without TLS.
    AcceptsPlaintext,
}

impl Proof {
    /// What these observations prove. One listener that accepts plaintext decides; a proof needs every listener.
    #[must_use]
    pub fn of(looks: &[WireObservation]) -> Self {
        let proof = |look: &WireObservation| match &look.listener {
            Reading::Known(listener) => match listener.transport {
                WireTransport::Optional | WireTransport::PlaintextOnly => Self::AcceptsPlaintext,
                WireTransport::Enforced => Self::RefusesPlaintext,
                WireTransport::BrokenTls | WireTransport::Inconclusive => Self::Undecided,
            },
            Reading::Unknown(_) => Self::Undecided,
        };
        looks.iter().map(proof).max().unwrap_or(Self::NotProbed)
    }
}

impl From<Option<WorstListener>> for Proof {
    /// What the worst of a server's listeners proves; without any, nothing was probed.
    fn from(worst: Option<WorstListener>) -> Self {
        match worst {
            None => Self::NotProbed,
            Some(WorstListener::Enforced) => Self::RefusesPlaintext,
            Some(WorstListener::Unseen | WorstListener::Inconclusive | WorstListener::BrokenTls) => Self::Undecided,
            Some(WorstListener::Optional | WorstListener::PlaintextOnly) => Self::AcceptsPlaintext,
        }
    }
}

/// Where a server stands, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Declared on, and every listener that was probed refused plaintext.
    Proven,
    /// Declared on, and not probed.
    NotProbed,
    /// Declared on, and the newest probe did not decide.
    Unproven,
    /// The setting could not be read, and no probe connected without TLS.
    Unknown,
    /// The setting is off or waits for a restart, or it could not be read and a probe connected without TLS.
    NotEnforced,
    /// Declared on, and yet a probe connected without TLS.
    AcceptsPlaintext,
}

impl Standing {
    /// Every one, the worst first.
    pub const ALL: [Self; 6] =
        [Self::AcceptsPlaintext, Self::NotEnforced, Self::Unknown, Self::Unproven, Self::NotProbed, Self::Proven];

    /// The one definition. What a probe saw accepted is never outweighed by what is declared, and what could not be
    /// read or probed never passes.
    #[must_use]
    pub fn new(declared: Enforcement, proof: Proof) -> Self {
        match (declared, proof) {
            (Enforcement::NotEnforced, _) => Self::NotEnforced,
            (Enforcement::Unknown, Proof::AcceptsPlaintext) => Self::NotEnforced,
            (Enforcement::Unknown, _) => Self::Unknown,
            (Enforcement::Enforced, Proof::AcceptsPlaintext) => Self::AcceptsPlaintext,
            (Enforcement::Enforced, Proof::Undecided) => Self::Unproven,
            (Enforcement::Enforced, Proof::NotProbed) => Self::NotProbed,
            (Enforcement::Enforced, Proof::RefusesPlaintext) => Self::Proven,
        }
    }

    /// Where the server stands, by which everything for people counts: by all that is known of it, and where no more is known
    /// than the run saw, by that.
    #[must_use]
    pub fn of(report: &ServerReport) -> Self {
        report.known.map_or_else(|| Self::seen(report), |known| known.standing)
    }

    /// Where one run saw the server, whatever others had seen.
    #[must_use]
    pub fn seen(report: &ServerReport) -> Self {
        Self::new(Enforcement::of(report), Proof::of(&report.wire))
    }

    /// The word in addresses and formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AcceptsPlaintext => "accepts-plaintext",
            Self::NotEnforced => "not-enforced",
            Self::Unknown => "unknown",
            Self::Unproven => "unproven",
            Self::NotProbed => "not-probed",
            Self::Proven => "proven",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// The human-readable name.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::AcceptsPlaintext => "declared on, accepts plaintext",
            Self::NotEnforced => "not enforced",
            Self::Unknown => "unknown",
            Self::Unproven => "enforced, not proven",
            Self::NotProbed => "enforced, not probed",
            Self::Proven => "enforced and proven",
        }
    }

    /// The definition, in one sentence.
    #[must_use]
    pub fn definition(self) -> &'static str {
        match self {
            Self::AcceptsPlaintext => "Azure says TLS is required, but a probe connected without it.",
            Self::NotEnforced => {
                "The setting is off or waits for a restart, or it could not be read and a probe connected without TLS."
            }
            Self::Unknown => "The setting could not be read.",
            Self::Unproven => "Azure says TLS is required; the newest probe could not confirm it.",
            Self::NotProbed => "Azure says TLS is required; no probe has confirmed it.",
            Self::Proven => "Azure says TLS is required, and every listener refused a probe without it.",
        }
    }
}

/// How many servers stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Standings {
    /// [`Standing::AcceptsPlaintext`].
    pub accepts_plaintext: u64,
    /// [`Standing::NotEnforced`].
    pub not_enforced: u64,
    /// [`Standing::Unknown`].
    pub unknown: u64,
    /// [`Standing::Unproven`].
    pub unproven: u64,
    /// [`Standing::NotProbed`].
    pub not_probed: u64,
    /// [`Standing::Proven`].
    pub proven: u64,
}

impl Standings {
    /// Counts the servers of a report by all that is known of each.
    #[must_use]
    pub fn of(servers: &[ServerReport]) -> Self {
        servers.iter().map(Standing::of).collect()
    }

    /// Counts the servers of one run by what that run saw.
    #[must_use]
    pub fn seen(servers: &[ServerReport]) -> Self {
        servers.iter().map(Standing::seen).collect()
    }

    /// Adds so many servers.
    pub fn add(&mut self, standing: Standing, servers: u64) {
        *self.place(standing) += servers;
    }

    /// How many stand there.
    #[must_use]
    pub fn count(&self, standing: Standing) -> u64 {
        let mut copy = *self;
        *copy.place(standing)
    }

    /// Those that are declared to enforce and that no probe contradicts.
    #[must_use]
    pub fn enforced(&self) -> u64 {
        self.proven + self.not_probed + self.unproven
    }

    /// Those that do not enforce, whatever is declared.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.accepts_plaintext + self.not_enforced
    }

    /// The same without the servers of a part of them.
    #[must_use]
    pub fn without(&self, part: &Self) -> Self {
        let mut rest = *self;
        for standing in Standing::ALL {
            let servers = rest.place(standing);
            *servers = servers.saturating_sub(part.count(standing));
        }
        rest
    }

    /// All together.
    #[must_use]
    pub fn servers(&self) -> u64 {
        Standing::ALL.into_iter().map(|standing| self.count(standing)).sum()
    }

    fn place(&mut self, standing: Standing) -> &mut u64 {
        match standing {
            Standing::AcceptsPlaintext => &mut self.accepts_plaintext,
            Standing::NotEnforced => &mut self.not_enforced,
            Standing::Unknown => &mut self.unknown,
            Standing::Unproven => &mut self.unproven,
            Standing::NotProbed => &mut self.not_probed,
            Standing::Proven => &mut self.proven,
        }
    }
}

impl FromIterator<Standing> for Standings {
    fn from_iter<T: IntoIterator<Item = Standing>>(standings: T) -> Self {
        let mut counted = Self::default();
        standings.into_iter().for_each(|standing| counted.add(standing, 1));
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proof_of_what_is_declared_on_is_proven() {
        let proofs = [Proof::NotProbed, Proof::RefusesPlaintext, Proof::Undecided, Proof::AcceptsPlaintext];
        for declared in Enforcement::ALL {
            for proof in proofs {
                let standing = Standing::new(declared, proof);
                let proven = declared == Enforcement::Enforced && proof == Proof::RefusesPlaintext;
                assert_eq!(standing == Standing::Proven, proven, "{declared:?} {proof:?}");
                // Worse evidence never makes a better standing.
                let worse = proofs.into_iter().filter(|other| *other > proof && proof != Proof::NotProbed);
                assert!(worse.map(|other| Standing::new(declared, other)).all(|other| other >= standing));
            }
        }
    }

    #[test]
    fn words_and_counts_are_whole() {
        let standings: Standings = Standing::ALL.into_iter().collect();
        assert_eq!(standings.servers(), 6);
        for standing in Standing::ALL {
            assert_eq!(standings.count(standing), 1);
            assert_eq!(Standing::from_word(standing.as_str()), Some(standing));
        }
    }
}
