//! From facts to a verdict. Pure, total, and never more certain than the facts.

use hostssl_pgwire::frontend::Replication;
use hostssl_pgwire::tls::TlsVersion;

use crate::answer::{Signal, answer, signal};
use crate::attempt::{Attempt, Reason};
use crate::facts::{Facts, StartupFacts};
use crate::report::{Outcome, ReplicationMode, SslRequestOutcome, StartupResult, TransportAnswer, Verdict};

/// A verdict and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) verdict: Verdict,
    pub(crate) reason: String,
    pub(crate) startups: Vec<StartupResult>,
}

/// Decides what the endpoint does with encryption.
///
/// Plaintext let in anywhere is decisive, and so is a peer that is not PostgreSQL. That TLS is enforced is said only when
/// every probed startup was refused in clear and one was let in over TLS: anything unknown in between is inconclusive.
pub(crate) fn decide(facts: &Facts) -> Decision {
    let startups: Vec<_> = facts.startups.iter().map(|startup| resolve(startup, facts.ssl)).collect();
    let (verdict, reason) = verdict(facts, &startups);
    Decision { verdict, reason, startups }
}

fn verdict(facts: &Facts, startups: &[StartupResult]) -> (Verdict, String) {
    if let Some(reason) = &facts.unreachable {
        return (Verdict::Unreachable, reason.to_string());
    }
    if facts.broke_protocol() && !facts.spoke_postgresql() {
        let what = if facts.talks_first {
            "the peer talks before it is asked"
        } else {
            "the peer does not answer as PostgreSQL does"
        };
        return (Verdict::NotPostgresql, with_note(what, facts.ssl_note.as_deref()));
    }
    if let Some(why) = broken_tls(facts) {
        let hole = startups.iter().find(|startup| startup.plaintext.outcome == Outcome::Allowed);
        let open = hole.map(|hole| format!("; accepted in clear: {}", describe(hole))).unwrap_or_default();
        return (Verdict::BrokenTls, format!("{why}{open}"));
    }
    let in_clear = |outcome| startups.iter().filter(move |startup| startup.plaintext.outcome == outcome);
    if let Some(hole) = in_clear(Outcome::Allowed).next() {
        return plaintext_allowed(facts, startups, hole);
    }
    if let Some(unknown) = in_clear(Outcome::Unknown).next() {
        let what = format!("in clear, no decisive answer for {}", describe(unknown));
        return (Verdict::Inconclusive, with_note(&what, unknown.plaintext.note.as_deref()));
    }
    if startups.iter().any(|startup| startup.encrypted.outcome == Outcome::Allowed) {
        let demand = startups.iter().any(|startup| startup.encrypted.authentication.as_deref() == Some("cert"));
        let tail = if demand { ", where a client certificate is demanded" } else { "" };
        let count = startups.len();
        let wordless = |startup: &&StartupResult| {
            startup.plaintext.sqlstate.is_none() && startup.plaintext.authentication.is_none()
        };
        let closed = match startups.iter().filter(wordless).count() {
            0 => String::new(),
            closed => format!(", {closed} of them closed without a word every time"),
        };
        let what =
            format!("all {count} plaintext startups probed are refused{closed} and TLS reaches authentication{tail}");
        return (Verdict::Enforced, what);
    }
    (Verdict::Inconclusive, nothing_allowed(facts, startups))
}

fn plaintext_allowed(facts: &Facts, startups: &[StartupResult], hole: &StartupResult) -> (Verdict, String) {
    let what = format!("accepted in clear: {}", describe(hole));
    let direct = facts.direct.completed() == Some(&true);
    let tls = facts.ssl == SslRequestOutcome::S || direct;
    let tls_allowed = startups.iter().any(|startup| startup.encrypted.outcome == Outcome::Allowed);
    let mut holes = startups.iter().filter(|startup| startup.plaintext.outcome == Outcome::Allowed);
    if tls && tls_allowed {
        (Verdict::Optional, what)
    } else if tls && holes.all(|startup| startup.encrypted.outcome == Outcome::Refused) {
        (Verdict::PlaintextOnly, format!("{what}; refused over TLS"))
    } else if facts.ssl == SslRequestOutcome::N {
        (Verdict::PlaintextOnly, format!("{what}; the server offers no TLS"))
    } else if matches!(facts.ssl, SslRequestOutcome::Closed | SslRequestOutcome::Reset) {
        (Verdict::PlaintextOnly, format!("{what}; the server closes every connection that asks for TLS"))
    } else {
        (Verdict::Optional, format!("{what}; what TLS does could not be seen"))
    }
}

