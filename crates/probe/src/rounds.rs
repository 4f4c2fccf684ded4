//! The order of the questions to one endpoint.
//!
//! The first connection is alone: a host that is down, a black hole or a peer that is no PostgreSQL costs that one
//! connection and its time-out. What it shows decides which questions make sense; those then run side by side. Startups
//! for more names follow where the first ones found no hole, and startups over TLS where the answer in plaintext needs
//! one to be understood.

mod enumerate;
mod results;
mod startups;

use crate::attempt::{Attempt, AttemptFailure};
use crate::endpoint::{Endpoint, Opening};
use crate::facts::EndpointFacts;
use crate::hello_jobs::{self, VersionsSeen};
use crate::offer::Startup;
use crate::options::Startups;
use crate::report::SslRequestOutcome;
use crate::startup_answer::StartupReply;
use crate::startup_jobs::{self, First, FirstStartup, TlsRun};
use crate::tls_client::ALPN;
use enumerate::enumerate;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use hostssl_pgwire::tls::ProtocolVersion;
use results::{
    NOT_NEEDED, copy_handshake_failure, set_encrypted, set_plaintext, skip_remaining, skip_startups_over_tls, skip_tls,
};
use startups::{
    handshake_can_succeed, plaintext_job, plaintext_jobs, remaining_plaintext, repeated_handshakes,
    retry_silent_startups, startups_over_tls, why_no_more_over_tls,
};

/// What a job brings back.
enum Seen {
    Plaintext(usize, Attempt<StartupReply>),
    Encrypted(usize, Box<TlsRun>),
    Versions(VersionsSeen),
    /// Whether the key of the certificate signed it.
    HandshakeAgain(bool),
    VersionsAgain(VersionsSeen),
    Direct(Box<TlsRun>),
    DirectWithoutAlpn(Attempt<bool>),
    Gss(Attempt<bool>),
    Stuffing(Attempt<bool>),
}

type Job<'a> = BoxFuture<'a, Seen>;

pub(crate) async fn by_request(endpoint: &Endpoint<'_>, startups: &Startups) -> EndpointFacts {
    let mut facts = EndpointFacts::new(&startups.all);
    // There is always a first startup.
    let Some(opener) = startups.all.first() else {
        return facts;
    };
    match startup_jobs::first(endpoint, opener).await {
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
            let reply = startup_jobs::plaintext(endpoint, opener).await;
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
    let run = startup_jobs::encrypted(endpoint, opener, opening).await;
    facts.direct = startup_jobs::direct_answer(&run);
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
    // Another salt of the same user is that of another server, whatever certificate it has.
    if wanted.contains(&ProtocolVersion::Tls12) && endpoint.identity().has_salt(&opener.user) {
        let login = if direct == DirectPlan::WithVersions { Opening::Direct { alpn: true } } else { opening };
        list.push(Box::pin(async move {
            Seen::Versions(hello_jobs::versions_by_login(endpoint, opener, login, opening, &wanted).await)
        }));
    } else if direct == DirectPlan::WithVersions {
        list.push(Box::pin(async move { Seen::Versions(hello_jobs::versions_and_direct(endpoint, &wanted).await) }));
    } else if !wanted.is_empty() {
        list.push(Box::pin(async move { Seen::Versions(hello_jobs::versions(endpoint, opening, &wanted).await) }));
    }
    list.extend(plaintext_jobs(endpoint, startups, facts, 0..startups.first));
    if direct == DirectPlan::Now {
        list.push(Box::pin(ask_direct(endpoint, opener)));
    }
    if options.startup_stuffing && opening == Opening::SslRequest {
        list.push(Box::pin(async move { Seen::Stuffing(startup_jobs::startup_stuffing(endpoint, opener).await) }));
    }
    if options.gss_encryption {
        list.push(Box::pin(async move { Seen::Gss(startup_jobs::gss_encryption(endpoint).await) }));
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
    skip_startups_over_tls(facts, why_no_more_over_tls(facts));
    repeated_handshakes(endpoint, startups, facts, opening).await;

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
        list.push(Box::pin(async move { Seen::Gss(startup_jobs::gss_encryption(endpoint).await) }));
    }
    run_all(endpoint, list, facts).await;
    remaining_plaintext(endpoint, startups, facts).await;
}

async fn ask_direct(endpoint: &Endpoint<'_>, startup: &Startup) -> Seen {
    Seen::Direct(Box::new(startup_jobs::encrypted(endpoint, startup, Opening::Direct { alpn: true }).await))
}

async fn direct_without_alpn(endpoint: &Endpoint<'_>, startup: &Startup) -> Seen {
    let run = startup_jobs::encrypted(endpoint, startup, Opening::Direct { alpn: false }).await;
    Seen::DirectWithoutAlpn(startup_jobs::direct_answer(&run))
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
            // One of several servers that lies is one too many.
            Seen::HandshakeAgain(true) => {}
            Seen::HandshakeAgain(false) => facts.handshake = Attempt::Failed(AttemptFailure::FalseSignature),
            Seen::VersionsAgain(seen) => {
                let accepted = seen.versions.into_iter().filter(|(_, support)| support.completed() == Some(&true));
                facts.versions.extend(accepted);
            }
            Seen::Direct(run) => {
                facts.direct = startup_jobs::direct_answer(&run);
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
