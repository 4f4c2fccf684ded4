use std::collections::BTreeMap;

use hostssl_pgwire::backend::Authentication;
use hostssl_pgwire::error_response::ErrorResponse;
use hostssl_pgwire::tls::CipherSuite;

use super::*;
use crate::answer::StartupReply;
use crate::facts::{Handshake, Startup};

type Reply = Attempt<StartupReply>;

fn startup(user: &str) -> Startup {
    Startup { user: user.into(), database: Some("postgres".into()), replication: Replication::None }
}

fn asks() -> Reply {
    Attempt::Completed(StartupReply::Authentication(Authentication::CleartextPassword))
}

fn error(code: &str, routine: Option<&str>, message: &str) -> Reply {
    Attempt::Completed(StartupReply::Error(ErrorResponse {
        code: Some(code.into()),
        routine: routine.map(Into::into),
        message: Some(message.into()),
        ..ErrorResponse::default()
    }))
}

fn refused() -> Reply {
    error("28000", Some("ClientAuthentication"), "no pg_hba.conf entry for host")
}

fn wants_certificate() -> Reply {
    error("28000", Some("ClientAuthentication"), "connection requires a valid client certificate")
}

fn busy() -> Reply {
    error("53300", Some("InitProcess"), "sorry, too many clients already")
}

fn not_offered() -> Reply {
    Attempt::NotScheduled(Reason::Pointless("the server offers no TLS"))
}

fn handshake() -> Attempt<Handshake> {
    Attempt::Completed(Handshake {
        version: TlsVersion::Tls13,
        suite: CipherSuite(0x1301),
        group: None,
        alpn: None,
        chain: Vec::new(),
        key_proof: Ok(()),
        certificate_requested: false,
    })
}

fn facts(ssl: SslRequestOutcome, replies: &[(Reply, Reply)]) -> Facts {
    let startups: Vec<_> = (0..replies.len()).map(|index| startup(&format!("user{index}"))).collect();
    let mut facts = Facts::new(&startups);
    facts.ssl = ssl;
    if ssl == SslRequestOutcome::S {
        facts.handshake = handshake();
    }
    for (slot, (plaintext, encrypted)) in facts.startups.iter_mut().zip(replies) {
        slot.plaintext = plaintext.clone();
        slot.encrypted = encrypted.clone();
    }
    facts
}

/// The table "the verdict needs both transports" of the protocol notes, and its neighbours.
#[test]
fn both_transports_together() {
    use SslRequestOutcome as Ssl;
    let timeout = || Attempt::Failed(Reason::Timeout("waiting"));
    let closed = || Attempt::Failed(Reason::Closed("waiting"));
    for (name, ssl, replies, expected) in [
        ("refused / allowed", Ssl::S, vec![(refused(), asks())], Verdict::Enforced),
        ("allowed / allowed", Ssl::S, vec![(asks(), asks())], Verdict::Optional),
        ("allowed / N", Ssl::N, vec![(asks(), not_offered())], Verdict::PlaintextOnly),
        ("allowed / refused", Ssl::S, vec![(asks(), refused())], Verdict::PlaintextOnly),
        ("refused / refused", Ssl::S, vec![(refused(), refused())], Verdict::Inconclusive),
        ("refused / N", Ssl::N, vec![(refused(), not_offered())], Verdict::Inconclusive),
        ("refused / certificate", Ssl::S, vec![(refused(), wants_certificate())], Verdict::Enforced),
        ("busy / allowed", Ssl::S, vec![(busy(), asks())], Verdict::Inconclusive),
        ("refused / busy", Ssl::S, vec![(refused(), busy())], Verdict::Inconclusive),
        ("busy / busy", Ssl::S, vec![(busy(), busy())], Verdict::Inconclusive),
        ("timeout / allowed", Ssl::S, vec![(timeout(), asks())], Verdict::Inconclusive),
        ("closed / allowed", Ssl::S, vec![(closed(), asks())], Verdict::Enforced),
        ("closed / closed", Ssl::S, vec![(closed(), closed())], Verdict::Inconclusive),
        ("closed / no TLS", Ssl::Closed, vec![(closed(), closed())], Verdict::Inconclusive),
        ("allowed / unknown", Ssl::S, vec![(asks(), timeout())], Verdict::Optional),
        ("allowed, SSLRequest closed", Ssl::Closed, vec![(asks(), closed())], Verdict::PlaintextOnly),
        ("allowed, SSLRequest times out", Ssl::Timeout, vec![(asks(), timeout())], Verdict::Optional),
        ("one hole among many", Ssl::S, vec![(refused(), asks()), (asks(), asks())], Verdict::Optional),
        ("a hole without TLS", Ssl::S, vec![(refused(), asks()), (asks(), refused())], Verdict::Optional),
        ("no replication line", Ssl::S, vec![(refused(), asks()), (refused(), refused())], Verdict::Enforced),
        ("one unknown in plaintext", Ssl::S, vec![(refused(), asks()), (timeout(), asks())], Verdict::Inconclusive),
        ("one unknown over TLS", Ssl::S, vec![(refused(), asks()), (refused(), timeout())], Verdict::Enforced),
        ("a hole beats an unknown", Ssl::S, vec![(timeout(), asks()), (asks(), asks())], Verdict::Optional),
    ] {
        let decision = decide(&facts(ssl, &replies));
        assert_eq!(decision.verdict, expected, "{name}: {}", decision.reason);
        assert!(!decision.reason.is_empty());
    }
}

