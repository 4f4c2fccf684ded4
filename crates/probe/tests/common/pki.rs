//! Certificates, good and faulty.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

use super::servers::Identity;

pub(crate) type Issuer = CertifiedIssuer<'static, KeyPair>;

/// The days from today, in rcgen's terms: only the year is exact, which is all that these tests need.
fn year(offset: i32) -> i32 {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    1970 + i32::try_from(seconds / 31_556_952).unwrap() + offset
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(year(-2), 1, 1);
    params.not_after = rcgen::date_time_ymd(year(2), 1, 1);
    params
}

fn issuing(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

pub(crate) fn root(name: &str) -> Issuer {
    CertifiedIssuer::self_signed(issuing(name), KeyPair::generate().unwrap()).unwrap()
}

/// An issuer whose certificates are for clients alone.
pub(crate) fn intermediate_for_clients(name: &str, by: &Issuer) -> Issuer {
    let mut params = issuing(name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), by).unwrap()
}

pub(crate) fn intermediate(name: &str, by: &Issuer) -> Issuer {
    CertifiedIssuer::signed_by(issuing(name), KeyPair::generate().unwrap(), by).unwrap()
}

/// A certificate for a server, as it is wanted.
pub(crate) struct Wanted {
    params: CertificateParams,
    key: KeyPair,
}

impl Wanted {
    pub(crate) fn new(common_name: &str) -> Self {
        Self { params: named(common_name), key: KeyPair::generate().unwrap() }
    }

    pub(crate) fn dns(mut self, name: &str) -> Self {
        self.params.subject_alt_names.push(SanType::DnsName(name.try_into().unwrap()));
        self
    }

    pub(crate) fn ip(mut self, address: &str) -> Self {
        self.params.subject_alt_names.push(SanType::IpAddress(address.parse().unwrap()));
        self
    }

    pub(crate) fn expired(mut self) -> Self {
        self.params.not_after = rcgen::date_time_ymd(year(-1), 1, 1);
        self
    }

    pub(crate) fn not_yet_valid(mut self) -> Self {
        self.params.not_before = rcgen::date_time_ymd(year(1), 1, 1);
        self
    }

    pub(crate) fn for_clients(mut self) -> Self {
        self.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self
    }

    pub(crate) fn for_anything(mut self) -> Self {
        self.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
        self
    }

    /// Whose key may do nothing that a handshake needs.
    pub(crate) fn for_signing_lists(mut self) -> Self {
        self.params.key_usages = vec![KeyUsagePurpose::CrlSign];
        self
    }

    pub(crate) fn key(mut self, key: KeyPair) -> Self {
        self.key = key;
        self
    }

    pub(crate) fn by(self, issuer: &Issuer) -> Identity {
        self.by_with(issuer, &[])
    }

    /// Issued by `issuer`, and sent with the certificates `with`.
    pub(crate) fn by_with(self, issuer: &Issuer, with: &[&Issuer]) -> Identity {
        let certificate = self.params.signed_by(&self.key, issuer).unwrap();
        let rest: String = with.iter().map(|issuer| issuer.pem()).collect();
        Identity { chain: certificate.pem() + &rest, key: self.key.serialize_pem(), client_roots: None }
    }

    pub(crate) fn self_signed(mut self) -> Identity {
        self.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = self.params.self_signed(&self.key).unwrap();
        Identity { chain: certificate.pem(), key: self.key.serialize_pem(), client_roots: None }
    }
}

/// An RSA key, which rcgen cannot make with ring, by openssl.
pub(crate) fn rsa_key(bits: u32) -> KeyPair {
    let size = format!("rsa_keygen_bits:{bits}");
    let output = std::process::Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", &size])
        .output()
        .unwrap();
    KeyPair::from_pem(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

/// A root with a key of `issuer` (as openssl's -newkey names it, with its options) and what it issued to `db.example`, by
/// openssl: neither rcgen nor ring has the algorithms. Returns the root's PEM too.
pub(crate) fn by_openssl(issuer: &[&str], leaf: &[&str]) -> (String, Identity) {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, arguments: &[&str]| {
        let output = std::process::Command::new("openssl")
            .current_dir(folder.path())
            .args(["req", "-x509", "-nodes", "-days", "30", "-keyout"])
            .args([&format!("{name}.key"), "-out", &format!("{name}.pem")])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read_to_string(folder.path().join(format!("{name}.pem"))).unwrap()
    };
    let root = run("root", &[issuer, &["-subj", "/CN=By openssl"]].concat());
    let of_root = ["-CA", "root.pem", "-CAkey", "root.key", "-subj", "/CN=db.example", "-addext"];
    let chain = run(
        "leaf",
        &[leaf, &of_root, &["subjectAltName=DNS:db.example", "-addext", "basicConstraints=CA:FALSE"]].concat(),
    );
    let key = std::fs::read_to_string(folder.path().join("leaf.key")).unwrap();
    (root, Identity { chain, key, client_roots: None })
}
