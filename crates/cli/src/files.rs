//! How many files this process may have open, of which every connection is one.

/// Files that are not connections of a probe: streams, the runtime's own, databases.
#[cfg(unix)]
const OTHERS: u64 = 40;

/// How many of `endpoints` can be probed at once, each by as many `connections`. Raises the process's own limit as far as
/// the system lets it, and says so where that is not far enough.
#[cfg(unix)]
pub(crate) fn endpoints_at_once(endpoints: usize, connections: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let files = |endpoints: usize| {
        let connections = endpoints.saturating_mul(connections.max(1));
        u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS)
    };
    let limit = getrlimit(Resource::Nofile);
    // Without a number there is no limit.
    let Some(current) = limit.current.filter(|current| *current < files(endpoints)) else {
        return endpoints;
    };
    let wanted = limit.maximum.map_or(files(endpoints), |most| most.min(files(endpoints)));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).is_ok();
    let granted = if raised { wanted } else { current };
    let room = (1..=endpoints).rev().find(|fewer| files(*fewer) <= granted).unwrap_or(1);
    if room < endpoints {
        stderr!(
            "note: {room} instead of {endpoints} endpoints at once, because this process may open only {granted} files"
        );
    }
    room
}

/// How many endpoints can be connected to at once beside those of `endpoints_at_once`, at most `most`. Raises the limit for
/// them as well, as far as the system lets it.
#[cfg(unix)]
pub(crate) fn connects_at_once(endpoints: usize, connections: usize, most: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let taken = count(endpoints.saturating_mul(connections.max(1))).saturating_add(OTHERS);
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current else { return most };
    let wanted = taken.saturating_add(count(most)).min(limit.maximum.unwrap_or(u64::MAX));
    let raised = wanted > current
        && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).is_ok();
    let granted = if raised { wanted } else { current };
    usize::try_from(granted.saturating_sub(taken)).unwrap_or(most).min(most)
}

/// As many as are wanted: only Unix counts sockets among files.
#[cfg(not(unix))]
pub(crate) fn connects_at_once(_endpoints: usize, _connections: usize, most: usize) -> usize {
    most
}

/// As many as are wanted: only Unix counts sockets among files.
#[cfg(not(unix))]
pub(crate) fn endpoints_at_once(endpoints: usize, _connections: usize) -> usize {
    endpoints
}