#[test]
fn a_gateway_without_a_routine_is_judged_by_the_other_transport() {
    let gateway = || error("28000", None, "SSL connection is required. Please specify SSL options and retry.");
    assert_eq!(decide(&facts(SslRequestOutcome::S, &[(gateway(), asks())])).verdict, Verdict::Enforced);
    assert_eq!(decide(&facts(SslRequestOutcome::S, &[(gateway(), gateway())])).verdict, Verdict::Inconclusive);
}

#[test]
fn the_reason_names_the_hole() {
    let decision = decide(&facts(SslRequestOutcome::S, &[(refused(), asks()), (asks(), asks())]));
    assert_eq!(decision.reason, "accepted in plaintext: user \"user1\", database \"postgres\"");
}

#[test]
fn tls_that_is_announced_and_absent_is_broken() {
    let mut broken = facts(SslRequestOutcome::S, &[(refused(), Attempt::Failed(Reason::Closed("x")))]);
    broken.handshake = Attempt::Failed(Reason::Handshake("alert internal_error".into()));
    assert_eq!(decide(&broken).verdict, Verdict::BrokenTls);

    // Only an old version: broken, because unsafe.
    broken.versions = BTreeMap::from([(TlsVersion::Tls11, Attempt::Completed(true))]);
    let decision = decide(&broken);
    assert_eq!(decision.verdict, Verdict::BrokenTls);
    assert!(decision.reason.contains("TLSv1.1"), "{}", decision.reason);

    // A good version that we cannot complete: not the server's fault.
    broken.versions.insert(TlsVersion::Tls12, Attempt::Completed(true));
    assert_eq!(decide(&broken).verdict, Verdict::Inconclusive);

    // A time-out may be the network's fault.
    let mut slow = facts(SslRequestOutcome::S, &[(refused(), Attempt::Failed(Reason::Timeout("x")))]);
    slow.handshake = Attempt::Failed(Reason::Timeout("x"));
    assert_eq!(decide(&slow).verdict, Verdict::Inconclusive);

    let mut injected = facts(SslRequestOutcome::S, &[(refused(), asks())]);
    injected.bytes_before_handshake = true;
    assert_eq!(decide(&injected).verdict, Verdict::BrokenTls);
}

#[test]
fn what_is_no_postgresql() {
    let garbage = || Attempt::Failed(Reason::Protocol("unexpected first byte 0x48".into()));
    assert_eq!(decide(&facts(SslRequestOutcome::Garbage, &[(garbage(), garbage())])).verdict, Verdict::NotPostgresql);
    // A byte N or E alone is no evidence for PostgreSQL.
    assert_eq!(decide(&facts(SslRequestOutcome::N, &[(garbage(), not_offered())])).verdict, Verdict::NotPostgresql);
    let mut ssh = facts(SslRequestOutcome::NotSent, &[(not_offered(), not_offered())]);
    ssh.talks_first = true;
    assert_eq!(decide(&ssh).verdict, Verdict::NotPostgresql);
    let mut gone = facts(SslRequestOutcome::NotSent, &[(not_offered(), not_offered())]);
    gone.unreachable = Some(Reason::ConnectionRefused);
    assert_eq!(decide(&gone).verdict, Verdict::Unreachable);
}

#[test]
fn worst_in_clear_and_best_over_tls_stand_for_all() {
    let decision =
        decide(&facts(SslRequestOutcome::S, &[(refused(), refused()), (busy(), asks()), (refused(), busy())]));
    assert_eq!(decision.plaintext.sqlstate.as_deref(), Some("53300"));
    assert_eq!(decision.encrypted.authentication.as_deref(), Some("password"));
    assert_eq!(worst_plaintext(std::iter::empty()).outcome, Outcome::Unknown);
}

fn replication(facts: &mut Facts, index: usize) {
    facts.startups[index].startup.replication = Replication::Physical;
    facts.startups[index].startup.database = None;
}

