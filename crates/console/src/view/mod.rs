//! How values look: the frame of a page, words with their shapes, times, charts.

mod assets;
mod chart;
mod shell;
mod time;
mod words;

pub(crate) use assets::{asset_path, find_asset};
pub(crate) use chart::{Bar, Strip, Trend};
pub(crate) use shell::{Shell, theme_cookie};
pub(crate) use time::{Ago, When, length, millis};
pub(crate) use words::{
    Badge, count, coverage_of, floor_words, kind_word, outcome_badge, plural, reason_words, transport_badge,
    words_of_reason,
};
