//! What TLS libraries say, and libpq of TLS.

use super::Table;
use crate::readings as r;

pub(super) const TABLE: Table = &[
    // libpq.
    (&r::NO_ROOT_FILE, &[&["root certificate file", "does not exist"]]),
    (&r::HOST_NAME, &[&["server certificate for", "does not match host name"], &["host name from server certificate"]]),
    (&r::NO_TLS, &[&["server does not support ssl"], &["server does not support tls"]]),
    (
        &r::NOT_TLS,
        &[&["received invalid response to ssl negotiation"], &["expected authentication request from server"]],
    ),
    (
        &r::INJECTED,
        &[
            &["received unencrypted data after ssl response"],
            &["received unencrypted data after ssl negotiation"],
            &["received unencrypted data after gssapi encryption response"],
        ],
    ),
    (
        &r::CHANNEL_BINDING,
        &[
            &["channel binding required"],
            &["channel binding is required"],
            &["channel binding", "but server", "does not offer"],
        ],
    ),
    (
        &r::NO_ALPN,
        &[&["without alpn protocol negotiation"], &["no application protocol"], &["no_application_protocol"]],
    ),
    (
        &r::CLIENT_SETUP,
        &[
            &["invalid sslmode value"],
            &["invalid ssl protocol version range"],
            &["sslmode value", "invalid when ssl support is not compiled in"],
            &["weak sslmode", "may not be used with"],
            &["private key file", "has group or world access"],
            &["certificate present, but not private key file"],
            &["could not load private key file"],
            &["could not read certificate file"],
        ],
    ),
    (&r::UNTRUSTED, &[&["could not load root certificate file"], &["could not read root certificate file"]]),
    (&r::BROKEN_OFF, &[&["ssl syscall error"]]),
    (&r::TLS_FAILED, &[&["ssl error"], &["could not establish ssl connection"], &["could not accept ssl connection"]]),
    // OpenSSL, and the libraries that took its words.
    (
        &r::UNTRUSTED,
        &[
            &["self signed certificate"],
            &["self-signed certificate"],
            &["unable to get local issuer certificate"],
            &["unable to get issuer certificate"],
            &["unable to verify the first certificate"],
        ],
    ),
    (&r::UNVERIFIED, &[&["certificate verify failed"], &["certificate_verify_failed"]]),
    (
        &r::EXPIRED,
        &[
            &["certificate has expired"],
            &["certificate is not yet valid"],
            &["alert certificate expired"],
            &["certificate_expired"],
        ],
    ),
    (&r::HOST_NAME, &[&["hostname mismatch"], &["ip address mismatch"]]),
    (
        &r::WEAK,
        &[
            &["md too weak"],
            &["digest algorithm too weak"],
            &["key too small"],
            &["key too weak"],
            &["algorithm constraints"],
            &["insecure algorithm"],
        ],
    ),
    (
        &r::NO_COMMON_TLS,
        &[
            &["ssl", "unsupported protocol"],
            &["unsupported_protocol"],
            &["alert protocol version"],
            &["alert: protocol_version"],
            &["alert: protocolversion"],
            &["protocol version not supported"],
            &["unsupported protocol version"],
            &["no protocols available"],
            &["ssl", "version too low"],
            &["no shared cipher"],
            &["no cipher match"],
            &["no appropriate protocol"],
            &["inappropriate fallback"],
            &["insufficient security"],
            &["insufficient_security"],
            &["no_common_protocol"],
            &["peerincompatible"],
            &["peer is incompatible"],
        ],
    ),
    (&r::MAYBE_NO_COMMON_TLS, &[&["unsupported protocol"], &["version too low"]]),
    (
        &r::HANDSHAKE_FAILURE,
        &[
            &["alert handshake failure"],
            &["alert: handshake_failure"],
            &["alert: handshakefailure"],
            &["tls: handshake failure"],
        ],
    ),
    (
        &r::CLIENT_CERTIFICATE_ALERT,
        &[
            &["certificate_required"],
            &["alert certificate required"],
            &["alert: certificaterequired"],
            &["tls: certificate required"],
            &["peer did not return a certificate"],
        ],
    ),
    (
        &r::OTHER_SIDE_DISTRUSTS,
        &[
            &["alert unknown ca"],
            &["unknown_ca"],
            &["alert: unknownca"],
            &["tls: unknown certificate authority"],
            &["alert bad certificate"],
            &["alert: bad_certificate"],
            &["alert: badcertificate"],
            &["tls: bad certificate"],
            &["alert certificate unknown"],
            &["alert: certificate_unknown"],
            &["alert: certificateunknown"],
        ],
    ),
    (&r::NO_SERVER_NAME, &[&["unrecognized name"], &["unrecognized_name"], &["alert: unrecognisedname"]]),
    (
        &r::NOT_TLS,
        &[
            &["wrong version number"],
            &["wrong_version_number"],
            &["ssl", "packet length too long"],
            &["ssl routines", "http request"],
            &["first record does not look like a tls handshake"],
            &["unsupported or unrecognized ssl message"],
            &["corrupt message of type invalidcontenttype"],
            &["received corrupt message"],
        ],
    ),
    (
        &r::BROKEN_OFF,
        &[
            &["unexpected eof while reading"],
            &["unexpected_eof_while_reading"],
            &["eof occurred in violation of protocol"],
            &["tls handshake eof"],
            &["peer closed connection without sending tls close_notify"],
            &["remote host terminated the handshake"],
            &["remote host closed connection during handshake"],
            &["before secure tls connection was established"],
            &["alert internal error"],
            &["alert decode error"],
            &["alert decrypt error"],
            &["bad record mac"],
        ],
    ),
];
