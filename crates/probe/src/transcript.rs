//! The exchange with a server, message by message, for readers who want the details.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hostssl_pgwire::text::safe_str;

/// The most lines that are kept of one endpoint.
const MAX_LINES: usize = 2000;
/// The longest texts that are kept of one endpoint, together, in bytes: a hundred times those of a PostgreSQL.
const MAX_TEXT: usize = 256 << 10;

/// The direction of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageDirection {
    /// From us to the server.
    Sent,
    /// From the server to us.
    Received,
    /// An event of the connection, not a message.
    Event,
}

impl MessageDirection {
    /// The word in text and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Event => "event",
        }
    }
}

/// One line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptLine {
    /// Microseconds since the probe of the endpoint began.
    pub micros: u64,
    /// The connection it belongs to, named by the question that it asks.
    pub connection: String,
    /// The direction of the message.
    pub direction: MessageDirection,
    /// The message by its name in the protocol.
    pub message: String,
    /// The content of the message, escaped.
    pub text: String,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<TranscriptLine>,
    text: usize,
    is_cut: bool,
}

impl Lines {
    /// Adds a line, or says that no more are kept.
    fn add(&mut self, line: TranscriptLine) {
        self.text += line.text.len() + line.connection.len();
        if self.lines.len() + 1 < MAX_LINES && self.text <= MAX_TEXT {
            return self.lines.push(line);
        }
        self.is_cut = true;
        let text = "what follows is not in this transcript: it is too long".to_owned();
        self.lines.push(TranscriptLine {
            direction: MessageDirection::Event,
            message: "transcript cut".to_owned(),
            text,
            ..line
        });
    }
}

/// Collects lines from the jobs of one endpoint, which run side by side.
#[derive(Clone, Debug)]
pub(crate) struct TranscriptRecorder {
    lines: Option<Arc<Mutex<Lines>>>,
    start: Instant,
}

impl TranscriptRecorder {
    pub(crate) fn new(enabled: bool) -> Self {
        Self { lines: enabled.then(Arc::default), start: Instant::now() }
    }

    /// A handle that writes lines of one connection.
    pub(crate) fn connection(&self, name: impl FnOnce() -> String) -> Pen {
        Pen { recorder: self.lines.is_some().then(|| (self.clone(), name())) }
    }

    /// The lines so far in the order of time; `None` when none were to be collected.
    pub(crate) fn finish(&self) -> Option<Vec<TranscriptLine>> {
        let lines = self.lines.as_ref()?;
        let Lines { mut lines, .. } =
            std::mem::take(&mut *lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        lines.sort_by_key(|line| line.micros);
        Some(lines)
    }
}

/// Writes lines of one connection, or nothing when no transcript is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Pen {
    recorder: Option<(TranscriptRecorder, String)>,
}

impl Pen {
    pub(crate) fn sent(&self, message: &str, text: impl FnOnce() -> String) {
        self.write(MessageDirection::Sent, message, text);
    }

    pub(crate) fn received(&self, message: &str, text: impl FnOnce() -> String) {
        self.write(MessageDirection::Received, message, text);
    }

    pub(crate) fn event(&self, message: &str, text: impl FnOnce() -> String) {
        self.write(MessageDirection::Event, message, text);
    }

    fn write(&self, direction: MessageDirection, message: &str, text: impl FnOnce() -> String) {
        let Some((recorder, connection)) = &self.recorder else {
            return;
        };
        let Some(lines) = &recorder.lines else { return };
        let elapsed: Duration = recorder.start.elapsed();
        let mut lines = lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !lines.is_cut {
            lines.add(TranscriptLine {
                micros: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
                connection: safe_str(connection),
                direction,
                message: message.to_owned(),
                text: safe_str(&text()),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_nothing_unless_asked() {
        let recorder = TranscriptRecorder::new(false);
        recorder.connection(|| panic!("not needed")).sent("SSLRequest", || panic!("not needed"));
        assert_eq!(recorder.finish(), None);
    }

    #[test]
    fn escapes_what_a_server_says() {
        let recorder = TranscriptRecorder::new(true);
        recorder.connection(|| "tls".into()).received("ErrorResponse", || "\x1b[2J".into());
        let lines = recorder.finish().unwrap();
        assert_eq!(lines[0].text, "\\u{1b}[2J");
        assert_eq!(lines[0].direction, MessageDirection::Received);
    }

    #[test]
    fn has_a_limit() {
        let recorder = TranscriptRecorder::new(true);
        let pen = recorder.connection(|| "x".into());
        for _ in 0..MAX_LINES + 10 {
            pen.event("closed", String::new);
        }
        let lines = recorder.finish().unwrap();
        assert_eq!((lines.len(), lines.last().unwrap().message.as_str()), (MAX_LINES, "transcript cut"));
    }

    #[test]
    fn long_texts_have_a_limit_and_what_is_cut_is_said() {
        let recorder = TranscriptRecorder::new(true);
        let pen = recorder.connection(|| "x".into());
        for _ in 0..MAX_LINES / 2 {
            pen.received("other bytes", || "a".repeat(2 * MAX_TEXT / MAX_LINES + 10));
        }
        let lines = recorder.finish().unwrap();
        assert!(lines.len() < MAX_LINES / 2 && lines.last().unwrap().message == "transcript cut", "{}", lines.len());
        assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() < MAX_TEXT + 100);
    }
}
