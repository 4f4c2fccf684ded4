//! Who is signed in to the consoles of a state by a link, and the links that were not used yet. Every console of the state
//! knows them, and a restart ends none.

use crate::{AuditStore, StoreError};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A session that a link began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSession {
    /// The SHA-256 of what the browser has, in hexadecimal.
    pub secret: String,
    /// Its name on pages, which opens nothing.
    pub id: String,
    /// Who it is; `None` for someone without a name.
    pub person: Option<String>,
    /// What the person may do, in the console's word.
    pub role: String,
    /// When it began, in milliseconds since 1970-01-01T00:00:00Z.
    pub began_ms: i64,
    /// When it was used last, as far as that is kept.
    pub used_ms: Option<i64>,
    /// Whether someone who was signed in gave the person access. Otherwise a console was started with the name.
    pub is_invited: bool,
}

/// A link that signs in once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLink {
    /// The SHA-256 of its token, in hexadecimal.
    pub token: String,
    /// Whom it signs in; `None` for someone without a name.
    pub person: Option<String>,
    /// What the person may do, in the console's word.
    pub role: String,
    /// The id of the session that made it; none made those of the terminal.
    pub maker: Option<String>,
    /// When it was made, in milliseconds since 1970-01-01T00:00:00Z.
    pub made_ms: i64,
    /// Whether someone who was signed in gives the person access. Otherwise a console was started with the name.
    pub is_invited: bool,
}

/// From when on sessions and links hold, in milliseconds since 1970-01-01T00:00:00Z, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub struct SignInLimits {
    /// Sessions that began before have ended.
    pub began_after_ms: i64,
    /// Links that were made before are over.
    pub made_after_ms: i64,
    /// Sessions at once; beyond, the person's oldest ends, or else the oldest.
    pub sessions: u32,
    /// Links at once; beyond, the oldest ends.
    pub links: u32,
    /// Links at once that one session made; beyond, its oldest ends.
    pub links_of_one: u32,
}

impl AuditStore {
    /// Keeps a new link.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn keep_link(&self, link: &KeptLink, limits: &SignInLimits) -> Result<(), StoreError> {
        self.write(|connection| {
            connection.execute("DELETE FROM sign_in_links WHERE made_at_ms < ?1", [limits.made_after_ms])?;
            let insert =
                "INSERT INTO sign_in_links (token, person, role, maker, made_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
            let KeptLink { token, person, role, maker, made_ms, is_invited } = link;
            connection.execute(insert, params![token, person, role, maker, made_ms])?;
            if *is_invited {
                note_invited(connection, token)?;
            }
            let own = "DELETE FROM sign_in_links WHERE maker = ?1 AND token NOT IN (SELECT token FROM sign_in_links \
                       WHERE maker = ?1 ORDER BY token = ?2 DESC, made_at_ms DESC LIMIT ?3)";
            connection.execute(own, params![maker, token, limits.links_of_one])?;
            let oldest = "DELETE FROM sign_in_links WHERE token NOT IN \
                          (SELECT token FROM sign_in_links ORDER BY token = ?2 DESC, made_at_ms DESC LIMIT ?1)";
            connection.execute(oldest, params![limits.links, token])?;
            forget_ended(connection)
        })
    }

    /// The link of a token, if it was not used and still holds.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn sign_in_link(&self, token: &str, limits: &SignInLimits) -> Result<Option<KeptLink>, StoreError> {
        self.read(|connection| find_link(connection, token, limits))
    }

    /// Uses a link up for this session, which is given the person and the role of the link. `None` where there is no such link
    /// any more: of two consoles that use one, one does.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn sign_in(
        &self,
        token: &str,
        session: KeptSession,
        limits: &SignInLimits,
    ) -> Result<Option<KeptSession>, StoreError> {
        self.write(|connection| {
            let Some(link) = find_link(connection, token, limits)? else { return Ok(None) };
            connection.execute("DELETE FROM sign_in_links WHERE token = ?1", [token])?;
            let KeptLink { person, role, is_invited, .. } = link;
            let session = KeptSession { person, role, is_invited, ..session };
            make_room(connection, session.person.as_deref(), limits)?;
            let insert = "INSERT INTO sessions (secret, id, person, role, began_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
            let KeptSession { secret, id, person, role, began_ms, used_ms: _, is_invited } = &session;
            connection.execute(insert, params![secret, id, person, role, began_ms])?;
            if *is_invited {
                note_invited(connection, secret)?;
            }
            forget_ended(connection)?;
            Ok(Some(session))
        })
    }

    /// The session of a secret, which is given as its SHA-256.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn session(&self, secret: &str, limits: &SignInLimits) -> Result<Option<KeptSession>, StoreError> {
        let sql = format!("SELECT {SESSION} FROM sessions WHERE {LIVE} AND secret = ?2");
        let given = params![limits.began_after_ms, secret];
        self.read(|connection| Ok(connection.prepare_cached(&sql)?.query_row(given, session).optional()?))
    }

    /// Keeps that the session of this id was used, if it has not ended and was not used later.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn keep_session_use(&self, id: &str, used_ms: i64) -> Result<(), StoreError> {
        self.write(|connection| {
            let keep = "INSERT INTO session_uses (id, used_at_ms) SELECT id, ?2 FROM sessions WHERE id = ?1 \
                        ON CONFLICT (id) DO UPDATE SET used_at_ms = excluded.used_at_ms \
                        WHERE excluded.used_at_ms > session_uses.used_at_ms";
            connection.execute(keep, params![id, used_ms])?;
            Ok(())
        })
    }

    /// Whether the session of this id continues.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn has_session(&self, id: &str, limits: &SignInLimits) -> Result<bool, StoreError> {
        let sql = format!("SELECT 1 FROM sessions WHERE {LIVE} AND id = ?2");
        self.read(|connection| Ok(connection.prepare_cached(&sql)?.exists(params![limits.began_after_ms, id])?))
    }

    /// Every session, and every link that was not used.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn signed_in(&self, limits: &SignInLimits) -> Result<(Vec<KeptSession>, Vec<KeptLink>), StoreError> {
        self.read(|connection| {
            let sql = format!("SELECT {SESSION} FROM sessions WHERE {LIVE}");
            let given = [limits.began_after_ms];
            let sessions = connection.prepare_cached(&sql)?.query_map(given, session)?.collect::<Result<_, _>>()?;
            let sql = format!("SELECT {LINK} FROM sign_in_links WHERE made_at_ms >= ?1");
            let given = [limits.made_after_ms];
            let links = connection.prepare_cached(&sql)?.query_map(given, link)?.collect::<Result<_, _>>()?;
            Ok((sessions, links))
        })
    }

    /// Ends sessions, by their ids, and with them these links.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn end_sessions(&self, ids: &[&str], links: &[KeptLink]) -> Result<(), StoreError> {
        self.write(|connection| {
            for id in ids {
                connection.execute("DELETE FROM sessions WHERE id = ?1", [id])?;
            }
            for link in links {
                connection.execute("DELETE FROM sign_in_links WHERE token = ?1", [&link.token])?;
            }
            forget_ended(connection)
        })
    }
}

