use std::collections::BTreeMap;

use hostssl_pgwire::backend::Authentication;
use hostssl_pgwire::error_response::ErrorResponse;
use hostssl_pgwire::tls::CipherSuite;

use super::*;
use crate::offer::{Handshake, Startup};
use crate::startup_answer::StartupReply;

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
    Attempt::NotScheduled(AttemptFailure::Pointless("the server offers no TLS"))
}

fn handshake() -> Attempt<Handshake> {
    Attempt::Completed(Handshake {
        version: ProtocolVersion::Tls13,
        suite: CipherSuite(0x1301),
        group: None,
        alpn: None,
        chain: Vec::new(),
        key_proof: Ok(()),
        certificate_requested: false,
    })
}

fn facts(ssl: SslRequestOutcome, replies: &[(Reply, Reply)]) -> EndpointFacts {
    let startups: Vec<_> = (0..replies.len()).map(|index| startup(&format!("user{index}"))).collect();
    let mut facts = EndpointFacts::new(&startups);
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
    let timeout = || Attempt::Failed(AttemptFailure::Timeout("waiting"));
    let closed = || Attempt::Failed(AttemptFailure::Closed("waiting"));
    for (name, ssl, replies, expected) in [
        ("refused / allowed", Ssl::S, vec![(refused(), asks())], WireVerdict::Enforced),
        ("allowed / allowed", Ssl::S, vec![(asks(), asks())], WireVerdict::Optional),
        ("allowed / N", Ssl::N, vec![(asks(), not_offered())], WireVerdict::PlaintextOnly),
        ("allowed / refused", Ssl::S, vec![(asks(), refused())], WireVerdict::PlaintextOnly),
        ("refused / refused", Ssl::S, vec![(refused(), refused())], WireVerdict::Inconclusive),
        ("refused / N", Ssl::N, vec![(refused(), not_offered())], WireVerdict::Inconclusive),
        ("refused / certificate", Ssl::S, vec![(refused(), wants_certificate())], WireVerdict::Enforced),
        ("busy / allowed", Ssl::S, vec![(busy(), asks())], WireVerdict::Inconclusive),
        ("refused / busy", Ssl::S, vec![(refused(), busy())], WireVerdict::Inconclusive),
        ("busy / busy", Ssl::S, vec![(busy(), busy())], WireVerdict::Inconclusive),
        ("timeout / allowed", Ssl::S, vec![(timeout(), asks())], WireVerdict::Inconclusive),
        ("closed / allowed", Ssl::S, vec![(closed(), asks())], WireVerdict::Enforced),
        ("closed / closed", Ssl::S, vec![(closed(), closed())], WireVerdict::Inconclusive),
        ("closed / no TLS", Ssl::Closed, vec![(closed(), closed())], WireVerdict::Inconclusive),
        ("allowed / unknown", Ssl::S, vec![(asks(), timeout())], WireVerdict::Optional),
        ("allowed, SSLRequest closed", Ssl::Closed, vec![(asks(), closed())], WireVerdict::PlaintextOnly),
        ("allowed, SSLRequest times out", Ssl::Timeout, vec![(asks(), timeout())], WireVerdict::Optional),
        ("one hole among many", Ssl::S, vec![(refused(), asks()), (asks(), asks())], WireVerdict::Optional),
        ("a hole without TLS", Ssl::S, vec![(refused(), asks()), (asks(), refused())], WireVerdict::Optional),
        ("no replication line", Ssl::S, vec![(refused(), asks()), (refused(), refused())], WireVerdict::Enforced),
        ("one unknown in plaintext", Ssl::S, vec![(refused(), asks()), (timeout(), asks())], WireVerdict::Inconclusive),
        ("one unknown over TLS", Ssl::S, vec![(refused(), asks()), (refused(), timeout())], WireVerdict::Enforced),
        ("a hole beats an unknown", Ssl::S, vec![(timeout(), asks()), (asks(), asks())], WireVerdict::Optional),
    ] {
        let decision = decide(&facts(ssl, &replies));
        assert_eq!(decision.verdict, expected, "{name}: {}", decision.reason);
        assert!(!decision.reason.is_empty());
    }
}

