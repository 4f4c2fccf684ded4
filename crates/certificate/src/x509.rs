//! A certificate with what OpenSSL derives from it once and keeps (ossl_x509v3_cache_extensions in v3_purp.c).

use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Version};

use crate::algorithm::{self, Family, Strength};
use crate::der;
use crate::distinguished_name::DistinguishedName;
use crate::general_name::{GeneralName, general_names};

/// The critical extensions that OpenSSL can handle (X509_supported_extension); any other makes it refuse the certificate.
const SUPPORTED: [&str; 15] = [
    NETSCAPE_CERT_TYPE,
    KEY_USAGE,
    SUBJECT_ALT_NAME,
    BASIC_CONSTRAINTS,
    "2.5.29.32", // certificate policies
    "2.5.29.31", // CRL distribution points
    EXTENDED_KEY_USAGE,
    IP_ADDRESS_BLOCKS,
    AUTONOMOUS_SYSTEMS,
    "1.3.6.1.5.5.7.48.1.5", // OCSP no check
    "2.5.29.36",            // policy constraints
    PROXY,
    NAME_CONSTRAINTS,
    "2.5.29.33", // policy mappings
    "2.5.29.54", // inhibit any policy
];
const NETSCAPE_CERT_TYPE: &str = "2.16.840.1.113730.1.1";
const KEY_USAGE: &str = "2.5.29.15";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const NAME_CONSTRAINTS: &str = "2.5.29.30";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
/// What OpenSSL judges by rules of its own that are not followed here.
const UNREAD: [&str; 3] = [PROXY, IP_ADDRESS_BLOCKS, AUTONOMOUS_SYSTEMS];
/// RFC 3820.
const PROXY: &str = "1.3.6.1.5.5.7.1.14";
/// RFC 3779.
const IP_ADDRESS_BLOCKS: &str = "1.3.6.1.5.5.7.1.7";
const AUTONOMOUS_SYSTEMS: &str = "1.3.6.1.5.5.7.1.8";
/// The extensions whose contents decide here.
const DECISIVE: [&str; 8] = [
    NETSCAPE_CERT_TYPE,
    KEY_USAGE,
    SUBJECT_ALT_NAME,
    BASIC_CONSTRAINTS,
    NAME_CONSTRAINTS,
    AUTHORITY_KEY_IDENTIFIER,
    SUBJECT_KEY_IDENTIFIER,
    EXTENDED_KEY_USAGE,
];

