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

/// `openssl verify` as libpq has OpenSSL verify: for servers, at security level 2.
pub(crate) fn verify(work: &Path, case: &Case, now: i64) -> Result<(), String> {
    let write = |name: &str, ders: &[Vec<u8>]| {
        let file = work.join(name);
        std::fs::write(&file, ders.iter().map(|der| pem(der)).collect::<String>()).unwrap();
        file
    };
    let (roots, sent, leaf) =
        (write("roots.pem", &case.roots), write("sent.pem", &case.sent), write("leaf.pem", &case.sent[..1]));
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