#[test]
fn where_no_one_gets_in_the_reason_speaks_of_that() {
    let skipped = || Attempt::NotScheduled(AttemptFailure::Pointless("others were not accepted"));
    let reason = |replies: &[(Reply, Reply)]| decide(&facts(SslRequestOutcome::S, replies)).reason;
    let nobody = reason(&[(refused(), refused()), (refused(), refused()), (refused(), skipped())]);
    assert!(nobody.starts_with("no one gets in from here: all 3 startups"), "{nobody}");
    assert!(nobody.contains("all 2 tried over TLS"), "{nobody}");
    // One that was not answered over TLS may be one who gets in.
    for other in [busy(), Attempt::Failed(AttemptFailure::Timeout("waiting"))] {
        let unknown = reason(&[(refused(), refused()), (refused(), other)]);
        assert!(unknown.starts_with("plaintext is refused; over TLS, no decisive answer ("), "{unknown}");
    }
    let never = reason(&[(refused(), skipped())]);
    assert!(never.starts_with("plaintext is refused; over TLS, no decisive answer (not tried"), "{never}");
}

#[test]
fn a_gateway_without_a_routine_is_judged_by_the_other_transport() {
    let gateway = || error("28000", None, "SSL connection is required. Please specify SSL options and retry.");
    assert_eq!(decide(&facts(SslRequestOutcome::S, &[(gateway(), asks())])).verdict, WireVerdict::Enforced);
    assert_eq!(decide(&facts(SslRequestOutcome::S, &[(gateway(), gateway())])).verdict, WireVerdict::Inconclusive);
}

#[test]
fn the_reason_names_the_hole() {
    let decision = decide(&facts(SslRequestOutcome::S, &[(refused(), asks()), (asks(), asks())]));
    assert_eq!(decision.reason, "accepted in plaintext: user \"user1\", database \"postgres\"");
}

#[test]
fn tls_that_is_announced_and_absent_is_broken() {
    let mut broken = facts(SslRequestOutcome::S, &[(refused(), Attempt::Failed(AttemptFailure::Closed("x")))]);
    broken.handshake = Attempt::Failed(AttemptFailure::Handshake("alert internal_error".into()));
    assert_eq!(decide(&broken).verdict, WireVerdict::BrokenTls);

    // Only an old version: broken, because unsafe.
    broken.versions = BTreeMap::from([(ProtocolVersion::Tls11, Attempt::Completed(true))]);
    let decision = decide(&broken);
    assert_eq!(decision.verdict, WireVerdict::BrokenTls);
    assert!(decision.reason.contains("TLSv1.1"), "{}", decision.reason);

    // A good version that we cannot complete: not the server's fault.
    broken.versions.insert(ProtocolVersion::Tls12, Attempt::Completed(true));
    assert_eq!(decide(&broken).verdict, WireVerdict::Inconclusive);

    // A time-out may be the network's fault.
    let mut slow = facts(SslRequestOutcome::S, &[(refused(), Attempt::Failed(AttemptFailure::Timeout("x")))]);
    slow.handshake = Attempt::Failed(AttemptFailure::Timeout("x"));
    assert_eq!(decide(&slow).verdict, WireVerdict::Inconclusive);

    let mut injected = facts(SslRequestOutcome::S, &[(refused(), asks())]);
    injected.bytes_before_handshake = true;
    assert_eq!(decide(&injected).verdict, WireVerdict::BrokenTls);
}

