//! The servers of a plan or a state, and which of them a block belongs to.

use super::{Moment, Role, Seen, TfConfiguration};
use crate::IacServerChange;
use crate::checked_file::ServerBlock;
use crate::input::configuration::NamedInstance;
use crate::input::terraform_address::modules;
use hostssl_model::{Kind, ResourceId};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Where a resource is declared: the address of its module, its type and its name.
type Place<'a> = (&'a str, &'a str, &'a str);

/// A declaration in the code: the names of its modules, its type and its name.
type Declaration<'a> = (Vec<&'a str>, &'a str, &'a str);

/// The keys of the modules of an address, from the root on.
type ModuleKeys<'a> = Vec<Option<&'a str>>;

/// The instances of a resource: their keys, and which servers they are. Two of one key are of a damaged file.
type Instances<'a> = BTreeMap<Option<&'a str>, Vec<usize>>;

/// The servers, each found by its id and by its address.
pub(super) struct Servers<'a> {
    blocks: Vec<ServerBlock>,
    by_id: HashMap<ResourceId, usize>,
    /// Destroyed servers whose ids are those of servers that the plan makes anew.
    predecessors: HashMap<ResourceId, usize>,
    /// In the order of the keys of modules, so that those in one instance of a module are next to each other.
    by_name: HashMap<Declaration<'a>, BTreeMap<ModuleKeys<'a>, Instances<'a>>>,
    /// The ids of servers of which the file marks a part as sensitive, whatever else names them.
    hidden: HashSet<ResourceId>,
    /// The keys of the instances of every resource.
    keys: HashMap<Place<'a>, BTreeSet<Option<&'a str>>>,
    /// Of a block and the first instance of a server: whether their instances have the same keys.
    same_keys: HashMap<(Place<'a>, usize), bool>,
    configuration: &'a TfConfiguration,
}

