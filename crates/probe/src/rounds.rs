//! The order of the questions to one endpoint.
//!
//! The first connection is alone: a host that is down, a black hole or a peer that is no PostgreSQL costs that one
//! connection and its time-out. What it shows decides which questions make sense; those then run side by side. Startups
//! for more names follow where the first ones found no hole, and startups over TLS where the answer in plaintext needs
//! one to be understood.

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, StreamExt as _};
use hostssl_pgwire::tls::ProtocolVersion;

use crate::answer::{Signal, StartupReply, signal};
use crate::attempt::{Attempt, AttemptFailure};
use crate::endpoint::{Endpoint, Opening, attempt};
use crate::facts::{EndpointFacts, Enumerated, StartupFacts};
use crate::hello_jobs::{self, VersionsSeen};
use crate::jobs::{self, First, FirstStartup, TlsRun};
use crate::offer::Startup;
use crate::options::Startups;
use crate::report::SslRequestOutcome;
use crate::tls_client::ALPN;

/// What a job brings back.
enum Seen {
    Plaintext(usize, Attempt<StartupReply>),
    Encrypted(usize, Box<TlsRun>),
    Versions(VersionsSeen),
    Direct(Box<TlsRun>),
    DirectWithoutAlpn(Attempt<bool>),
    Gss(Attempt<bool>),
    Stuffing(Attempt<bool>),
}

type Job<'a> = BoxFuture<'a, Seen>;

/// How often the first startups are sent again in plaintext where several servers seem to answer.
const MORE_FOR_SEVERAL: u16 = 4;

/// Why a startup of the second round was not sent: such startups are left out of the report.
const NOT_NEEDED: Attempt<StartupReply> =
    Attempt::NotScheduled(AttemptFailure::Pointless("the other startups are decisive"));

pub(crate) async fn by_request(endpoint: &Endpoint<'_>, startups: &Startups) -> EndpointFacts {
    let mut facts = EndpointFacts::new(&startups.all);
    // There is always a first startup.
    let Some(opener) = startups.all.first() else {
        return facts;
    };
    match jobs::first(endpoint, opener).await {
        // Its turn did not come: nothing is known.
        Err(AttemptFailure::EndpointDeadline) => return complete(endpoint, facts),
        Err(reason) => facts.unreachable = Some(reason),
        Ok(First::TalksFirst) => facts.talks_first = true,
        Ok(First::Negotiated(negotiation, next)) => {
            facts.ssl = negotiation.outcome;
            facts.ssl_note = negotiation.note;
            facts.bytes_before_handshake = negotiation.bytes_after && negotiation.outcome == SslRequestOutcome::S;
            match next {
                Some(FirstStartup::Plaintext(reply)) => set_plaintext(&mut facts, 0, *reply),
                Some(FirstStartup::Encrypted(run)) => set_encrypted(&mut facts, 0, *run),
                None => {}
            }
        }
    }
    match facts.ssl {
        _ if facts.unreachable.is_some() => skip_remaining(startups, &mut facts, "no connection could be made"),
        _ if facts.talks_first => skip_remaining(startups, &mut facts, "the peer sends data first"),
        SslRequestOutcome::Garbage | SslRequestOutcome::NotSent => {
            skip_remaining(startups, &mut facts, "the peer is not PostgreSQL");
        }
        SslRequestOutcome::S if facts.bytes_before_handshake => {
            let reply = jobs::plaintext(endpoint, opener).await;
            set_plaintext(&mut facts, 0, reply);
            skip_remaining(startups, &mut facts, "bytes precede the handshake");
        }
        SslRequestOutcome::S => with_tls(endpoint, startups, &mut facts, Opening::SslRequest).await,
        SslRequestOutcome::N => {
            skip_tls(&mut facts, "the server offers no TLS");
            without_tls(endpoint, startups, &mut facts).await;
        }
        SslRequestOutcome::E | SslRequestOutcome::Closed | SslRequestOutcome::Reset | SslRequestOutcome::Timeout => {
            without_request(endpoint, startups, &mut facts).await;
        }
    }
    complete(endpoint, facts)
}

