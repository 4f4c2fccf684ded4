//! The key of a prober or of the console's port for probers: made once, kept in a file, and known to the other side by its
//! hash.

use crate::private_files::{is_exposed, write_new_private};
use hostssl_model::{Advice, Fault, Hint, hex};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The SHA-256 of a public key (RFC 5280, SubjectPublicKeyInfo): what one side knows the other by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyPin([u8; 32]);

impl KeyPin {
    /// The pin of a public key in DER.
    #[must_use]
    pub fn of(subject_public_key_info: &[u8]) -> Self {
        Self(Sha256::digest(subject_public_key_info).into())
    }
}

impl fmt::Display for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyPin {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(());
        }
        let mut pin = [0; 32];
        for (byte, digits) in pin.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| ())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ())?;
        }
        Ok(Self(pin))
    }
}

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the key {path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// There is no such file, and it was named: none is made in its place.
    #[error("there is no key {0}")]
    Missing(PathBuf),
    /// Others may read the file.
    #[error("others may read the key {0}")]
    Exposed(PathBuf),
    /// The file holds no key.
    #[error("{path} holds no key that can be used")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rcgen::Error,
    },
}

impl Advice for KeyError {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::File { .. } => "name a directory that this user may write to",
            Self::Missing(_) => {
                "copy the file prober-port-key.pem of the state directory of the console that enrols probers, and name the copy"
            }
            Self::Exposed(_) => "make the file readable for its owner alone (mode 0600), or remove it and enrol again",
            Self::Content { .. } => {
                "remove the file, and enrol again: a new key is made; if it is the console's, every prober has to enrol again"
            }
        })
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// An ECDSA key on P-256, and a certificate that carries it. No one looks at what else the certificate says.
pub struct ProberKey {
    pair: KeyPair,
    certificate: CertificateDer<'static>,
}

impl fmt::Debug for ProberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProberKey").field("pin", &self.pin()).finish_non_exhaustive()
    }
}

impl ProberKey {
    /// Reads the key of a file, or makes one and keeps it there, for this user alone.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the file cannot be read or made, holds something else, or is open to others.
    pub fn load_or_make(path: &Path) -> Result<Self, KeyError> {
        let of_file = |source| KeyError::File { path: path.into(), source };
        let of_content = |source| KeyError::Content { path: path.into(), source };
        if !path.try_exists().map_err(of_file)? {
            let made = KeyPair::generate().map_err(of_content)?;
            match write_new_private(path, made.serialize_pem().as_bytes()) {
                Ok(()) => return Self::of(made).map_err(of_content),
                // Of two that make it at once, the second reads what the first has made.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(of_file(error)),
            }
        }
        Self::load(path)
    }

    /// Reads the key of a file.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when there is none, or it cannot be read, holds something else, or is open to others.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let of_file = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => KeyError::Missing(path.into()),
            _ => KeyError::File { path: path.into(), source },
        };
        if is_exposed(path).map_err(of_file)? {
            return Err(KeyError::Exposed(path.into()));
        }
        let pem = fs::read_to_string(path).map_err(of_file)?;
        let of_content = |source| KeyError::Content { path: path.into(), source };
        KeyPair::from_pem(&pem).and_then(Self::of).map_err(of_content)
    }

    fn of(pair: KeyPair) -> Result<Self, rcgen::Error> {
        let certificate = CertificateParams::new(vec!["hostssl".to_owned()])?.self_signed(&pair)?.der().clone();
        Ok(Self { pair, certificate })
    }

    /// What the other side knows it by.
    #[must_use]
    pub fn pin(&self) -> KeyPin {
        KeyPin::of(&self.pair.subject_public_key_info())
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    pub(crate) fn private(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pair.serialize_der()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let pin = ProberKey::load_or_make(&path).unwrap().pin();
        assert_eq!(ProberKey::load_or_make(&path).unwrap().pin(), pin);
        assert_eq!(pin.to_string().parse(), Ok(pin));
        assert!(!format!("{:?}", ProberKey::load_or_make(&path).unwrap()).contains("PRIVATE"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            assert!(matches!(ProberKey::load_or_make(&path), Err(KeyError::Exposed(_))));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let other = folder.path().join("other.pem");
        assert!(matches!(ProberKey::load(&other), Err(KeyError::Missing(_))));
        assert!(!other.exists() && ProberKey::load(&path).unwrap().pin() == pin);
        fs::write(&path, "-----BEGIN NOTHING-----").unwrap();
        assert!(matches!(ProberKey::load_or_make(&path), Err(KeyError::Content { .. })));
    }

    #[test]
    fn of_many_that_make_a_key_at_once_all_have_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let pins: Vec<KeyPin> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| ProberKey::load_or_make(&path).unwrap().pin())).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(pins.iter().all(|pin| *pin == pins[0]), "{pins:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing of the others is left");
    }

    #[test]
    fn what_is_no_pin() {
        for text in ["", "ab", &"g".repeat(64), &"é".repeat(32), &"a".repeat(65)] {
            assert_eq!(text.parse::<KeyPin>(), Err(()), "{text}");
        }
    }
}
