//! A lease that this process has, for as long as it is renewed.

use crate::lease::LeaseTerm;
use crate::requests::StoreRequest;
use crate::worker::Worker;
use hostssl_store::Lease;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long a process that is about to write waits for its lease to be renewed.
const RENEWING: Duration = Duration::from_secs(5);
/// How long a process that ends waits for its lease to be given back.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// A lease that this process has.
#[derive(Debug)]
pub(crate) struct HeldLease {
    term: Arc<LeaseTerm>,
    worker: Arc<Worker>,
}

impl HeldLease {
    pub(crate) fn new(term: Arc<LeaseTerm>, worker: Arc<Worker>) -> Self {
        Self { term, worker }
    }
}

impl Lease for HeldLease {
    fn token(&self) -> i64 {
        self.term.token()
    }

    fn renew(&self) {
        let (reply, answer) = channel();
        self.worker.send(StoreRequest::RenewLease { term: self.term.clone(), reply });
        let _ = answer.recv_timeout(RENEWING);
    }

    fn left(&self) -> Duration {
        self.term.left()
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        let (reply, answer) = channel();
        self.worker.send(StoreRequest::DropLease { term: self.term.clone(), reply });
        // A process that ends does not wait for its threads. Where it takes too long, the lease ends by itself.
        let _ = answer.recv_timeout(GIVING_BACK);
    }
}
