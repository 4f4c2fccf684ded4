//! What drivers say in their own words.

use super::Table;
use crate::readings as r;

pub(super) const TABLE: Table = &[
    // Go: crypto/x509 and crypto/tls, lib/pq, pgx.
    (&r::UNTRUSTED, &[&["certificate signed by unknown authority"], &["certificate is not trusted"]]),
    (&r::UNVERIFIED, &[&["failed to verify certificate"]]),
    (
        &r::HOST_NAME,
        &[
            &["x509: certificate is valid for"],
            &["x509: certificate is not valid for any names"],
            &["x509: cannot validate certificate for", "ip sans"],
            &["certificate relies on legacy common name"],
        ],
    ),
    (&r::NO_TLS, &[&["ssl is not enabled on the server"], &["server refused tls connection"]]),
    (&r::CLIENT_SETUP, &[&["unsupported sslmode"], &["sslmode is invalid"]]),
    // Java: JSSE, pgjdbc.
    (
        &r::UNTRUSTED,
        &[
            &["pkix path building failed"],
            &["unable to find valid certification path"],
            &["trustanchors parameter must be non-empty"],
            &["could not open ssl root certificate file"],
        ],
    ),
    (&r::UNVERIFIED, &[&["pkix path validation failed"]]),
    (
        &r::EXPIRED,
        &[&["validity check failed"], &["certificateexpiredexception"], &["certificatenotyetvalidexception"]],
    ),
    (
        &r::HOST_NAME,
        &[
            &["the hostname", "could not be verified"],
            &["no subject alternative names"],
            &["no subject alternative dns name"],
            &["no name matching", "found"],
        ],
    ),
    (&r::TLS_FAILED, &[&["sslhandshakeexception"], &["sslexception"]]),
    (&r::OLD_CLIENT, &[&["the authentication type", "is not supported"]]),
    (&r::NO_PASSWORD, &[&["but no password was provided"]]),
    // .NET: SslStream, Npgsql.
    (&r::NO_TLS, &[&["no ssl enabled connection from this host"]]),
    (&r::HOST_NAME, &[&["remotecertificatenamemismatch"]]),
    (&r::UNTRUSTED, &[&["untrustedroot"], &["partialchain"]]),
    (&r::EXPIRED, &[&["nottimevalid"]]),
    (&r::UNVERIFIED, &[&["remotecertificatevalidationcallback"], &["remote certificate is invalid"]]),
    (&r::CHAIN_ERRORS, &[&["remotecertificatechainerrors"], &["errors in the certificate chain"]]),
    (&r::TLS_FAILED, &[&["exception while performing ssl handshake"]]),
    (&r::NO_PASSWORD, &[&["no password has been provided"]]),
    (&r::CLIENT_SETUP, &[&["please use verifyfull or verifyca instead of require"]]),
    (&r::CLOSED, &[&["exception while reading from stream"]]),
    // Node: codes of its TLS, node-postgres.
    (
        &r::UNTRUSTED,
        &[
            &["self_signed_cert_in_chain"],
            &["depth_zero_self_signed_cert"],
            &["unable_to_verify_leaf_signature"],
            &["unable_to_get_issuer_cert*"],
        ],
    ),
    (&r::HOST_NAME, &[&["altname_invalid"], &["hostname/ip does not match"]]),
    (&r::EXPIRED, &[&["cert_has_expired"], &["cert_not_yet_valid"]]),
    (&r::TLS_FAILED, &[&["there was an error establishing an ssl connection"]]),
    (&r::NO_PASSWORD, &[&["client password must be a string"], &["no password supplied"]]),
    // Python: asyncpg.
    (&r::INVALID_AUTHORIZATION, &[&["invalidauthorizationspecification*"]]),
    (&r::PASSWORD, &[&["invalidpassworderror"]]),
    (&r::NO_SUCH_DATABASE, &[&["invalidcatalognameerror"]]),
    (&r::TOO_MANY, &[&["toomanyconnectionserror"]]),
    (&r::NOT_UP, &[&["cannotconnectnow*"]]),
    // Also Python: psycopg.
    (&r::SESSION_ENDED, &[&["adminshutdown*"]]),
    (&r::NO_TLS, &[&["rejected ssl upgrade"]]),
    // The names of Python's exceptions, which stand alone at the end of a traceback.
    (&r::MAYBE_NO_ANSWER, &[&["timeouterror"]]),
    (&r::CLOSED, &[&["connectionreseterror"], &["brokenpipeerror"]]),
    // postgres.js; tokio, and tokio-postgres.
    (&r::MAYBE_NO_ANSWER, &[&["write connect_timeout"], &["code: 'connect_timeout'"], &["deadline has elapsed"]]),
    (&r::NO_PASSWORD, &[&["password missing"]]),
    (&r::CLOSED, &[&["bytes remaining on stream"]]),
    // What Go and Java say of a connection that ends in the middle of a message.
    (&r::CLOSED, &[&["unexpected eof"], &["eofexception"]]),
    // Rust: rustls, webpki, sqlx.
    (&r::UNTRUSTED, &[&["unknownissuer"]]),
    (&r::HOST_NAME, &[&["notvalidforname"], &["certificate not valid for name"]]),
    (
        &r::EXPIRED,
        &[&["invalid peer certificate: expired"], &["invalid peer certificate: certificate expired"], &["notvalidyet"]],
    ),
    (&r::UNVERIFIED, &[&["invalid peer certificate"]]),
    (&r::CLIENT_SETUP, &[&["was built without tls support"]]),
    (&r::TLS_FAILED, &[&["error performing tls handshake"], &["attempting to establish a tls connection"]]),
    // Prisma, and what many say.
    (&r::PASSWORD, &[&["authentication failed against database server"]]),
    (
        &r::TLS_FAILED,
        &[
            &["error opening a tls connection"],
            &["ssl handshake failed"],
            &["tls handshake failed"],
            &["tls handshake error"],
        ],
    ),
    // Old libpq below any of them.
    (&r::OLD_CLIENT, &[&["scram authentication requires libpq"]]),
    // Windows: Schannel.
    (
        &r::UNTRUSTED,
        &[
            &["issued by an authority that is not trusted"],
            &["root certificate which is not trusted"],
            &["sec_e_untrusted_root"],
        ],
    ),
    (&r::HOST_NAME, &[&["the target principal name is incorrect"], &["sec_e_wrong_principal"]]),
];
