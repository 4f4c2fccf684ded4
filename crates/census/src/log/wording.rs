//! The words of the server: its messages about connections in English and in the translations that it ships with.
//!
//! They are the `msgstr` of the server's message catalogues (`src/backend/po/*.po`, PostgreSQL 12 to 18) up to the first
//! name, because names are what varies. PostgreSQL 11 differs in `, compression=` behind the bits alone.

use super::{refusal, startup_failure};
use aho_corasick::{AhoCorasick, Input, Span, packed};
use std::sync::LazyLock;

/// The pieces of a language's messages.
#[derive(Debug)]
pub(crate) struct Wording {
    /// The severity of these messages.
    pub(crate) severity: &'static str,
    /// `connection received: host=`
    pub(crate) received: &'static str,
    /// ` port=` behind it.
    pub(crate) received_port: &'static str,
    /// `connection authorized: user=`
    pub(crate) authorized: &'static str,
    /// `replication connection authorized: user=`
    pub(crate) replication: &'static str,
    /// ` database=`
    pub(crate) database: &'static str,
    /// ` application_name=`
    pub(crate) application: &'static str,
    /// ` SSL enabled (protocol=`, `, cipher=`, `, bits=`, `)`
    pub(crate) ssl: [&'static str; 4],
    /// ` GSS (authenticated=`, `, encrypted=`, and the word for yes.
    pub(crate) gss: [&'static str; 3],
    /// `disconnection: session time: `
    pub(crate) disconnection: &'static str,
    /// ` user=`, ` database=` and ` host=` behind it.
    pub(crate) disconnection_names: [&'static str; 3],
}

/// Where a catalogue lacks a message, the server writes it in English.
const ENGLISH: Wording = Wording {
    severity: "LOG",
    received: "connection received: host=",
    received_port: " port=",
    authorized: "connection authorized: user=",
    replication: "replication connection authorized: user=",
    database: " database=",
    application: " application_name=",
    ssl: [" SSL enabled (protocol=", ", cipher=", ", bits=", ")"],
    gss: [" GSS (authenticated=", ", encrypted=", "yes"],
    disconnection: "disconnection: session time: ",
    disconnection_names: [" user=", " database=", " host="],
};

/// English first, and where a catalogue lacks a message the English one.
///
/// The last four are of catalogues that PostgreSQL does not keep up: `pt_BR.po` (of 9.4), `tr.po` (12), `pl.po` (9.6) and `id.po`
/// (9.3). What they say of TLS has no counterpart in the messages of later versions, which are therefore in English there.
pub(crate) const WORDINGS: [Wording; 16] = [
    ENGLISH,
    Wording {
        severity: "LOG",
        received: "Verbindung empfangen: Host=",
        received_port: " Port=",
        authorized: "Verbindung autorisiert: Benutzer=",
        replication: "Replikationsverbindung autorisiert: Benutzer=",
        database: " Datenbank=",
        application: " application_name=",
        ssl: [" SSL an (Protokoll=", ", Verschlüsselungsmethode=", ", Bits=", ")"],
        gss: [" GSS (authentifiziert=", ", verschlüsselt=", "ja"],
        disconnection: "Verbindungsende: Sitzungszeit: ",
        disconnection_names: [" Benutzer=", " Datenbank=", " Host="],
    },
    Wording {
        severity: "LOG",
        received: "conexión recibida: host=",
        received_port: " port=",
        authorized: "conexión autorizada: usuario=",
        replication: "conexión de replicación autorizada: usuario=",
        database: " base_de_datos=",
        application: " nombre_de_aplicación=",
        ssl: [" SSL habilitado (protocolo=", ", cifrado=", ", bits=", ")"],
        gss: [" GSS (autenticado=", ", cifrado=", "sí"],
        disconnection: "desconexión: duración de sesión: ",
        disconnection_names: [" usuario=", " base=", " host="],
    },
    Wording {
        severity: "LOG",
        received: "connexion reçue : hôte=",
        received_port: " port=",
        authorized: "connexion autorisée : utilisateur=",
        replication: "connexion de réplication autorisée : utilisateur=",
        database: " base de données ",
        application: " application_name=",
        ssl: [" SSL activé (protocole : ", ", chiffrement : ", ", bits : ", ")"],
        gss: [" GSS (authentifié=", ", chiffré=", "oui"],
        disconnection: "déconnexion : durée de la session : ",
        disconnection_names: ["\nutilisateur=", " base=", " hôte="],
    },
    Wording {
        severity: "LOG",
        received: "connessione ricevuta: host=",
        received_port: " porta=",
        authorized: "connessione autorizzata: utente=",
        replication: "connessione di replica autorizzata: utente=",
        database: " database ",
        application: " application_name=",
        ssl: [" connessione SSL abilitata (protocollo: ", ", cifrario: ", ", bits: ", ")"],
        gss: [" GSS (autenticato=", ", crittografato=", "sì"],
        disconnection: "disconnessione: tempo della sessione: ",
        disconnection_names: [" utente=", " database=", " host="],
    },
    Wording {
        severity: "LOG",
        received: "接続を受け付けました: ホスト=",
        received_port: " ポート番号=",
        authorized: "接続の認証完了: ユーザー=",
        replication: "レプリケーション接続の認証完了: ユーザー=",
        database: " データベース=",
        application: " application_name=",
        ssl: [" SSL有効(プロトコル=", "、暗号化方式=", "、ビット長=", ")"],
        gss: [" GSS (認証=", ", 暗号化=", "はい"],
        disconnection: "接続を切断: セッション時間: ",
        disconnection_names: [" ユーザー=", " データベース=", " ホスト="],
    },
    Wording {
        severity: "ჟურნალი",
        received: "შემოსული დაკავშირება: ჰოსტი=",
        received_port: " პორტი=",
        authorized: "შეერთება ავტორიზებულია: მომხმარებელი=",
        replication: "რეპლიკაციის შეერთება ავტორიზებულია: მომხმარებელი=",
        database: " ბაზა=",
        application: " აპლიკაციის_სახელი=",
        ssl: [" SSL ჩართულია (პროტოკოლი=", ", შიფრი=", ", ბიტები=", ")"],
        gss: [" GSS (ავთენტიფიცირებული=", ", დაშიფრული=", "დიახ"],
        disconnection: "disconnection: session time: ",
        disconnection_names: [" user=", " database=", " host="],
    },
    Wording {
        severity: "로그",
        received: "접속 수락: host=",
        received_port: " port=",
        authorized: "연결 인증: user=",
        replication: "복제 연결 인증: user=",
        database: " database=",
        application: " application_name=",
        ssl: [" SSL 활성화 (protocol=", ", cipher=", ", bits=", ")"],
        gss: [" GSS (authenticated=", ", encrypted=", "예"],
        disconnection: "연결종료: 세션 시간: ",
        disconnection_names: [" 사용자=", " 데이터베이스=", " 호스트="],
    },
    Wording {
        severity: "СООБЩЕНИЕ",
        received: "принято подключение: узел=",
        received_port: " порт=",
        authorized: "подключение авторизовано: пользователь=",
        replication: "подключение для репликации авторизовано: пользователь=",
        database: " база=",
        application: " приложение=",
        ssl: [" SSL включён (протокол=", ", шифр=", ", битов=", ")"],
        gss: [" GSS (аутентификация=", ", шифрование=", "да"],
        disconnection: "отключение: время сеанса: ",
        disconnection_names: [" пользователь=", " база данных=", " компьютер="],
    },
    Wording {
        severity: "LOGG",
        received: "ansluting mottagen: värd=",
        received_port: " port=",
        authorized: "anslutning auktoriserad: användare=",
        replication: "replikeringsanslutning auktoriserad: användare=",
        database: "databas=",
        application: " applikationsnamn=",
        ssl: ["SSL påslagen (protokoll=", ", krypto=", ", bitar=", ")"],
        gss: [" GSS (autentiserad=", ", krypterad=", "ja"],
        disconnection: "nedkoppling: sessionstid: ",
        disconnection_names: [" användare=", " databas=", " värd="],
    },
    Wording {
        severity: "ЗАПИСУВАННЯ",
        received: "з'єднання отримано: хост=",
        received_port: " порт=",
        authorized: "підключення авторизовано: користувач=",
        replication: "підключення для реплікації авторизовано: користувач=",
        database: " database=",
        application: " application_name=",
        ssl: [" SSL активовано (протокол=", ", шифр=", ", біти=", ")"],
        gss: [" GSS (автентифіковано=", ", закодовано=", "так"],
        disconnection: "відключення: час сеансу: ",
        disconnection_names: [" користувач = ", " база даних = ", " хост = "],
    },
    Wording {
        severity: "日志",
        received: "已接收到连接: 主机=",
        received_port: " 端口=",
        authorized: "连接已经授权: 用户=",
        replication: "复制连接已经授权: 用户=",
        database: " database=",
        application: " application_name=",
        ssl: [" SSL enabled (protocol=", ", cipher=", ", bits=", ")"],
        gss: [" GSS (authenticated=", ", encrypted=", "yes"],
        disconnection: "断开连接: 会话时间: ",
        disconnection_names: [" user=", " database=", " host="],
    },
    Wording {
        severity: "LOG",
        received: "conexão recebida: host=",
        received_port: " porta=",
        authorized: "conexão autorizada: usuário=",
        replication: "conexão de replicação autorizada: usuário=",
        database: " banco de dados=",
        ..ENGLISH
    },
    Wording {
        severity: "LOG",
        received: "bağlantı alındı: istemci=",
        authorized: "bağlantı tanımı: kullanıcı=",
        database: " veritabanı=",
        ..ENGLISH
    },
    Wording {
        severity: "DZIENNIK",
        received: "odebrano połączenie: host=",
        authorized: "zautoryzowano połączenie: użytkownik=",
        replication: "zautoryzowano połączenie replikacji: użytkownik=",
        database: " baza danych=",
        ..ENGLISH
    },
    // The catalogue has this spelling.
    Wording {
        severity: "LOG",
        received: "koneksi yang diteruma: host=",
        authorized: "koneksi terautorisasi: user=",
        replication: "koneksi replikasi terautorisasi: user=",
        database: ", database=",
        ..ENGLISH
    },
];

/// Severities in English, and those translations that differ.
const SEVERITIES: [&str; 56] = [
    "LOG",
    "FATAL",
    "ERROR",
    "WARNING",
    "NOTICE",
    "INFO",
    "PANIC",
    "DEBUG",
    "DETAIL",
    "HINT",
    "STATEMENT",
    "CONTEXT",
    "QUERY",
    "LOCATION",
    "BACKTRACE",
    "FEHLER",
    "WARNUNG",
    "ERREUR",
    "FATALE",
    "ERRORE",
    "СООБЩЕНИЕ",
    "ВАЖНО",
    "ОШИБКА",
    "LOGG",
    "FEL",
    "FATALT",
    "로그",
    "日志",
    "ЗАПИСУВАННЯ",
    "ჟურნალი",
    "DEPURAÇÃO",
    "NOTA",
    "AVISO",
    "ERRO",
    "PÂNICO",
    "DETALHE",
    "DICA",
    "COMANDO",
    "BİLGİ",
    "UYARI",
    "HATA",
    "ÖLÜMCÜL (FATAL)",
    "KRİTİK",
    "KOMUT",
    "DZIENNIK",
    "INFORMACJA",
    "UWAGA",
    "OSTRZEŻENIE",
    "BŁĄD",
    "KATASTROFALNY",
    "PANIKA",
    "WYRAŻENIE",
    "SZCZEGÓŁY",
    "PERINGATAN",
    "PERNYATAAN",
    "PANIK",
];

/// Whether a word is a severity, `DEBUG1` to `DEBUG5` included.
pub(crate) fn is_severity(word: &[u8]) -> bool {
    let word = match word {
        [head @ .., b'1'..=b'5'] if head == b"DEBUG" => head,
        word => word,
    };
    SEVERITIES.iter().any(|severity| severity.as_bytes() == word)
}

/// Whether a word is the severity of the messages about connections, in any language.
pub(crate) fn is_log_severity(word: &[u8]) -> bool {
    WORDINGS.iter().any(|wording| wording.severity.as_bytes() == word)
}

/// The names of the settings that have connections logged, leave them out, or have them logged elsewhere.
pub(crate) const SETTINGS: [(&str, LoggedSetting); 7] = [
    ("log_connections", LoggedSetting::Connections),
    ("log_min_messages", LoggedSetting::MinMessages),
    ("log_destination", LoggedSetting::Destination),
    ("log_directory", LoggedSetting::Place),
    ("log_filename", LoggedSetting::Place),
    ("syslog_facility", LoggedSetting::Place),
    ("syslog_ident", LoggedSetting::Place),
];

/// A setting that decides whether, and where, connections are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoggedSetting {
    /// `log_connections`
    Connections,
    /// `log_min_messages`
    MinMessages,
    /// `log_destination`
    Destination,
    /// Where the files are: `log_directory`, `log_filename`, and those of syslog.
    Place,
}

/// A piece that each message of a language has. Any line with one of them is looked at; few and short, they are found at
/// the speed of memory. A log may change its language anywhere (`lc_messages`), so that all of them are always looked for.
pub const PIECES: [&str; 25] = [
    "onnection",
    "erbindung",
    "conex",
    "bağlant",
    "połączeni",
    "koneksi",
    "connexion",
    "connessione",
    "接続",
    "კავშირება",
    "შეერთება",
    "접속",
    "연결",
    "ключен",
    "з'єднання",
    "nslut",
    "nedkoppling",
    "连接",
    // Of a setting: the first piece is in the name of the other.
    "log_min_mess",
    "log_d",
    "log_filen",
    "syslog_",
    // Of a language that is not known: hardly any catalogue translates it.
    " application_name=",
    // Of a client that was refused; the line that names the rule by which one came in has no `entry`.
    "hba.conf entry",
    // Of a session that ended before it began.
    startup_failure::SEVERITY,
];

/// Finds pieces: with the vector instructions of the processor, or without.
enum Pieces {
    Vectors(packed::Searcher),
    Automaton(AhoCorasick),
}

static PIECES_FINDER: LazyLock<Pieces> = LazyLock::new(|| match packed::Searcher::new(PIECES) {
    Some(searcher) => Pieces::Vectors(searcher),
    None => Pieces::Automaton(automaton(&PIECES)),
});

/// Where the next line of which a message about connections may be has one of its pieces, from `from` on.
pub(crate) fn find_piece(region: &[u8], from: usize) -> Option<usize> {
    match &*PIECES_FINDER {
        Pieces::Vectors(searcher) => {
            let span = Span { start: from, end: region.len() };
            searcher.find_in(region, span).map(|hit| hit.start())
        }
        Pieces::Automaton(automaton) => automaton.find(Input::new(region).range(from..)).map(|hit| hit.start()),
    }
}

/// Finds any of these messages in a line. Made once: a reader of many files or servers needs no other.
pub(crate) static NEEDLES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let mut needles: Vec<&str> = SETTINGS.map(|(name, _)| name).to_vec();
    needles.extend(refusal::NEEDLES);
    for wording in &WORDINGS {
        needles.extend([wording.received, wording.authorized, wording.replication, wording.disconnection]);
    }
    needles.sort_unstable();
    needles.dedup();
    automaton(&needles)
});

