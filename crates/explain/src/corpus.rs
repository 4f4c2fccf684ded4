//! Texts as clients print them, each with the one cause that it must be explained by. Written before the rules.

use super::Cause::{self, *};

/// Texts of PostgreSQL, its poolers and libpq.
pub(super) const SERVER: &[(&str, Cause)] = &[
    ("FATAL: SSL connection is required. Please specify SSL options and retry.", TlsEnforced),
    (
        r#"psql: error: FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", no encryption"#,
        TlsEnforced,
    ),
    ("no pg_hba.conf entry for host \"1.2.3.4\", user \"u\",\n  database \"d\", SSL off", TlsEnforced),
    ("FATAL: no pg_hba.conf entry for host …, no encryption", TlsEnforced),
    (
        r#"FATAL: no pg_hba.conf entry for replication connection from host "1.2.3.4", user "r", no encryption"#,
        TlsEnforced,
    ),
    (r#"no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", SSL on"#, AddressRule),
    (r#"no pg_hba.conf entry for host "h", user "u", database "d", SSL encryption"#, AddressRule),
    (r#"no pg_hba.conf entry for host "h", user "u", database "d", GSS encryption"#, AddressRule),
    (r#"no pg_hba.conf entry for host "h", user "u", database "d""#, PgHba),
    (r#"no pg_hba.conf entry for host "h", user "u", database "d", SSL"#, PgHba),
    (r#"pg_hba.conf rejects connection for host "h", user "u", database "d", no encryption"#, TlsEnforced),
    (r#"pg_hba.conf rejects connection for host "h", user "u", database "d", SSL encryption"#, AddressRule),
    ("FATAL: connection requires a valid client certificate", ClientCertificate),
    ("FATAL: certificate authentication failed for user \"u\"", ClientCertificate),
    ("FATAL: role \"x\" does not exist", NoSuchRoleOrDatabase),
    ("FATAL: database \"x\" does not exist", NoSuchRoleOrDatabase),
    ("FATAL: sorry, too many clients already", Busy),
    ("FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute", Busy),
    ("FATAL: too many connections for role \"u\"", Busy),
    ("FATAL: the database system is starting up", Busy),
    ("FATAL: Peer authentication failed for user \"u\"", PgHba),
    ("FATAL: permission denied for database \"d\"\nDETAIL: User does not have CONNECT privilege.", Permission),
    ("FATAL: unsupported frontend protocol 1234.5680: server supports 2.0 to 3.0", Handshake),
    ("FATAL: received unencrypted data after SSL request", Handshake),
    ("LOG:  could not accept SSL connection: tlsv1 alert unknown ca", TrustStore),
    // Poolers.
    ("ERROR: SSL required", TlsEnforced),
    ("ERROR: no pool_hba.conf entry for host \"h\", user \"u\", database \"d\", SSL off", TlsEnforced),
    ("FATAL: server login failed: FATAL: password authentication failed for user \"u\"", Password),
    ("FATAL: server login failed: wrong password type", Password),
    (
        r#"FATAL: server login has been failing, cached error: no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", no encryption (server_login_retry)"#,
        TlsEnforced,
    ),
    ("FATAL: no such database: shop", NoSuchRoleOrDatabase),
    ("FATAL: no more connections allowed (max_client_conn)", Busy),
    ("FATAL: unsupported startup parameter: extra_float_digits", ClientSetup),
    ("WARNING S-0x1: d/u@1.2.3.4:5432 closing because: server refused SSL (age=0s)", NoTlsOnServer),
    ("FATAL: query_wait_timeout", Busy),
    // libpq.
    ("root certificate file \"/root/.postgresql/root.crt\" does not exist", TrustStore),
    ("connection to server at \"h\" (1.2.3.4), port 5432 failed: SSL error: certificate verify failed", TrustStore),
    ("server certificate for \"x\" does not match host name \"y\"", HostName),
    ("server certificate for \"x\" (and 1 other name) does not match host name \"y\"", HostName),
    ("server does not support SSL, but SSL was required", NoTlsOnServer),
    ("received invalid response to SSL negotiation: H", Handshake),
    ("SSL SYSCALL error: EOF detected", Handshake),
    ("SSL error: something that nobody has ever seen", Handshake),
    ("SSL connection has been closed unexpectedly", Closed),
    ("server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally", Closed),
    ("fe_sendauth: no password supplied", Password),
    ("invalid sslmode value: \"verify-all\"", ClientSetup),
    ("sslmode value \"require\" invalid when SSL support is not compiled in", ClientSetup),
    ("weak sslmode \"require\" may not be used with sslrootcert=system (use \"verify-full\")", ClientSetup),
    ("private key file \"/k\" has group or world access; file must have permissions u=rw (0600)", ClientSetup),
    ("direct SSL connection was established without ALPN protocol negotiation extension", Handshake),
    ("SCRAM authentication requires libpq version 10 or above", ClientSetup),
    ("connection to server at \"h\" (1.2.3.4), port 5432 failed: timeout expired", Unreachable),
    ("could not translate host name \"h\" to address: Name or service not known", Unreachable),
    ("connection to server at \"h\" (1.2.3.4), port 5432 failed: No route to host", Unreachable),
    (
        "connection to server on socket \"/var/run/postgresql/.s.PGSQL.5432\" failed: No such file or directory\n\tIs the server running locally and accepting connections on that socket?",
        Unreachable,
    ),
    // Azure.
    (
        "FATAL: Invalid Username specified. Please check the Username and retry connection. The Username should be in <username@hostname> format.",
        Password,
    ),
    ("FATAL:  The access token has expired. Please acquire a new token and retry.", Password),
    (
        "psql: error: connection to server at \"s.postgres.database.azure.com\" (1.2.3.4), port 5432 \nfailed: FATAL:  The access token has invalid format. Please ensure the token is passed exactly as returned by the authentication endpoint and retry.\nconnection to server at \"s.postgres.database.azure.com\" (1.2.3.4), port 5432 \nfailed: FATAL:  no pg_hba.conf entry for host \"5.6.7.8\", user \"adm\" database \"d\", no encryption",
        Password,
    ),
    ("FATAL: The access token does not have a valid audience claim.", Password),
];

/// Texts of drivers and of the TLS libraries below them.
pub(super) const CLIENTS: &[(&str, Cause)] = &[
    // Go.
    ("tls: failed to verify certificate: x509: certificate signed by unknown authority", TrustStore),
    ("tls: failed to verify certificate: x509: certificate is valid for *.a.example, not b.example", HostName),
    ("x509: cannot validate certificate for 10.0.0.4 because it doesn't contain any IP SANs", HostName),
    ("x509: certificate relies on legacy Common Name field, use SANs instead", HostName),
    ("x509: certificate has expired or is not yet valid: current time 2031-01-01T00:00:00Z is after", Expired),
    ("tls: failed to verify certificate: x509: nothing that is known", TrustStore),
    ("x509: cannot verify signature: insecure algorithm SHA1-RSA", WeakAlgorithm),
    ("pq: SSL is not enabled on the server", NoTlsOnServer),
    ("failed to connect to `host=h user=u database=d`: tls error (server refused TLS connection)", NoTlsOnServer),
    (
        "failed to connect to `user=u database=d`: 1.2.3.4:5432 (h): server error: FATAL: password authentication failed for user \"u\" (SQLSTATE 28P01)",
        Password,
    ),
    (
        "failed to connect to `host=h user=password authentication failed database=d`: dial error (dial tcp 1.2.3.4:5432: connect: connection refused)",
        Unreachable,
    ),
    ("remote error: tls: handshake failure", NoCommonTls),
    ("remote error: tls: protocol version not supported", NoCommonTls),
    ("tls: first record does not look like a TLS handshake", Handshake),
    ("remote error: tls: certificate required", ClientCertificate),
    ("dial tcp 10.0.0.4:5432: i/o timeout", Unreachable),
    ("dial tcp: lookup db.example on 127.0.0.53:53: no such host", Unreachable),
    // Java.
    (
        "sun.security.validator.ValidatorException: PKIX path building failed: unable to find valid certification path to requested target",
        TrustStore,
    ),
    (
        "javax.net.ssl.SSLHandshakeException: PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException",
        TrustStore,
    ),
    ("PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed", Expired),
    ("Certificates do not conform to algorithm constraints", WeakAlgorithm),
    ("org.postgresql.util.PSQLException: The server does not support SSL.", NoTlsOnServer),
    ("The hostname 10.0.0.4 could not be verified by hostnameverifier PgjdbcHostnameVerifier.", HostName),
    (
        "java.security.cert.CertificateException: No subject alternative names matching IP address 10.0.0.4 found",
        HostName,
    ),
    ("javax.net.ssl.SSLHandshakeException: Received fatal alert: protocol_version", NoCommonTls),
    ("javax.net.ssl.SSLHandshakeException: Received fatal alert: handshake_failure", NoCommonTls),
    ("javax.net.ssl.SSLHandshakeException: Remote host terminated the handshake", Handshake),
    ("javax.net.ssl.SSLException: Unsupported or unrecognized SSL message", Handshake),
    ("Caused by: javax.net.ssl.SSLHandshakeException: General SSLEngine problem", Handshake),
    ("the trustAnchors parameter must be non-empty", TrustStore),
    (
        "Connection to localhost:5432 refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections.",
        Unreachable,
    ),
    (
        "SQL Error [28000]: FATAL: no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"d\", no encryption",
        TlsEnforced,
    ),
    ("The authentication type 10 is not supported.", ClientSetup),
    ("java.net.UnknownHostException: db.example", Unreachable),
    // .NET.
    (
        "Npgsql.NpgsqlException (0x80004005): SSL connection requested. No SSL enabled connection from this host is configured.",
        NoTlsOnServer,
    ),
    ("28000: no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"d\", no encryption", TlsEnforced),
    ("Npgsql.PostgresException (0x80004005): 28P01: password authentication failed for user \"u\"", Password),
    (
        "The remote certificate is invalid according to the validation procedure: RemoteCertificateNameMismatch",
        HostName,
    ),
    ("The remote certificate was rejected by the provided RemoteCertificateValidationCallback.", TrustStore),
    ("The remote certificate is invalid because of errors in the certificate chain: UntrustedRoot", TrustStore),
    ("The remote certificate is invalid because of errors in the certificate chain: NotTimeValid", Expired),
    ("Npgsql.NpgsqlException: Exception while performing SSL handshake", Handshake),
    ("No password has been provided but the backend requires one (in SASL/SCRAM-SHA-256)", Password),
    ("To validate server certificates, please use VerifyFull or VerifyCA instead of Require.", ClientSetup),
    // Node.
    ("Error: self-signed certificate in certificate chain { code: 'SELF_SIGNED_CERT_IN_CHAIN' }", TrustStore),
    ("code: 'SELF_SIGNED_CERT_IN_CHAIN'", TrustStore),
    ("{\"level\":\"error\",\"code\":\"UNABLE_TO_VERIFY_LEAF_SIGNATURE\"}", TrustStore),
    ("Error: unable to verify the first certificate", TrustStore),
    ("ERR_TLS_CERT_ALTNAME_INVALID", HostName),
    ("Hostname/IP does not match certificate's altnames: IP: 10.0.0.4 is not in the cert's list:", HostName),
    ("code: 'CERT_HAS_EXPIRED'", Expired),
    ("Error: The server does not support SSL connections", NoTlsOnServer),
    ("Error: connect ECONNREFUSED 127.0.0.1:5432", Unreachable),
    ("Error: connect ETIMEDOUT 10.0.0.4:5432", Unreachable),
    ("Error: getaddrinfo ENOTFOUND db.example", Unreachable),
    ("Error: read ECONNRESET", Closed),
    ("Error: Connection terminated unexpectedly", Closed),
    ("SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string", Password),
    ("Client network socket disconnected before secure TLS connection was established", Handshake),
    ("Error: There was an error establishing an SSL connection", Handshake),
    // Python.
    (
        "asyncpg.exceptions.InvalidAuthorizationSpecificationError: no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"d\", no encryption",
        TlsEnforced,
    ),
    ("asyncpg.exceptions.InvalidAuthorizationSpecificationError", PgHba),
    ("asyncpg.exceptions.InvalidPasswordError", Password),
    ("ConnectionError: PostgreSQL server at \"h:5432\" rejected SSL upgrade", NoTlsOnServer),
    (
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:1006)",
        TrustStore,
    ),
    (
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch, certificate is not valid for 'h'. (_ssl.c:1006)",
        HostName,
    ),
    ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1129)", Expired),
    ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1129)", Handshake),
    (
        "psycopg.OperationalError: connection failed: connection to server at \"1.2.3.4\", port 5432 failed: FATAL:  password authentication failed for user \"u\"",
        Password,
    ),
    (
        "(psycopg2.OperationalError) FATAL:  no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"d\", SSL off\n\n(Background on this error at: https://sqlalche.me/e/14/e3q8)",
        TlsEnforced,
    ),
    // Ruby, PHP.
    (
        "PG::ConnectionBad: FATAL:  no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"d\", no encryption",
        TlsEnforced,
    ),
    ("SQLSTATE[08006] [7] FATAL:  password authentication failed for user \"u\"", Password),
    ("SQLSTATE[08006] [7] could not connect to server: Connection timed out", Unreachable),
    ("SQLSTATE[08006] [7]", Unknown),
    ("ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 1)", Unreachable),
    ("pg8000.exceptions.InterfaceError: Server refuses SSL", NoTlsOnServer),
    ("FATAL:  client certificates can only be checked if a root certificate store is available", ClientCertificate),
    ("unsupported protocol", NoCommonTls),
    (
        "P1000: Authentication failed against database server at `db`, the provided credentials for `u` are not valid.",
        Password,
    ),
    ("Error opening a TLS connection: bad certificate format", Handshake),
    ("SSL handshake failed", Handshake),
    (
        "A certificate chain processed, but terminated in a root certificate which is not trusted by the trust provider.",
        TrustStore,
    ),
    // Rust.
    ("error performing TLS handshake: server does not support TLS", NoTlsOnServer),
    (
        "Error { kind: Db, cause: Some(DbError { severity: \"FATAL\", parsed_severity: Some(Fatal), code: SqlState(E28000), message: \"no pg_hba.conf entry for host \\\"1.2.3.4\\\", user \\\"u\\\", database \\\"d\\\", no encryption\", detail: None }) }",
        TlsEnforced,
    ),
    (
        "error occurred while attempting to establish a TLS connection: invalid peer certificate: UnknownIssuer",
        TrustStore,
    ),
    ("invalid peer certificate: NotValidForName", HostName),
    ("invalid peer certificate: certificate not valid for name \"10.0.0.4\"", HostName),
    ("invalid peer certificate: Expired", Expired),
    ("received fatal alert: HandshakeFailure", NoCommonTls),
    ("TLS upgrade required by connect options but SQLx was built without TLS support enabled", ClientSetup),
    ("error connecting to server: Connection refused (os error 111)", Unreachable),
    // Alerts and OpenSSL.
    ("tlsv1 alert protocol version", NoCommonTls),
    ("error:0A000102:SSL routines::unsupported protocol", NoCommonTls),
    ("sslv3 alert handshake failure", NoCommonTls),
    ("tlsv13 alert certificate required", ClientCertificate),
    ("tlsv1 alert unknown ca", TrustStore),
    ("sslv3 alert bad certificate", TrustStore),
    ("sslv3 alert certificate expired", Expired),
    ("SSL error: wrong version number", Handshake),
    ("error:0A000126:SSL routines::unexpected eof while reading", Handshake),
    ("tlsv1 unrecognized name", HostName),
    ("no shared cipher", NoCommonTls),
    ("ca md too weak", WeakAlgorithm),
    ("ee key too small", WeakAlgorithm),
    ("self signed certificate in certificate chain", TrustStore),
    ("certificate is not yet valid", Expired),
];

/// PostgreSQL's own translations, as its version 15 prints them, and codes in texts that are in no table.
pub(super) const TRANSLATED: &[(&str, Cause)] = &[
    (
        "FATAL:  kein pg_hba.conf-Eintrag für Host »1.2.3.4«, Benutzer »u«, Datenbank »d«, keine Verschlüsselung",
        TlsEnforced,
    ),
    (
        "FATAL:  kein pg_hba.conf-Eintrag f\u{fffd}r Host \u{fffd}1.2.3.4\u{fffd}, Benutzer \u{fffd}u\u{fffd}, Datenbank \u{fffd}d\u{fffd}, keine Verschl\u{fffd}sselung",
        TlsEnforced,
    ),
    (
        "FATAL:  kein pg_hba.conf-Eintrag für Host »1.2.3.4«, Benutzer »u«, Datenbank »d«, SSL-Verschlüsselung",
        AddressRule,
    ),
    (
        "FATAL:  pg_hba.conf lehnt Verbindung ab für Host »1.2.3.4«, Benutzer »u«, Datenbank »d«, keine Verschlüsselung",
        TlsEnforced,
    ),
    ("FATAL:  Passwort-Authentifizierung für Benutzer »u« fehlgeschlagen", Password),
    ("FATAL:  Passwort-Authentifizierung für Benutzer »keine Verschlüsselung« fehlgeschlagen", Password),
    (
        "FATAL:  aucune entrée dans pg_hba.conf pour l'hôte « 1.2.3.4 », utilisateur « u »,\nbase de données « d », aucun chiffrement",
        TlsEnforced,
    ),
    (
        "FATAL:  aucune entrée dans pg_hba.conf pour l'hôte « 1.2.3.4 », utilisateur « u »,\nbase de données « d », chiffrement SSL",
        AddressRule,
    ),
    ("FATAL:  authentification par mot de passe échouée pour l'utilisateur  « u »", Password),
    (
        "FATAL:  no hay una línea en pg_hba.conf para «1.2.3.4», usuario «u», base de datos «d», sin cifrado",
        TlsEnforced,
    ),
    (
        "FATAL:  no hay una línea en pg_hba.conf para «1.2.3.4», usuario «u», base de datos «d», cifrado SSL",
        AddressRule,
    ),
    ("FATAL:  la autentificación password falló para el usuario «u»", Password),
    (
        "FATAL:  nessuna voce in pg_hba.conf per l'host \"1.2.3.4\", utente \"u\", database \"d\", nessuna crittografia",
        TlsEnforced,
    ),
    (
        "FATAL:  pg_hba.conf にホスト\"1.2.3.4\"、ユーザー\"u\"、データベース\"d, 暗号化なし用のエントリがありません",
        TlsEnforced,
    ),
    (
        "FATAL:  pg_hba.conf にホスト\"1.2.3.4\"、ユーザー\"u\"、データベース\"d, SSL暗号化用のエントリがありません\nconnection to server at \"h\" (1.2.3.4), port 5432 failed: FATAL:  pg_hba.conf にホスト\"1.2.3.4\"、ユーザー\"u\"、データベース\"d, 暗号化なし用のエントリがありません",
        AddressRule,
    ),
    ("FATAL:  ユーザー\"u\"のパスワード認証に失敗しました", Password),
    (
        "FATAL:  в pg_hba.conf нет записи для компьютера \"1.2.3.4\", пользователя \"u\", базы \"d\", без шифрования",
        TlsEnforced,
    ),
    (
        "FATAL:  в pg_hba.conf нет записи для компьютера \"1.2.3.4\", пользователя \"u\", базы \"d\", Шифрование SSL",
        AddressRule,
    ),
    ("FATAL:  пользователь \"u\" не прошёл проверку подлинности (по паролю)", Password),
    ("FATAL:  没有用于主机 \"1.2.3.4\", 用户 \"u\", 数据库 \"d\", no encryption 的 pg_hba.conf 记录", TlsEnforced),
    ("FATAL:  没有用于主机 \"1.2.3.4\", 用户 \"u\", 数据库 \"d\", SSL encryption 的 pg_hba.conf 记录", AddressRule),
    ("FATAL:  用户 \"u\" Password 认证失败", Password),
    ("FATAL:  pg_hba.conf 记录拒绝来自主机\"1.2.3.4, 用户\"u\", 数据库\"d, no encryption的复制连接", PgHba),
    (
        "FATAL:  ingen rad i pg_hba.conf för värd \"1.2.3.4\", användare \"u\", databas \"d\", ingen kryptering",
        TlsEnforced,
    ),
    (
        "치명적오류:  호스트 \"1.2.3.4\", 사용자 \"u\", 데이터베이스 \"d\", 암호화 안함 연결에 대한 설정이 pg_hba.conf 파일에 없습니다.",
        TlsEnforced,
    ),
    ("FATAL:  nenhuma entrada no pg_hba.conf para máquina \"192.168.0.5\", usuário \"u\", banco de dados \"d\"", PgHba),
    ("FATAL:  Rolle »u« existiert nicht", NoSuchRoleOrDatabase),
    ("FATAL:  la base de données « d » n'existe pas", NoSuchRoleOrDatabase),
    ("FATAL:  ロール\"u\"は存在しません", NoSuchRoleOrDatabase),
    ("ВАЖНО:  роль \"u\" не существует", NoSuchRoleOrDatabase),
    ("致命错误:  角色 \"u\" 不存在", NoSuchRoleOrDatabase),
    ("FATAL:  tut mir leid, schon zu viele Verbindungen", Busy),
    ("FATAL:  Verbindung erfordert ein gültiges Client-Zertifikat", ClientCertificate),
    (
        "Root-Zertifikat-Datei »/r.crt« existiert nicht\nLegen Sie entweder die Datei an oder ändern Sie sslmode",
        TrustStore,
    ),
    ("le certificat serveur pour « a » ne correspond pas au nom d'hôte « b »", HostName),
    ("el servidor no soporta SSL, pero SSL es requerida", NoTlsOnServer),
    ("SSL-Fehler: certificate verify failed", TrustStore),
    ("сервер неожиданно закрыл соединение", Closed),
    (
        "psql: Fehler: Verbindung zum Server auf »127.0.0.1«, Port 5432 fehlgeschlagen: FATAL:  Client-Zertifikate können nur überprüft werden, wenn Wurzelzertifikat verfügbar ist\nVerbindung zum Server auf »127.0.0.1«, Port 5432 fehlgeschlagen: FATAL:  kein pg_hba.conf-Eintrag für Host »127.0.0.1«, Benutzer »u«, Datenbank »d«, keine Verschlüsselung",
        Unknown,
    ),
    // In no table: the code decides, or nobody knows.
    ("Ett fel (SQLSTATE 28P01)", Password),
    ("SQLSTATE[28000]: kutoka kwa seva", PgHba),
    ("ERREUR 3D000: quelque chose", NoSuchRoleOrDatabase),
    ("fejl { code: '53300' }", Busy),
    ("Server refuserede forbindelsen", Unknown),
    ("after 28000 ms", Unknown),
    ("listening on 10.0.0.4:28000: fine", Unknown),
];

const NO_ENTRY: &str = r#"FATAL:  no pg_hba.conf entry for host "5.6.7.8", user "u", database "d", no encryption"#;
const OVER_TLS: &str = r#"FATAL:  no pg_hba.conf entry for host "5.6.7.8", user "u", database "d", SSL encryption"#;

/// Two messages, in both orders, and the cause that decides.
pub(super) const PAIRS: &[(&str, &str, Cause)] = &[
    // A symptom says less than the line that names the reason.
    (
        NO_ENTRY,
        "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n\tbefore or while processing the request.",
        TlsEnforced,
    ),
    (NO_ENTRY, "FATAL:  unsupported frontend protocol 1234.5680: server supports 2.0 to 3.0", TlsEnforced),
    (NO_ENTRY, "FATAL:  sorry, too many clients already", TlsEnforced),
    (
        NO_ENTRY,
        "root certificate file \"/root/.postgresql/root.crt\" does not exist\nEither provide the file or change sslmode to disable server certificate verification.",
        TlsEnforced,
    ),
    (
        NO_ENTRY,
        "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
        TlsEnforced,
    ),
    (NO_ENTRY, "timeout expired", TlsEnforced),
    (NO_ENTRY, "FATAL:  the database system is starting up", TlsEnforced),
    (NO_ENTRY, "read ECONNRESET", TlsEnforced),
    (NO_ENTRY, "SQLSTATE 28000", TlsEnforced),
    // Both attempts of sslmode=prefer or allow: the attempt over TLS is the one that has to succeed.
    (NO_ENTRY, "SSL error: certificate verify failed", TrustStore),
    (NO_ENTRY, "SSL error: tlsv1 alert protocol version", NoCommonTls),
    (NO_ENTRY, "SSL error: unsupported protocol", NoCommonTls),
    (NO_ENTRY, "SSL SYSCALL error: EOF detected", Handshake),
    (NO_ENTRY, "SSL error: a thing unheard of", Handshake),
    (NO_ENTRY, "server certificate for \"a\" does not match host name \"b\"", HostName),
    (NO_ENTRY, "SSL error: tlsv13 alert certificate required", ClientCertificate),
    (NO_ENTRY, "FATAL:  connection requires a valid client certificate", ClientCertificate),
    (NO_ENTRY, "FATAL:  password authentication failed for user \"u\"", Password),
    (NO_ENTRY, "FATAL:  database \"x\" does not exist", NoSuchRoleOrDatabase),
    (NO_ENTRY, OVER_TLS, AddressRule),
    (NO_ENTRY, "server does not support SSL, but SSL was required", NoTlsOnServer),
    ("FATAL:  password authentication failed for user \"u\"", "server closed the connection unexpectedly", Password),
    (OVER_TLS, "FATAL:  sorry, too many clients already", AddressRule),
    ("SSLHandshakeException", "PKIX path building failed", TrustStore),
];

/// Names that users chose.
pub(super) const NAMES: &[(&str, Cause)] = &[
    (
        r#"FATAL:  no pg_hba.conf entry for host "h", user "a" password authentication failed for user "b", database "d", no encryption"#,
        TlsEnforced,
    ),
    (r#"FATAL:  role "a" password authentication failed "b" does not exist"#, NoSuchRoleOrDatabase),
    (r#"FATAL:  database "a" no pg_hba.conf entry "b", SSL encryption" does not exist"#, NoSuchRoleOrDatabase),
    (r#"FATAL:  database "password authentication failed" does not exist"#, NoSuchRoleOrDatabase),
    (r#"FATAL:  role "no pg_hba.conf entry" does not exist"#, NoSuchRoleOrDatabase),
    (r#"FATAL:  password authentication failed for user "no pg_hba.conf entry, no encryption""#, Password),
    (
        r#"FATAL:  no pg_hba.conf entry for host "h", user "password authentication failed", database "d", no encryption"#,
        TlsEnforced,
    ),
    (r#"FATAL:  no pg_hba.conf entry for host "h", user "u", database "no encryption", SSL encryption"#, AddressRule),
    (r#"FATAL:  no pg_hba.conf entry for host "h", user "u", database ", SSL encryption", no encryption"#, TlsEnforced),
    ("FATAL:  database \"a\npassword authentication failed\" does not exist", NoSuchRoleOrDatabase),
    ("FATAL:  database \"password authentication failed", Unknown),
    ("FATAL:  Datenbank »password authentication failed« existiert nicht", NoSuchRoleOrDatabase),
    ("FATAL:  Datenbank »password authentication failed« gibt es", Unknown),
    ("Failed to open database 'password authentication failed'", Unknown),
    (r#"FATAL:  password authentication failed for user "a" database "b" does not exist""#, Password),
    (r#"could not translate host name "connection refused" to address: Name or service not known"#, Unreachable),
    (r#"the user said "password authentication failed" and left"#, Unknown),
    (r#"database "28P01" is fine"#, Unknown),
    (r#"database "a\"b password authentication failed" is fine"#, Unknown),
];

/// Wrappings of one message: prefixes, escapes, and encodings.
pub(super) const WRAPPED: &[(&str, Cause)] = &[
    (
        "2026-11-25 09:00:00.000 UTC,\"u\",\"d\",77,\"1.2.3.4:5\",66f.1,2,\"authentication\",2026-11-25 09:00:00 UTC,3/8,0,FATAL,28000,\"no pg_hba.conf entry for host \"\"1.2.3.4\"\", user \"\"u\"\", database \"\"password authentication failed\"\", no encryption\",,,,,,,,,\"\",\"client backend\",,0",
        TlsEnforced,
    ),
    (
        "no pg_hba.conf entry for host &quot;h&quot;, user &quot;password authentication failed&quot;, database &quot;d&quot;, no encryption",
        TlsEnforced,
    ),
    (
        "HTTP request GET /x: FATAL: no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", no encryption",
        TlsEnforced,
    ),
    (
        "pg8000.exceptions.DatabaseError: {'S': 'FATAL', 'C': '28P01', 'M': 'password authentication failed for user \"u\"'}",
        Password,
    ),
    (
        "2026-11-25 09:09:55.123 UTC [4711] app@shop FATAL:  no pg_hba.conf entry for host \"1.2.3.4\", user \"app\", database \"shop\", no encryption",
        TlsEnforced,
    ),
    (
        "connection to server at \"db\" (1.2.3.4), port 5432 failed: FATAL:  no pg_hba.conf entry for host \"1.2.3.4\",\r\n user \"app\", database \"shop\",\r\n no encryption\r\n",
        TlsEnforced,
    ),
    ("\u{1b}[31mFATAL:\u{1b}[0m  password \u{1b}[1mauthentication\u{1b}[0m failed for user \"u\"", Password),
    ("\u{1b}]0;title\u{7}FATAL: password authentication failed for user \"u\"", Password),
    ("^[[31mFATAL: password^[[0m authentication failed", Password),
    ("> FATAL: password\n> authentication failed for user \"u\"", Password),
    (
        "{\"level\":\"error\",\"msg\":\"pq: no pg_hba.conf entry for host \\\"1.2.3.4\\\", user \\\"u\\\", database \\\"d\\\", no encryption\"}",
        TlsEnforced,
    ),
    ("time=2026-11-25T09:00:00Z level=error err=\"pq: password authentication failed for user \\\"u\\\"\"", Password),
    ("{\"error\": \"connection refused\"}", Unreachable),
    ("no pg_hba.conf entry for host \\\"1.2.3.4\\\", user \\\"u\\\", database \\\"d\\\", no encryption", TlsEnforced),
    ("no pg_hba.conf entry for host “1.2.3.4”, user “u”, database “d”, no encryption", TlsEnforced),
    ("`FATAL: password authentication failed for user \"u\"`", Password),
    ("pass\u{200b}word authentication failed", Password),
    ("password\u{a0}authentication failed", Password),
    ("\"FATAL: password authentication failed for user", Password),
    ("PASSWORD AUTHENTICATION FAILED", Password),
    ("the moon is full", Unknown),
    ("compassword authentication failedness", Unknown),
    ("", Unknown),
    ("\u{0}\u{1b}\u{1b}[\u{fffd}", Unknown),
];
