//! Which settings of a kind of server decide a control.

use crate::FixableControl;
use hostssl_model::{Kind, ParameterName};

impl FixableControl {
    /// The settings of such a server that decide it, in the order in which they are changed. None where the platform
    /// decides.
    pub(crate) fn settings(self, kind: Kind) -> Vec<ParameterName> {
        match self {
            Self::RequireSecureTransport => kind.switch().into_iter().collect(),
            Self::MinimumTlsVersion => kind.offering().floors.to_vec(),
            Self::LogDownload => kind.log_settings().to_vec(),
        }
    }
}
