//! From facts to a verdict. Pure, total, and never more certain than the facts.

use hostssl_pgwire::frontend::Replication;
use hostssl_pgwire::tls::{ProtocolVersion, SuiteWeakness};

use crate::attempt::{Attempt, AttemptFailure};
use crate::facts::{EndpointFacts, StartupFacts, is_full};
use crate::report::{ReplicationMode, SslRequestOutcome, StartupOutcome, StartupResult, TransportAnswer, WireVerdict};
use crate::startup_answer::{Signal, answer, signal};

/// A verdict and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conclusion {
    pub(crate) verdict: WireVerdict,
    pub(crate) reason: String,
    /// The worst answer in plaintext.
    pub(crate) plaintext: TransportAnswer,
    /// The best answer over TLS.
    pub(crate) encrypted: TransportAnswer,
    pub(crate) startups: Vec<StartupResult>,
}

/// The two answers to one startup, weighed against each other.
struct Weighed {
    result: StartupResult,
    /// Why the startup does not count: what it requests is not available.
    aside: Option<Aside>,
    /// The refusal in plaintext was put into words, and not guessed from a silence.
    said: bool,
    /// It was sent over TLS, and not left out.
    over_tls: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Aside {
    NoReplication,
    NoWalSender,
}

impl Aside {
    fn words(self) -> &'static str {
        match self {
            Self::NoReplication => "replication is not available there",
            Self::NoWalSender => "replication could not be probed, because the server has no free WAL sender",
        }
    }
}

/// Decides what the endpoint does with encryption.
///
/// Plaintext accepted anywhere is decisive, and so is a peer that is not PostgreSQL. That TLS is enforced is said only
/// when every probed startup was refused in plaintext and one was accepted over TLS: anything unknown in between is
/// inconclusive.
pub(crate) fn decide(facts: &EndpointFacts) -> Conclusion {
    let weighed = weigh(facts);
    let (verdict, reason) = verdict(facts, &weighed);
    let with_a_say = || weighed.iter().filter(|startup| startup.aside.is_none()).map(|startup| &startup.result);
    let (plaintext, encrypted) = (worst_plaintext(with_a_say()), best_encrypted(with_a_say()));
    let startups = weighed.into_iter().map(|startup| startup.result).collect();
    Conclusion { verdict, reason, plaintext, encrypted, startups }
}

fn weigh(facts: &EndpointFacts) -> Vec<Weighed> {
    let names = PoolerNames::of(facts);
    facts
        .startups
        .iter()
        .map(|startup| {
            let result = resolve(startup, facts.ssl, names.prove(startup));
            let signal = clear(startup);
            let aside = match signal {
                Signal::NoReplication => Some(Aside::NoReplication),
                Signal::Busy if startup.is_full() && is_full(&startup.encrypted) => Some(Aside::NoWalSender),
                _ => None,
            };
            let said = matches!(signal, Signal::Refused | Signal::ClientCertificate);
            let over_tls = !matches!(startup.encrypted, Attempt::NotScheduled(_));
            Weighed { result, aside, said, over_tls }
        })
        .collect()
}

fn clear(startup: &StartupFacts) -> Signal {
    signal(&startup.plaintext, &startup.startup.user)
}

/// What it proves that a pooler does not know a name. PgBouncer 1.18 says it only once its rules have accepted the startup; versions
/// before it look for the name first.
struct PoolerNames<'a> {
    /// Whether it has rules that turn away startups in plaintext. Without any, the name was all that was amiss.
    has_rules: bool,
    /// The users and databases of the startups that its rules turned away: it looked at the rules before these names.
    behind_rules: Vec<(&'a str, &'a Option<String>)>,
}

impl<'a> PoolerNames<'a> {
    fn of(facts: &'a EndpointFacts) -> Self {
        let refused = |startup: &&StartupFacts| matches!(clear(startup), Signal::Refused | Signal::ClientCertificate);
        let refused: Vec<&StartupFacts> = facts.startups.iter().filter(refused).collect();
        let names = refused.iter().map(|startup| (startup.startup.user.as_str(), &startup.startup.database));
        Self { has_rules: !refused.is_empty(), behind_rules: names.collect() }
    }

