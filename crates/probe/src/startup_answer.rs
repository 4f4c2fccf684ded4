//! What the answer to a startup says about its transport. Pure.
//!
//! Decided by SQLSTATE and routine, which no `lc_messages` translates. Text is read only for words that are not
//! translated: the file name `pg_hba.conf`, and messages of poolers and gateways, which have no translations and send
//! no routine. The words by which those demand TLS are those of the crate `explain`.

use hostssl_pgwire::backend::Authentication;
use hostssl_pgwire::error_response::ErrorResponse;
use hostssl_pgwire::text::safe_str;

use crate::attempt::{Attempt, AttemptFailure};
use crate::report::{StartupOutcome, TransportAnswer};

/// The first message after a `StartupMessage` that decides something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StartupReply {
    /// `R`.
    Authentication(Authentication),
    /// The beginning of one, and no more. No server withdraws it, so the transport was accepted.
    AuthenticationBegun,
    /// `E`.
    Error(ErrorResponse),
}

impl StartupReply {
    /// Whether the same startup may get another answer in a moment: no slots (53300), or starting, stopping or
    /// recovering (57P03). Both come before `pg_hba.conf` is checked.
    #[must_use]
    pub(crate) fn is_busy(&self) -> bool {
        match self {
            Self::Authentication(_) | Self::AuthenticationBegun => false,
            Self::Error(error) => matches!(error.code.as_deref(), Some("53300" | "57P03")),
        }
    }
}

/// What an answer means for the transport it came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// The transport was accepted: authentication was reached or passed.
    Allowed,
    /// It was turned away for this user, database, source address and transport.
    Refused,
    /// It was accepted, and a client certificate is required.
    ClientCertificate,
    /// Closed or reset without a byte. A refusal if the same startup is accepted over TLS: stunnel does this.
    Silent,
    /// An error 28000 without a routine, as gateways send it. A refusal if the same startup is accepted over TLS.
    Unclear,
    /// A pooler does not know the database. Whether it looked at its rules before depends on its version.
    NoSuchDatabase,
    /// The same of the user.
    NoSuchUser,
    /// The peer has no replication connections at all.
    NoReplication,
    /// No slot is free (53300), or the server is starting or stopping (57P03). Rules were not checked.
    Busy,
    /// It proves nothing.
    Unknown,
}

/// The meaning of `attempt`, the startup of `user` over one transport.
pub(crate) fn signal(attempt: &Attempt<StartupReply>, user: &str) -> Signal {
    match attempt {
        Attempt::Completed(StartupReply::Authentication(_) | StartupReply::AuthenticationBegun) => Signal::Allowed,
        Attempt::Completed(StartupReply::Error(error)) => error_signal(error, user),
        Attempt::Failed(AttemptFailure::Closed(_) | AttemptFailure::Reset(_)) => Signal::Silent,
        Attempt::Failed(AttemptFailure::ClientCertificate) => Signal::ClientCertificate,
        Attempt::Failed(_) | Attempt::NotScheduled(_) => Signal::Unknown,
    }
}

fn error_signal(error: &ErrorResponse, user: &str) -> Signal {
    let routine = error.routine.as_deref();
    let message = error.message.as_deref().unwrap_or_default();
    if routine.is_none() && hostssl_explain::demands_tls(message) {
        return Signal::Refused;
    }
    let Some(code) = error.code.as_deref() else {
        // Protocol 2: an error from before the server had read anything.
        return Signal::Unknown;
    };
    // What is no SQLSTATE (five digits or capitals; PostgreSQL, appendix A) has no class.
    if code.len() != 5 || !code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
        return Signal::Unknown;
    }
    match (code, routine) {
        // ClientAuthentication (auth.c) raises 28000 for three things: no line, a reject line, and a line that demands
        // a certificate. The first two name the file and the user; the third names neither.
        ("28000", Some("ClientAuthentication")) => {
            if message.contains("pg_hba.conf") || names_quoted(message, user) {
                Signal::Refused
            } else {
                Signal::ClientCertificate
            }
        }
        ("28000", None) => Signal::Unclear,
        // pgbouncer (client.c) has one code for nearly everything, and looks at TLS before it looks at names.
        ("08P01", None) if is_pooler_refusal(message) => Signal::Refused,
        ("08P01", None) if message.starts_with("no such database") => Signal::NoSuchDatabase,
        ("08P01", None) if message.starts_with("no such user") => Signal::NoSuchUser,
        // A line with `trust` has accepted a user that it does not know.
        ("08P01", None) if message == "\"trust\" authentication failed" => Signal::Allowed,
        ("08P01", None) if message == "unsupported startup parameter: replication" => Signal::NoReplication,
        // pgpool (pool_hba.c).
        ("XX000", _) if message == "client authentication failed" && names_pool_hba(error) => Signal::Refused,
        ("53300" | "57P03", _) => Signal::Busy,
        // A startup without a user name is refused before pg_hba.conf is looked at.
        ("28000", Some("ProcessStartupPacket")) => Signal::Unknown,
        // Only what PostgreSQL raises behind pg_hba.conf proves that a line let the startup in: a wrong password or no
        // such role (28), no such database (3D), no right to connect (42), a database that takes no connections (55).
        // Every other code, known or not, proves nothing.
        _ if ["28", "3D", "42", "55"].iter().any(|class| code.starts_with(class)) => Signal::Allowed,
        _ => Signal::Unknown,
    }
}