pub(crate) async fn by_direct_tls(endpoint: &Endpoint<'_>, startups: &Startups) -> EndpointFacts {
    let mut facts = EndpointFacts::new(&startups.all);
    let Some(opener) = startups.all.first() else {
        return facts;
    };
    let opening = Opening::Direct { alpn: true };
    let run = jobs::encrypted(endpoint, opener, opening).await;
    facts.direct = jobs::direct_answer(&run);
    let unreachable = match &run.reply {
        Attempt::Failed(
            reason @ (AttemptFailure::ConnectionRefused
            | AttemptFailure::Connect(_)
            | AttemptFailure::Timeout("connecting")),
        ) => Some(reason.clone()),
        _ => None,
    };
    set_encrypted(&mut facts, 0, run);
    if unreachable.is_some() {
        facts.unreachable = unreachable;
        skip_remaining(startups, &mut facts, "no connection could be made");
    } else if facts.direct == Attempt::Completed(true) {
        with_tls(endpoint, startups, &mut facts, opening).await;
    } else {
        // No direct TLS. What a client gets that asks in the other way is to be known all the same.
        return by_request(endpoint, startups).await;
    }
    complete(endpoint, facts)
}

/// The facts, without the startups that were not needed.
fn complete(endpoint: &Endpoint<'_>, mut facts: EndpointFacts) -> EndpointFacts {
    facts.startups.retain(|startup| startup.plaintext != NOT_NEEDED);
    facts.identity = endpoint.identity();
    facts.repeated = endpoint.options.repeat > 1;
    facts
}

/// The server has TLS: the startups, and all that there is to ask about TLS.
async fn with_tls(endpoint: &Endpoint<'_>, startups: &Startups, facts: &mut EndpointFacts, opening: Opening) {
    let options = endpoint.options;
    let Some(opener) = startups.all.first() else {
        return;
    };
    let wanted = versions_to_ask(facts, options.versions);
    let direct = direct_plan(endpoint, facts, opening, &wanted);
    // The next connection shows a certificate again: a balancer that takes servers in turn hands it to another one.
    let mut list: Vec<Job<'_>> = Vec::new();
    if direct == DirectPlan::WithVersions {
        list.push(Box::pin(async move { Seen::Versions(hello_jobs::versions_and_direct(endpoint, &wanted).await) }));
    } else if !wanted.is_empty() {
        list.push(Box::pin(async move { Seen::Versions(hello_jobs::versions(endpoint, opening, &wanted).await) }));
    }
    list.extend(plaintext_jobs(endpoint, startups, facts, 0..startups.first));
    if direct == DirectPlan::Now {
        list.push(Box::pin(ask_direct(endpoint, opener)));
    }
    if options.startup_stuffing && opening == Opening::SslRequest {
        list.push(Box::pin(async move { Seen::Stuffing(jobs::startup_stuffing(endpoint, opener).await) }));
    }
    if options.gss_encryption {
        list.push(Box::pin(async move { Seen::Gss(jobs::gss_encryption(endpoint).await) }));
    }
    run_all(endpoint, list, facts).await;
    startups_over_tls(endpoint, startups, facts, opening).await;
    retry_silent_startups(endpoint, startups, facts, 0..startups.first).await;
    remaining_plaintext(endpoint, startups, facts).await;
    startups_over_tls(endpoint, startups, facts, opening).await;
    retry_silent_startups(endpoint, startups, facts, startups.first..startups.all.len()).await;
    if !handshake_can_succeed(facts) {
        copy_handshake_failure(facts);
    }
    skip_startups_over_tls(facts, "the first startup has shown that TLS is accepted");

    if direct != DirectPlan::Never && facts.direct == Attempt::NotScheduled(AttemptFailure::NotAsked) {
        if direct == DirectPlan::UnlessOld && is_postgresql(facts) {
            facts.direct = Attempt::Completed(false);
        } else {
            run_all(endpoint, vec![Box::pin(ask_direct(endpoint, opener))], facts).await;
        }
    }
    if options.direct_tls_without_alpn && facts.direct == Attempt::Completed(true) {
        run_all(endpoint, vec![Box::pin(direct_without_alpn(endpoint, opener))], facts).await;
    }
    enumerate(endpoint, opening, facts).await;
}

