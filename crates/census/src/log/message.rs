//! What one message of the server says of a connection.
//!
//! Names are not quoted in messages. The application name is any client's to choose, while users and databases are made
//! by an administrator: where a message can be split in several places, the split that puts the oddity into the
//! application name is taken, and what then still has two readings is said to be in doubt.

use super::record_fields::Columns;
use super::refusal::{self, RefusedLine};
use super::short::{find, rfind};
use super::startup_failure::{StartupFailure, startup_failure};
use super::wording::{LoggedSetting, SETTINGS, WORDINGS, Wording, is_log_severity};
use crate::{Doubt, Millis};

/// A message that matters to the census.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LogMessage<'a> {
    /// A connection came in.
    Received(ConnectionOrigin<'a>),
    /// Who it is was proven. The next line of its session says whether it is accepted.
    Authenticated,
    /// It was authenticated and accepted.
    Authorized(Authorized<'a>),
    /// It ended. A French message is of two lines, and the names are on the second.
    Disconnected(Option<Parting<'a>>),
    /// A setting that decides whether or where connections are logged was set to this; empty if it was taken out of the file.
    Setting(LoggedSetting, &'a [u8]),
    /// A client without TLS was refused for that.
    Refused(RefusedLine<'a>),
    /// It was authorized just before, and the server ended it before it began.
    NotBegun(StartupFailure<'a>),
    /// It begins like one of these, and goes on like none.
    Damaged,
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionOrigin<'a> {
    /// A Unix-domain socket.
    Local,
    /// An address, or a name with `log_hostname`.
    Host(&'a [u8]),
}

/// The names of a session that ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parting<'a> {
    pub(crate) user: Option<&'a [u8]>,
    pub(crate) database: Option<&'a [u8]>,
    pub(crate) origin: ConnectionOrigin<'a>,
    /// How long the session took.
    pub(crate) length: Option<Millis>,
}

/// A session as its message describes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorized<'a> {
    pub(crate) is_replication: bool,
    /// `None` if the names have two readings.
    pub(crate) user: Option<&'a [u8]>,
    pub(crate) database: Option<&'a [u8]>,
    pub(crate) application: Option<&'a [u8]>,
    /// Everything behind the application name's mark: the name, and what the server says of encryption.
    pub(crate) application_and_rest: Option<&'a [u8]>,
    pub(crate) encryption: Encryption<'a>,
    pub(crate) doubt: Option<Doubt>,
}

/// What a message says of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption<'a> {
    /// Nothing, which means none.
    None,
    /// TLS.
    Tls { protocol: &'a [u8], cipher: &'a [u8] },
    /// GSSAPI.
    Gss,
    /// Something of TLS, in other words than any that are known.
    Unreadable,
}

/// Reads a message; `None` if it is about something else.
pub(crate) fn parse<'a>(severity: &[u8], message: &'a [u8], columns: Columns<'_>) -> Option<LogMessage<'a>> {
    // One of the four lines of every session, and the one that says nothing of its encryption.
    if message.starts_with(b"connection authenticated: ") {
        return is_log_severity(severity).then_some(LogMessage::Authenticated);
    }
    if severity == refusal::SEVERITY {
        let refused = refusal::refusal(message, columns).map(LogMessage::Refused);
        return refused.or_else(|| startup_failure(message).map(LogMessage::NotBegun));
    }
    // Catalogues lack messages: the words need not be of the language of the severity.
    if !is_log_severity(severity) {
        return None;
    }
    for wording in &WORDINGS {
        if let Some(rest) = message.strip_prefix(wording.received.as_bytes()) {
            return Some(received(rest, wording.received_port));
        }
        if let Some(rest) = message.strip_prefix(wording.authorized.as_bytes()) {
            return Some(LogMessage::Authorized(authorized(rest, wording, false, columns)));
        }
        if let Some(rest) = message.strip_prefix(wording.replication.as_bytes()) {
            return Some(LogMessage::Authorized(authorized(rest, wording, true, columns)));
        }
        if let Some(rest) = message.strip_prefix(wording.disconnection.as_bytes()) {
            return Some(LogMessage::Disconnected(parting(rest, wording)));
        }
    }
    SETTINGS
        .iter()
        .find_map(|(name, setting)| new_value(message, name).map(|value| LogMessage::Setting(*setting, value)))
}

/// The new value of a setting when the configuration was read again; empty if it was taken out of the file,
/// which sets it to its default.
///
/// Every catalogue has the name in quotation marks in `parameter "%s" changed to "%s"`, and the value after it; those
/// of `parameter "%s" removed from configuration file, reset to default` have no value.
fn new_value<'a>(message: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let at = find(message, name.as_bytes())?;
    let text = std::str::from_utf8(message).ok()?;
    let is_mark = |c: char| matches!(c, '"' | '«' | '»');
    let head = text.get(..at)?.trim_end().strip_suffix(is_mark)?;
    let tail = text.get(at + name.len()..)?.trim_start().strip_prefix(is_mark)?;
    // A text of someone that quotes the name comes behind its kind: `statement: …`; and a value that is refused
    // changes nothing.
    if head.contains(':') || head.starts_with("invalid value") {
        return None;
    }
    let mut parts = tail.split(is_mark);
    let value = parts.nth(1).map(str::trim);
    Some(value.unwrap_or_default().as_bytes())
}

/// Nothing follows the port. What does is the rest of a line of which the beginning was lost.
fn received<'a>(rest: &'a [u8], port: &str) -> LogMessage<'a> {
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit);
    match rfind(rest, port.as_bytes()) {
        None if rest == b"[local]" => LogMessage::Received(ConnectionOrigin::Local),
        Some(at) if rest.get(at + port.len()..).is_some_and(is_number) => {
            LogMessage::Received(ConnectionOrigin::Host(rest.get(..at).unwrap_or_default()))
        }
        _ => LogMessage::Damaged,
    }
}