fn nothing_allowed(facts: &Facts, startups: &[StartupResult]) -> String {
    if facts.ssl == SslRequestOutcome::N {
        return "plaintext is refused and the server offers no TLS: an address rule, or nobody is let in".to_owned();
    }
    let newest = facts.versions.iter().rev().find(|(_, support)| support.completed() == Some(&true));
    match startups.iter().find(|startup| startup.encrypted.outcome == Outcome::Unknown) {
        Some(unknown) if facts.handshake.completed().is_none() && newest.is_some() => {
            let version = newest.map(|(version, _)| version.name()).unwrap_or_default();
            let what = format!(
                "plaintext is refused; the server speaks {version}, by a cipher suite, group or signature that hostssl does not \
                 have"
            );
            with_note(&what, unknown.encrypted.note.as_deref())
        }
        Some(unknown) => {
            with_note("plaintext is refused; over TLS, no decisive answer", unknown.encrypted.note.as_deref())
        }
        None => "refused in clear and over TLS: an address rule (firewall), or no such user and database is let in"
            .to_owned(),
    }
}

/// Why no handshake is possible or safe, if the server has said `S`.
fn broken_tls(facts: &Facts) -> Option<String> {
    if facts.ssl != SslRequestOutcome::S {
        return None;
    }
    if facts.bytes_before_handshake {
        return Some("bytes in clear stand between the server's S and the handshake".to_owned());
    }
    let failure = match &facts.handshake {
        Attempt::Failed(
            reason @ (Reason::Handshake(_)
            | Reason::FalseSignature
            | Reason::Closed(_)
            | Reason::Reset(_)
            | Reason::Protocol(_)),
        ) => reason,
        _ => return None,
    };
    if *failure == Reason::FalseSignature {
        return Some(format!("the server offers TLS, but {failure}"));
    }
    let accepted = |from: TlsVersion| {
        facts
            .versions
            .iter()
            .rev()
            .find(move |(version, support)| **version >= from && support.completed() == Some(&true))
    };
    if accepted(TlsVersion::Tls12).is_some() {
        // A handshake exists that we cannot complete, for want of a common suite: not the server's fault.
        return None;
    }
    Some(match accepted(TlsVersion::Ssl3) {
        Some((version, _)) => {
            format!("the server offers TLS and speaks nothing newer than {version}")
        }
        None => format!("the server offers TLS, but {failure}"),
    })
}

/// Weighs the two answers to one startup against each other.
fn resolve(facts: &StartupFacts, ssl: SslRequestOutcome) -> StartupResult {
    let user = &facts.startup.user;
    let (clear, tls) = (signal(&facts.plaintext, user), signal(&facts.encrypted, user));
    let encrypted = match tls {
        Signal::Allowed | Signal::ClientCertificate => Outcome::Allowed,
        Signal::Refused => Outcome::Refused,
        Signal::Unknown if ssl == SslRequestOutcome::N && facts.encrypted.completed().is_none() => Outcome::Refused,
        Signal::Silent | Signal::Unclear | Signal::Unknown => Outcome::Unknown,
    };
    let plaintext = match clear {
        Signal::Allowed => Outcome::Allowed,
        // The demand for a certificate is a line of pg_hba.conf that only TLS can meet.
        Signal::Refused | Signal::ClientCertificate => Outcome::Refused,
        Signal::Silent | Signal::Unclear if tls == Signal::Allowed => Outcome::Refused,
        // Closed every time in clear, and turned away over TLS: nobody is let in by it.
        Signal::Silent if tls == Signal::Refused => Outcome::Refused,
        Signal::Silent | Signal::Unclear | Signal::Unknown => Outcome::Unknown,
    };
    StartupResult {
        user: user.clone(),
        database: facts.startup.database.clone(),
        replication: match facts.startup.replication {
            Replication::None => ReplicationMode::None,
            Replication::Physical => ReplicationMode::Physical,
            Replication::Logical => ReplicationMode::Logical,
        },
        plaintext: answer(
            &facts.plaintext,
            plaintext,
            if plaintext == Outcome::Refused { Signal::Refused } else { clear },
        ),
        encrypted: answer(&facts.encrypted, encrypted, tls),
    }
}

/// The answer to stand for all in clear: the worst.
pub(crate) fn worst_plaintext(startups: &[StartupResult]) -> TransportAnswer {
    let rank = |answer: &TransportAnswer| match answer.outcome {
        Outcome::Allowed => 0,
        Outcome::Unknown => 1,
        Outcome::Refused => 2,
    };
    startups.iter().map(|startup| &startup.plaintext).min_by_key(|answer| rank(answer)).cloned().unwrap_or_default()
}

/// The answer to stand for all over TLS: the best.
pub(crate) fn best_encrypted(startups: &[StartupResult]) -> TransportAnswer {
    let rank = |answer: &TransportAnswer| match answer.outcome {
        Outcome::Allowed => 0,
        Outcome::Refused => 1,
        Outcome::Unknown => 2,
    };
    startups.iter().map(|startup| &startup.encrypted).min_by_key(|answer| rank(answer)).cloned().unwrap_or_default()
}

fn describe(startup: &StartupResult) -> String {
    let what = match startup.replication {
        ReplicationMode::None => "",
        ReplicationMode::Physical => "replication as ",
        ReplicationMode::Logical => "logical replication as ",
    };
    match &startup.database {
        Some(database) => format!("{what}user \"{}\", database \"{database}\"", startup.user),
        None => format!("{what}user \"{}\"", startup.user),
    }
}

fn with_note(what: &str, note: Option<&str>) -> String {
    match note {
        Some(note) => format!("{what} ({note})"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