/// The versions that are still to be asked for after the first handshake.
fn versions_to_ask(facts: &mut EndpointFacts, asked: bool) -> Vec<ProtocolVersion> {
    let mut wanted: Vec<_> = if asked { ProtocolVersion::ALL.to_vec() } else { Vec::new() };
    // Without a handshake, only our own hello can tell why.
    if let Some(negotiated) = facts.handshake.completed().map(|handshake| handshake.version) {
        // We offered 1.3 and 1.2: what is newer than the server's choice it does not have.
        facts.versions.extend(
            wanted
                .iter()
                .filter(|version| **version >= negotiated)
                .map(|version| (*version, Attempt::Completed(*version == negotiated))),
        );
        wanted.retain(|version| *version < negotiated);
    }
    wanted
}

/// When to ask for direct TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DirectPlan {
    Never,
    /// By a connection of its own.
    Now,
    /// By the connection that asks for TLS 1.2.
    WithVersions,
    /// Not, if it turns out that the server is a PostgreSQL too old for it.
    UnlessOld,
}

/// A PostgreSQL with direct TLS chooses the protocol `postgresql` in every handshake that offers it (version 17 and
/// later); an older one knows no protocols.
fn direct_plan(
    endpoint: &Endpoint<'_>,
    facts: &EndpointFacts,
    opening: Opening,
    wanted: &[ProtocolVersion],
) -> DirectPlan {
    let options = endpoint.options;
    if !options.direct_tls || opening != Opening::SslRequest {
        return DirectPlan::Never;
    }
    match facts.handshake.completed() {
        Some(handshake) if handshake.alpn.as_deref() == Some(ALPN) => {
            if wanted.contains(&ProtocolVersion::Tls12) {
                DirectPlan::WithVersions
            } else {
                DirectPlan::Now
            }
        }
        Some(_) if options.direct_tls_always || !endpoint.offers_alpn() => DirectPlan::Now,
        Some(_) => DirectPlan::UnlessOld,
        None => DirectPlan::Now,
    }
}

/// Whether PostgreSQL itself answers: poolers and gateways do not name the routine that raised an error.
fn is_postgresql(facts: &EndpointFacts) -> bool {
    let named = |attempt: &Attempt<StartupReply>| match attempt.completed() {
        Some(StartupReply::Error(error)) => error.routine.is_some() && error.file.is_some(),
        _ => false,
    };
    facts.startups.iter().any(|startup| named(&startup.plaintext) || named(&startup.encrypted))
}

/// Startups in plaintext that have not been sent.
fn plaintext_jobs<'a>(
    endpoint: &'a Endpoint<'_>,
    startups: &'a Startups,
    facts: &EndpointFacts,
    range: std::ops::Range<usize>,
) -> Vec<Job<'a>> {
    let missing = startups.all.iter().enumerate().filter(|(index, _)| range.contains(index)).filter(|(index, _)| {
        let known = facts.startups.get(*index).map(|startup| &startup.plaintext);
        known == Some(&NOT_YET)
    });
    missing.map(|(index, startup)| plaintext_job(endpoint, index, startup)).collect()
}

fn plaintext_job<'a>(endpoint: &'a Endpoint<'_>, index: usize, startup: &'a Startup) -> Job<'a> {
    async move { Seen::Plaintext(index, jobs::plaintext(endpoint, startup).await) }.boxed()
}

/// The startups of the second round, and those that are to be sent again.
async fn remaining_plaintext(endpoint: &Endpoint<'_>, startups: &Startups, facts: &mut EndpointFacts) {
    let first = facts.startups.get(..startups.first).unwrap_or_default();
    let found_hole =
        |facts: &EndpointFacts| facts.startups.iter().any(|startup| plaintext_signal(startup) == Signal::Allowed);
    // A terminator that closes every startup in plaintext does not look at the names in it.
    let answered = first.iter().any(|startup| startup.plaintext.completed().is_some());
    let replicates = !first.iter().any(has_no_replication);
    let unneeded = found_hole(facts) || !answered;
    for startup in facts.startups.iter_mut().skip(startups.first) {
        let replication = startup.startup.replication != hostssl_pgwire::frontend::Replication::None;
        if unneeded || (replication && !replicates) {
            startup.plaintext = NOT_NEEDED;
        }
    }
    let list = plaintext_jobs(endpoint, startups, facts, startups.first..startups.all.len());
    run_all(endpoint, list, facts).await;

    for _ in 1..endpoint.options.repeat {
        if found_hole(facts) {
            return;
        }
        plaintext_once_more(endpoint, startups, facts, startups.all.len()).await;
    }
    for _ in 0..MORE_FOR_SEVERAL {
        if endpoint.options.repeat > 1 || found_hole(facts) || endpoint.identity().differences().is_empty() {
            return;
        }
        plaintext_once_more(endpoint, startups, facts, startups.first).await;
    }
}

