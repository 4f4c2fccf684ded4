//! The signature of the manifest: Ed25519, in the format of `ssh-keygen -Y`.
//!
//! `ssh-key` reads and writes the formats of OpenSSH; ring signs and checks, as it is the only cryptography provider
//! (design record 006).

use crate::NAMESPACE;
use hostssl_model::{Advice, Fault, Hint};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use ssh_key::private::KeypairData;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, Signature, SshSig};
use std::fmt;

/// A key that signs packs.
pub struct PackSigner {
    key: Ed25519KeyPair,
    public: KeyData,
}

/// A key that cannot sign packs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It is not a private key of OpenSSH.
    #[error("it is not a private key in OpenSSH's format")]
    NotAKey,
    /// It needs a passphrase.
    #[error("it is protected by a passphrase, which hostssl does not ask for")]
    Encrypted,
    /// It is of another kind.
    #[error("it is a key of {0}, not of Ed25519")]
    OtherKind(String),
    /// Its halves do not belong together, or signing failed.
    #[error("its public half does not belong to its private half")]
    Damaged,
}

impl Advice for InvalidKey {
    fn advice(&self) -> Hint {
        match self {
            Self::Encrypted => {
                "use a key without a passphrase, or leave out --sign, unpack SHA256SUMS and sign it with \
                 `ssh-keygen -Y sign -n file -f KEY SHA256SUMS`"
                    .into()
            }
            _ => "make a key with `ssh-keygen -t ed25519 -N '' -f KEY`, and give its private half".into(),
        }
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

impl PackSigner {
    /// Reads a private key.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] for anything but an Ed25519 key without a passphrase.
    pub fn read(text: &str) -> Result<Self, InvalidKey> {
        let key = PrivateKey::from_openssh(text.trim_start()).map_err(|_| InvalidKey::NotAKey)?;
        if key.is_encrypted() {
            return Err(InvalidKey::Encrypted);
        }
        let KeypairData::Ed25519(pair) = key.key_data() else {
            return Err(InvalidKey::OtherKind(key.algorithm().to_string()));
        };
        let own = Ed25519KeyPair::from_seed_and_public_key(pair.private.as_ref(), pair.public.as_ref());
        Ok(Self { key: own.map_err(|_| InvalidKey::Damaged)?, public: key.public_key().key_data().clone() })
    }

    /// The fingerprint of the public half, as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.public)
    }

    /// The signature of a message: the same key and message give the same text.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Damaged`], which a key that was read does not cause.
    pub fn sign(&self, message: &[u8]) -> Result<String, InvalidKey> {
        let damaged = |_| InvalidKey::Damaged;
        let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, message).map_err(damaged)?;
        let signature = Signature::new(Algorithm::Ed25519, self.key.sign(&data).as_ref()).map_err(damaged)?;
        let whole = SshSig::new(self.public.clone(), NAMESPACE, HashAlg::Sha512, signature).map_err(damaged)?;
        whole.to_pem(LineEnding::LF).map_err(damaged)
    }
}

impl fmt::Debug for PackSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackSigner").field("public", &self.key.public_key()).finish_non_exhaustive()
    }
}

/// Who signed a message: the key of a signature that is valid.
///
/// # Errors
///
/// Why it is not.
pub(crate) fn signed_by(text: &[u8], message: &[u8]) -> Result<KeyData, &'static str> {
    let signature = SshSig::from_pem(text).map_err(|_| "it is not a signature of `ssh-keygen -Y sign`")?;
    if signature.namespace() != NAMESPACE {
        return Err("it was made for another purpose than `-n file`");
    }
    let Some(key) = signature.public_key().ed25519() else {
        return Err("it is not of Ed25519");
    };
    if !signature.reserved().is_empty() || signature.algorithm() != Algorithm::Ed25519 {
        return Err("it is of a kind that hostssl does not know");
    }
    let data = SshSig::signed_data(NAMESPACE, signature.hash_alg(), message).map_err(|_| "it is damaged")?;
    UnparsedPublicKey::new(&ED25519, key.as_ref())
        .verify(&data, signature.signature_bytes())
        .map_err(|_| "SHA256SUMS is not what was signed")?;
    Ok(signature.public_key().clone())
}

/// The fingerprint of a key, as `ssh-keygen -l` prints it.
pub(crate) fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}
