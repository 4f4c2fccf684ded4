//! A session of an identity of the directory: it logs in with a token, and is told who else is connected.
//!
//! Azure's servers ask for a token as for a password in the clear, over TLS (Azure, "Use Microsoft Entra ID for authentication with
//! Azure Database for PostgreSQL"). There is no database behind: what is answered are the few statements about sessions.

use std::io;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::message::{self, fatal};
use super::{Peer, Wire};
use crate::logs::{self, Connected};
use crate::token;

/// The longest message of a client: a token has some thousand bytes, a statement fewer.
const LONGEST: usize = 64 << 10;
/// The process id of our own session.
const OWN_PID: u32 = 4_711;

/// What every statement is answered from.
struct Backend<'a> {
    version: u8,
    user: &'a str,
    others: Vec<Connected>,
    now: Timestamp,
}

/// Asks for a token and, if it is one, answers statements until the client leaves.
pub(super) async fn serve<S>(
    wire: &Wire,
    host: &str,
    version: u8,
    user: &str,
    peer: &Peer,
    stream: &mut S,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&message::cleartext_password()).await?;
    let Some((b'p', answer)) = read(stream).await? else { return Ok(()) };
    let password = answer.strip_suffix(b"\0").and_then(|text| std::str::from_utf8(text).ok());
    let header = password.map(|password| format!("Bearer {password}"));
    let now = wire.simulation().clock.unix();
    if token::authenticate_for(header.as_deref(), now, token::database_audience).is_err() {
        let words = format!("password authentication failed for user \"{user}\"");
        return stream.write_all(&fatal("28P01", &words, Some("auth_failed"))).await;
    }
    peer.log_in();
    stream.write_all(&message::welcome(&format!("{version}.0"), OWN_PID)).await?;
    while let Some((kind, text)) = read(stream).await? {
        match kind {
            b'Q' => {
                let backend = Backend { version, user, others: others(wire, host), now: wire.simulation().clock.now() };
                let text = String::from_utf8_lossy(text.strip_suffix(b"\0").unwrap_or(&text)).into_owned();
                stream.write_all(&backend.answer(&text)).await?;
            }
            b'X' => return Ok(()),
            _ => return stream.write_all(&fatal("0A000", "a simulated server has simple queries only", None)).await,
        }
    }
    Ok(())
}

/// The sessions of a server now.
fn others(wire: &Wire, host: &str) -> Vec<Connected> {
    let servers = &wire.simulation().estate.servers;
    let record = wire.index_of(host).and_then(|index| servers.get(index as usize));
    record.map(logs::connected).unwrap_or_default()
}

/// One message: its kind, and what is behind its length. `None` at the end.
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0; 5];
    if stream.read(&mut head[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut head[1..]).await?;
    let [kind, length @ ..] = head;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if !(4..=LONGEST).contains(&length) {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await?;
    Ok(Some((kind, body)))
}

impl Backend<'_> {
    /// The answers to statements; the first one that is not known ends them.
    fn answer(&self, statements: &str) -> Vec<u8> {
        let mut answer = Vec::new();
        for statement in parts(statements, ';') {
            let Some(one) = self.statement(statement) else {
                answer.extend(message::error("0A000", "a simulated server answers only what is asked of its sessions"));
                break;
            };
            answer.extend(one);
        }
        answer.extend(message::ready());
        answer
    }

    fn statement(&self, statement: &str) -> Option<Vec<u8>> {
        let word = statement.split_whitespace().next()?.to_ascii_uppercase();
        match word.as_str() {
            "BEGIN" | "SET" | "COMMIT" => Some(message::complete(&word)),
            "SHOW" if statement.ends_with("server_version_num") => {
                let version = Some(format!("{}0000", self.version));
                Some(message::rows(&["server_version_num"], &[vec![version]]))
            }
            "SELECT" => self.select(statement),
            _ => None,
        }
    }

    /// A row for each other session, if they are asked for, and otherwise one.
    fn select(&self, statement: &str) -> Option<Vec<u8>> {
        let list = statement.get("SELECT".len()..)?;
        let (list, from) = list.split_once(" FROM pg_catalog.").unwrap_or((list, ""));
        let wanted = parts(list, ',');
        let rows: Option<Vec<Vec<Option<String>>>> = if from.starts_with("pg_stat_activity") {
            Some(self.others.iter().map(|one| wanted.iter().map(|what| self.column(one, what)).collect()).collect())
        } else {
            let row: Option<Vec<_>> = wanted.iter().map(|what| self.value(what).map(Some)).collect();
            row.map(|row| vec![row])
        };
        Some(message::rows(&wanted, &rows?))
    }

    /// A value that no table has.
    fn value(&self, what: &str) -> Option<String> {
        if what.contains("clock_timestamp()") {
            Some(self.now.as_millisecond().to_string())
        } else if what.starts_with("pg_has_role(") {
            Some("t".to_owned())
        } else if what.starts_with("format(") {
            Some(format!("GRANT pg_read_all_stats TO {};", self.user))
        } else {
            None
        }
    }

    /// A column of a session; null where it is none that is known.
    fn column(&self, session: &Connected, what: &str) -> Option<String> {
        let names = ["backend_start", "pid", "usename", "datname", "application_name", "client_addr", "client_port"];
        let more = ["backend_type", "ssl", "version", "cipher", "encrypted"];
        let name = names.into_iter().chain(more).find(|name| what.contains(&format!(".{name}")))?;
        let tls = |text: &str| session.is_tls.then(|| text.to_owned());
        match name {
            "backend_start" => Some((session.began * 1_000).to_string()),
            "pid" => Some(session.pid.to_string()),
            "usename" => Some(session.user.to_owned()),
            "datname" => Some(session.database.to_owned()),
            "application_name" => Some(session.application.to_owned()),
            "client_addr" => Some(session.address.to_owned()),
            "client_port" => Some((40_000 + session.pid).to_string()),
            "backend_type" => Some("client backend".to_owned()),
            "ssl" => Some(if session.is_tls { "t" } else { "f" }.to_owned()),
            "version" => tls("TLSv1.3"),
            "cipher" => tls("TLS_AES_256_GCM_SHA384"),
            _ => Some("f".to_owned()),
        }
    }
}

/// The parts of a text between its separators, without those in parentheses or quotation marks.
fn parts(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut is_quoted) = (0_u32, false);
    let split = text.split(|character| {
        match character {
            '\'' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == separator && depth == 0 && !is_quoted
    });
    split.map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_at_its_own_separators() {
        let list = " a.pid, floor(extract(epoch FROM a, b) * 1), format('(,', c)";
        assert_eq!(parts(list, ','), ["a.pid", "floor(extract(epoch FROM a, b) * 1)", "format('(,', c)"]);
        assert_eq!(parts("SELECT ';'; COMMIT;", ';'), ["SELECT ';'", "COMMIT"]);
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        let backend = Backend { version: 17, user: "u", others: Vec::new(), now: Timestamp::UNIX_EPOCH };
        let answer = backend.answer("BEGIN; DROP TABLE clients; COMMIT");
        let text = String::from_utf8_lossy(&answer);
        assert!(text.contains("BEGIN") && text.contains("0A000") && !text.contains("COMMIT"), "{text}");
        assert!(backend.answer("SELECT secret").starts_with(b"E"));
    }
}