/// Sends the first `count` startups once more in plaintext, as far as they have been sent.
async fn plaintext_once_more(endpoint: &Endpoint<'_>, startups: &Startups, facts: &mut EndpointFacts, count: usize) {
    let sent =
        startups.all.iter().enumerate().take(count).filter(|(index, _)| {
            facts.startups.get(*index).is_some_and(|startup| startup.plaintext.completed().is_some())
        });
    let list = sent.map(|(index, startup)| plaintext_job(endpoint, index, startup)).collect();
    run_all(endpoint, list, facts).await;
}

fn plaintext_signal(startup: &StartupFacts) -> Signal {
    signal(&startup.plaintext, &startup.startup.user)
}

/// Whether the answer to a startup for replication says that nobody can have any.
fn has_no_replication(startup: &StartupFacts) -> bool {
    startup.startup.replication != hostssl_pgwire::frontend::Replication::None
        && (plaintext_signal(startup) == Signal::NoReplication || startup.is_full())
}

/// Sends over TLS the startups whose answer in plaintext means something only beside the other one, and, as long as
/// none was accepted over TLS, those of the first round.
async fn startups_over_tls(endpoint: &Endpoint<'_>, startups: &Startups, facts: &mut EndpointFacts, opening: Opening) {
    if !handshake_can_succeed(facts) {
        return;
    }
    let first_is_enough = facts.startups.first().is_some_and(|startup| {
        let signal = signal(&startup.encrypted, &startup.startup.user);
        matches!(signal, Signal::Allowed | Signal::ClientCertificate | Signal::NoSuchName)
    });
    let needs = |index: usize, startup: &StartupFacts| {
        let unclear = matches!(plaintext_signal(startup), Signal::Silent | Signal::Unclear) || startup.is_full();
        startup.encrypted == NOT_YET && (unclear || (!first_is_enough && index < startups.first))
    };
    let mut list: Vec<Job<'_>> = Vec::new();
    for (index, startup) in startups.all.iter().enumerate() {
        if facts.startups.get(index).is_some_and(|known| needs(index, known)) {
            list.push(Box::pin(async move {
                Seen::Encrypted(index, Box::new(jobs::encrypted(endpoint, startup, opening).await))
            }));
        }
    }
    run_all(endpoint, list, facts).await;
}

/// Whether another handshake has a chance where the first one went wrong.
fn handshake_can_succeed(facts: &EndpointFacts) -> bool {
    !matches!(
        facts.handshake,
        Attempt::Failed(
            AttemptFailure::Handshake(_)
                | AttemptFailure::FalseSignature
                | AttemptFailure::ClientCertificate
                | AttemptFailure::Timeout(_)
                | AttemptFailure::Protocol(_)
        )
    )
}

/// What went wrong with the first handshake would go wrong with the others, which were not tried.
fn copy_handshake_failure(facts: &mut EndpointFacts) {
    let Some(reply) = facts.startups.first().map(|startup| startup.encrypted.clone()) else {
        return;
    };
    for startup in facts.startups.iter_mut().skip(1) {
        if startup.encrypted == NOT_YET {
            startup.encrypted = reply.clone();
        }
    }
}

/// `SSLRequest` found no answer that goes on: in plaintext, and by direct TLS.
async fn without_request(endpoint: &Endpoint<'_>, startups: &Startups, facts: &mut EndpointFacts) {
    let Some(opener) = startups.all.first() else {
        return;
    };
    let mut list = vec![plaintext_job(endpoint, 0, opener)];
    if facts.ssl != SslRequestOutcome::E {
        list.push(Box::pin(ask_direct(endpoint, opener)));
    }
    run_all(endpoint, list, facts).await;
    let answered = facts.startups.first().is_some_and(|startup| startup.plaintext.completed().is_some());
    if facts.direct == Attempt::Completed(true) {
        with_tls(endpoint, startups, facts, Opening::Direct { alpn: true }).await;
    } else {
        skip_tls(facts, "SSLRequest got no answer");
        if answered {
            without_tls(endpoint, startups, facts).await;
        } else {
            skip_remaining(startups, facts, "the first startup got no answer");
        }
    }
}

