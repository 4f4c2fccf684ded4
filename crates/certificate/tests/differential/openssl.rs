//! The `openssl` command.

use crate::asn1::pem;
use crate::chains::Case;
use std::path::Path;
use std::process::Command;

fn openssl() -> Command {
    let mut command = Command::new("openssl");
    // The defaults of OpenSSL itself, not those of whoever runs the tests.
    command.env("OPENSSL_CONF", "/dev/null");
    command
}

/// A new RSA key of 2048 bits, in PKCS #8.
pub(crate) fn rsa_key(work: &Path) -> String {
    let file = work.join("rsa.pem");
    let made = openssl()
        .args(["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"])
        .arg(&file)
        .output()
        .expect("openssl is needed: apt-get install openssl");
    // -quiet is of OpenSSL 3.
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read_to_string(file).unwrap()
}

/// A certificate for `name` with a SHA-1 signature of a key in PKCS #8: of the key's own, or of the issuer that is given with
/// its key, whose name it has too.
pub(crate) fn sha1_certificate(work: &Path, name: &str, key: &[u8], issuer: Option<(&[u8], &[u8])>) -> Vec<u8> {
    let write = |file: &str, content: &[u8]| {
        let file = work.join(file);
        std::fs::write(&file, content).unwrap();
        file
    };
    let settings = format!("[req]\ndistinguished_name = dn\n[dn]\n[own]\nsubjectAltName = DNS:{name}\n");
    let (settings, key) = (write("settings", settings.as_bytes()), write("own.key", key));
    let mut command = openssl();
    command.args(["req", "-new", "-x509", "-sha1", "-days", "300", "-outform", "DER", "-keyform", "DER"]);
    command.args(["-subj", &format!("/CN={name}"), "-extensions", "own"]);
    command.arg("-config").arg(settings).arg("-key").arg(key);
    if let Some((certificate, key)) = issuer {
        command.arg("-CA").arg(write("issuer.pem", pem(certificate).as_bytes()));
        command.arg("-CAkey").arg(write("issuer.key", key));
    }
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

/// `openssl verify` as libpq has OpenSSL verify: for servers, at security level 2.
pub(crate) fn verify(work: &Path, case: &Case, now: i64) -> Result<(), String> {
    verify_with(work, &case.root_file(), &case.sent, now)
}

/// The same with the file of roots that is given.
pub(crate) fn verify_with(work: &Path, roots: &[u8], sent: &[Vec<u8>], now: i64) -> Result<(), String> {
    let write = |name: &str, content: &[u8]| {
        let file = work.join(name);
        std::fs::write(&file, content).unwrap();
        file
    };
    let pems = |ders: &[Vec<u8>]| ders.iter().map(|der| pem(der)).collect::<String>().into_bytes();
    let (roots, sent, leaf) =
        (write("roots.pem", roots), write("sent.pem", &pems(sent)), write("leaf.pem", &pems(&sent[..1])));
    let output = openssl()
        .args(["verify", "-no-CApath", "-no-CAstore", "-purpose", "sslserver", "-auth_level", "2", "-attime"])
        .arg(now.to_string())
        .arg("-CAfile")
        .arg(roots)
        .arg("-untrusted")
        .arg(sent)
        .arg(leaf)
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).lines().take(3).collect::<Vec<_>>().join(" / ")),
    }
}
