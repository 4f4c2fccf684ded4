//! Everything that was observed of one server, folded together.

use crate::{Parameter, ParameterName, Server, Unchecked, WireObservation};

/// One look at a value: it was seen, or it was not and the reason is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// The value was seen.
    Known(T),
    /// The value could not be read.
    Unknown(Unchecked),
}

/// All observations of one server. Facts only: controls judge them.
#[derive(Debug, Clone)]
pub struct Posture {
    /// The server.
    pub server: Server,
    /// What was read, at most one reading a name.
    pub readings: Vec<(ParameterName, Reading<Parameter>)>,
    /// What was observed on the wire, one observation for each listener. Empty when nothing was probed.
    pub wire: Vec<WireObservation>,
}

impl Posture {
    /// The settings whose value waits for a restart: until then the server does what it did before.
    pub fn waiting(&self) -> impl Iterator<Item = ParameterName> {
        waiting(&self.readings)
    }

    /// The reading of a setting, or `None` when it was not read.
    #[must_use]
    pub fn reading(&self, name: ParameterName) -> Option<&Reading<Parameter>> {
        self.readings.iter().find(|(read, _)| *read == name).map(|(_, reading)| reading)
    }
}

/// The settings whose value waits for a restart.
pub(crate) fn waiting(readings: &[(ParameterName, Reading<Parameter>)]) -> impl Iterator<Item = ParameterName> {
    let waits = |reading: &Reading<Parameter>| matches!(reading, Reading::Known(one) if one.pending_restart);
    readings.iter().filter(move |(_, reading)| waits(reading)).map(|(name, _)| *name)
}