/// `[local]` alone is a socket: a host, whatever its name, has a port behind it.
fn origin<'a>(rest: &'a [u8], port: &str) -> ConnectionOrigin<'a> {
    match rfind(rest, port.as_bytes()) {
        Some(at) => ConnectionOrigin::Host(rest.get(..at).unwrap_or_default()),
        None if rest == b"[local]" => ConnectionOrigin::Local,
        None => ConnectionOrigin::Host(rest),
    }
}

fn parting<'a>(rest: &'a [u8], wording: &Wording) -> Option<Parting<'a>> {
    let [user, database, host] = wording.disconnection_names;
    let (time, names) = split_once(rest, user)?;
    let at = rfind(names, host.as_bytes())?;
    let (names, host) = (names.get(..at)?, names.get(at + host.len()..)?);
    let port = if wording.disconnection == WORDINGS[0].disconnection { " port=" } else { wording.received_port };
    // Catalogues that lack the word for the port leave it in English.
    let origin = match origin(host, port) {
        ConnectionOrigin::Host(host) => origin(host, " port="),
        local @ ConnectionOrigin::Local => local,
    };
    let (user, database) = match (find(names, database.as_bytes()), rfind(names, database.as_bytes())) {
        (Some(at), Some(last)) if at == last => (names.get(..at), names.get(at + database.len()..)),
        _ => (None, None),
    };
    Some(Parting { user, database: database.filter(|name| !name.is_empty()), origin, length: session_time(time) })
}

/// `0:00:30.123`, with other words around it in some languages.
fn session_time(text: &[u8]) -> Option<Millis> {
    let is_of_time = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.');
    let mut words = text.split(|byte| !is_of_time(byte)).filter_map(|word| std::str::from_utf8(word).ok());
    words.find_map(|word| {
        let (clock, millis) = word.split_once('.')?;
        let mut parts = clock.split(':').map(|part| part.parse::<Millis>().ok());
        let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
        let millis: Millis = millis.parse().ok()?;
        let hours = hours.checked_mul(3_600_000).filter(|_| parts.next().is_none() && minutes < 60 && seconds < 60)?;
        (millis < 1_000).then(|| hours + minutes * 60_000 + seconds * 1_000 + millis)
    })
}