#[test]
fn replication_that_nobody_can_have_does_not_decide() {
    let full =
        || error("53300", Some("InitProcess"), "number of requested standby connections exceeds max_wal_senders");
    let none = || error("08P01", None, "unsupported startup parameter: replication");
    let not_asked = || Attempt::NotScheduled(Reason::Pointless("not needed"));
    for (name, others, plaintext, encrypted, expected) in [
        ("no WAL sender", refused(), full(), full(), Verdict::Enforced),
        ("none through a pooler", refused(), none(), not_asked(), Verdict::Enforced),
        ("a WAL sender over TLS alone", refused(), full(), asks(), Verdict::Inconclusive),
        ("not known over TLS", refused(), full(), not_asked(), Verdict::Inconclusive),
        (
            "starting up",
            refused(),
            error("57P03", None, "starting"),
            error("57P03", None, "starting"),
            Verdict::Inconclusive,
        ),
        ("no slot for anybody", busy(), full(), full(), Verdict::Inconclusive),
        ("an open server", asks(), full(), full(), Verdict::Optional),
    ] {
        let mut facts = facts(SslRequestOutcome::S, &[(others, asks()), (plaintext, encrypted)]);
        replication(&mut facts, 1);
        let decision = decide(&facts);
        assert_eq!(decision.verdict, expected, "{name}: {}", decision.reason);
        if expected == Verdict::Enforced {
            assert_eq!(decision.plaintext.outcome, Outcome::Refused, "{name}");
            assert!(decision.reason.contains("; replication "), "{name}: {}", decision.reason);
        }
    }
    // Nobody else answered: what cannot be had proves nothing.
    let mut alone = facts(SslRequestOutcome::S, &[(none(), asks())]);
    replication(&mut alone, 0);
    assert_ne!(decide(&alone).verdict, Verdict::Enforced);
}

#[test]
fn names_that_a_pooler_does_not_know_count_only_where_it_has_no_rules() {
    let unknown = || error("08P01", None, "no such database: hostssl_1");
    let rejected = || error("08P01", None, "login rejected");
    let decision = decide(&facts(SslRequestOutcome::S, &[(rejected(), asks()), (unknown(), unknown())]));
    assert_eq!(decision.verdict, Verdict::Enforced, "{}", decision.reason);
    let decision = decide(&facts(SslRequestOutcome::S, &[(asks(), asks()), (unknown(), unknown())]));
    assert_eq!(decision.verdict, Verdict::Optional);
    let decision = decide(&facts(SslRequestOutcome::S, &[(unknown(), unknown())]));
    assert_eq!(decision.verdict, Verdict::Optional, "it would have gone on with a name that it knows");
}

#[test]
fn cryptography_that_we_lack_does_not_hide_a_refusal_in_words() {
    let beyond = || Attempt::Failed(Reason::Handshake("no common suite".into()));
    let mut unseen = facts(SslRequestOutcome::S, &[(refused(), beyond()), (refused(), beyond())]);
    unseen.handshake = Attempt::Failed(Reason::Handshake("no common suite".into()));
    unseen.versions = BTreeMap::from([(TlsVersion::Tls12, Attempt::Completed(true))]);
    assert_eq!(decide(&unseen).verdict, Verdict::Inconclusive, "no ServerHello");
    unseen.hello_suite = Some(CipherSuite(0x009c));
    let decision = decide(&unseen);
    assert_eq!(decision.verdict, Verdict::Enforced, "{}", decision.reason);
    assert!(decision.reason.contains("TLS was not completed"), "{}", decision.reason);
    for without_secrecy in [0x0002, 0x006c] {
        let weak = Facts { hello_suite: Some(CipherSuite(without_secrecy)), ..unseen.clone() };
        assert_eq!(decide(&weak).verdict, Verdict::Inconclusive, "{without_secrecy:04x}");
    }
    unseen.startups[1].plaintext = Attempt::Failed(Reason::Closed("waiting"));
    assert_eq!(decide(&unseen).verdict, Verdict::Inconclusive, "a silence is no word");
}

#[test]
fn an_error_for_every_request_of_tls_leaves_plaintext_alone() {
    let decision = decide(&facts(SslRequestOutcome::E, &[(asks(), not_offered())]));
    assert_eq!(decision.verdict, Verdict::PlaintextOnly, "{}", decision.reason);
}

#[test]
fn several_servers_are_never_called_enforced_by_luck() {
    let mut several = facts(SslRequestOutcome::S, &[(refused(), asks())]);
    for chain in [1, 2] {
        let Attempt::Completed(handshake) = handshake() else { unreachable!() };
        several.identity.handshake(&Handshake { chain: vec![vec![chain]], ..handshake });
    }
    let decision = decide(&several);
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    assert!(
        decision.reason.contains("at least 2 servers answer here, which differ in: certificate"),
        "{}",
        decision.reason
    );
    // Asked often enough, and asked for it.
    let refusal = StartupReply::Error(ErrorResponse {
        code: Some("28000".into()),
        routine: Some("ClientAuthentication".into()),
        message: Some("no pg_hba.conf entry".into()),
        ..ErrorResponse::default()
    });
    for _ in 0..20 {
        several.identity.reply(crate::identity::Transport::Plaintext, &startup("user0"), &refusal);
    }
    assert_eq!(decide(&several).verdict, Verdict::Inconclusive, "without --repeat");
    several.repeated = true;
    let decision = decide(&several);
    assert_eq!(decision.verdict, Verdict::Enforced);
    assert!(decision.reason.contains("20 answers"), "{}", decision.reason);
    several.startups[0].plaintext = asks();
    assert_eq!(decide(&several).verdict, Verdict::Optional, "a hole is a hole, whoever has it");
}
