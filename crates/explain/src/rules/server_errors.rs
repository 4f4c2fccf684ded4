//! What PostgreSQL, the gateways of Azure and the poolers say.

use super::Table;
use crate::POOLER_LINE_REFUSALS;
use crate::readings as r;

pub(super) const TABLE: Table = &[
    // PostgreSQL: ClientAuthentication in auth.c, before and since "SSL off" became "no encryption".
    (&r::NO_ENTRY_PLAIN, &[&["no pg_hba.conf entry", "no encryption"], &["no pg_hba.conf entry", ", ssl off"]]),
    (&r::REJECT_PLAIN, &[&["pg_hba.conf rejects", "no encryption"], &["pg_hba.conf rejects", ", ssl off"]]),
    (&r::NO_ENTRY_TLS, &[&["no pg_hba.conf entry", "ssl encryption"], &["no pg_hba.conf entry", ", ssl on"]]),
    (&r::REJECT_TLS, &[&["pg_hba.conf rejects", "ssl encryption"], &["pg_hba.conf rejects", ", ssl on"]]),
    (&r::NO_ENTRY_GSS, &[&["no pg_hba.conf entry", "gss encryption"], &["pg_hba.conf rejects", "gss encryption"]]),
    // The last for translations whose letters were lost: the file's name is never translated.
    (&r::NO_ENTRY, &[&["no pg_hba.conf entry"], &["pg_hba.conf rejects"], &["pg_hba.conf"]]),
    (
        &r::PASSWORD,
        &[&["password authentication failed"], &["ldap authentication failed"], &["pam authentication failed"]],
    ),
    (
        &r::OTHER_METHOD,
        &[&["peer authentication failed"], &["ident authentication failed"], &["gssapi authentication failed"]],
    ),
    (&r::CLIENT_CERTIFICATE, &[&["requires a valid client certificate"], &["certificate authentication failed"]]),
    (&r::NO_CLIENT_ROOTS, &[&["client certificates can only be checked if a root certificate store"]]),
    (
        &r::NO_SUCH_ROLE,
        &[
            &["role \"\" does not exist"],
            &["fatal: role \"\"", "\"\" does not exist"],
            &["role \"\" is not permitted to log in"],
        ],
    ),
    (&r::NO_SUCH_DATABASE, &[&["database \"\" does not exist"], &["fatal: database \"\"", "\"\" does not exist"]]),
    (&r::PERMISSION, &[&["permission denied for database"], &["user does not have connect privilege"]]),
    (
        &r::TOO_MANY,
        &[
            &["too many clients already"],
            &["remaining connection slots are reserved"],
            &["too many connections for role"],
            &["too many connections for database"],
            &["exceeds max_wal_senders"],
        ],
    ),
    (
        &r::NOT_UP,
        &[
            &["the database system is starting up"],
            &["the database system is shutting down"],
            &["the database system is in recovery mode"],
            &["the database system is not yet accepting connections"],
            &["the database system is not accepting connections"],
        ],
    ),
    (&r::SESSION_ENDED, &[&["terminating connection due to administrator command"]]),
    (&r::OTHER_PROTOCOL, &[&["unsupported frontend protocol"]]),
    (
        &r::STUFFED,
        &[
            &["received unencrypted data after ssl request"],
            &["received unencrypted data after gssapi encryption request"],
        ],
    ),
    // Azure: the gateway of single servers, and Entra sign-in.
    (
        &r::GATEWAY_PLAIN,
        &[
            &["ssl connection is required"],
            // CockroachDB; Neon's proxy.
            &["ssl connection required"],
            // Amazon RDS Proxy.
            &["requires tls connections"],
            &["connection is insecure"],
        ],
    ),
    (
        &r::TOKEN,
        &[&["access token has expired"], &["access token has invalid format"], &["access token does not have a valid"]],
    ),
    (&r::USER_FORM, &[&["invalid username specified"]]),
    // pgbouncer and pgpool.
    (&r::POOLER_LINE, &[&[POOLER_LINE_REFUSALS[0]], &[POOLER_LINE_REFUSALS[1]]]),
    (&r::POOLER_PLAIN, &[&["ssl required"], &["no pool_hba.conf entry", "ssl off"]]),
    (&r::NO_TLS, &[&["server refused ssl"], &["server refuses ssl"]]),
    // pgpool, of which some clients leave the detail out.
    (&r::POOLER_LOGIN, &[&["client authentication failed"]]),
    (&r::PASSWORD, &[&["wrong password type"], &["sasl authentication failed"]]),
    (&r::NO_SUCH_DATABASE, &[&["no such database"]]),
    (&r::NO_SUCH_ROLE, &[&["no such user"]]),
    (&r::TOO_MANY, &[&["no more connections allowed"]]),
    (
        &r::BACKEND_DOWN,
        &[
            &["query_wait_timeout"],
            &["client_login_timeout"],
            &["pgbouncer cannot connect to server"],
            &["server login has been failing"],
        ],
    ),
    (&r::OLD_CLIENT, &[&["unsupported startup parameter"]]),
];
