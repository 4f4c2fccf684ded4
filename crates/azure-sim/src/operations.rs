//! The long-running operations that are remembered.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use crate::path::Plane;
use crate::random::Guid;

/// Operations remembered; the oldest are forgotten first.
const MAX_OPERATIONS: usize = 10_000;

/// A long-running operation.
#[derive(Debug)]
pub(crate) struct LongRunning {
    pub(crate) name: String,
    pub(crate) server: usize,
    /// The parameter that is written, if it is not the server itself.
    pub(crate) parameter: Option<(Plane, String)>,
    pub(crate) started: String,
    /// Stands in the URL as `t`.
    pub(crate) ticks: i64,
    pub(crate) due: Instant,
    pub(crate) failure: Option<(String, String)>,
}

/// Operations in progress or ended.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    by_name: HashMap<String, Arc<LongRunning>>,
    order: VecDeque<String>,
    made: u64,
}

impl Operations {
    /// The server that an operation is about.
    pub(crate) fn server_of(&self, name: &str) -> Option<usize> {
        self.find(name).map(|operation| operation.server)
    }

    /// The one of this name, in any letter case.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<LongRunning>> {
        self.by_name.get(&name.to_ascii_lowercase()).cloned()
    }

    /// A name that no other operation has.
    pub(crate) fn next_name(&mut self) -> String {
        self.made += 1;
        Guid::numbered(0x0b5e, self.made).to_string()
    }

    /// Remembers an operation.
    pub(crate) fn keep(&mut self, operation: Arc<LongRunning>) {
        if self.order.len() >= MAX_OPERATIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_name.remove(&oldest);
        }
        self.order.push_back(operation.name.clone());
        self.by_name.insert(operation.name.clone(), operation);
    }
}
