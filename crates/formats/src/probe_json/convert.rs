//! Between what the prober reports and what is frozen. What the format leaves out is empty when it is read back.

use super::domain;
use super::endpoint::{
    CertificateReport, EndpointReport, Enumeration, Judgement, Line, Negotiated, RootCheck, SeveralServers,
    StartupResult, TlsReport, TransportAnswer, VersionSupport,
};

fn all<From, To: std::convert::From<From>>(from: impl IntoIterator<Item = From>) -> Vec<To> {
    from.into_iter().map(Into::into).collect()
}

impl From<&domain::TransportAnswer> for TransportAnswer {
    fn from(from: &domain::TransportAnswer) -> Self {
        Self {
            outcome: from.outcome.into(),
            sqlstate: from.sqlstate.clone(),
            routine: from.routine.clone(),
            authentication: from.authentication.clone(),
        }
    }
}

impl From<&domain::StartupResult> for StartupResult {
    fn from(from: &domain::StartupResult) -> Self {
        Self {
            user: from.user.clone(),
            database: from.database.clone(),
            replication: from.replication.into(),
            plaintext: (&from.plaintext).into(),
            encrypted: (&from.encrypted).into(),
        }
    }
}

impl From<&domain::VersionSupport> for VersionSupport {
    fn from(from: &domain::VersionSupport) -> Self {
        Self { version: from.version.into(), support: from.support.into() }
    }
}

impl From<&domain::Enumeration> for Enumeration {
    fn from(from: &domain::Enumeration) -> Self {
        Self { version: from.version.into(), names: from.names.clone(), complete: from.complete }
    }
}

impl From<&domain::Negotiated> for Negotiated {
    fn from(from: &domain::Negotiated) -> Self {
        Self {
            version: from.version.map(Into::into),
            cipher_suite: from.cipher_suite.clone(),
            group: from.group.clone(),
            alpn: from.alpn.clone(),
        }
    }
}

impl From<&domain::TlsReport> for TlsReport {
    fn from(from: &domain::TlsReport) -> Self {
        Self {
            versions: from.versions.iter().map(Into::into).collect(),
            negotiated: from.negotiated.as_ref().map(Into::into),
            direct_tls: from.direct_tls.into(),
            client_certificate: from.client_certificate.into(),
            channel_binding: from.channel_binding,
            direct_tls_without_alpn: from.direct_tls_without_alpn.map(Into::into),
            gss_encryption: from.gss_encryption.map(Into::into),
            startup_stuffing: from.startup_stuffing.map(Into::into),
            cipher_suites: from.cipher_suites.as_deref().map(all),
            groups: from.groups.as_deref().map(all),
            post_quantum: from.post_quantum.as_ref().map(Into::into),
        }
    }
}

impl From<&domain::SeveralServers> for SeveralServers {
    fn from(from: &domain::SeveralServers) -> Self {
        Self {
            at_least: from.at_least,
            differences: from.differences.clone(),
            plaintext_answers: from.plaintext_answers,
        }
    }
}

impl From<&domain::Judgement> for Judgement {
    fn from(from: &domain::Judgement) -> Self {
        Self { ok: from.ok, reason: from.reason.clone() }
    }
}

impl From<&domain::RootCheck> for RootCheck {
    fn from(from: &domain::RootCheck) -> Self {
        Self { store: from.store.clone(), verifies: from.verifies }
    }
}

impl From<&domain::CertificateReport> for CertificateReport {
    fn from(from: &domain::CertificateReport) -> Self {
        Self {
            verify_full: (&from.verify_full).into(),
            rfc9525: (&from.rfc9525).into(),
            chain_ok: from.chain_ok,
            host_ok: from.host_ok,
            expired: from.expired,
            not_yet_valid: from.not_yet_valid,
            self_signed: from.self_signed,
            not_before: from.not_before.clone(),
            not_after: from.not_after.clone(),
            key_type: from.key_type.clone(),
            key_bits: from.key_bits,
            signature_algorithm: from.signature_algorithm.clone(),
            subject: from.subject.clone(),
            issuer: from.issuer.clone(),
            root: from.root.clone(),
            root_checks: from.root_checks.iter().map(Into::into).collect(),
        }
    }
}

impl From<&domain::EndpointReport> for EndpointReport {
    fn from(from: &domain::EndpointReport) -> Self {
        Self {
            target: from.target.clone(),
            host: from.host.clone(),
            port: from.port,
            address: from.address.clone(),
            verdict: from.verdict.into(),
            reason: from.reason.clone(),
            ssl_request: from.ssl_request.into(),
            plaintext: (&from.plaintext).into(),
            encrypted: (&from.encrypted).into(),
            startups: from.startups.iter().map(Into::into).collect(),
            tls: from.tls.as_ref().map(Into::into),
            certificate: from.certificate.as_ref().map(Into::into),
            weaknesses: from.weaknesses.iter().copied().map(Into::into).collect(),
            several_servers: from.several_servers.as_ref().map(Into::into),
            failures: from.failures.clone(),
            transcript: from.transcript.as_deref().map(all),
            unreachable: from.unreachable.map(Into::into),
            observed_at: from
                .observed_ms
                .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
                .map(|time| time.to_string()),
        }
    }
}

