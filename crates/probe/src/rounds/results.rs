//! Writes what jobs bring back, and what is not asked any more, into the facts.

use crate::attempt::{Attempt, AttemptFailure};
use crate::endpoint::attempt;
use crate::facts::{EndpointFacts, StartupFacts};
use crate::options::Startups;
use crate::startup_answer::{Signal, StartupReply, signal};
use crate::startup_jobs::TlsRun;

/// Why a startup of the second round was not sent: such startups are left out of the report.
pub(super) const NOT_NEEDED: Attempt<StartupReply> =
    Attempt::NotScheduled(AttemptFailure::Pointless("the other startups are decisive"));

pub(super) fn plaintext_signal(startup: &StartupFacts) -> Signal {
    signal(&startup.plaintext, &startup.startup.user)
}

/// What went wrong with the first handshake would go wrong with the others, which were not tried.
pub(super) fn copy_handshake_failure(facts: &mut EndpointFacts) {
    let Some(reply) = facts.startups.first().map(|startup| startup.encrypted.clone()) else {
        return;
    };
    for startup in facts.startups.iter_mut().skip(1) {
        if startup.encrypted == NOT_YET {
            startup.encrypted = reply.clone();
        }
    }
}

pub(super) const NOT_YET: Attempt<StartupReply> = Attempt::NotScheduled(AttemptFailure::EndpointDeadline);

/// Keeps the worst of the answers to one startup: one of several servers that lets it in is one too many.
pub(super) fn set_plaintext(facts: &mut EndpointFacts, index: usize, reply: Attempt<StartupReply>) {
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

pub(super) fn set_encrypted(facts: &mut EndpointFacts, index: usize, run: TlsRun) {
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

pub(super) fn skip_startups_over_tls(facts: &mut EndpointFacts, why: &'static str) {
    for startup in &mut facts.startups {
        if startup.encrypted == NOT_YET {
            startup.encrypted = Attempt::NotScheduled(AttemptFailure::Pointless(why));
        }
    }
}

pub(super) fn skip_tls(facts: &mut EndpointFacts, why: &'static str) {
    skip_startups_over_tls(facts, why);
    if facts.handshake.completed().is_none() && matches!(facts.handshake, Attempt::NotScheduled(_)) {
        facts.handshake = Attempt::NotScheduled(AttemptFailure::Pointless(why));
    }
}

pub(super) fn skip_remaining(startups: &Startups, facts: &mut EndpointFacts, why: &'static str) {
    skip_tls(facts, why);
    for (index, startup) in facts.startups.iter_mut().enumerate() {
        if index >= startups.first {
            startup.plaintext = NOT_NEEDED;
        } else if startup.plaintext == NOT_YET {
            startup.plaintext = Attempt::NotScheduled(AttemptFailure::Pointless(why));
        }
    }
}