#[test]
fn what_is_no_postgresql() {
    let garbage = || Attempt::Failed(AttemptFailure::Protocol("unexpected first byte 0x48".into()));
    assert_eq!(
        decide(&facts(SslRequestOutcome::Garbage, &[(garbage(), garbage())])).verdict,
        WireVerdict::NotPostgresql
    );
    // A byte N or E alone is not evidence for PostgreSQL.
    assert_eq!(decide(&facts(SslRequestOutcome::N, &[(garbage(), not_offered())])).verdict, WireVerdict::NotPostgresql);
    let mut ssh = facts(SslRequestOutcome::NotSent, &[(not_offered(), not_offered())]);
    ssh.talks_first = true;
    assert_eq!(decide(&ssh).verdict, WireVerdict::NotPostgresql);
    let mut gone = facts(SslRequestOutcome::NotSent, &[(not_offered(), not_offered())]);
    gone.unreachable = Some(AttemptFailure::ConnectionRefused);
    assert_eq!(decide(&gone).verdict, WireVerdict::Unreachable);
}

#[test]
fn worst_in_clear_and_best_over_tls_stand_for_all() {
    let decision =
        decide(&facts(SslRequestOutcome::S, &[(refused(), refused()), (busy(), asks()), (refused(), busy())]));
    assert_eq!(decision.plaintext.sqlstate.as_deref(), Some("53300"));
    assert_eq!(decision.encrypted.authentication.as_deref(), Some("password"));
    assert_eq!(worst_plaintext(std::iter::empty()).outcome, StartupOutcome::Unknown);
}

fn replication(facts: &mut EndpointFacts, index: usize) {
    facts.startups[index].startup.replication = Replication::Physical;
    facts.startups[index].startup.database = None;
}

#[test]
fn replication_that_nobody_can_have_does_not_decide() {
    let full =
        || error("53300", Some("InitProcess"), "number of requested standby connections exceeds max_wal_senders");
    let none = || error("08P01", None, "unsupported startup parameter: replication");
    let not_asked = || Attempt::NotScheduled(AttemptFailure::Pointless("not needed"));
    for (name, others, plaintext, encrypted, expected) in [
        ("no WAL sender", refused(), full(), full(), WireVerdict::Enforced),
        ("none through a pooler", refused(), none(), not_asked(), WireVerdict::Enforced),
        ("a WAL sender over TLS alone", refused(), full(), asks(), WireVerdict::Inconclusive),
        ("not known over TLS", refused(), full(), not_asked(), WireVerdict::Inconclusive),
        (
            "starting up",
            refused(),
            error("57P03", None, "starting"),
            error("57P03", None, "starting"),
            WireVerdict::Inconclusive,
        ),
        ("no slot for anyone", busy(), full(), full(), WireVerdict::Inconclusive),
        ("an open server", asks(), full(), full(), WireVerdict::Optional),
    ] {
        let mut facts = facts(SslRequestOutcome::S, &[(others, asks()), (plaintext, encrypted)]);
        replication(&mut facts, 1);
        let decision = decide(&facts);
        assert_eq!(decision.verdict, expected, "{name}: {}", decision.reason);
        if expected == WireVerdict::Enforced {
            assert_eq!(decision.plaintext.outcome, StartupOutcome::Refused, "{name}");
            assert!(decision.reason.contains("; replication "), "{name}: {}", decision.reason);
        }
    }
    // Nobody else answered: what cannot be had proves nothing.
    let mut alone = facts(SslRequestOutcome::S, &[(none(), asks())]);
    replication(&mut alone, 0);
    assert_ne!(decide(&alone).verdict, WireVerdict::Enforced);
}