    /// Whether the rules have accepted a startup of which the pooler does not know a name.
    fn prove(&self, startup: &StartupFacts) -> bool {
        let signals = [clear(startup), signal(&startup.encrypted, &startup.startup.user)];
        let same = |(user, database): &(&str, &Option<String>)| {
            if signals.contains(&Signal::NoSuchUser) {
                *user == startup.startup.user
            } else {
                **database == startup.startup.database
            }
        };
        !self.has_rules || self.behind_rules.iter().any(same)
    }
}

fn verdict(facts: &EndpointFacts, weighed: &[Weighed]) -> (WireVerdict, String) {
    if let Some(reason) = &facts.unreachable {
        return (WireVerdict::Unreachable, reason.to_string());
    }
    if facts.broke_protocol() && !facts.spoke_postgresql() {
        let what = if facts.talks_first {
            "the peer sends data before it is asked"
        } else {
            "the peer does not answer as PostgreSQL does"
        };
        return (WireVerdict::NotPostgresql, with_note(what, facts.ssl_note.as_deref()));
    }
    let startups: Vec<&StartupResult> =
        weighed.iter().filter(|startup| startup.aside.is_none()).map(|startup| &startup.result).collect();
    if startups.is_empty() {
        return (WireVerdict::Inconclusive, "nothing that was requested is available, with or without TLS".to_owned());
    }
    let in_clear = |outcome| startups.iter().filter(move |startup| startup.plaintext.outcome == outcome);
    if let Some(why) = broken_tls(facts) {
        let hole = in_clear(StartupOutcome::Allowed).next();
        let open = hole.map(|hole| format!("; accepted in plaintext: {}", describe(hole))).unwrap_or_default();
        return (WireVerdict::BrokenTls, format!("{why}{open}"));
    }
    if let Some(hole) = in_clear(StartupOutcome::Allowed).next() {
        return plaintext_allowed(facts, &startups, hole);
    }
    if let Some(unknown) = in_clear(StartupOutcome::Unknown).next() {
        let what = format!("in plaintext, no decisive answer for {}", describe(unknown));
        return (WireVerdict::Inconclusive, with_note(&what, unknown.plaintext.note.as_deref()));
    }
    let Some(tls) = tls_evidence(facts, weighed) else {
        return (WireVerdict::Inconclusive, nothing_allowed(facts, weighed));
    };
    let wordless =
        |startup: &&&StartupResult| startup.plaintext.sqlstate.is_none() && startup.plaintext.authentication.is_none();
    let closed = match startups.iter().filter(wordless).count() {
        0 => String::new(),
        closed => format!(", {closed} of them closed without an answer every time"),
    };
    let mut asides: Vec<Aside> = weighed.iter().filter_map(|startup| startup.aside).collect();
    asides.sort_unstable();
    asides.dedup();
    let asides: String = asides.into_iter().map(|aside| format!("; {}", aside.words())).collect();
    let count = startups.len();
    enforced(facts, &format!("all {count} plaintext startups probed are refused{closed} and {tls}{asides}"))
}

/// What shows that the server has TLS for who asks, when every startup in plaintext is refused.
fn tls_evidence(facts: &EndpointFacts, weighed: &[Weighed]) -> Option<String> {
    let counted = || weighed.iter().filter(|startup| startup.aside.is_none());
    if counted().any(|startup| startup.result.encrypted.outcome == StartupOutcome::Allowed) {
        let demand = counted().any(|startup| startup.result.encrypted.authentication.as_deref() == Some("cert"));
        let tail = if demand { ", where a client certificate is required" } else { "" };
        return Some(format!("TLS reaches authentication{tail}"));
    }
    // A handshake that is beyond our own cryptography: the server has said that plaintext is not accepted, and its
    // ServerHello shows that it means TLS.
    let beyond_us = matches!(facts.handshake, Attempt::Failed(AttemptFailure::Handshake(_)));
    let encrypts = facts.hello_suite.is_some_and(|suite| {
        !matches!(suite.weakness(), Some(SuiteWeakness::Null | SuiteWeakness::Anonymous | SuiteWeakness::BrokenCipher))
    });
    let said = counted().all(|startup| startup.said);
    let newest = newest_accepted(facts).filter(|version| *version >= ProtocolVersion::Tls12)?;
    (beyond_us && encrypts && said).then(|| {
        format!(
            "TLS was not completed: the server speaks {newest}, by a cipher suite, group or signature that hostssl does not \
             have"
        )
    })
}

