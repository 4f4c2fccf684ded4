//! What was asked of the simulator: counts of everything, a log of writes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::operation::Operation;

/// Writes kept; older ones are dropped first and counted.
const MAX_WRITES: usize = 100_000;

/// Requests of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestKey {
    /// The HTTP method.
    pub method: String,
    /// What it did.
    pub operation: Operation,
    /// The status of the answer; 0 when the connection was broken instead.
    pub status: u16,
}

/// A write that was asked for, whether or not it was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteRecord {
    /// The HTTP method.
    pub method: String,
    /// The resource id of the server, as the fleet spells it, or the path of the request when there is no such server.
    pub resource_id: String,
    /// The parameter, if the write was to one.
    pub parameter: Option<String>,
    /// The body, with every member whose name speaks of a password blanked.
    pub body: Value,
    /// The status of the answer; 0 when the connection was broken instead.
    pub status: u16,
    /// Time since the simulation was made.
    pub after: Duration,
}

/// What was asked of a simulation so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Requests {
    /// How many requests of each kind.
    pub counts: BTreeMap<RequestKey, u64>,
    /// The writes, in the order of their arrival.
    pub writes: Vec<WriteRecord>,
    /// Writes that are no longer in the log because it was full.
    pub dropped_writes: u64,
}

impl Requests {
    /// All requests.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// All requests of one operation.
    #[must_use]
    pub fn of(&self, operation: Operation) -> u64 {
        self.matching(|key| key.operation == operation)
    }

    /// All requests that were answered with `status`.
    #[must_use]
    pub fn with_status(&self, status: u16) -> u64 {
        self.matching(|key| key.status == status)
    }

    /// The writes to one resource, by its id in any letter case.
    pub fn writes_to(&self, resource_id: &str) -> impl Iterator<Item = &WriteRecord> {
        self.writes.iter().filter(move |write| write.resource_id.eq_ignore_ascii_case(resource_id))
    }

    fn matching(&self, wanted: impl Fn(&RequestKey) -> bool) -> u64 {
        self.counts.iter().filter(|(key, _)| wanted(key)).map(|(_, count)| count).sum()
    }
}

/// The counters behind [`Requests`].
#[derive(Debug, Default)]
pub(crate) struct Journal {
    counts: Mutex<BTreeMap<(&'static str, Operation, u16), u64>>,
    writes: Mutex<Writes>,
}

#[derive(Debug, Default)]
struct Writes {
    kept: VecDeque<WriteRecord>,
    dropped: u64,
}

impl Journal {
    /// Counts a request.
    pub(crate) fn count(&self, method: &str, operation: Operation, status: u16) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((known_method(method), operation, status)).or_default() += 1;
    }

    /// Logs a write.
    pub(crate) fn write(&self, mut record: WriteRecord) {
        redact(&mut record.body);
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        if writes.kept.len() >= MAX_WRITES {
            writes.kept.pop_front();
            writes.dropped += 1;
        }
        writes.kept.push_back(record);
    }

    /// A copy of everything.
    pub(crate) fn snapshot(&self) -> Requests {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        Requests {
            counts: counts
                .iter()
                .map(|(&(method, operation, status), &count)| {
                    let key = RequestKey { method: method.to_owned(), operation, status };
                    (key, count)
                })
                .collect(),
            writes: writes.kept.iter().cloned().collect(),
            dropped_writes: writes.dropped,
        }
    }
}

/// The method, or one word for all that ARM does not have: a client must not be able to fill the counters.
fn known_method(method: &str) -> &'static str {
    ["GET", "PATCH", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("OTHER")
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name.to_ascii_lowercase().contains("password") {
                    *member = Value::String("(not kept)".to_owned());
                } else {
                    redact(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_passwords_are_not_kept() {
        let journal = Journal::default();
        journal.count("GET", Operation::GetServer, 200);
        journal.count("GET", Operation::GetServer, 404);
        journal.count("BREW", Operation::Unknown, 405);
        journal.write(WriteRecord {
            method: "PATCH".to_owned(),
            resource_id: "/subscriptions/A".to_owned(),
            parameter: None,
            body: serde_json::json!({"properties": {"administratorLoginPassword": "tell-no-one", "x": [1]}}),
            status: 202,
            after: Duration::ZERO,
        });
        let requests = journal.snapshot();
        assert_eq!(requests.total(), 3);
        assert_eq!(requests.of(Operation::GetServer), 2);
        assert_eq!(requests.with_status(404), 1);
        assert_eq!(requests.writes_to("/SUBSCRIPTIONS/a").count(), 1);
        assert!(!format!("{requests:?}").contains("tell-no-one"));
    }
}
