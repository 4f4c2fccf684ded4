//! Whether one server answers behind an address, or several. Pure.
//!
//! A balancer hands each connection to another server, and one that enforces TLS must not speak for one that does not.
//! So whatever the connections of one probe show about the server is compared. Servers that are alike in everything
//! that is compared cannot be told apart from outside.

use std::collections::{BTreeMap, BTreeSet};

use hostssl_pgwire::error_response::ErrorResponse;
use hostssl_pgwire::scram::ScramChallenge;
use hostssl_pgwire::tls::{ProtocolVersion, ServerFlight};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::attempt::Attempt;
use crate::offer::{Handshake, Startup};
use crate::report::SslRequestOutcome;
use crate::startup_answer::{Signal, StartupReply, is_quote, signal};

/// What a connection may show about the server that accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Mark {
    SslRequest,
    Certificate,
    TlsParameters,
    ClientCertificate,
    ChannelBinding,
    Salt,
    ErrorSource,
    ErrorLanguage,
    Answer,
}

impl Mark {
    /// The name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SslRequest => "answer to SSLRequest",
            Self::Certificate => "certificate",
            Self::TlsParameters => "TLS version, cipher suite, group or ALPN",
            Self::ClientCertificate => "request for a client certificate",
            Self::ChannelBinding => "channel binding",
            Self::Salt => "salt of the same user",
            Self::ErrorSource => "source line of an error",
            Self::ErrorLanguage => "language of an error",
            Self::Answer => "answer to the same startup",
        }
    }
}

/// The way a startup went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Plaintext,
    Tls,
}

/// What all connections of one probe showed. Each mark is kept with the question that it answers, because one server
/// gives the same question the same answer, and other questions other ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    seen: BTreeMap<(Mark, String), BTreeSet<Vec<u8>>>,
    chains: Vec<SeenChain>,
    plaintext_answers: u32,
    certificates_shown: u32,
    lacks_tls13: bool,
    is_postgresql: bool,
}

/// A chain of certificates that a connection showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenChain {
    /// In DER, the server's own first.
    pub(crate) certificates: Vec<Vec<u8>>,
    /// Whether any handshake proved that the server has the key, or why not.
    pub(crate) key_proof: Result<(), String>,
}

/// The most chains that are kept: a peer may make one up for every connection.
const MOST_CHAINS: usize = 64;

impl Identity {
    fn note(&mut self, mark: Mark, question: impl Into<String>, answer: impl Into<Vec<u8>>) {
        self.seen.entry((mark, question.into())).or_default().insert(answer.into());
    }

    /// Takes the answer to `SSLRequest`. Silence and errors are the network's or a moment's.
    pub(crate) fn ssl_request(&mut self, outcome: SslRequestOutcome) {
        match outcome {
            SslRequestOutcome::S => self.note(Mark::SslRequest, "", *b"S"),
            SslRequestOutcome::N => self.note(Mark::SslRequest, "", *b"N"),
            _ => {}
        }
    }

    /// Takes the certificates alone of a handshake that was completed.
    pub(crate) fn certificates_of(&mut self, handshake: &Handshake) {
        self.certificate(&handshake.chain, handshake.key_proof.clone());
    }

    /// Takes a handshake that failed for a client that offers TLS 1.2 and 1.3, where others are completed.
    pub(crate) fn failed_handshake(&mut self, chain: &[Vec<u8>]) {
        self.note(Mark::TlsParameters, "", "none");
        self.certificate(chain, Err("a handshake failed".to_owned()));
    }

    /// Takes a handshake that was completed. `offered` names what was offered: what is agreed on depends on it.
    pub(crate) fn handshake(&mut self, offered: &str, handshake: &Handshake) {
        let Handshake { version, suite, group, alpn, .. } = handshake;
        self.note(Mark::TlsParameters, offered, format!("{version} {suite} {group:?} {alpn:?}"));
        self.note(Mark::ClientCertificate, "", [u8::from(handshake.certificate_requested)]);
        self.certificates_of(handshake);
    }

    /// Takes the version that was chosen where TLS 1.3 was offered.
    pub(crate) fn chosen_version(&mut self, version: ProtocolVersion) {
        self.lacks_tls13 |= version < ProtocolVersion::Tls13;
    }

    /// Whether a server chose less than TLS 1.3.
    pub(crate) fn lacks_tls13(&self) -> bool {
        self.lacks_tls13
    }