fn automaton(needles: &[&str]) -> AhoCorasick {
    // A fixed list that is far below every limit of the automaton.
    #[expect(clippy::expect_used, reason = "the needles are constants")]
    AhoCorasick::builder().build(needles).expect("needles of a few bytes each")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_has_a_piece() {
        let messages = WORDINGS.iter().flat_map(|w| [w.received, w.authorized, w.replication, w.disconnection]);
        for message in messages.chain(SETTINGS.map(|(name, _)| name)).chain(refusal::HEADS.map(|(head, _)| head)) {
            assert!(find_piece(message.as_bytes(), 0).is_some(), "{message}");
            // Also without vectors.
            assert!(automaton(&PIECES).is_match(message), "{message}");
        }
        for piece in PIECES.iter().filter(|piece| **piece != " application_name=") {
            let is_of_a_message = WORDINGS
                .iter()
                .flat_map(|w| [w.received, w.authorized, w.replication, w.disconnection])
                .any(|message| message.contains(piece));
            let is_of_a_refusal = refusal::HEADS.iter().any(|(head, _)| head.contains(piece));
            let is_severity = *piece == startup_failure::SEVERITY;
            assert!(
                is_of_a_message
                    || is_of_a_refusal
                    || is_severity
                    || SETTINGS.iter().any(|(name, _)| name.contains(piece)),
                "{piece} finds nothing"
            );
        }
        assert_eq!(find_piece(b"select 1 -- disconnection", 10), Some(16));
        assert_eq!(find_piece("connection".as_bytes(), 2), None);
    }
}
