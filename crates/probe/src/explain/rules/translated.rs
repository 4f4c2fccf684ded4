//! The messages that decide, as PostgreSQL's own catalogues (version 15) translate them.
//!
//! Where a part ends in `*` it ends before the first letter beyond ASCII, as such letters get lost between the server's
//! encoding and the client's. Chinese leaves the words on encryption in English. What is not listed is told by its
//! SQLSTATE, if there is one.

use super::Table;
use crate::explain::readings as r;

pub(super) const TABLE: Table = &[
    (
        &r::NO_ENTRY_PLAIN,
        &[
            &["kein pg_hba.conf-eintrag", "keine verschl*"],
            &["aucune entr*", "pg_hba.conf", "aucun chiffrement"],
            &["no hay una l*", "pg_hba.conf", "sin cifrado"],
            &["nessuna voce in pg_hba.conf", "nessuna crittografia"],
            &["pg_hba.conf にホスト", "暗号化なし用のエントリがありません"],
            &["в pg_hba.conf нет записи", "без шифрования"],
            &["в pg_hba.conf немає запису", "без шифрування"],
            &["没有用于主机", "no encryption", "pg_hba.conf 记录"],
            &["ingen rad i pg_hba.conf", "ingen kryptering"],
            &["암호화 안함 연결에 대한 설정이 pg_hba.conf 파일에 없습니다"],
        ],
    ),
    (
        &r::REJECT_PLAIN,
        &[
            &["pg_hba.conf lehnt verbindung ab", "keine verschl*"],
            &["pg_hba.conf rejette la connexion", "aucun chiffrement"],
            &["pg_hba.conf rechaza la conexi*", "sin cifrado"],
            &["pg_hba.conf rifiuta connessioni", "nessuna crittografia"],
            &["pg_hba.conf の設定でホスト", "暗号化なしの接続を拒否しました"],
            &["pg_hba.conf отвергает подключение", "без шифрования"],
            &["pg_hba.conf відхиляє підключення", "без шифрування"],
            &["pg_hba.conf avvisar anslutning", "ingen kryptering"],
        ],
    ),
    (
        &r::NO_ENTRY_TLS,
        &[
            &["kein pg_hba.conf-eintrag", "ssl-verschl*"],
            &["aucune entr*", "pg_hba.conf", "chiffrement ssl"],
            &["no hay una l*", "pg_hba.conf", "cifrado ssl"],
            &["nessuna voce in pg_hba.conf", "crittografia ssl"],
            &["pg_hba.conf にホスト", "ssl暗号化用のエントリがありません"],
            &["в pg_hba.conf нет записи", "шифрование ssl"],
            &["в pg_hba.conf немає запису", "шифрування ssl"],
            &["没有用于主机", "ssl encryption", "pg_hba.conf 记录"],
            &["ingen rad i pg_hba.conf", "ssl-kryptering"],
            &["ssl 암호화 연결에 대한 설정이 pg_hba.conf 파일에 없습니다"],
        ],
    ),
    (
        &r::REJECT_TLS,
        &[
            &["pg_hba.conf lehnt verbindung ab", "ssl-verschl*"],
            &["pg_hba.conf rejette la connexion", "chiffrement ssl"],
            &["pg_hba.conf rechaza la conexi*", "cifrado ssl"],
            &["pg_hba.conf rifiuta connessioni", "crittografia ssl"],
            &["pg_hba.conf の設定でホスト", "ssl暗号化の接続を拒否しました"],
            &["pg_hba.conf отвергает подключение", "шифрование ssl"],
            &["pg_hba.conf відхиляє підключення", "шифрування ssl"],
            &["pg_hba.conf avvisar anslutning", "ssl-kryptering"],
        ],
    ),
    // Without the words on encryption, or with those of an older version.
    (
        &r::NO_ENTRY,
        &[
            &["kein pg_hba.conf-eintrag"],
            &["aucune entr*", "pg_hba.conf"],
            &["no hay una l*", "pg_hba.conf"],
            &["nessuna voce in pg_hba.conf"],
            &["nenhuma entrada no pg_hba.conf"],
            &["pg_hba.conf にホスト"],
            &["в pg_hba.conf нет записи"],
            &["в pg_hba.conf немає запису"],
            &["没有用于主机", "pg_hba.conf 记录"],
            &["pg_hba.conf 记录拒绝来自主机"],
            &["ingen rad i pg_hba.conf"],
            &["연결에 대한 설정이 pg_hba.conf 파일에 없습니다"],
        ],
    ),
    (
        &r::PASSWORD,
        &[
            &["passwort-authentifizierung f*", "fehlgeschlagen"],
            &["authentification par mot de passe"],
            &["n password fall*"],
            &["autenticazione con password fallita"],
            &["パスワード認証に失敗しました"],
            &["не прошёл проверку подлинности (по паролю)"],
            &["не пройшов автентифікацію за допомогою пароля"],
            &["password 认证失败"],
            &["senordsautentisering misslyckades"],
            &["password 인증을 실패했습니다"],
        ],
    ),
];