fn authorized<'a>(rest: &'a [u8], wording: &Wording, is_replication: bool, columns: Columns<'_>) -> Authorized<'a> {
    // Fields first: a name may end in the server's words about TLS.
    let by_columns = split_by_columns(rest, wording, is_replication, columns);
    let (names, encryption) = match &by_columns {
        Some((_, _, behind)) => encryption(behind, wording),
        None => encryption(rest, wording),
    };
    let mut doubt = None;
    let (user, database, application) = if let Some((user, database, _)) = by_columns {
        // What is left is the application name, or nothing.
        (Some(user), database, names.strip_prefix(wording.application.as_bytes()))
    } else if is_replication {
        match split_once(names, wording.application) {
            Some((user, application)) => (Some(user), None, Some(application)),
            None => (Some(names), None, None),
        }
    } else {
        let (user, after) = split_once(names, wording.database).unwrap_or((names, b""));
        let (database, application) = match split_once(after, wording.application) {
            Some((database, application)) => (database, Some(application)),
            None => (after, None),
        };
        if find(database, wording.database.as_bytes()).is_some() {
            doubt = Some(Doubt::AmbiguousNames);
            (None, None, application)
        } else {
            (Some(user), Some(database), application)
        }
    };
    let imitates = |name: &[u8]| find(name, wording.ssl[0].as_bytes()).is_some();
    let may_be_name = by_columns.is_none() && is_short_enough(rest, wording, is_replication);
    if matches!(encryption, Encryption::Tls { .. }) && (application.is_some_and(imitates) || may_be_name) {
        doubt = Some(Doubt::ImitatedTls);
    }
    // Both are parts of `rest`, so that the one's beginning lies within the other.
    let before = application.and_then(|name| offset_in(rest, name));
    Authorized {
        is_replication,
        user,
        database: database.filter(|name| !name.is_empty()),
        application,
        application_and_rest: before.and_then(|at| rest.get(at..)),
        encryption,
        doubt,
    }
}

/// Where `part` begins in `whole`, of which it is a part.
fn offset_in(whole: &[u8], part: &[u8]) -> Option<usize> {
    let at = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    (at <= whole.len()).then_some(at)
}

/// The longest name of a user or a database: `NAMEDATALEN` less one, in every build that is not changed.
const LONGEST_IDENTIFIER: usize = 63;

/// Whether all behind the last mark of a name fits into one name, with what is said of TLS. The ciphers of TLS 1.3, and nearly all others, are
/// too long for that.
fn is_short_enough(rest: &[u8], wording: &Wording, is_replication: bool) -> bool {
    let mark = rfind(rest, wording.database.as_bytes()).filter(|_| !is_replication);
    let from = mark.map_or(0, |at| at + wording.database.len());
    rest.len() - from <= LONGEST_IDENTIFIER
}

/// User, database, and what is behind them.
type Names<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// Splits where the fields of csvlog and jsonlog say.
fn split_by_columns<'a>(
    text: &'a [u8],
    wording: &Wording,
    is_replication: bool,
    columns: Columns<'_>,
) -> Option<Names<'a>> {
    let (user, rest) = split_off(text, columns.user?)?;
    let (database, rest) = if is_replication {
        (None, rest)
    } else {
        let rest = rest.strip_prefix(wording.database.as_bytes())?;
        let (database, rest) = split_off(rest, columns.database?)?;
        (Some(database), rest)
    };
    let is_whole = rest.is_empty() || rest.starts_with(wording.application.as_bytes());
    let speaks = [wording.ssl[0], wording.gss[0]].iter().any(|words| rest.starts_with(words.as_bytes()));
    (is_whole || speaks).then_some((user, database, rest))
}

