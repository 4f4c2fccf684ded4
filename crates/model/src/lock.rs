//! Management locks.

/// A lock that someone put on a part of Azure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagementLock {
    /// The id of the subscription, resource group or resource that it is on. It holds for everything below.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Whether it is a ReadOnly lock. A CanNotDelete lock blocks no change of a setting ("Lock your resources").
    pub read_only: bool,
}
