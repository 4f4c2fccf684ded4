//! Where changes are told to those who are not here: webhooks, and a file.

use super::change_log;
use crate::commands::diff;
use crate::error::CliError;
use crate::exit::Exit;
use clap::ValueEnum;
use hostssl_audit::{ActivityRead, Diff, LastKnown, diff_knowing, name_authors};
use hostssl_azure::ca_certificates;
use hostssl_formats::{diff_json, safe, watch_message, write_json_line};
use hostssl_model::AuditReport;
use hostssl_model::hex;
use hostssl_model::untrusted::one_line;
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use ring::digest::{SHA256, digest};
use ring::hmac;
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait before each further attempt.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(15)];
/// The longest message, in bytes: what many receivers take (nginx, `client_max_body_size`).
const LONGEST: usize = 1 << 20;
/// The shortest secret that is taken, in bytes.
const SHORTEST_SECRET: usize = 16;

/// What a receiver takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WebhookKind {
    /// The JSON of `hostssl diff`, version 1.
    Json,
    /// A message of Slack.
    Slack,
    /// An Adaptive Card for a workflow of Microsoft Teams.
    Teams,
}

/// A webhook. Its address is a secret: only its host is ever shown.
struct Webhook {
    url: Url,
    kind: WebhookKind,
    secret: Option<Arc<hmac::Key>>,
    client: Client,
}

/// Where a receiver is.
enum Target {
    Webhook(Webhook),
    File(PathBuf),
}

/// A webhook or a file, with the last audit that it was told of.
pub(super) struct Receiver {
    target: Target,
    /// What it is called in the state: no address, as those are secrets.
    pub(super) key: String,
    pub(super) told: Option<Arc<AuditReport>>,
    /// What it has been told of, wherever something could be checked.
    pub(super) known: LastKnown,
    /// Its place among several.
    pub(super) place: Option<(usize, usize)>,
    /// Whether there are changes that it was not told of.
    pub(super) is_behind: bool,
}

/// Why a message was not taken.
enum NotTaken {
    TooLong,
    Other(String),
}

/// Reads the secret for signatures.
pub(super) fn read_secret(path: &Path) -> Result<Arc<hmac::Key>, CliError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::usage(format!("{shown}: {error}"), "name a file that holds the secret"))?;
    let secret = text.trim();
    if secret.len() < SHORTEST_SECRET {
        let what = format!("the secret in {shown} is shorter than {SHORTEST_SECRET} characters");
        return Err(CliError::usage(what, "make one with `openssl rand -hex 32`"));
    }
    Ok(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
}

impl Receiver {
    /// A webhook at this address.
    pub(super) fn new(
        url: &str,
        kind: WebhookKind,
        secret: Option<Arc<hmac::Key>>,
        ca_file: Option<&Path>,
    ) -> Result<Self, CliError> {
        // The address is not repeated: anyone who has it can post.
        let wrong = |what: &str| {
            CliError::usage(format!("--webhook: {what}"), "give the whole URL, such as https://hooks.example/abc")
        };
        let url: Url = url.parse().map_err(|_| wrong("this is not a URL"))?;
        let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match url.scheme() {
            "https" => {}
            "http" if is_local => {}
            _ => return Err(wrong("only https is allowed, or http on this machine: the message names servers")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("a user name or a password in the URL is not sent"));
        }
        // One that is installed already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("hostssl/", env!("CARGO_PKG_VERSION")))
            // A redirect could lead to anyone.
            .redirect(Policy::none())
            .timeout(PATIENCE);
        if is_local {
            // What is for this machine does not leave it by a proxy.
            builder = builder.no_proxy();
        }
        if let Some(path) = ca_file {
            builder = builder.tls_certs_merge(ca_certificates(path)?);
        }
        let client =
            builder.build().map_err(|error| CliError::failed(&error, "check the certificates of this system"))?;
        let key = format!("webhook {}", hex(digest(&SHA256, url.as_str().as_bytes()).as_ref()));
        Ok(Self::at(Target::Webhook(Webhook { url, kind, secret, client }), key))
    }

    /// A file that lines are appended to. Fails where it cannot be.
    pub(super) fn of_file(path: &Path) -> Result<Self, CliError> {
        let failed = |error: io::Error| {
            let what = format!("{} cannot be appended to: {error}", path.display());
            CliError::usage(what, "name a file that can be written with --append")
        };
        if path == Path::new("-") {
            return Err(CliError::usage(
                "--append: - is not a file",
                "name a file, or use -o json for standard output",
            ));
        }
        change_log::open(path).map_err(failed)?;
        let whole = path.canonicalize().map_err(failed)?;
        Ok(Self::at(Target::File(path.to_owned()), format!("file {}", whole.display())))
    }

    fn at(target: Target, key: String) -> Self {
        Self { target, key, told: None, known: LastKnown::default(), place: None, is_behind: false }
    }

    /// How it is called in messages. Several may be on one host, and only their addresses, which are secrets, tell them apart.
    pub(super) fn name(&self) -> String {
        let url = match &self.target {
            Target::Webhook(webhook) => &webhook.url,
            Target::File(path) => return format!("the file {}", safe(&path.display().to_string())),
        };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let place = self.place.map(|(place, of)| format!(" (number {place} of {of})")).unwrap_or_default();
        format!("the webhook at {}{port}{place}", one_line(url.host_str().unwrap_or("no host")))
    }