const SESSION: &str = "secret, id, person, role, began_at_ms, \
                       EXISTS (SELECT 1 FROM invited WHERE invited.secret = sessions.secret), \
                       (SELECT used_at_ms FROM session_uses WHERE session_uses.id = sessions.id)";
const LIVE: &str = "began_at_ms >= ?1";
const LINK: &str = "token, person, role, maker, made_at_ms, EXISTS (SELECT 1 FROM invited WHERE secret = token)";

fn session(row: &Row<'_>) -> rusqlite::Result<KeptSession> {
    let (secret, id, person, role) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let (began_ms, is_invited, used_ms) = (row.get(4)?, row.get(5)?, row.get(6)?);
    Ok(KeptSession { secret, id, person, role, began_ms, used_ms, is_invited })
}

fn link(row: &Row<'_>) -> rusqlite::Result<KeptLink> {
    let (token, person, role) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(KeptLink { token, person, role, maker: row.get(3)?, made_ms: row.get(4)?, is_invited: row.get(5)? })
}

fn find_link(connection: &Connection, token: &str, limits: &SignInLimits) -> Result<Option<KeptLink>, StoreError> {
    let sql = format!("SELECT {LINK} FROM sign_in_links WHERE token = ?1 AND made_at_ms >= ?2");
    let given = params![token, limits.made_after_ms];
    Ok(connection.prepare_cached(&sql)?.query_row(given, link).optional()?)
}

fn note_invited(connection: &Connection, secret: &str) -> Result<(), StoreError> {
    connection.execute("INSERT OR IGNORE INTO invited (secret) VALUES (?1)", [secret])?;
    Ok(())
}

/// Removes what is noted of sessions and links that are gone.
fn forget_ended(connection: &Connection) -> Result<(), StoreError> {
    let unused =
        "DELETE FROM session_uses WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = session_uses.id)";
    connection.execute(unused, [])?;
    let gone = "DELETE FROM invited WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.secret = invited.secret) \
                AND NOT EXISTS (SELECT 1 FROM sign_in_links WHERE token = invited.secret)";
    connection.execute(gone, [])?;
    Ok(())
}

/// Removes sessions that have ended, and one more where there are too many: the person's oldest, or else the oldest.
fn make_room(connection: &Connection, person: Option<&str>, limits: &SignInLimits) -> Result<(), StoreError> {
    connection.execute("DELETE FROM sessions WHERE began_at_ms < ?1", [limits.began_after_ms])?;
    let one = "DELETE FROM sessions WHERE secret IN (SELECT secret FROM sessions ORDER BY person IS NOT ?1, began_at_ms LIMIT \
               (SELECT max(0, count(*) + 1 - ?2) FROM sessions))";
    connection.execute(one, params![person, limits.sessions])?;
    Ok(())
}