    /// Every chain that was seen.
    pub(crate) fn chains(&self) -> &[SeenChain] {
        &self.chains
    }

    /// How many connections showed a certificate.
    pub(crate) fn certificates_shown(&self) -> u32 {
        self.certificates_shown
    }

    /// Takes the answer to a ClientHello of our own, which offers `version`.
    pub(crate) fn flight(&mut self, version: ProtocolVersion, flight: &ServerFlight) {
        self.certificate(&flight.certificates, Err("no handshake was completed with it".to_owned()));
        if flight.hello.is_some() && version == ProtocolVersion::Tls12 && !flight.certificates.is_empty() {
            self.note(Mark::ClientCertificate, "", [u8::from(flight.certificate_requested)]);
        }
    }

    /// A server may have a certificate for each type of key and choose by what the client offers.
    fn certificate(&mut self, chain: &[Vec<u8>], key_proof: Result<(), String>) {
        let Some(own) = chain.first() else { return };
        self.certificates_shown = self.certificates_shown.saturating_add(1);
        if let Some(seen) = self.chains.iter_mut().find(|seen| seen.certificates == chain) {
            if key_proof.is_ok() {
                seen.key_proof = key_proof;
            }
        } else if self.chains.len() < MOST_CHAINS {
            self.chains.push(SeenChain { certificates: chain.to_vec(), key_proof });
        }
        let key = X509Certificate::from_der(own).map(|(_, own)| own.public_key().algorithm.algorithm.to_id_string());
        self.note(Mark::Certificate, key.unwrap_or_default(), own.clone());
    }

    /// Takes the salt of `user`. A PostgreSQL has one for each user until the password is changed; that of a user who
    /// does not exist it makes of the name and a secret of the cluster (scram_mock_salt, auth-scram.c). A standby has
    /// those of its primary.
    pub(crate) fn salt(&mut self, user: &str, challenge: &ScramChallenge) {
        self.note(Mark::Salt, user, format!("{} {}", challenge.iterations, challenge.salt));
    }

    /// Whether a salt of `user` was seen.
    pub(crate) fn has_salt(&self, user: &str) -> bool {
        self.seen.contains_key(&(Mark::Salt, user.to_owned()))
    }

    /// Takes the answer to a startup.
    pub(crate) fn reply(&mut self, transport: Transport, startup: &Startup, reply: &StartupReply) {
        match reply {
            StartupReply::Authentication(request) => {
                // Which mechanisms are offered is up to the rule that fits; whether SCRAM can be bound to the channel
                // is not.
                if transport == Transport::Tls
                    && request.name().contains("SCRAM")
                    && let Some(bound) = request.channel_binding()
                {
                    self.note(Mark::ChannelBinding, "", [u8::from(bound)]);
                }
            }
            StartupReply::AuthenticationBegun => {}
            StartupReply::Error(error) => self.error(transport, startup, error),
        }
        let way = if transport == Transport::Plaintext { "plaintext" } else { "tls" };
        let answer = match signal(&Attempt::Completed(reply.clone()), &startup.user) {
            Signal::Allowed => "allowed",
            Signal::Refused => "refused",
            Signal::ClientCertificate => "certificate",
            _ => return,
        };
        if transport == Transport::Plaintext {
            self.plaintext_answers = self.plaintext_answers.saturating_add(1);
        }
        self.note(Mark::Answer, format!("{way} {}", startup.describe()), answer);
    }

    /// Every message of `ClientAuthentication` has a source line of its own, and one text in each language. So the same
    /// text from two lines is of two versions of PostgreSQL, and two texts of one line are of two settings of
    /// `lc_messages`.
    fn error(&mut self, transport: Transport, startup: &Startup, error: &ErrorResponse) {
        let ErrorResponse { file: Some(file), line: Some(line), message: Some(message), .. } = error else { return };
        // Poolers and gateways name no routine, and may make up a salt for every connection.
        self.is_postgresql |= error.routine.is_some();
        if error.routine.as_deref() != Some("ClientAuthentication") {
            return;
        }
        // A name with such marks in it would end them too early.
        if startup.user.chars().chain(startup.database.iter().flat_map(|name| name.chars())).any(is_quote) {
            return;
        }
        let place = format!("{file}:{line}");
        self.note(Mark::ErrorSource, format!("{transport:?} {}", template(message)), place.clone());
        // All names are quoted, so what comes before the first of them is the same for all.
        let beginning = message.split(is_quote).next().unwrap_or_default();
        self.note(Mark::ErrorLanguage, place, beginning);
    }