/// Whether pgbouncer refuses a transport: by its `client_tls_sslmode`, or by its `auth_hba_file`.
fn is_pooler_refusal(message: &str) -> bool {
    let by_line = hostssl_explain::POOLER_LINE_REFUSALS;
    ["SSL required"].iter().chain(&by_line).any(|refusal| message.starts_with(refusal))
}

fn names_pool_hba(error: &ErrorResponse) -> bool {
    error.detail.as_deref().is_some_and(|detail| detail.contains("pool_hba.conf"))
}

/// Whether a character is a quotation mark of any language.
pub(crate) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '«' | '»' | '“' | '”' | '„' | '‘' | '’' | '「' | '」')
}

/// Whether `message` holds `name` between quotation marks of any language.
fn names_quoted(message: &str, name: &str) -> bool {
    let quote = |c: Option<char>| c.is_some_and(is_quote);
    let spaces: &[char] = &[' ', '\u{a0}', '\u{202f}'];
    !name.is_empty()
        && message.match_indices(name).any(|(at, _)| {
            let before = message.get(..at).unwrap_or_default().trim_end_matches(spaces);
            let after = message.get(at + name.len()..).unwrap_or_default().trim_start_matches(spaces);
            quote(before.chars().next_back()) && quote(after.chars().next())
        })
}

