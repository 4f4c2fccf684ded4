//! How values look: the frame of a page, words with their shapes, times, charts.

mod assets;
mod chart;
mod shell;
mod time;
mod timeline;
mod words;

pub(crate) use assets::{asset_path, find_asset};
pub(crate) use chart::{Bar, LEGEND, Strip, Trend, change};
pub(crate) use shell::{Shell, theme_cookie};
pub(crate) use time::{Ago, When, length, millis};
pub(crate) use timeline::Timeline;
pub(crate) use words::{
    Badge, TlsCell, brief, count, coverage_of, effect, floor_word, identity_words, is_below, is_weak, kind_word,
    location_word, plural, reason_words, server_reason_words, version_word, why_unread,
};

/// Where servers can stand, the worst first, for lists of choices.
pub(crate) const STANDINGS: [hostssl_model::Standing; 6] = hostssl_model::Standing::ALL;