#[test]
fn what_an_unknown_name_proves_depends_on_the_rules_of_the_pooler() {
    let unknown = || error("08P01", None, "no such database: hostssl_1");
    let rejected = || error("08P01", None, "login rejected");
    let of = |replies: &[(Attempt<StartupReply>, Attempt<StartupReply>)], databases: &[&str]| {
        let mut facts = facts(SslRequestOutcome::S, replies);
        for (index, (startup, database)) in facts.startups.iter_mut().zip(databases).enumerate() {
            startup.startup.user = format!("user{index}");
            startup.startup.database = Some((*database).to_owned());
        }
        decide(&facts)
    };
    let known_is_refused = [(rejected(), asks()), (unknown(), unknown())];
    let decision = of(&known_is_refused, &["postgres", "hostssl_1"]);
    assert_eq!(decision.verdict, WireVerdict::Inconclusive, "a rule may have let it in: {}", decision.reason);
    // The rules were looked at before the same name for another user, so they have let this one in.
    let decision = of(&known_is_refused, &["hostssl_1", "hostssl_1"]);
    assert_eq!(decision.verdict, WireVerdict::Optional, "{}", decision.reason);
    let decision = of(&[(asks(), asks()), (unknown(), unknown())], &["postgres", "hostssl_1"]);
    assert_eq!(decision.verdict, WireVerdict::Optional);
    let decision = of(&[(unknown(), unknown())], &["hostssl_1"]);
    assert_eq!(decision.verdict, WireVerdict::Optional, "it would have gone on with a name that it knows");
    // That TLS reaches authentication is shown by a startup that counts.
    let only_unknown = of(&[(rejected(), rejected()), (unknown(), unknown())], &["postgres", "hostssl_1"]);
    assert_ne!(only_unknown.verdict, WireVerdict::Enforced, "{}", only_unknown.reason);
}

#[test]
fn cryptography_that_we_lack_does_not_hide_a_refusal_in_words() {
    let beyond = || Attempt::Failed(AttemptFailure::Handshake("no common suite".into()));
    let mut unseen = facts(SslRequestOutcome::S, &[(refused(), beyond()), (refused(), beyond())]);
    unseen.handshake = Attempt::Failed(AttemptFailure::Handshake("no common suite".into()));
    unseen.versions = BTreeMap::from([(ProtocolVersion::Tls12, Attempt::Completed(true))]);
    assert_eq!(decide(&unseen).verdict, WireVerdict::Inconclusive, "no ServerHello");
    unseen.hello_suite = Some(CipherSuite(0x009c));
    let decision = decide(&unseen);
    assert_eq!(decision.verdict, WireVerdict::Enforced, "{}", decision.reason);
    assert!(decision.reason.contains("TLS was not completed"), "{}", decision.reason);
    for without_secrecy in [0x0002, 0x006c] {
        let weak = EndpointFacts { hello_suite: Some(CipherSuite(without_secrecy)), ..unseen.clone() };
        assert_eq!(decide(&weak).verdict, WireVerdict::Inconclusive, "{without_secrecy:04x}");
    }
    unseen.startups[1].plaintext = Attempt::Failed(AttemptFailure::Closed("waiting"));
    assert_eq!(decide(&unseen).verdict, WireVerdict::Inconclusive, "a silence is not a word");
}

#[test]
fn an_error_for_every_request_of_tls_leaves_plaintext_alone() {
    let decision = decide(&facts(SslRequestOutcome::E, &[(asks(), not_offered())]));
    assert_eq!(decision.verdict, WireVerdict::PlaintextOnly, "{}", decision.reason);
}

#[test]
fn several_servers_are_never_called_enforced_by_luck() {
    let mut several = facts(SslRequestOutcome::S, &[(refused(), asks())]);
    for chain in [1, 2] {
        let Attempt::Completed(handshake) = handshake() else { unreachable!() };
        several.identity.handshake("", &Handshake { chain: vec![vec![chain]], ..handshake });
    }
    let decision = decide(&several);
    assert_eq!(decision.verdict, WireVerdict::Inconclusive);
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
    assert_eq!(decide(&several).verdict, WireVerdict::Inconclusive, "without --repeat");
    several.repeated = true;
    let decision = decide(&several);
    assert_eq!(decision.verdict, WireVerdict::Enforced);
    assert!(decision.reason.contains("20 answers"), "{}", decision.reason);
    several.startups[0].plaintext = asks();
    assert_eq!(decide(&several).verdict, WireVerdict::Optional, "a hole is a hole, whoever has it");
}
