//! Messages that were judged before. A client that connects again and again has the same text each time, and to find out what it says,
//! and that no other message is inside, is the dearest part of reading it.

use super::joined_session::Said;
use super::message::LogMessage;
use super::prefix::Split;
use crate::seed::SeededHash;
use std::collections::HashMap;
use std::sync::Arc;

/// Messages that are remembered, and the longest of them.
const MOST: usize = 4_096;
const LONGEST: usize = 512;
/// The severity of what is remembered: that of nearly all these messages.
const SEVERITY: &[u8] = b"LOG";

/// Messages of a stderr log that have no process, port or time in them, and no other message inside.
#[derive(Debug, Default)]
pub(super) struct JudgedMessages(HashMap<Box<[u8]>, Judged, SeededHash>);

/// What a message says, by its text and the names in its line's prefix.
#[derive(Debug)]
struct Judged {
    message: JudgedMessage,
    user: Option<Box<[u8]>>,
    database: Option<Box<[u8]>>,
}

#[derive(Debug, Clone)]
pub(super) enum JudgedMessage {
    Authenticated,
    Authorized(Arc<Said>),
}

impl JudgedMessages {
    /// What the message of a line says, if it was judged before.
    pub(super) fn get(&self, split: &Split<'_>) -> Option<JudgedMessage> {
        if split.severity != SEVERITY || split.message.len() > LONGEST {
            return None;
        }
        let judged = self.0.get(split.message)?;
        let is_same = judged.user.as_deref() == split.head.user && judged.database.as_deref() == split.head.database;
        is_same.then(|| judged.message.clone())
    }

    /// Remembers what one says that has no other message inside.
    pub(super) fn keep(&mut self, split: &Split<'_>, message: &LogMessage<'_>) {
        let message = match message {
            LogMessage::Authenticated => JudgedMessage::Authenticated,
            LogMessage::Authorized(authorized) => JudgedMessage::Authorized(Arc::new(Said::new(authorized))),
            _ => return,
        };
        if split.severity != SEVERITY || split.message.len() > LONGEST {
            return;
        }
        // A log of names that never come again must not fill the memory.
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let [user, database] = [split.head.user, split.head.database].map(|name| name.map(Into::into));
        self.0.insert(split.message.into(), Judged { message, user, database });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::message::parse;
    use crate::log::prefix::Head;
    use crate::log::record_fields::Columns;
    use crate::log::unread::has_message_inside;

    const AUTHORIZED: &str = "connection authorized: user=app database=shop application_name=";
    /// Names in the prefix: one of them makes another message of the same text.
    const NAMES: [Option<(&str, &str)>; 5] =
        [None, None, Some(("app", "shop")), Some(("app", "shop")), Some(("app database=shop", "d"))];

    fn texts() -> Vec<String> {
        let head = "2026-09-16 19:02:12 UTC-6aaae7b4.1dc3-LOG:  ";
        let endings = [
            "psql".to_owned(),
            format!("psql{head}connection received: host=h port=5"),
            format!("psql{AUTHORIZED}"),
            "connection pool SSL enabled (protocol=TLSv1.3, cipher=X, bits=256)".to_owned(),
            "x".repeat(LONGEST),
        ];
        let heads = [
            AUTHORIZED,
            "connection authorized: user=app database=shop database=d",
            "connection authenticated: identity=",
            "statement: ",
            "replication connection authorized: user=",
        ];
        heads.iter().flat_map(|head| endings.iter().map(move |ending| format!("{head}{ending}"))).collect()
    }

    #[test]
    fn what_is_remembered_changes_no_answer() {
        let texts = texts();
        // More than are remembered, so that some are forgotten in between.
        let others = (0..=MOST).map(|number| format!("{AUTHORIZED}{number}"));
        let all: Vec<String> = texts.iter().cloned().chain(others).chain(texts.iter().cloned()).collect();
        let mut judged = JudgedMessages::default();
        let (mut known, mut others) = (0, 0);
        for text in all.iter().chain(&texts) {
            for (severity, names) in ["LOG", "STATEMENT"].into_iter().flat_map(|one| NAMES.map(|names| (one, names))) {
                let [user, database] =
                    [names.map(|names| names.0), names.map(|names| names.1)].map(|name| name.map(str::as_bytes));
                let head = Head { user, database, ..Head::default() };
                let split =
                    Split { head, severity: severity.as_bytes(), message: text.as_bytes(), is_ambiguous: false };
                let message = parse(split.severity, split.message, Columns { user, database });
                let is_glued = has_message_inside(split.message, message.as_ref());
                match (judged.get(&split), &message) {
                    (None, Some(message)) if !is_glued => judged.keep(&split, message),
                    (None, _) => others += 1,
                    (Some(JudgedMessage::Authenticated), Some(LogMessage::Authenticated)) => assert!(!is_glued),
                    (Some(JudgedMessage::Authorized(said)), Some(LogMessage::Authorized(authorized))) => {
                        assert!(!is_glued);
                        let anew = Said::new(authorized);
                        assert!(said.parts() == anew.parts() && said.doubt == anew.doubt, "{text}");
                        known += 1;
                    }
                    (judged, message) => panic!("{text}: {judged:?} {message:?}"),
                }
            }
            assert!(judged.0.len() <= MOST);
        }
        assert!(known > 0 && others > 0);
    }
}
