//! Log Analytics as a source of clients: the lines of a server's log, by slices of time.

use crate::clients::ClientSource;
use crate::scope::Tenant;
use hostssl_azure::{AnalyticsHour, AnalyticsLine, AnalyticsSlice, ArmError, LogAnalytics, analytics_slices};
use hostssl_census::{
    CONNECTION_PIECES, Census, Coverage, Interval, LogEnd, LogReader, Millis, MissingReason, Source, SourceKind,
};
use hostssl_model::{ResourceId, Server};
use std::sync::Mutex;
use std::sync::PoisonError;

/// How far back a workspace is asked by default: it keeps 30 days unless configured otherwise.
const LOOK_BACK: Millis = 30 * 24 * 60 * 60 * 1_000;
const HOUR: Millis = 60 * 60 * 1_000;

/// One workspace, asked for each server.
#[derive(Debug)]
pub struct LogAnalyticsSource {
    workspace: String,
    since: Millis,
    now: Millis,
    /// One client a tenant, so that the number of queries in progress is bounded for all servers together.
    clients: Mutex<Vec<(String, std::sync::Arc<LogAnalytics>)>>,
}

impl LogAnalyticsSource {
    /// The workspace with this id, asked for what was written from `since` to `now`.
    #[must_use]
    pub fn new(workspace: impl Into<String>, since: Option<Millis>, now: Millis) -> Self {
        let since = since.unwrap_or(now - LOOK_BACK);
        Self { workspace: workspace.into(), since, now, clients: Mutex::default() }
    }

    fn client(&self, tenant: &Tenant) -> Option<std::sync::Arc<LogAnalytics>> {
        let key = tenant.principal.tenant.clone().unwrap_or_default();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(tenant, _)| *tenant == key) {
            return Some(client.clone());
        }
        let client = std::sync::Arc::new(LogAnalytics::new(&tenant.arm, &self.workspace, &CONNECTION_PIECES)?);
        clients.push((key, client.clone()));
        Some(client)
    }

    /// Reads the lines into `reader`, slice by slice; says what kept it from the end.
    async fn read(
        client: &LogAnalytics,
        server: &ResourceId,
        hours: &[AnalyticsHour],
        reader: &mut LogReader,
    ) -> Result<(), ArmError> {
        for slice in analytics_slices(hours) {
            for line in client.lines(server, slice).await? {
                reader.feed(text(&line).as_bytes());
            }
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl ClientSource for LogAnalyticsSource {
    async fn observe(&self, tenant: &Tenant, server: &Server, mut census: Census) -> Census {
        let mut without = |reason, detail: String| {
            let mut source = Source::new(SourceKind::LogAnalytics, self.workspace.clone());
            source.lacks(reason, detail);
            census.add_source(source);
        };
        let Some(client) = self.client(tenant) else {
            without(MissingReason::Unreachable, "the query API of this cloud is not known".to_owned());
            return census;
        };
        let slice = AnalyticsSlice { from: self.since.div_euclid(1_000), to: self.now.div_euclid(1_000) + 1 };
        let hours = match client.hours(&server.id, slice).await {
            Ok(hours) => hours,
            Err(error) => {
                without(MissingReason::Unreachable, format!("the workspace could not be queried: {error}"));
                return census;
            }
        };
        if hours.is_empty() {
            let detail =
                "the workspace has no log line of this server: no diagnostic setting sends its PostgreSQL logs there";
            without(MissingReason::Disabled, detail.to_owned());
            return census;
        }
        let place = census.sources().len();
        let mut reader = LogReader::new(census, None);
        reader.begin(SourceKind::LogAnalytics, self.workspace.clone());
        let end = match Self::read(&client, &server.id, &hours, &mut reader).await {
            Ok(()) => LogEnd::Whole,
            Err(error) => LogEnd::Broken(error.to_string()),
        };
        reader.end(end);
        // Lines of any kind show that logs arrived; the connections alone would leave a quiet server without any.
        reader.covers(coverage(&hours, self.since, self.now));
        let mut census = reader.finish();
        if let Some(source) = census.source_mut(place)
            && source.coverage.spans().len() > 1
        {
            source.lacks(MissingReason::Gap, "no line arrived for more than an hour; that time is not counted");
        }
        census
    }
}

/// The hours of which there are lines.
fn coverage(hours: &[AnalyticsHour], since: Millis, now: Millis) -> Coverage {
    let mut coverage = Coverage::default();
    for hour in hours {
        let from = hour.from * 1_000;
        let span = Interval { from: from.max(since), to: (from + HOUR).min(now) };
        if span.from <= span.to {
            coverage.add(span);
        }
    }
    coverage
}

/// A line as the server wrote it. Where the workspace has the message alone, the columns stand for the prefix.
fn text(line: &AnalyticsLine) -> String {
    // The server puts a tab before each further line of a message, and without it a text could pose as a line.
    let message = line.message.trim_end().replace('\n', "\n\t");
    let is_whole = hostssl_census::parse_timestamp(message.as_bytes()).is_some();
    if is_whole {
        return format!("{message}\n");
    }
    let (date, time) = (line.at.get(..10).unwrap_or_default(), line.at.get(11..19).unwrap_or_default());
    let fraction = line.at.get(19..).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
    let millis: String = fraction.chars().take_while(char::is_ascii_digit).chain("000".chars()).take(3).collect();
    let pid = line.pid.map_or_else(String::new, |pid| format!(" [{pid}]"));
    let severity = if line.severity.is_empty() { "LOG" } else { &line.severity };
    format!("{date} {time}.{millis} UTC{pid} {severity}:  {message}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_census::{Requirements, SessionTls};

    fn line(message: &str) -> AnalyticsLine {
        AnalyticsLine {
            at: "2026-09-16T19:02:12.5Z".to_owned(),
            pid: Some(7),
            severity: "LOG".to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn lines_with_and_without_their_prefix_are_read() {
        let whole = "2026-09-16 19:02:12 UTC-6aaae7b4.1dc3-LOG:  connection authorized: user=a database=b\n";
        assert_eq!(text(&line(whole)), whole);
        assert_eq!(text(&line("x\ny")), "2026-09-16 19:02:12.500 UTC [7] LOG:  x\n\ty\n");
        let mut reader = LogReader::new(Census::default(), None);
        reader.begin(SourceKind::LogAnalytics, "w");
        for message in ["connection received: host=10.0.0.4 port=5", "connection authorized: user=a database=b"] {
            reader.feed(text(&line(message)).as_bytes());
        }
        // A statement that quotes a line of a log.
        reader.feed(text(&line(&format!("statement: select '\n{whole}'"))).as_bytes());
        let report = reader.finish().finish(Requirements::default());
        let clients: Vec<_> = report.clients.iter().map(|client| (client.tls, client.address.as_deref())).collect();
        assert_eq!(clients, [(SessionTls::Plaintext, Some("10.0.0.4"))]);
    }

    #[test]
    fn hours_without_lines_do_not_count() {
        let hour = |at: i64| AnalyticsHour { from: at * 3_600, connections: 0, bytes: 0 };
        let coverage = coverage(&[hour(0), hour(1), hour(5)], HOUR / 2, 5 * HOUR + HOUR / 4);
        assert_eq!(coverage.observed(), 3 * HOUR / 2 + HOUR / 4);
        assert_eq!(coverage.spans().len(), 2);
    }
}
