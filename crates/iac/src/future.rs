//! The value of one setting after an apply, as far as a file says.

use crate::checked_file::{BlockAct, IacFile, ServerBlock, SettingBlock, Stated};
use crate::{IacEffect, IacFormat, IacReason, IacServerChange};
use hostssl_model::{Kind, Meaning, ParameterName};
use std::collections::HashSet;

/// What a file makes of one setting of a server.
#[derive(Debug, Clone)]
pub(crate) struct Future {
    pub(crate) effect: IacEffect,
    pub(crate) address: Box<str>,
    pub(crate) before: Option<Meaning>,
    pub(crate) after: Result<Meaning, IacReason>,
    /// Whether the value is written, whatever the server has.
    pub(crate) is_written: bool,
    pub(crate) changed_outside: Option<Meaning>,
}

/// The blocks of one setting of a server, and of settings whose names are not known.
pub(crate) struct Blocks<'a> {
    pub(crate) of_setting: Vec<&'a SettingBlock>,
    pub(crate) nameless: Vec<&'a SettingBlock>,
    /// The blocks of which it is not known which server of the file they are of.
    pub(crate) strays: &'a HashSet<Stray>,
}

/// The kind and the setting of a block whose server is not known; no setting where its name is not known either.
pub(crate) type Stray = (Kind, Option<ParameterName>);

/// What becomes of a setting.
pub(crate) fn future(file: &IacFile, server: &ServerBlock, name: ParameterName, blocks: &Blocks<'_>) -> Future {
    let futures: Vec<Future> = blocks.of_setting.iter().map(|block| of_block(file, server, name, block)).collect();
    let mut future = match futures.as_slice() {
        [] => without_block(file, server, name, blocks),
        [one] => one.clone(),
        [first, ..] => several(first, &futures),
    };
    if let Some(block) = blocks.nameless.first() {
        // It may be about this setting.
        future.address = block.address.clone();
        future.after = Err(until(file.format));
        future.effect = IacEffect::Unknown;
    }
    future
}

/// Why something that is given later is not known.
pub(crate) fn until(format: IacFormat) -> IacReason {
    match format {
        IacFormat::ArmTemplate => IacReason::UntilDeployment,
        IacFormat::TerraformPlan | IacFormat::TerraformState => IacReason::UntilApply,
    }
}

/// Whether what was before an apply is another server, or none.
fn is_new(server: &ServerBlock) -> bool {
    matches!(server.change, IacServerChange::Creates | IacServerChange::Replaces)
}

fn of_block(file: &IacFile, server: &ServerBlock, name: ParameterName, block: &SettingBlock) -> Future {
    let default = server.kind.default_of(name);
    let before = match is_new(server) {
        // It starts with the default, until the block is applied.
        true => default.filter(|_| !server.is_copy),
        false => block.before.meaning(),
    };
    // Nothing is written to a server that is made anew when its block stays what it was.
    let is_left = is_new(server) && block.act == BlockAct::Keep;
    let stated = match (block.act, block.after) {
        _ if is_left && server.is_copy => Err(IacReason::Inherited),
        // It starts with the default, and the next plan writes the value of the block: the weaker of the two decides.
        (_, Stated::Value(meaning)) if is_left => {
            Ok(default.filter(|default| default.is_looser_than(meaning)).unwrap_or(meaning))
        }
        (BlockAct::Reset, _) => default.ok_or(IacReason::UnknownDeletion),
        (BlockAct::Delete, _) => Err(IacReason::UnknownDeletion),
        (_, Stated::Value(meaning)) => Ok(meaning),
        (_, Stated::Unclear(reason)) => Err(reason),
        (_, Stated::Absent) => Err(until(file.format)),
    };
    let effect = match block.act {
        BlockAct::Reset => IacEffect::ResetsToDefault,
        BlockAct::Release => IacEffect::Releases,
        BlockAct::Record => IacEffect::Records,
        BlockAct::Keep => IacEffect::Keeps,
        BlockAct::Delete => IacEffect::Unknown,
        // A new server has no value to keep.
        BlockAct::Write if is_new(server) && stated.ok() == before => IacEffect::Sets,
        BlockAct::Write => stated.map_or(IacEffect::Unknown, |after| written(before, after)),
    };
    let is_unknown = matches!(stated, Err(reason) if reason == until(file.format) || is_left);
    let effect = if is_unknown { IacEffect::Unknown } else { effect };
    Future {
        effect,
        address: block.address.clone(),
        before,
        after: stated,
        is_written: matches!(block.act, BlockAct::Write | BlockAct::Reset),
        changed_outside: block.changed_outside,
    }
}

/// What writing a value does.
pub(crate) fn written(before: Option<Meaning>, after: Meaning) -> IacEffect {
    match (before, after) {
        (Some(before), after) if before == after => IacEffect::Keeps,
        (Some(_), Meaning::Enforced(true)) => IacEffect::TurnsOn,
        (Some(_), Meaning::Enforced(false)) => IacEffect::TurnsOff,
        (Some(_), _) => IacEffect::Changes,
        (None, _) => IacEffect::Sets,
    }
}

/// Several blocks of one setting: only what all of them come to is certain, and what one of them changes is no state of long ago.
fn several(first: &Future, futures: &[Future]) -> Future {
    let agree = futures.iter().all(|one| one.after.is_ok() && one.after == first.after);
    let unclear = futures.iter().find_map(|one| one.after.err());
    let told = futures.iter().min_by_key(|one| rank(one.effect)).unwrap_or(first);
    Future {
        effect: if agree { told.effect } else { IacEffect::Unknown },
        after: if agree { first.after } else { Err(unclear.unwrap_or(IacReason::Conflict)) },
        before: if agree { told.before } else { first.before },
        is_written: futures.iter().all(|one| one.is_written),
        ..told.clone()
    }
}

/// Which effect of several is told: what makes a server less strict first, and what changes nothing last.
fn rank(effect: IacEffect) -> u8 {
    match effect {
        IacEffect::TurnsOff => 0,
        IacEffect::Unknown => 1,
        IacEffect::Changes => 2,
        IacEffect::Sets => 3,
        IacEffect::ResetsToDefault => 4,
        IacEffect::TurnsOn => 5,
        IacEffect::Releases => 6,
        IacEffect::LeavesDefault | IacEffect::NotManaged => 7,
        IacEffect::Keeps | IacEffect::Records => 8,
    }
}

fn without_block(file: &IacFile, server: &ServerBlock, name: ParameterName, blocks: &Blocks<'_>) -> Future {
    let nothing = |effect, after| Future {
        effect,
        address: server.address.clone(),
        before: None,
        after,
        is_written: false,
        changed_outside: None,
    };
    if !is_new(server) {
        return nothing(IacEffect::NotManaged, Err(IacReason::NotManaged));
    }
    if server.is_copy {
        return nothing(IacEffect::Unknown, Err(IacReason::Inherited));
    }
    // A block whose server is not known yet may be this server's.
    if [None, Some(name)].iter().any(|one| blocks.strays.contains(&(server.kind, *one))) {
        return nothing(IacEffect::Unknown, Err(until(file.format)));
    }
    match server.kind.default_of(name) {
        Some(default) => Future { is_written: true, ..nothing(IacEffect::LeavesDefault, Ok(default)) },
        None => nothing(IacEffect::NotManaged, Err(IacReason::NotManaged)),
    }
}