/// A text in two, if it begins with the first.
fn split_off<'a>(text: &'a [u8], first: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    text.strip_prefix(first).and_then(|rest| Some((text.get(..first.len())?, rest)))
}

/// Takes what the server says of encryption off the end of a message.
fn encryption<'a>(text: &'a [u8], wording: &Wording) -> (&'a [u8], Encryption<'a>) {
    if text.last() != Some(&b')') {
        // What passes a log on may put something behind a line.
        return (text, if has_ssl_inside(text, wording) { Encryption::Unreadable } else { Encryption::None });
    }
    let (without_gss, has_gss) = match gss(text, wording) {
        Some((head, encrypted)) => (head, encrypted),
        None => (text, false),
    };
    if let Some((head, protocol, cipher)) = ssl(without_gss, wording) {
        return (head, Encryption::Tls { protocol, cipher });
    }
    if has_gss {
        return (without_gss, Encryption::Gss);
    }
    if without_gss.len() < text.len() {
        return (without_gss, Encryption::None);
    }
    let speaks_of_tls = find(text, b"SSL").is_some() || find(text, b"TLS").is_some();
    if speaks_of_tls && find(text, b"TLSv1").is_some() && find(text, b"(").is_some() {
        return (text, Encryption::Unreadable);
    }
    (text, Encryption::None)
}

/// ` GSS (authenticated=yes, encrypted=no, principal=…)` and whether it encrypts.
fn gss<'a>(text: &'a [u8], wording: &Wording) -> Option<(&'a [u8], bool)> {
    let [open, encrypted, yes] = wording.gss;
    let at = rfind(text, open.as_bytes())?;
    let (_, value) = split_once(text.get(at..)?, encrypted)?;
    Some((text.get(..at)?, value.starts_with(yes.as_bytes())))
}

/// ` SSL enabled (protocol=P, cipher=C, bits=N)`, whole and well formed: the head before it, the protocol and the
/// cipher.
fn ssl<'a>(text: &'a [u8], wording: &Wording) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
    let [open, cipher, bits, close] = wording.ssl;
    let at = rfind(text, open.as_bytes())?;
    let inside = text.get(at + open.len()..)?.strip_suffix(close.as_bytes())?;
    let (protocol, inside) = split_once(inside, cipher)?;
    let (cipher, inside) = split_once(inside, bits)?;
    let digits = inside.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // PostgreSQL 11 to 13 say `, compression=off` behind the bits.
    let tail = inside.get(digits..)?;
    let word = |bytes: &[u8]| {
        !bytes.is_empty() && bytes.len() <= 64 && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    };
    let is_protocol = word(protocol) && (protocol.starts_with(b"TLSv1") || protocol.starts_with(b"SSLv"));
    // A name that ends in the words has the mark of the next name behind it.
    let has_name = [wording.database, wording.application].iter().any(|mark| find(tail, mark.as_bytes()).is_some());
    let tail_is_known = tail.is_empty() || (tail.starts_with(b", ") && !tail.contains(&b'(') && !has_name);
    (digits > 0 && is_protocol && word(cipher) && tail_is_known).then_some((text.get(..at)?, protocol, cipher))
}

/// Whether ` SSL enabled (protocol=P, cipher=C, bits=N)` is anywhere, whole.
fn has_ssl_inside(text: &[u8], wording: &Wording) -> bool {
    let [open, cipher, bits, close] = wording.ssl;
    let whole = find(text, open.as_bytes()).and_then(|at| {
        let (_, inside) = split_once(text.get(at..)?, cipher)?;
        let (_, inside) = split_once(inside, bits)?;
        inside.first().filter(|digit| digit.is_ascii_digit()).and_then(|_| split_once(inside, close))
    });
    whole.is_some()
}

