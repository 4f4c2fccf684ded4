//! Rows of an audit that are written while it goes on.

use hostssl_formats::audit_csv::CsvWriter;
use hostssl_model::{ServerReport, Subscription};
use std::collections::BTreeMap;
use std::io;

/// Writes rows as subscriptions are done, in the order of their names: one that is done early waits for those before it.
pub(super) struct OrderedRows<W: io::Write> {
    writer: CsvWriter<W>,
    next: usize,
    waiting: BTreeMap<usize, (Subscription, Vec<ServerReport>)>,
    written: io::Result<()>,
}

impl<W: io::Write> OrderedRows<W> {
    pub(super) fn new(out: W) -> Self {
        let (writer, written) = CsvWriter::new(out);
        Self { writer, next: 0, waiting: BTreeMap::new(), written }
    }

    pub(super) fn push(&mut self, index: usize, subscription: &Subscription, servers: &[ServerReport]) {
        self.waiting.insert(index, (subscription.clone(), servers.to_vec()));
        while let Some((subscription, servers)) = self.waiting.remove(&self.next) {
            self.next += 1;
            // The first error is the one that is told: a file that misses rows must not end as if it were whole.
            if self.written.is_ok() {
                self.written = self.writer.write(&subscription, &servers);
            }
        }
    }

    pub(super) fn is_reader_gone(&self) -> bool {
        self.written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::{SubscriptionId, SubscriptionState};
    use hostssl_test_support::fleet::{PlannerKnowledge, flexible};

    /// Fails once, and takes everything after that.
    struct FailsOnce(u32);

    impl io::Write for FailsOnce {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            // The headings are the first.
            if self.0 == 2 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_row_that_was_not_written_is_told_though_later_ones_were() {
        let subscription = Subscription {
            id: SubscriptionId::new("s"),
            name: "s".into(),
            tenant: "t".into(),
            state: SubscriptionState::Enabled,
        };
        let servers = PlannerKnowledge::new(vec![flexible("a", "on", "TLSv1.2")]).reports();
        let mut rows = OrderedRows::new(FailsOnce(0));
        // The first comes last, so that all three are written in one go.
        for index in [2, 1, 0] {
            rows.push(index, &subscription, &servers);
        }
        assert_eq!(rows.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
