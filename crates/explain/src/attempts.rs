//! The attempts that libpq reports, one after the other: addresses of a host, and TLS and plaintext of
//! `sslmode=prefer`.

use super::matching;

/// What libpq (14 and later) writes once for each attempt, in English and in its translations.
const FRAMES: &[&str] = &[
    "connection to server at ",
    "connection to server on socket ",
    "verbindung zum server auf ",
    "la connexion au serveur sur ",
    "n al servidor en ",
    "connessione al server su ",
    "のサーバーへの接続に失敗しました",
    "접속 할 수 없음",
    "подключиться к серверу ",
    "anslutning till server p",
    "підключення до серверу ",
    "上的服务器，端口",
];

/// Whether a comparable text reports several attempts, one of them without any known message.
pub(super) fn any_unknown(text: &str) -> bool {
    let mut starts: Vec<usize> = FRAMES.iter().flat_map(|frame| text.match_indices(frame).map(|(at, _)| at)).collect();
    starts.sort_unstable();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let attempts: Vec<&str> = starts.iter().zip(ends).filter_map(|(start, end)| text.get(*start..end)).collect();
    attempts.len() > 1 && attempts.iter().any(|attempt| matching::all(attempt).is_empty())
}