/// The verdict that TLS is enforced, unless several servers answered and one of them may have gone unasked.
fn enforced(facts: &EndpointFacts, what: &str) -> (WireVerdict, String) {
    let identity = &facts.identity;
    let (differences, answers) = (identity.differences(), identity.plaintext_answers());
    let asked = u32::try_from(facts.startups.len()).unwrap_or(u32::MAX);
    let again = if facts.repeated || answers > asked { format!(" ({answers} answers)") } else { String::new() };
    if differences.is_empty() {
        return (WireVerdict::Enforced, format!("{what}{again}"));
    }
    let names: Vec<_> = differences.iter().map(|mark| mark.name()).collect();
    let several = format!("at least {} servers answer here, which differ in: {}", identity.servers(), names.join(", "));
    if facts.repeated && identity.is_sound() {
        return (WireVerdict::Enforced, format!("{what} ({answers} answers); {several}"));
    }
    let advice = "one of them may accept plaintext; probe each by its own address, or ask more often with --repeat";
    (WireVerdict::Inconclusive, format!("{several}; all {answers} answers in plaintext are refusals, but {advice}"))
}

fn plaintext_allowed(
    facts: &EndpointFacts,
    startups: &[&StartupResult],
    hole: &StartupResult,
) -> (WireVerdict, String) {
    let what = format!("accepted in plaintext: {}", describe(hole));
    let direct = facts.direct.completed() == Some(&true);
    let tls = facts.ssl == SslRequestOutcome::S || direct;
    let tls_allowed = startups.iter().any(|startup| startup.encrypted.outcome == StartupOutcome::Allowed);
    let mut holes = startups.iter().filter(|startup| startup.plaintext.outcome == StartupOutcome::Allowed);
    if tls && tls_allowed {
        (WireVerdict::Optional, what)
    } else if tls && holes.all(|startup| startup.encrypted.outcome == StartupOutcome::Refused) {
        (WireVerdict::PlaintextOnly, format!("{what}; refused over TLS"))
    } else if facts.ssl == SslRequestOutcome::N {
        (WireVerdict::PlaintextOnly, format!("{what}; the server offers no TLS"))
    } else if matches!(facts.ssl, SslRequestOutcome::Closed | SslRequestOutcome::Reset) {
        (WireVerdict::PlaintextOnly, format!("{what}; the server closes every connection that asks for TLS"))
    } else if facts.ssl == SslRequestOutcome::E {
        (WireVerdict::PlaintextOnly, format!("{what}; the server answers every request for TLS with an error"))
    } else {
        (WireVerdict::Optional, format!("{what}; TLS could not be checked"))
    }
}

fn newest_accepted(facts: &EndpointFacts) -> Option<ProtocolVersion> {
    facts.versions.iter().rev().find(|(_, support)| support.completed() == Some(&true)).map(|(version, _)| *version)
}

fn nothing_allowed(facts: &EndpointFacts, weighed: &[Weighed]) -> String {
    if facts.ssl == SslRequestOutcome::N {
        return "plaintext is refused and the server offers no TLS: an address rule, or no login is allowed".to_owned();
    }
    let newest = newest_accepted(facts);
    let counted = || weighed.iter().filter(|startup| startup.aside.is_none());
    let tried = || counted().filter(|startup| startup.over_tls).map(|startup| &startup.result);
    let undecided = |startup: &&StartupResult| startup.encrypted.outcome != StartupOutcome::Refused;
    match tried().find(undecided) {
        None if tried().next().is_some() => {
            let (plaintext, encrypted) = (counted().count(), tried().count());
            format!(
                "no one gets in from here: all {plaintext} startups probed are refused in plaintext, and all {encrypted} tried \
                 over TLS. A firewall or pg_hba.conf rejects this address, or accepts none of these users and databases; what \
                 TLS decides cannot be seen"
            )
        }
        Some(unknown) if facts.handshake.completed().is_none() && newest.is_some() => {
            let version = newest.map(ProtocolVersion::name).unwrap_or_default();
            let what = format!(
                "plaintext is refused; the server speaks {version}, by a cipher suite, group or signature that hostssl does not \
                 have"
            );
            with_note(&what, unknown.encrypted.note.as_deref())
        }
        undecided => {
            let left_out = counted().map(|startup| &startup.result).next();
            let note = undecided.or(left_out).and_then(|startup| startup.encrypted.note.as_deref());
            with_note("plaintext is refused; over TLS, no decisive answer", note)
        }
    }
}