impl<'a> Servers<'a> {
    pub(super) fn of(resources: &[Seen<'a>], configuration: &'a TfConfiguration) -> Self {
        let mut servers = Self {
            blocks: Vec::new(),
            by_id: HashMap::new(),
            predecessors: HashMap::new(),
            by_name: HashMap::new(),
            hidden: HashSet::new(),
            keys: HashMap::new(),
            same_keys: HashMap::new(),
            configuration,
        };
        let mut destroyed = Vec::new();
        for resource in resources {
            let place = (resource.module, resource.resource_type, resource.name);
            servers.keys.entry(place).or_default().insert(resource.key());
            let Role::Server(kind) = resource.role else { continue };
            let index = servers.blocks.len();
            let block = block(resource, kind);
            if block.hides_id {
                let ids = [Moment::Before, Moment::After].map(|moment| resource.id(moment, |one| &one.id));
                servers.hidden.extend(ids.into_iter().flatten().chain(block.id.clone()));
            }
            // An id belongs to what is there after the apply, not to what is destroyed on the way.
            if block.change != IacServerChange::Destroys {
                if let Some(id) = block.id.clone() {
                    servers.by_id.insert(id, index);
                }
                // The blocks of a server that is replaced know the id of the old one.
                if let Some(id) = resource.id(Moment::Before, |one| &one.id) {
                    servers.by_id.entry(id).or_insert(index);
                }
            } else if let Some(id) = block.id.clone().filter(|_| !resource.is_deposed) {
                destroyed.push((id, index));
            }
            if !resource.is_deposed {
                let (names, keys) = modules(resource.module).iter().map(|step| (step.name, step.key)).unzip();
                let declared = servers.by_name.entry((names, resource.resource_type, resource.name)).or_default();
                declared.entry(keys).or_default().entry(resource.key()).or_default().push(index);
            }
            servers.blocks.push(block);
        }
        servers.hand_over(destroyed);
        servers
    }

    /// Gives the ids of destroyed servers to those that have them after the apply. Azure makes the id of a new server of its
    /// name, so that a block with a literal id is the new one's.
    fn hand_over(&mut self, destroyed: Vec<(ResourceId, usize)>) {
        let folded = str::to_ascii_lowercase;
        let mut made: HashMap<(Kind, String, Option<String>), Vec<usize>> = HashMap::new();
        for (index, block) in self.blocks.iter().enumerate() {
            let is_made = matches!(block.change, IacServerChange::Creates | IacServerChange::Replaces);
            if let Some(name) = block.name.as_deref().filter(|_| is_made && block.id.is_none()) {
                let group = block.resource_group.as_deref().map(folded);
                made.entry((block.kind, folded(name), group)).or_default().push(index);
            }
        }
        for (id, index) in destroyed {
            let Some(kind) = self.blocks.get(index).map(|block| block.kind) else { continue };
            if self.by_id.contains_key(&id) {
                continue;
            }
            // One whose resource group is not known may be this one as well.
            let groups = [Some(folded(id.resource_group())), None];
            let named = groups.into_iter().filter_map(|group| made.get(&(kind, folded(id.name()), group)));
            // Two of them are as little certain as more.
            match named.flatten().copied().take(2).collect::<Vec<_>>().as_slice() {
                [] => {
                    self.by_id.insert(id, index);
                }
                [successor] => {
                    self.by_id.insert(id.clone(), *successor);
                    self.predecessors.insert(id, index);
                }
                // Which of them is meant cannot be told: a block of this id is judged by itself.
                [..] => {
                    self.predecessors.insert(id, index);
                }
            }
        }
    }

    pub(super) fn into_blocks(self) -> Vec<ServerBlock> {
        self.blocks
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut ServerBlock> {
        self.blocks.get_mut(index)
    }

    pub(super) fn get(&self, index: usize) -> Option<&ServerBlock> {
        self.blocks.get(index)
    }

    /// The server of a block: by its id, or where that is not known yet by what the configuration names.
    pub(super) fn find(&mut self, block: &Seen<'a>, kind: Kind, moment: Moment) -> Option<usize> {
        if let Some(id) = server_id(block, moment) {
            if let Some(old) = self.predecessors.get(&id).filter(|_| moment == Moment::Before) {
                return Some(*old);
            }
            return Some(self.by_id(id, kind, block.address));
        }
        if moment == Moment::Before || block.is_state {
            return None;
        }
        let named = self.configuration.server_of(block.module, block.resource_type, block.name)?;
        let names = named.modules.iter().map(String::as_str).collect();
        let declared = self.by_name.get(&(names, named.resource_type.as_str(), named.name.as_str()))?;
        // A module with several instances has several such servers: the one in the block's own instance is meant.
        let own = modules(block.module);
        let shared = own.iter().zip(&named.modules).take_while(|(own, other)| own.name == other.as_str());
        let shared: ModuleKeys<'_> = shared.map(|(own, _)| own.key).collect();
        let mut places = declared.range(shared.clone()..).take_while(|(keys, _)| keys.starts_with(&shared));
        let (Some((_, instances)), None) = (places.next(), places.next()) else { return None };
        let found = match &named.instance {
            NamedInstance::Key(None) if instances.len() == 1 => instances.values().next(),
            NamedInstance::Key(None) | NamedInstance::Unclear => None,
            NamedInstance::Key(Some(key)) => instances.get(&Some(key.as_str())),
            NamedInstance::Own => {
                // `main[count.index]` is the server of that number only if there is one block for each server.
                let own = (block.module, block.resource_type, block.name);
                let keys = self.keys.get(&own)?;
                let first = *instances.values().flatten().next()?;
                let same = || keys.len() == instances.len() && keys.iter().eq(instances.keys());
                let same = *self.same_keys.entry((own, first)).or_insert_with(same);
                instances.get(&block.key()).filter(|_| same)
            }
        };
        match found?.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// The server of an id; one that is not in the file is added.
    fn by_id(&mut self, id: ResourceId, kind: Kind, address: &str) -> usize {
        if let Some(index) = self.by_id.get(&id) {
            return *index;
        }
        let index = self.blocks.len();
        let hides_id = self.hidden.contains(&id);
        let shown = |part: &str| (!hides_id).then(|| part.into());
        self.blocks.push(ServerBlock {
            address: address.into(),
            kind,
            name: shown(id.name()),
            resource_group: shown(id.resource_group()),
            id: Some(id.clone()),
            hides_id,
            change: IacServerChange::Elsewhere,
            destroys: None,
            is_copy: false,
            inline: Vec::new(),
        });
        self.by_id.insert(id, index);
        index
    }
}

/// The id of the server that a parameter is of.
fn server_id(block: &Seen<'_>, moment: Moment) -> Option<ResourceId> {
    if !block.is_azapi() {
        return block.id(moment, |one| &one.server_id);
    }
    block.id(moment, |one| &one.parent_id).or_else(|| {
        // An update names the parameter itself.
        let id = block.id(moment, |one| &one.resource_id)?;
        let (server, _) = id.as_str().rsplit_once('/').and_then(|(rest, _)| rest.rsplit_once('/'))?;
        ResourceId::try_from(server).ok()
    })
}

/// A server as the file has it.
fn block(resource: &Seen<'_>, kind: Kind) -> ServerBlock {
    let change = change(resource);
    // A server that is replaced may have another id, and usually has the same name.
    let is_new = matches!(change, IacServerChange::Creates | IacServerChange::Replaces);
    let id = match is_new {
        true => resource.id(Moment::After, |one| &one.id),
        false => resource.id(Moment::After, |one| &one.id).or_else(|| resource.id(Moment::Before, |one| &one.id)),
    };
    let group = resource.text_of_either(|one| &one.resource_group_name).map(Into::into);
    let name = resource.text_of_either(|one| &one.name).map(Into::into);
    // The id has the name and the resource group in it, and Terraform marks them alone.
    let hides_id = resource.is_secret(|one| &one.id)
        || resource.is_secret(|one| &one.name)
        || resource.is_secret(|one| &one.resource_group_name);
    let shown = id.as_ref().filter(|_| !hides_id);
    let mode = resource.after.map(|values| &values.create_mode);
    let is_default = mode.is_none_or(|mode| mode.is_nothing() || mode.text() == Some("Default"));
    ServerBlock {
        address: resource.address.into(),
        kind,
        name: name.or_else(|| shown.map(|id| id.name().into())),
        resource_group: group.or_else(|| shown.map(|id| id.resource_group().into())),
        id,
        hides_id,
        change,
        destroys: resource.has_action("delete").then(|| resource.id(Moment::Before, |one| &one.id)).flatten(),
        // With azapi, the mode is in the body, which is not read as far.
        is_copy: !is_default || resource.unknown.has(|one| &one.create_mode) || (resource.is_azapi() && is_new),
        inline: Vec::new(),
    }
}

fn change(resource: &Seen<'_>) -> IacServerChange {
    let (creates, deletes) = (resource.has_action("create"), resource.has_action("delete"));
    if resource.is_state {
        IacServerChange::Recorded
    } else if resource.is_deposed {
        IacServerChange::Destroys
    } else if creates && (deletes || resource.has_action("forget")) {
        IacServerChange::Replaces
    } else if creates {
        IacServerChange::Creates
    } else if deletes {
        IacServerChange::Destroys
    } else if resource.has_action("forget") {
        IacServerChange::Releases
    } else {
        IacServerChange::Keeps
    }
}
