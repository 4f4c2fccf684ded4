//! Probed endpoints as JSON, version 1: frozen.
//!
//! The schema is committed as `docs/schemas/probe-v1.schema.json`.

mod asked;
mod convert;
mod endpoint;
mod exit;
mod frozen_words;
mod summary;
mod version;

pub use asked::ProbeAsked;
use exit::Exit;
pub use exit::{ProbeEnd, ProbeExit};
use hostssl_probe::report::EndpointReport;
pub use hostssl_probe::report::WireVerdict;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use std::io::{self, Write};
pub use summary::{CertificateSummary, EndpointSummary, VerifyFullSummary, read_summary};

/// What the prober reports.
mod domain {
    pub(super) use hostssl_probe::report::*;
    pub(super) use hostssl_probe::transcript::{MessageDirection, TranscriptLine};
}

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/probe/v1";

/// The result of a probe.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Document<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// The endpoints, in the order in which they were done.
    #[serde(serialize_with = "endpoints")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<endpoint::EndpointReport>"))]
    endpoints: &'a [EndpointReport],
    /// The zone that they were probed from. Present when the targets were made for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'a str>,
    /// The exit code and what decided it. Absent in a probe that was kept and is shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<Exit<'a>>,
}

/// A document that was read: what a probe in a zone saw.
#[derive(Debug)]
pub struct ZoneLooks {
    /// The zone that the targets were made for; `None` when they were made for none.
    pub zone: Option<String>,
    /// The endpoints.
    pub endpoints: Vec<EndpointReport>,
}

/// A text is not a probe that this version can read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidProbeJson {
    /// It is no JSON, ends early, or a member is missing or of another type.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is something else.
    #[error("its schema is `{0}` and not `{SCHEMA}`")]
    Schema(String),
}

/// Reads a document that `hostssl probe -o json` wrote.
///
/// # Errors
///
/// [`InvalidProbeJson`] when it is damaged, something else, or has words of a newer program.
pub fn read_document(text: impl io::Read) -> Result<ZoneLooks, InvalidProbeJson> {
    #[derive(Deserialize)]
    #[serde(expecting = "the object that `hostssl probe -o json` writes")]
    struct Read {
        schema: String,
        #[serde(default)]
        zone: Option<String>,
        endpoints: Vec<endpoint::EndpointReport>,
    }
    let read: Read = serde_json::from_reader(io::BufReader::new(text))?;
    if read.schema != SCHEMA {
        return Err(InvalidProbeJson::Schema(read.schema.chars().take(80).collect()));
    }
    Ok(ZoneLooks { zone: read.zone, endpoints: read.endpoints.into_iter().map(Into::into).collect() })
}