/// Why no handshake is possible or safe, if the server has said `S`.
fn broken_tls(facts: &EndpointFacts) -> Option<String> {
    if facts.ssl != SslRequestOutcome::S {
        return None;
    }
    if facts.bytes_before_handshake {
        return Some("there are plaintext bytes between the server's S and the handshake".to_owned());
    }
    let failure = match &facts.handshake {
        Attempt::Failed(
            reason @ (AttemptFailure::Handshake(_)
            | AttemptFailure::FalseSignature
            | AttemptFailure::Closed(_)
            | AttemptFailure::Reset(_)
            | AttemptFailure::Protocol(_)),
        ) => reason,
        _ => return None,
    };
    if *failure == AttemptFailure::FalseSignature {
        return Some(format!("the server offers TLS, but {failure}"));
    }
    let accepted = |from: ProtocolVersion| {
        facts
            .versions
            .iter()
            .rev()
            .find(move |(version, support)| **version >= from && support.completed() == Some(&true))
    };
    if accepted(ProtocolVersion::Tls12).is_some() {
        // A handshake exists that we cannot complete, for want of a common suite: not the server's fault.
        return None;
    }
    Some(match accepted(ProtocolVersion::Ssl3) {
        Some((version, _)) => {
            format!("the server offers TLS, but nothing newer than {version}")
        }
        None => format!("the server offers TLS, but {failure}"),
    })
}

/// Weighs the two answers to one startup against each other. `names_prove` says that a startup with an unknown name was accepted.
fn resolve(facts: &StartupFacts, ssl: SslRequestOutcome, names_prove: bool) -> StartupResult {
    let user = &facts.startup.user;
    let (clear, tls) = (signal(&facts.plaintext, user), signal(&facts.encrypted, user));
    let encrypted = match tls {
        Signal::Allowed | Signal::ClientCertificate => StartupOutcome::Allowed,
        Signal::NoSuchDatabase | Signal::NoSuchUser if names_prove => StartupOutcome::Allowed,
        Signal::Refused => StartupOutcome::Refused,
        Signal::Unknown if ssl == SslRequestOutcome::N && facts.encrypted.completed().is_none() => {
            StartupOutcome::Refused
        }
        _ => StartupOutcome::Unknown,
    };
    let plaintext = match clear {
        Signal::Allowed => StartupOutcome::Allowed,
        Signal::NoSuchDatabase | Signal::NoSuchUser if names_prove => StartupOutcome::Allowed,
        // The demand for a certificate is a line of pg_hba.conf that only TLS can meet.
        Signal::Refused | Signal::ClientCertificate => StartupOutcome::Refused,
        Signal::Silent | Signal::Unclear if tls == Signal::Allowed => StartupOutcome::Refused,
        // Closed every time in plaintext, and turned away over TLS: it accepts no login.
        Signal::Silent if tls == Signal::Refused => StartupOutcome::Refused,
        _ => StartupOutcome::Unknown,
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
            if plaintext == StartupOutcome::Refused { Signal::Refused } else { clear },
        ),
        encrypted: answer(&facts.encrypted, encrypted, tls),
    }
}

/// The answer to stand for all in plaintext: the worst.
fn worst_plaintext<'a>(startups: impl Iterator<Item = &'a StartupResult>) -> TransportAnswer {
    let rank = |answer: &TransportAnswer| match answer.outcome {
        StartupOutcome::Allowed => 0,
        StartupOutcome::Unknown => 1,
        StartupOutcome::Refused => 2,
    };
    startups.map(|startup| &startup.plaintext).min_by_key(|answer| rank(answer)).cloned().unwrap_or_default()
}

/// The answer to stand for all over TLS: the best.
fn best_encrypted<'a>(startups: impl Iterator<Item = &'a StartupResult>) -> TransportAnswer {
    let rank = |answer: &TransportAnswer| match answer.outcome {
        StartupOutcome::Allowed => 0,
        StartupOutcome::Refused => 1,
        StartupOutcome::Unknown => 2,
    };
    startups.map(|startup| &startup.encrypted).min_by_key(|answer| rank(answer)).cloned().unwrap_or_default()
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
mod tests;
