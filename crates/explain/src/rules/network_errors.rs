//! What is said when no word of PostgreSQL came: addresses, routes, closed connections.

use super::Table;
use crate::readings as r;

pub(super) const TABLE: Table = &[
    (
        &r::CONNECTION_REFUSED,
        &[
            &["connection refused"],
            &["econnrefused"],
            &["connectionrefusederror"],
            &["check that the hostname and port are correct"],
            &["is the server running on that host"],
            &["is the server running on host"],
            &["actively refused it"],
        ],
    ),
    (
        &r::NO_ANSWER,
        &[
            &["connection timed out"],
            &["operation timed out"],
            &["timeout expired"],
            &["etimedout"],
            &["i/o timeout"],
            &["no route to host"],
            &["network is unreachable"],
            &["ehostunreach"],
            &["enetunreach"],
        ],
    ),
    (&r::MAYBE_NO_ANSWER, &[&["timed out"], &["context deadline exceeded"], &["can't reach database server"]]),
    (
        &r::NO_ADDRESS,
        &[
            &["could not translate host name"],
            &["name or service not known"],
            &["no such host"],
            &["enotfound"],
            &["eai_again"],
            &["unknownhostexception"],
            &["nodename nor servname provided"],
            &["temporary failure in name resolution"],
        ],
    ),
    (&r::NO_SOCKET, &[&["is the server running locally"]]),
    (
        &r::CLOSED,
        &[
            &["server closed the connection unexpectedly"],
            &["ssl connection has been closed unexpectedly"],
            &["connection reset by peer"],
            &["econnreset"],
            &["connection terminated unexpectedly"],
            &["connection was closed in the middle of operation"],
            &["unexpected connection_lost"],
            &["forcibly closed by the remote host"],
            &["broken pipe"],
            &["epipe"],
        ],
    ),
];