    /// How an audit compares with the one that it was last told of.
    pub(super) fn exit(&self, after: &AuditReport) -> Option<Exit> {
        let before = self.told.as_ref()?;
        Some(diff::exit(&diff_knowing(before, after, &self.known), before, after))
    }

    /// Tells what changed since it was last told, if anything did. When that fails, the next audit tells it again.
    ///
    /// # Errors
    ///
    /// Why it could not be told.
    pub(super) async fn notify(&mut self, after: &Arc<AuditReport>, activity: &ActivityRead) -> Result<(), String> {
        if let Some(before) = self.told.clone() {
            let mut compared = diff_knowing(&before, after, &self.known);
            name_authors(&mut compared, &before, after, activity);
            let are_alike = compared.changes.is_empty() && compared.not_compared.is_empty();
            if !are_alike || !compared.not_in_scope.is_empty() {
                self.is_behind = true;
                self.send(&before, after, &compared).await?;
            }
        }
        self.known.learn(after);
        (self.is_behind, self.told) = (false, Some(after.clone()));
        Ok(())
    }

    /// Sends the message, with fewer changes where it is too long for the receiver.
    async fn send(&self, before: &AuditReport, after: &AuditReport, compared: &Diff<'_>) -> Result<(), String> {
        let webhook = match &self.target {
            Target::Webhook(webhook) => webhook,
            Target::File(path) => {
                let value = diff_json::value(before, after, compared).map_err(|error| error.to_string())?;
                return change_log::append(path, &line_of(&value)?).map_err(|error| error.to_string());
            }
        };
        let mut most = LONGEST;
        loop {
            let (body, omitted) = match webhook.kind {
                WebhookKind::Json => {
                    diff_json::message(before, after, compared, most).map_err(|error| error.to_string())?
                }
                WebhookKind::Slack => (line_of(&watch_message::slack(after, compared))?, 0),
                WebhookKind::Teams => (line_of(&watch_message::teams(after, compared))?, 0),
            };
            match webhook.post(&body).await {
                Ok(()) if omitted > 0 => {
                    let all = compared.changes.len();
                    stderr!(
                        "note: {} got {} of {all} changes: the message was too long",
                        self.name(),
                        all as u64 - omitted
                    );
                    return Ok(());
                }
                Ok(()) => return Ok(()),
                Err(NotTaken::TooLong)
                    if webhook.kind == WebhookKind::Json && omitted + 1 < compared.changes.len() as u64 =>
                {
                    most = body.len() / 2;
                }
                Err(NotTaken::TooLong) => return Err("it answered 413 Payload Too Large".to_owned()),
                Err(NotTaken::Other(why)) => return Err(why),
            }
        }
    }
}

impl Webhook {
    async fn post(&self, body: &str) -> Result<(), NotTaken> {
        let mut pauses = PAUSES.iter();
        loop {
            let why = match self.attempt(body).await {
                Ok(status) if status.is_success() => return Ok(()),
                Ok(StatusCode::PAYLOAD_TOO_LARGE) => return Err(NotTaken::TooLong),
                Ok(status) if is_worth_retrying(status) => format!("it answered {status}"),
                Ok(status) => return Err(NotTaken::Other(format!("it answered {status}"))),
                Err(why) => why,
            };
            let Some(pause) = pauses.next() else { return Err(NotTaken::Other(why)) };
            tokio::time::sleep(*pause).await;
        }
    }

    async fn attempt(&self, body: &str) -> Result<StatusCode, String> {
        let mut request = self.client.post(self.url.clone()).header("content-type", "application/json");
        if let Some(key) = &self.secret {
            request = request.header("hostssl-signature", signature(key, Timestamp::now().as_second(), body));
        }
        let answer = request.body(body.to_owned()).send().await;
        answer.map(|answer| answer.status()).map_err(|error| one_line(&hostssl_model::chain(&error.without_url())))
    }
}

fn line_of(message: &Value) -> Result<String, String> {
    let mut line = Vec::new();
    write_json_line(&mut line, message).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Too many requests, a timeout, or a failure of the receiver's own.
fn is_worth_retrying(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// The time and the HMAC of time, full stop and body: an old message cannot be sent again as a new one.
fn signature(key: &hmac::Key, second: i64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{second}.{body}").as_bytes());
    format!("t={second},v1={}", hex(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_and_is_never_repeated() {
        for wrong in ["hooks.example/s3cret", "http://hooks.example/s3cret", "ftp://x/s3cret", "https://u:s3cret@x/"] {
            let told = Receiver::new(wrong, WebhookKind::Json, None, None).err().unwrap().on_one_line();
            assert!(!told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn a_signature_is_that_of_openssl() {
        // printf '5.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef");
        let expected = "t=5,v1=6e2cb7401c2f8e178b2f9c3c1303832994a6ed65f18856dbf5e33aba41e3a683";
        assert_eq!(signature(&key, 5, "{}"), expected);
    }
}