fn split_once<'a>(text: &'a [u8], at: &str) -> Option<(&'a [u8], &'a [u8])> {
    let found = find(text, at.as_bytes())?;
    Some((text.get(..found)?, text.get(found + at.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SSL: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";

    fn read(text: &str) -> Authorized<'_> {
        match parse(b"LOG", text.as_bytes(), Columns::default()) {
            Some(LogMessage::Authorized(authorized)) => authorized,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn text(bytes: Option<&[u8]>) -> Option<&str> {
        bytes.map(|bytes| std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn each_version_and_kind_is_read() {
        let line = format!("connection authorized: user=app database=shop application_name=psql{SSL}");
        let seen = read(&line);
        assert_eq!(
            (text(seen.user), text(seen.database), text(seen.application)),
            (Some("app"), Some("shop"), Some("psql"))
        );
        assert!(matches!(seen.encryption, Encryption::Tls { protocol: b"TLSv1.3", cipher: b"TLS_AES_256_GCM_SHA384" }));
        let old = "connection authorized: user=app database=shop SSL enabled (protocol=TLSv1.2, \
                   cipher=ECDHE-RSA-AES256-GCM-SHA384, bits=256, compression=off)";
        assert!(matches!(read(old).encryption, Encryption::Tls { .. }));
        assert_eq!(text(read(old).database), Some("shop"));
        let replication = "replication connection authorized: user=rep application_name=pg_receivewal";
        let seen = read(replication);
        assert!(seen.is_replication && seen.database.is_none() && seen.encryption == Encryption::None);
        assert_eq!((text(seen.user), text(seen.application)), (Some("rep"), Some("pg_receivewal")));
        let gss = "connection authorized: user=a database=b GSS (authenticated=yes, encrypted=yes, \
                   delegated_credentials=no, principal=a@X)";
        assert_eq!(read(gss).encryption, Encryption::Gss);
        assert_eq!(text(read(gss).database), Some("b"));
        assert_eq!(read(&gss.replace("encrypted=yes", "encrypted=no")).encryption, Encryption::None);
        assert!(matches!(
            read(&format!("connection authorized: user=a database=b{SSL} GSS (authenticated=yes, encrypted=no)"))
                .encryption,
            Encryption::Tls { .. }
        ));
    }

    #[test]
    fn names_that_deceive_are_not_believed() {
        let lie = format!("connection authorized: user=u database=d application_name=x{SSL}{SSL}");
        assert_eq!(read(&lie).doubt, Some(Doubt::ImitatedTls));
        for plain in [
            "connection authorized: user=u database=d application_name=x SSL enabled (protocol=TLSv1.3, cipher=",
            "connection authorized: user=u database=d application_name=SSL enabled (yes)",
            "connection authorized: user=u database=d application_name=x SSL enabled (protocol=none, cipher=a, bits=1)",
            "connection authorized: user=u database=d application_name=connection authorized: user=v database=w",
        ] {
            assert_eq!(read(plain).encryption, Encryption::None, "{plain}");
            assert_eq!(text(read(plain).database), Some("d"));
        }
        let odd = "connection authorized: user=u database=d application_name=y SSL on (TLSv1.3)";
        assert_eq!(read(odd).encryption, Encryption::Unreadable);
        let two = read("connection authorized: user=x database=prod database=shop application_name=psql");
        assert_eq!((two.user, two.doubt), (None, Some(Doubt::AmbiguousNames)));
        assert_eq!(text(two.application), Some("psql"));
        let app = read("connection authorized: user=x database=shop application_name=a database=b");
        assert_eq!((text(app.user), text(app.database), app.doubt), (Some("x"), Some("shop"), None));
        let columns = Columns { user: Some(b"x database=prod"), database: Some(b"shop") };
        let message = b"connection authorized: user=x database=prod database=shop application_name=psql";
        let Some(LogMessage::Authorized(seen)) = parse(b"LOG", message, columns) else { panic!() };
        assert_eq!((text(seen.user), text(seen.database), seen.doubt), (Some("x database=prod"), Some("shop"), None));
    }

    #[test]
    fn a_change_of_the_setting_is_read_in_every_language() {
        for (message, value) in [
            ("parameter \"log_connections\" changed to \"off\"", Some("off")),
            ("Parameter »log_connections« auf »off« gesetzt", Some("off")),
            ("paramètre « log_connections » modifié par « on »", Some("on")),
            ("el parámetro «log_connections» fue cambiado a «receipt»", Some("receipt")),
            ("\"log_connections\" 매개 변수 값을 \"off\"(으)로 바꿨음", Some("off")),
            ("参数 \"log_connections\"被改为\"off\"", Some("off")),
            ("parameter \"log_connections\" removed from configuration file, reset to default", Some("")),
            ("параметр \"log_connections\" удалён из файла конфигурации, он принимает значение по умолчанию", Some("")),
            ("statement: select \"log_connections\" from \"off\"", None),
            ("invalid value for parameter \"log_connections\": \"maybe\"", None),
            ("parameter \"log_disconnections\" changed to \"off\"", None),
            ("log_connections is off", None),
        ] {
            let read = match parse(b"LOG", message.as_bytes(), Columns::default()) {
                Some(LogMessage::Setting(LoggedSetting::Connections, value)) => text(Some(value)),
                None => None,
                other => panic!("{message}: {other:?}"),
            };
            assert_eq!(read, value, "{message}");
        }
    }

    #[test]
    fn other_severities_and_messages_are_none() {
        assert_eq!(parse(b"WARNING", b"connection authorized: user=a database=b", Columns::default()), None);
        assert_eq!(parse(b"LOG", b"statement: select 'connection authorized: user=a'", Columns::default()), None);
    }

    #[test]
    fn origins_and_endings_are_read() {
        let read = |text| parse(b"LOG", text, Columns::default());
        assert_eq!(read(b"connection received: host=[local]"), Some(LogMessage::Received(ConnectionOrigin::Local)));
        assert_eq!(
            read(b"connection received: host=[local] port=5"),
            Some(LogMessage::Received(ConnectionOrigin::Host(b"[local]"))),
            "a name that a resolver made up"
        );
        assert_eq!(
            read(b"connection received: host=::1 port=5"),
            Some(LogMessage::Received(ConnectionOrigin::Host(b"::1")))
        );
        let Some(LogMessage::Disconnected(Some(parting))) =
            read(b"disconnection: session time: 0:00:00.020 user=u database=d host=10.0.0.1 port=38156")
        else {
            panic!()
        };
        assert_eq!(
            (text(parting.user), text(parting.database), parting.origin),
            (Some("u"), Some("d"), ConnectionOrigin::Host(b"10.0.0.1"))
        );
        assert_eq!(
            read(b"parameter \"log_connections\" changed to \"off\""),
            Some(LogMessage::Setting(LoggedSetting::Connections, b"off"))
        );
        assert_eq!(
            read(b"parameter \"log_min_messages\" changed to \"fatal\""),
            Some(LogMessage::Setting(LoggedSetting::MinMessages, b"fatal"))
        );
    }

    #[test]
    fn every_translation_says_the_same() {
        for wording in &WORDINGS {
            let Wording { severity, authorized, database, application, ssl, .. } = wording;
            let [open, cipher, bits, close] = ssl;
            let tls = format!(
                "{authorized}app{database}shop{application}job{open}TLSv1.3{cipher}TLS_AES_128_GCM_SHA256{bits}128{close}"
            );
            let plain = format!("{authorized}app{database}shop{application}job");
            for (line, is_tls) in [(tls, true), (plain, false)] {
                let Some(LogMessage::Authorized(seen)) =
                    parse(severity.as_bytes(), line.as_bytes(), Columns::default())
                else {
                    panic!("{line}")
                };
                assert_eq!(
                    (text(seen.user), text(seen.database), text(seen.application)),
                    (Some("app"), Some("shop"), Some("job")),
                    "{line}"
                );
                assert_eq!(matches!(seen.encryption, Encryption::Tls { .. }), is_tls, "{line}");
            }
        }
    }
}