async fn without_tls(endpoint: &Endpoint<'_>, startups: &Startups, facts: &mut EndpointFacts) {
    let mut list = plaintext_jobs(endpoint, startups, facts, 0..startups.first);
    if endpoint.options.gss_encryption {
        list.push(Box::pin(async move { Seen::Gss(jobs::gss_encryption(endpoint).await) }));
    }
    run_all(endpoint, list, facts).await;
    remaining_plaintext(endpoint, startups, facts).await;
}

async fn ask_direct(endpoint: &Endpoint<'_>, startup: &Startup) -> Seen {
    Seen::Direct(Box::new(jobs::encrypted(endpoint, startup, Opening::Direct { alpn: true }).await))
}

async fn direct_without_alpn(endpoint: &Endpoint<'_>, startup: &Startup) -> Seen {
    let run = jobs::encrypted(endpoint, startup, Opening::Direct { alpn: false }).await;
    Seen::DirectWithoutAlpn(jobs::direct_answer(&run))
}

/// Suites and groups of every version that is accepted, if they are asked for.
async fn enumerate(endpoint: &Endpoint<'_>, opening: Opening, facts: &mut EndpointFacts) {
    let accepted: Vec<_> = facts
        .versions
        .iter()
        .filter(|(_, support)| support.completed() == Some(&true))
        .map(|(version, _)| *version)
        .collect();
    let limit = endpoint.options.connections_per_server.max(1);
    if endpoint.options.cipher_suites {
        let jobs: Vec<BoxFuture<'_, _>> =
            accepted.iter().map(|version| hello_jobs::suites(endpoint, opening, *version).boxed()).collect();
        facts.suites = Some(stream::iter(jobs).buffered(limit).collect().await);
    }
    if endpoint.options.groups {
        // SSL 3.0 has no extension to name a group in.
        let with_groups = accepted.iter().filter(|version| **version > ProtocolVersion::Ssl3);
        let jobs: Vec<BoxFuture<'_, _>> =
            with_groups.map(|version| hello_jobs::groups(endpoint, opening, *version).boxed()).collect();
        facts.groups = Some(stream::iter(jobs).buffered(limit).collect().await);
    }
    if endpoint.options.post_quantum {
        facts.post_quantum = Some(post_quantum(endpoint, opening, facts).await);
    }
}

/// The groups that withstand a quantum computer: there are none below TLS 1.3, and a whole list of groups holds them.
async fn post_quantum(
    endpoint: &Endpoint<'_>,
    opening: Opening,
    facts: &EndpointFacts,
) -> Enumerated<hostssl_pgwire::tls::NamedGroup> {
    let version = ProtocolVersion::Tls13;
    if facts.versions.get(&version).and_then(Attempt::completed) == Some(&false) {
        return Enumerated { version, chosen: Vec::new(), complete: true };
    }
    let whole = facts.groups.iter().flatten().find(|list| list.version == version && list.complete);
    match whole {
        Some(list) => {
            let chosen = list.chosen.iter().copied().filter(|group| group.is_post_quantum()).collect();
            Enumerated { version, chosen, complete: true }
        }
        None => hello_jobs::post_quantum(endpoint, opening).await,
    }
}

/// What was closed in plaintext without an answer is asked again alone, one after the other.
async fn retry_silent_startups(
    endpoint: &Endpoint<'_>,
    startups: &Startups,
    facts: &mut EndpointFacts,
    range: std::ops::Range<usize>,
) {
    let mut pauses = &jobs::SILENCES[..];
    for (index, startup) in startups.all.iter().enumerate().filter(|(index, _)| range.contains(index)) {
        let silent = facts.startups.get(index).is_some_and(|startup| jobs::is_silent(&startup.plaintext));
        if silent {
            let reply = jobs::plaintext_again(endpoint, startup, pauses).await;
            if jobs::is_silent(&reply) {
                pauses = &jobs::LATER_SILENCES;
            }
            // A deadline that came first leaves the silence what it was: no proof.
            if let Some(known) = facts.startups.get_mut(index) {
                known.plaintext = reply;
            }
        }
    }
}