/// A certificate that could be parsed.
#[derive(Debug)]
pub(crate) struct Certificate<'a> {
    pub(crate) der: &'a [u8],
    pub(crate) parsed: X509Certificate<'a>,
    pub(crate) subject: DistinguishedName,
    pub(crate) issuer: DistinguishedName,
    /// Whether it says that its issuer is its own subject (EXFLAG_SI).
    pub(crate) self_issued: bool,
    /// Whether it looks as if its own key signed it, the signature unchecked (EXFLAG_SS).
    pub(crate) self_signed: bool,
    /// A critical extension that OpenSSL does not know.
    pub(crate) unknown_critical: bool,
    /// An extension that OpenSSL judges and this crate does not read: a malformed one, address blocks, or that of a proxy
    /// certificate.
    pub(crate) unreadable: bool,
    /// A date that OpenSSL cannot compare: without seconds, or with a time zone.
    pub(crate) odd_dates: bool,
    /// The subject alternative names.
    pub(crate) alternative_names: Vec<GeneralName<'a>>,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate in DER with nothing behind it.
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        let subject = DistinguishedName::of(parsed.subject())?;
        let issuer = DistinguishedName::of(parsed.issuer())?;
        if !rest.is_empty() {
            return None;
        }
        let mut certificate = Self {
            self_issued: subject == issuer,
            der,
            subject,
            issuer,
            self_signed: false,
            unknown_critical: false,
            unreadable: false,
            odd_dates: !der::has_plain_times(der),
            alternative_names: Vec::new(),
            parsed,
        };
        certificate.read_extensions();
        if certificate.self_issued && certificate.names_key_of(&certificate) {
            match certificate.signature_family().matches(certificate.key_family()) {
                Some(matches) => certificate.self_signed = matches,
                None => certificate.unreadable = true,
            }
        }
        Some(certificate)
    }

    fn read_extensions(&mut self) {
        let mut decisive = Vec::new();
        for extension in self.parsed.tbs_certificate.extensions() {
            let oid = extension.oid.to_id_string();
            self.unknown_critical |= extension.critical && !SUPPORTED.contains(&oid.as_str());
            self.unreadable |= UNREAD.contains(&oid.as_str());
            if oid == SUBJECT_ALT_NAME {
                match general_names(extension.value) {
                    Some(names) => self.alternative_names = names,
                    None => self.unreadable = true,
                }
            }
            if DECISIVE.contains(&oid.as_str()) {
                self.unreadable |= matches!(
                    extension.parsed_extension(),
                    ParsedExtension::ParseError { .. } | ParsedExtension::UnsupportedExtension { .. }
                );
                decisive.push(oid);
            }
        }
        decisive.sort_unstable();
        // The same extension twice.
        self.unreadable |= decisive.windows(2).any(|pair| matches!(pair, [one, other] if one == other));
    }

    pub(crate) fn has_version_1(&self) -> bool {
        self.parsed.version() == X509Version::V1
    }

    /// Whether what this certificate says of its issuer's key, name and serial number is true of `issuer` (X509_check_akid).
    fn names_key_of(&self, issuer: &Certificate<'_>) -> bool {
        let identifier = self.parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(identifier) => Some(identifier),
            _ => None,
        });
        let Some(identifier) = identifier else { return true };
        let own = issuer.parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(own) => Some(own),
            _ => None,
        });
        let other_key = identifier.key_identifier.as_ref().zip(own).is_some_and(|(named, own)| named.0 != own.0);
        let other_serial = identifier.authority_cert_serial.is_some_and(|serial| serial != issuer.parsed.raw_serial());
        let names = identifier.authority_cert_issuer.iter().flatten();
        let other_issuer = names
            .filter_map(|name| match name {
                x509_parser::extensions::GeneralName::DirectoryName(name) => Some(DistinguishedName::of(name)),
                _ => None,
            })
            .next()
            .is_some_and(|name| name.as_ref() != Some(&issuer.issuer));
        !other_key && !other_serial && !other_issuer
    }

    /// Whether `issuer` looks as if it had issued this certificate, the signature unchecked (ossl_x509_likely_issued). `None` when
    /// an algorithm is unknown here.
    pub(crate) fn is_likely_issued_by(&self, issuer: &Certificate<'_>) -> Option<bool> {
        if self.issuer != issuer.subject || !self.names_key_of(issuer) {
            return Some(false);
        }
        self.signature_family().matches(issuer.key_family())
    }

    fn key_family(&self) -> Family {
        Family::of_key(self.parsed.public_key())
    }

    fn signature_family(&self) -> Family {
        Family::of_signature(&self.parsed.tbs_certificate.signature)
    }

    pub(crate) fn key_strength(&self) -> Strength {
        algorithm::key_strength(self.parsed.public_key())
    }

    pub(crate) fn signature_strength(&self) -> Strength {
        algorithm::signature_strength(&self.parsed.signature_algorithm)
    }

    /// Whether its validity has ended at `now`. OpenSSL counts the last second as past (X509_cmp_time).
    pub(crate) fn has_expired(&self, now: i64) -> bool {
        self.not_after() <= now
    }

    pub(crate) fn is_not_yet_valid(&self, now: i64) -> bool {
        self.parsed.validity().not_before.timestamp() > now
    }

    pub(crate) fn not_after(&self) -> i64 {
        self.parsed.validity().not_after.timestamp()
    }

    /// The contents of its name constraints, in DER.
    pub(crate) fn name_constraints(&self) -> Option<&'a [u8]> {
        let extensions = self.parsed.tbs_certificate.extensions();
        extensions.iter().find(|extension| extension.oid.to_id_string() == NAME_CONSTRAINTS).map(|found| found.value)
    }
}