/// One at a time is converted, so that a long report is in memory once.
fn endpoints<S: Serializer>(reports: &&[EndpointReport], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(reports.iter().map(endpoint::EndpointReport::from))
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> Value {
    crate::schema::of::<Document<'_>>(SCHEMA)
}

/// The endpoints as one JSON value, for queries and other formats.
///
/// # Errors
///
/// None that an endpoint can cause.
pub fn value(
    endpoints: &[EndpointReport],
    zone: Option<&str>,
    exit: Option<&ProbeExit>,
) -> Result<Value, serde_json::Error> {
    serde_json::to_value(Document { schema: SCHEMA, endpoints, zone, exit: exit.map(Exit::from) })
}

/// One endpoint as it is in the document.
///
/// # Errors
///
/// None that an endpoint can cause.
pub fn endpoint(report: &EndpointReport) -> Result<Value, serde_json::Error> {
    serde_json::to_value(endpoint::EndpointReport::from(report))
}

/// One endpoint as text on one line, for [`read`].
///
/// # Errors
///
/// None that an endpoint can cause.
pub fn to_text(report: &EndpointReport) -> Result<String, serde_json::Error> {
    serde_json::to_string(&endpoint::EndpointReport::from(report))
}

/// Reads an endpoint that was written by this version of the format. What the format leaves out is empty.
///
/// # Errors
///
/// When the text is damaged, or has words of a newer program.
pub fn read(text: &str) -> Result<EndpointReport, serde_json::Error> {
    serde_json::from_str::<endpoint::EndpointReport>(text).map(Into::into)
}

/// Writes the document, endpoint by endpoint: no more than one is in memory.
#[derive(Debug)]
pub struct ProbeWriter<W: Write> {
    out: W,
    written: u64,
    zone: Option<String>,
}

impl<W: Write> ProbeWriter<W> {
    /// A document on `out`, of which nothing is written yet.
    pub fn new(out: W) -> Self {
        Self { out, written: 0, zone: None }
    }

    /// The same for endpoints that are probed from a zone.
    #[must_use]
    pub fn with_zone(self, zone: Option<String>) -> Self {
        Self { zone, ..self }
    }

    /// Writes one endpoint and flushes it, so that a reader sees it at once.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns.
    pub fn write(&mut self, report: &EndpointReport) -> io::Result<()> {
        let mut text = Vec::new();
        crate::write_json(&mut text, &endpoint::EndpointReport::from(report))?;
        let text = String::from_utf8_lossy(&text);
        if self.written == 0 {
            self.begin()?;
        } else {
            writeln!(self.out, ",")?;
        }
        self.written += 1;
        // JSON has no line break within a string.
        write!(self.out, "    {}", text.replace('\n', "\n    "))?;
        self.out.flush()
    }

    /// Ends the document, with what decided the exit code.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns.
    pub fn finish(mut self, exit: Option<&ProbeExit>) -> io::Result<()> {
        if self.written == 0 {
            self.begin()?;
        } else {
            writeln!(self.out)?;
        }
        write!(self.out, "  ]")?;
        // Behind the endpoints: a document that ends early has no zone, and is taken for no look from one.
        if let Some(zone) = &self.zone {
            write!(self.out, ",\n  \"zone\": {}", serde_json::to_string(zone)?)?;
        }
        if let Some(exit) = exit {
            let mut text = Vec::new();
            crate::write_json(&mut text, &Exit::from(exit))?;
            write!(self.out, ",\n  \"exit\": {}", String::from_utf8_lossy(&text).replace('\n', "\n  "))?;
        }
        writeln!(self.out, "\n}}")?;
        self.out.flush()
    }

    fn begin(&mut self) -> io::Result<()> {
        writeln!(self.out, "{{\n  \"schema\": \"{SCHEMA}\",\n  \"endpoints\": [")
    }
}

#[cfg(test)]
mod tests {
    use super::frozen_words::{
        ClientCertificate, Direction, Outcome, ReplicationMode, SslRequestOutcome, Support, Unreachable, Verdict,
        Weakness,
    };
    use super::{Value, domain};
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    fn word(value: impl Serialize) -> Value {
        serde_json::to_value(value).unwrap()
    }

    /// What the prober means by each word; each is read back as what was written.
    fn meanings<Word, Own>(words: &[Word]) -> Vec<(Value, Own)>
    where
        Word: Copy + Serialize + DeserializeOwned + From<Own> + Into<Own>,
        Own: Copy,
    {
        let meaning = |one: &Word| {
            let (written, own) = (word(*one), (*one).into());
            let read: Word = serde_json::from_value(written.clone()).unwrap();
            assert_eq!((word(read), word(Word::from(own))), (written.clone(), written.clone()));
            (written, own)
        };
        words.iter().map(meaning).collect()
    }

    /// People read the words that programs read, and `--fail-on` and `--allow` take them.
    #[test]
    fn words_are_the_prober_s_own() {
        let weaknesses = meanings::<_, domain::Weakness>(Weakness::ALL);
        assert!(weaknesses.iter().all(|(word, own)| word == own.as_str()), "{weaknesses:?}");
        assert_eq!(weaknesses.into_iter().map(|(_, own)| own).collect::<Vec<_>>(), domain::Weakness::ALL);
        let verdicts = meanings::<_, domain::WireVerdict>(Verdict::ALL);
        assert!(verdicts.iter().all(|(word, own)| word == own.as_str()), "{verdicts:?}");
        let directions = meanings::<_, domain::MessageDirection>(Direction::ALL);
        assert!(directions.iter().all(|(word, own)| word == own.as_str()), "{directions:?}");
        assert_eq!(meanings::<_, domain::SslRequestOutcome>(SslRequestOutcome::ALL).len(), 8);
        assert_eq!(meanings::<_, domain::Unreachable>(Unreachable::ALL).len(), 4);
        assert_eq!(meanings::<_, domain::StartupOutcome>(Outcome::ALL).len(), 3);
        assert_eq!(meanings::<_, domain::ReplicationMode>(ReplicationMode::ALL).len(), 3);
        assert_eq!(meanings::<_, domain::Support>(Support::ALL).len(), 3);
        assert_eq!(meanings::<_, domain::ClientCertificate>(ClientCertificate::ALL).len(), 4);
    }

    #[test]
    fn versions_are_read_by_their_names_and_no_others() {
        for version in domain::ProtocolVersion::ALL {
            let written = word(super::version::Version::from(version));
            assert_eq!(written, version.name());
            let read: super::version::Version = serde_json::from_value(written).unwrap();
            assert_eq!(domain::ProtocolVersion::from(read), version);
        }
        assert!(serde_json::from_value::<super::version::Version>("TLSv1.4".into()).is_err());
    }
}