    /// In what the connections differ: nothing, as far as one server answers.
    pub(crate) fn differences(&self) -> Vec<Mark> {
        let differing = self.counted().filter(|(_, answers)| answers.len() > 1).map(|(mark, _)| mark);
        let mut marks: Vec<Mark> = differing.collect();
        marks.dedup();
        marks
    }

    /// How many servers answered, at least.
    pub(crate) fn servers(&self) -> usize {
        self.counted().map(|(_, answers)| answers.len()).max().unwrap_or(0).max(1)
    }

    fn counted(&self) -> impl Iterator<Item = (Mark, &BTreeSet<Vec<u8>>)> {
        let all = self.seen.iter().map(|((mark, _), answers)| (*mark, answers));
        all.filter(|(mark, _)| *mark != Mark::Salt || self.is_postgresql)
    }

    /// How many startups in plaintext were answered by a decision.
    pub(crate) fn plaintext_answers(&self) -> u32 {
        self.plaintext_answers
    }

    /// Whether so many answers in plaintext would, in 99 of 100 cases, hold one of every server that takes at least
    /// half of an equal share of the connections: `(1 - 1 / 2k)^n <= 0.01` for `n` answers of `k` servers.
    pub(crate) fn is_sound(&self) -> bool {
        self.reaches_all(self.plaintext_answers)
    }

    /// Whether the certificates of all servers were seen, by the same odds.
    pub(crate) fn has_all_certificates(&self) -> bool {
        self.reaches_all(self.certificates_shown)
    }

    fn reaches_all(&self, connections: u32) -> bool {
        let servers = u32::try_from(self.servers()).unwrap_or(u32::MAX);
        let missed = 1.0 - 1.0 / (2.0 * f64::from(servers));
        missed.powf(f64::from(connections)) <= 0.01
    }
}

