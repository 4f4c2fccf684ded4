//! Why who is signed in is not known.

use hostssl_store::StoreError;

/// Why no one can be signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionStoreError {
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
    #[error(transparent)]
    State(#[from] StoreError),
}
