//! Certificates, good and faulty.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

use crate::wire_servers::ServerIdentity;

pub type TestIssuer = CertifiedIssuer<'static, KeyPair>;

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

pub fn root(name: &str) -> TestIssuer {
    CertifiedIssuer::self_signed(issuing(name), KeyPair::generate().unwrap()).unwrap()
}

/// An issuer whose certificates are for clients alone.
pub fn intermediate_for_clients(name: &str, by: &TestIssuer) -> TestIssuer {
    let mut params = issuing(name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), by).unwrap()
}

pub fn intermediate(name: &str, by: &TestIssuer) -> TestIssuer {
    CertifiedIssuer::signed_by(issuing(name), KeyPair::generate().unwrap(), by).unwrap()
}

/// A certificate for a server, as it is wanted.
pub struct WantedCertificate {
    params: CertificateParams,
    key: KeyPair,
}

impl WantedCertificate {
    pub fn new(common_name: &str) -> Self {
        Self { params: named(common_name), key: KeyPair::generate().unwrap() }
    }

    pub fn dns(mut self, name: &str) -> Self {
        self.params.subject_alt_names.push(SanType::DnsName(name.try_into().unwrap()));
        self
    }

    pub fn ip(mut self, address: &str) -> Self {
        self.params.subject_alt_names.push(SanType::IpAddress(address.parse().unwrap()));
        self
    }

    pub fn expired(mut self) -> Self {
        self.params.not_after = rcgen::date_time_ymd(year(-1), 1, 1);
        self
    }

    pub fn not_yet_valid(mut self) -> Self {
        self.params.not_before = rcgen::date_time_ymd(year(1), 1, 1);
        self
    }

    pub fn for_clients(mut self) -> Self {
        self.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self
    }

    pub fn for_anything(mut self) -> Self {
        self.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
        self
    }

    /// Whose key may do nothing that a handshake needs.
    pub fn for_signing_lists(mut self) -> Self {
        self.params.key_usages = vec![KeyUsagePurpose::CrlSign];
        self
    }

    pub fn key(mut self, key: KeyPair) -> Self {
        self.key = key;
        self
    }

    pub fn by(self, issuer: &TestIssuer) -> ServerIdentity {
        self.by_with(issuer, &[])
    }

    /// Issued by `issuer`, and sent with the certificates `with`.
    pub fn by_with(self, issuer: &TestIssuer, with: &[&TestIssuer]) -> ServerIdentity {
        let certificate = self.params.signed_by(&self.key, issuer).unwrap();
        let rest: String = with.iter().map(|issuer| issuer.pem()).collect();
        ServerIdentity { chain: certificate.pem() + &rest, key: self.key.serialize_pem(), client_roots: None }
    }

    pub fn self_signed(mut self) -> ServerIdentity {
        self.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = self.params.self_signed(&self.key).unwrap();
        ServerIdentity { chain: certificate.pem(), key: self.key.serialize_pem(), client_roots: None }
    }
}

/// An RSA key, which rcgen cannot make with ring, by openssl.
pub fn rsa_key(bits: u32) -> KeyPair {
    let size = format!("rsa_keygen_bits:{bits}");
    let output = std::process::Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", &size])
        .output()
        .unwrap();
    KeyPair::from_pem(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

/// A root with a key of `issuer` (as openssl's -newkey names it, with its options) and what it issued to `db.example`, by
/// openssl: neither rcgen nor ring has the algorithms. Returns the root's PEM too.
pub fn by_openssl(issuer: &[&str], leaf: &[&str]) -> (String, ServerIdentity) {
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
    (root, ServerIdentity { chain, key, client_roots: None })
}