/// The message without what is between quotation marks. Where an apostrophe is taken for one, names are left in it, and
/// messages are compared with fewer others.
fn template(message: &str) -> String {
    let mut within = false;
    let keep = |c: &char| {
        let quote = is_quote(*c);
        within ^= quote;
        !within && !quote
    };
    message.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_pgwire::backend::Authentication;
    use hostssl_pgwire::frontend::Replication;

    fn startup(user: &str) -> Startup {
        Startup { user: user.into(), database: Some("shop".into()), replication: Replication::None }
    }

    fn refusal(user: &str, line: &str, text: &str) -> StartupReply {
        StartupReply::Error(ErrorResponse {
            code: Some("28000".into()),
            message: Some(text.replace("USER", user)),
            file: Some("auth.c".into()),
            line: Some(line.into()),
            routine: Some("ClientAuthentication".into()),
            ..ErrorResponse::default()
        })
    }

    const ENGLISH: &str =
        "no pg_hba.conf entry for host \"192.0.2.1\", user \"USER\", database \"shop\", no encryption";
    const GERMAN: &str =
        "kein pg_hba.conf-Eintrag für Host »192.0.2.1«, Benutzer »USER«, Datenbank »shop«, keine Verschlüsselung";
    const REPLICATION: &str =
        "no pg_hba.conf entry for replication connection from host \"192.0.2.1\", user \"USER\", no encryption";

    fn identity_of(replies: &[(&str, StartupReply)]) -> Identity {
        let mut identity = Identity::default();
        for (user, reply) in replies {
            identity.reply(Transport::Plaintext, &startup(user), reply);
        }
        identity
    }

    #[test]
    fn one_server_differs_in_nothing() {
        let identity = identity_of(&[
            ("app", refusal("app", "543", ENGLISH)),
            ("host", refusal("host", "543", ENGLISH)),
            ("app", refusal("app", "520", REPLICATION)),
        ]);
        assert_eq!((identity.differences(), identity.servers()), (vec![], 1));
    }

    #[test]
    fn versions_languages_and_answers_tell_servers_apart() {
        let versions = identity_of(&[("a", refusal("a", "543", ENGLISH)), ("b", refusal("b", "612", ENGLISH))]);
        assert_eq!((versions.differences(), versions.servers()), (vec![Mark::ErrorSource], 2));
        let languages = identity_of(&[("a", refusal("a", "543", ENGLISH)), ("b", refusal("b", "543", GERMAN))]);
        assert_eq!(languages.differences(), [Mark::ErrorLanguage]);
        let open = StartupReply::Authentication(Authentication::CleartextPassword);
        let answers = identity_of(&[("a", refusal("a", "543", ENGLISH)), ("a", open)]);
        assert_eq!(answers.differences(), [Mark::Answer]);
        let mut ssl = Identity::default();
        ssl.ssl_request(SslRequestOutcome::S);
        ssl.ssl_request(SslRequestOutcome::Reset);
        assert_eq!(ssl.differences(), []);
        ssl.ssl_request(SslRequestOutcome::N);
        assert_eq!(ssl.differences(), [Mark::SslRequest]);
    }

    #[test]
    fn salts_of_one_user_tell_clusters_apart() {
        let salt = |salt: &str| ScramChallenge { salt: salt.into(), iterations: 4096 };
        let of = |salts: &[(&str, &str)], replies: &[(&str, StartupReply)]| {
            let mut identity = identity_of(replies);
            for (user, text) in salts {
                identity.salt(user, &salt(text));
            }
            identity
        };
        let refused = || [("a", refusal("a", "543", ENGLISH))];
        let same = of(&[("a", "AAAA"), ("b", "BBBB"), ("a", "AAAA")], &refused());
        assert_eq!((same.differences(), same.servers()), (vec![], 1), "users differ, clusters do not");
        assert!(same.has_salt("a") && !same.has_salt("c"));
        let three = of(&[("a", "AAAA"), ("a", "BBBB"), ("a", "CCCC")], &refused());
        assert_eq!((three.differences(), three.servers()), (vec![Mark::Salt], 3));
        let mut iterations = of(&[("a", "AAAA")], &refused());
        iterations.salt("a", &ScramChallenge { iterations: 600_000, ..salt("AAAA") });
        assert_eq!(iterations.differences(), [Mark::Salt]);
        // A pooler that knows only the password makes a salt up for every connection.
        let pooler = StartupReply::Error(ErrorResponse {
            code: Some("08P01".into()),
            message: Some("SSL required".into()),
            ..ErrorResponse::default()
        });
        let made_up = of(&[("a", "AAAA"), ("a", "BBBB")], &[("a", pooler)]);
        assert_eq!((made_up.differences(), made_up.servers()), (vec![], 1));
    }

    #[test]
    fn an_apostrophe_is_no_difference() {
        let french = "aucune entrée dans le fichier pg_hba.conf pour l'hôte « 192.0.2.1 », utilisateur « USER »";
        let identity = identity_of(&[("a", refusal("a", "543", french)), ("b", refusal("b", "543", french))]);
        assert_eq!(identity.differences(), []);
    }

    #[test]
    fn certificates_are_compared_by_type_of_key() {
        let made = |algorithm| {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let issued = rcgen::CertificateParams::new(vec!["db.example".into()]).unwrap().self_signed(&key).unwrap();
            vec![issued.der().to_vec()]
        };
        let (one, other, edwards) =
            (made(&rcgen::PKCS_ECDSA_P256_SHA256), made(&rcgen::PKCS_ECDSA_P256_SHA256), made(&rcgen::PKCS_ED25519));
        let mut identity = Identity::default();
        for chain in [&one, &edwards, &one] {
            identity.certificate(chain, Ok(()));
        }
        assert_eq!(identity.differences(), [], "one server may have one of each type");
        identity.certificate(&other, Ok(()));
        assert_eq!((identity.differences(), identity.servers()), (vec![Mark::Certificate], 2));
        identity.certificate(&other, Err("unproven".to_owned()));
        assert_eq!(
            identity.chains().iter().map(|seen| &seen.certificates).collect::<Vec<_>>(),
            [&one, &edwards, &other]
        );
        assert!(identity.chains().iter().all(|seen| seen.key_proof.is_ok()));
        assert_eq!((identity.certificates_shown(), identity.has_all_certificates()), (5, false));
        for _ in 5..17 {
            identity.certificate(&one, Ok(()));
        }
        assert!(identity.has_all_certificates());
    }

    #[test]
    fn the_figure_is_sound_from_some_number_of_answers_on() {
        let sound = |answers, servers: u8| {
            let mut identity = Identity { plaintext_answers: answers, ..Identity::default() };
            for server in 0..servers {
                identity.note(Mark::Certificate, "", [server]);
            }
            identity.is_sound()
        };
        assert!(!sound(16, 2) && sound(17, 2));
        assert!(!sound(43, 5) && sound(44, 5));
    }
}