/// The answer as it is reported, given the result of its signal.
pub(crate) fn answer(attempt: &Attempt<StartupReply>, outcome: StartupOutcome, signal: Signal) -> TransportAnswer {
    let mut answer = TransportAnswer { outcome, ..TransportAnswer::default() };
    match attempt {
        Attempt::Completed(StartupReply::Authentication(request)) => {
            answer.authentication = Some(safe_str(&request.name()));
        }
        Attempt::Completed(StartupReply::AuthenticationBegun) => {
            answer.note = Some("the connection ended within a request for authentication".to_owned());
        }
        Attempt::Completed(StartupReply::Error(error)) => {
            answer.sqlstate = error.code.as_deref().map(safe_str);
            answer.routine = error.routine.as_deref().map(safe_str);
            answer.note = error.message.as_deref().map(safe_str);
        }
        Attempt::Failed(reason) | Attempt::NotScheduled(reason) => answer.note = Some(safe_str(&reason.to_string())),
    }
    if signal == Signal::ClientCertificate {
        answer.authentication = Some("cert".to_owned());
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, routine: &str, message: &str) -> ErrorResponse {
        ErrorResponse {
            code: Some(code.into()),
            routine: (!routine.is_empty()).then(|| routine.into()),
            message: Some(message.into()),
            ..ErrorResponse::default()
        }
    }

    fn of(error: ErrorResponse) -> Signal {
        signal(&Attempt::Completed(StartupReply::Error(error)), "probe")
    }

    #[test]
    fn any_authentication_request_means_let_in() {
        for request in [Authentication::Ok, Authentication::CleartextPassword, Authentication::Gss] {
            let attempt = Attempt::Completed(StartupReply::Authentication(request));
            assert_eq!(signal(&attempt, "probe"), Signal::Allowed);
        }
    }

    #[test]
    fn errors_by_code_and_routine() {
        let hba = "no pg_hba.conf entry for host \"192.0.2.1\", user \"probe\", database \"x\", no encryption";
        for (code, routine, message, expected) in [
            ("28000", "ClientAuthentication", hba, Signal::Refused),
            ("28000", "ClientAuthentication", "pg_hba.conf rejects connection for host \"h\"", Signal::Refused),
            (
                "28000",
                "ClientAuthentication",
                "connection requires a valid client certificate",
                Signal::ClientCertificate,
            ),
            ("28000", "InitializeSessionUserId", "role \"probe\" does not exist", Signal::Allowed),
            ("28P01", "auth_failed", "password authentication failed", Signal::Allowed),
            ("28000", "auth_failed", "certificate authentication failed", Signal::Allowed),
            ("3D000", "InitPostgres", "database \"x\" does not exist", Signal::Allowed),
            ("42501", "InitPostgres", "permission denied", Signal::Allowed),
            ("28000", "", "Invalid Username specified. Please check the Username and retry.", Signal::Unclear),
            ("28000", "", "SSL connection is required. Please specify SSL options and retry.", Signal::Refused),
            ("XX000", "", "connection is insecure (try using `sslmode=require`)", Signal::Refused),
            ("08004", "", "node is running secure mode, SSL connection required", Signal::Refused),
            ("XX000", "", "SSL connection is required", Signal::Refused),
            ("08P01", "", "SSL required", Signal::Refused),
            ("08P01", "", "login rejected", Signal::Refused),
            ("08P01", "", "no authentication method is found", Signal::Refused),
            ("08P01", "", "no such database: x", Signal::NoSuchDatabase),
            ("08P01", "", "no such user: x", Signal::NoSuchUser),
            ("08P01", "", "\"trust\" authentication failed", Signal::Allowed),
            ("08P01", "", "unsupported startup parameter: replication", Signal::NoReplication),
            ("08P01", "", "unsupported startup parameter: options", Signal::Unknown),
            ("08P01", "ProcessStartupPacket", "SSL required", Signal::Unknown),
            ("08P01", "", "bad packet", Signal::Unknown),
            ("53300", "InitProcess", "sorry, too many clients already", Signal::Busy),
            ("57P03", "ProcessStartupPacket", "the database system is starting up", Signal::Busy),
            ("57P01", "ProcessInterrupts", "terminating connection", Signal::Unknown),
            ("58000", "x", "", Signal::Unknown),
            ("0A000", "ProcessStartupPacket", "unsupported frontend protocol", Signal::Unknown),
            ("XX000", "", "client authentication failed", Signal::Unknown),
        ] {
            assert_eq!(of(error(code, routine, message)), expected, "{code} {routine} {message}");
        }
        let pgpool = ErrorResponse {
            detail: Some(
                "no pool_hba.conf entry for host \"127.0.0.1\", user \"probe\", database \"x\", SSL off".into(),
            ),
            ..error("XX000", "", "client authentication failed")
        };
        assert_eq!(of(pgpool), Signal::Refused);
        let old = ErrorResponse { message: Some("FATAL: too many".into()), protocol_2: true, ..Default::default() };
        assert_eq!(of(old), Signal::Unknown);
    }

    #[test]
    fn translations_make_no_difference() {
        for (message, expected) in [
            (
                "kein pg_hba.conf-Eintrag für Host »::1«, Benutzer »probe«, Datenbank »x«, keine Verschlüsselung",
                Signal::Refused,
            ),
            ("aucune entrée dans le fichier pour l'hôte « ::1 », utilisateur « probe »", Signal::Refused),
            ("Verbindung erfordert ein gültiges Client-Zertifikat", Signal::ClientCertificate),
            ("la connexion requiert un certificat client valide", Signal::ClientCertificate),
        ] {
            assert_eq!(of(error("28000", "ClientAuthentication", message)), expected, "{message}");
        }
        // A user name that is a word of the message must not pass for a name.
        let demand = error("28000", "ClientAuthentication", "connection requires a valid client certificate");
        let attempt = Attempt::Completed(StartupReply::Error(demand));
        assert_eq!(signal(&attempt, "valid"), Signal::ClientCertificate);
    }

    #[test]
    fn silence_and_failures() {
        assert_eq!(signal(&Attempt::Failed(AttemptFailure::Closed("x")), "probe"), Signal::Silent);
        assert_eq!(signal(&Attempt::Failed(AttemptFailure::Reset("x")), "probe"), Signal::Silent);
        assert_eq!(signal(&Attempt::Failed(AttemptFailure::Timeout("x")), "probe"), Signal::Unknown);
        assert_eq!(signal(&Attempt::NotScheduled(AttemptFailure::EndpointDeadline), "probe"), Signal::Unknown);
        assert_eq!(signal(&Attempt::Failed(AttemptFailure::ClientCertificate), "probe"), Signal::ClientCertificate);
    }

    #[test]
    fn busy_is_53300_and_57p03() {
        let busy = |code| StartupReply::Error(error(code, "x", "")).is_busy();
        assert!(busy("53300") && busy("57P03") && !busy("57P01") && !busy("28000"));
    }

    #[test]
    fn the_note_is_escaped() {
        let attempt = Attempt::Completed(StartupReply::Error(error("28\x1b00", "r\n", "\x1b[31m")));
        let answer = answer(&attempt, StartupOutcome::Unknown, Signal::Unknown);
        assert_eq!(answer.sqlstate.as_deref(), Some("28\\u{1b}00"));
        assert_eq!(answer.routine.as_deref(), Some("r\\u{a}"));
        assert_eq!(answer.note.as_deref(), Some("\\u{1b}[31m"));
    }
}