impl From<&domain::TranscriptLine> for Line {
    fn from(from: &domain::TranscriptLine) -> Self {
        Self {
            micros: from.micros,
            connection: from.connection.clone(),
            direction: from.direction.into(),
            message: from.message.clone(),
            text: from.text.clone(),
        }
    }
}

impl From<TransportAnswer> for domain::TransportAnswer {
    fn from(from: TransportAnswer) -> Self {
        Self {
            outcome: from.outcome.into(),
            sqlstate: from.sqlstate,
            routine: from.routine,
            authentication: from.authentication,
            note: None,
        }
    }
}

impl From<StartupResult> for domain::StartupResult {
    fn from(from: StartupResult) -> Self {
        Self {
            user: from.user,
            database: from.database,
            replication: from.replication.into(),
            plaintext: from.plaintext.into(),
            encrypted: from.encrypted.into(),
        }
    }
}

impl From<VersionSupport> for domain::VersionSupport {
    fn from(from: VersionSupport) -> Self {
        Self { version: from.version.into(), support: from.support.into() }
    }
}

impl From<Enumeration> for domain::Enumeration {
    fn from(from: Enumeration) -> Self {
        Self { version: from.version.into(), names: from.names, complete: from.complete }
    }
}

impl From<Negotiated> for domain::Negotiated {
    fn from(from: Negotiated) -> Self {
        Self {
            version: from.version.map(Into::into),
            cipher_suite: from.cipher_suite,
            group: from.group,
            alpn: from.alpn,
        }
    }
}

impl From<TlsReport> for domain::TlsReport {
    fn from(from: TlsReport) -> Self {
        Self {
            versions: from.versions.into_iter().map(Into::into).collect(),
            negotiated: from.negotiated.map(Into::into),
            direct_tls: from.direct_tls.into(),
            client_certificate: from.client_certificate.into(),
            channel_binding: from.channel_binding,
            direct_tls_without_alpn: from.direct_tls_without_alpn.map(Into::into),
            gss_encryption: from.gss_encryption.map(Into::into),
            startup_stuffing: from.startup_stuffing.map(Into::into),
            cipher_suites: from.cipher_suites.map(all),
            groups: from.groups.map(all),
            post_quantum: from.post_quantum.map(Into::into),
        }
    }
}

impl From<SeveralServers> for domain::SeveralServers {
    fn from(from: SeveralServers) -> Self {
        Self { at_least: from.at_least, differences: from.differences, plaintext_answers: from.plaintext_answers }
    }
}

impl From<Judgement> for domain::Judgement {
    fn from(from: Judgement) -> Self {
        Self { ok: from.ok, reason: from.reason }
    }
}

impl From<RootCheck> for domain::RootCheck {
    fn from(from: RootCheck) -> Self {
        Self { store: from.store, verifies: from.verifies }
    }
}

impl From<CertificateReport> for domain::CertificateReport {
    fn from(from: CertificateReport) -> Self {
        let expires_at = from
            .not_after
            .as_deref()
            .and_then(|end| end.parse::<jiff::Timestamp>().ok())
            .map(jiff::Timestamp::as_second);
        Self {
            verify_full: from.verify_full.into(),
            rfc9525: from.rfc9525.into(),
            chain_ok: from.chain_ok,
            host_ok: from.host_ok,
            expired: from.expired,
            not_yet_valid: from.not_yet_valid,
            self_signed: from.self_signed,
            not_before: from.not_before,
            not_after: from.not_after,
            key_type: from.key_type,
            key_bits: from.key_bits,
            signature_algorithm: from.signature_algorithm,
            subject: from.subject,
            issuer: from.issuer,
            root: from.root,
            root_checks: from.root_checks.into_iter().map(Into::into).collect(),
            expires_at,
            chain: Vec::new(),
        }
    }
}

impl From<EndpointReport> for domain::EndpointReport {
    fn from(from: EndpointReport) -> Self {
        Self {
            target: from.target,
            host: from.host,
            port: from.port,
            address: from.address,
            verdict: from.verdict.into(),
            reason: from.reason,
            ssl_request: from.ssl_request.into(),
            plaintext: from.plaintext.into(),
            encrypted: from.encrypted.into(),
            startups: from.startups.into_iter().map(Into::into).collect(),
            tls: from.tls.map(Into::into),
            certificate: from.certificate.map(Into::into),
            weaknesses: from.weaknesses.into_iter().map(Into::into).collect(),
            several_servers: from.several_servers.map(Into::into),
            failures: from.failures,
            transcript: from.transcript.map(all),
            unreachable: from.unreachable.map(Into::into),
            observed_ms: from
                .observed_at
                .and_then(|time| time.parse::<jiff::Timestamp>().ok())
                .map(jiff::Timestamp::as_millisecond),
        }
    }
}

impl From<Line> for domain::TranscriptLine {
    fn from(from: Line) -> Self {
        Self {
            micros: from.micros,
            connection: from.connection,
            direction: from.direction.into(),
            message: from.message,
            text: from.text,
        }
    }
}