async fn run_all(endpoint: &Endpoint<'_>, jobs: Vec<Job<'_>>, facts: &mut EndpointFacts) {
    let mut running = stream::iter(jobs).buffer_unordered(endpoint.options.connections_per_server.max(1));
    while let Some(seen) = running.next().await {
        match seen {
            Seen::Plaintext(index, reply) => set_plaintext(facts, index, reply),
            Seen::Encrypted(index, run) => set_encrypted(facts, index, *run),
            Seen::Versions(seen) => {
                facts.versions.extend(seen.versions);
                facts.hello_chain = seen.chain;
                facts.hello_suite = seen.suite;
                facts.hello_certificate_requested |= seen.certificate_requested;
                if let Some(direct) = seen.direct {
                    facts.direct = Attempt::Completed(direct);
                }
            }
            Seen::Direct(run) => {
                facts.direct = jobs::direct_answer(&run);
                // Where SSLRequest leads nowhere, this is the only way over TLS.
                if facts.ssl != SslRequestOutcome::S && facts.direct == Attempt::Completed(true) {
                    set_encrypted(facts, 0, *run);
                }
            }
            Seen::DirectWithoutAlpn(answer) => facts.direct_without_alpn = answer,
            Seen::Gss(answer) => facts.gss = answer,
            Seen::Stuffing(answer) => facts.stuffing = answer,
        }
    }
}

const NOT_YET: Attempt<StartupReply> = Attempt::NotScheduled(AttemptFailure::EndpointDeadline);

/// Keeps the worst of the answers to one startup: one of several servers that lets it in is one too many.
fn set_plaintext(facts: &mut EndpointFacts, index: usize, reply: Attempt<StartupReply>) {
    let rank = |signal: Signal| match signal {
        Signal::Allowed => 0,
        Signal::Refused | Signal::ClientCertificate => 2,
        _ => 1,
    };
    if let Some(known) = facts.startups.get_mut(index) {
        let worse = rank(signal(&reply, &known.startup.user)) < rank(plaintext_signal(known));
        if known.plaintext == NOT_YET || worse {
            known.plaintext = reply;
        }
    }
}

fn set_encrypted(facts: &mut EndpointFacts, index: usize, run: TlsRun) {
    if let Some(startup) = facts.startups.get_mut(index) {
        startup.encrypted = run.reply;
    }
    match run.handshake {
        // The newest version is what a modern client gets.
        Ok(handshake) => {
            if facts.handshake.completed().is_none_or(|known| known.version < handshake.version) {
                facts.handshake = Attempt::Completed(handshake);
            }
        }
        Err(fault) => {
            if facts.hello_chain.is_empty() {
                facts.hello_chain = fault.chain;
            }
            if facts.handshake.completed().is_none() {
                facts.handshake = attempt(Err(fault.reason));
            }
        }
    }
}

fn skip_startups_over_tls(facts: &mut EndpointFacts, why: &'static str) {
    for startup in &mut facts.startups {
        if startup.encrypted == NOT_YET {
            startup.encrypted = Attempt::NotScheduled(AttemptFailure::Pointless(why));
        }
    }
}

fn skip_tls(facts: &mut EndpointFacts, why: &'static str) {
    skip_startups_over_tls(facts, why);
    if facts.handshake.completed().is_none() && matches!(facts.handshake, Attempt::NotScheduled(_)) {
        facts.handshake = Attempt::NotScheduled(AttemptFailure::Pointless(why));
    }
}

fn skip_remaining(startups: &Startups, facts: &mut EndpointFacts, why: &'static str) {
    skip_tls(facts, why);
    for (index, startup) in facts.startups.iter_mut().enumerate() {
        if index >= startups.first {
            startup.plaintext = NOT_NEEDED;
        } else if startup.plaintext == NOT_YET {
            startup.plaintext = Attempt::NotScheduled(AttemptFailure::Pointless(why));
        }
    }
}
