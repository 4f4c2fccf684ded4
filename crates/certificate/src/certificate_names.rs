//! The names of a certificate that clients look at.

use crate::distinguished_name;
use crate::general_name::{GeneralName, NameKind};
use crate::name::CertificateName;
use crate::x509::Certificate;

/// The alternative names that libpq looks at. None when the extension cannot be read, as in libpq.
pub(crate) fn alternative_names(certificate: &Certificate<'_>) -> Vec<CertificateName> {
    let looked_at = |name: &GeneralName<'_>| match name.kind {
        NameKind::Dns => Some(CertificateName::Dns(name.value.to_vec())),
        NameKind::Address => Some(CertificateName::Ip(name.value.to_vec())),
        _ => None,
    };
    certificate.alternative_names.iter().filter_map(looked_at).collect()
}

/// The common name that libpq looks at: the first (X509_NAME_get_index_by_NID), in the bytes of its own encoding.
pub(crate) fn first_common_name(certificate: &Certificate<'_>) -> Option<Vec<u8>> {
    certificate.parsed.subject().iter_common_name().next().map(|name| name.as_slice().to_vec())
}

/// All common names as text, for name constraints. `None` when one cannot be read.
pub(crate) fn common_names(certificate: &Certificate<'_>) -> Option<Vec<String>> {
    let text = |value| Some(distinguished_name::text(value)?.unwrap_or_default());
    certificate.parsed.subject().iter_common_name().map(|name| text(name.attr_value())).collect()
}
