//! Files that are made together with what becomes of each server, in every world that a deployment or an apply may meet: a check
//! that passes is right in all of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use hostssl_audit::Profile;
use hostssl_iac::{check, read};
use hostssl_model::AuditEnd;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const SERVER: &str = "Microsoft.DBforPostgreSQL/flexibleServers";
const SERVERS: [&str; 2] = ["pg-a", "pg-b"];

fn passes(file: &Value) -> bool {
    let read = read(file.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {file}"));
    check(&read, &Profile::find("baseline").unwrap(), None).end() == AuditEnd::Pass
}

/// What is decided only when a template is deployed, or a plan applied.
#[derive(Debug, Clone, Copy)]
struct World {
    /// The parameter `e`, and whether a loop over `n` makes anything.
    holds: bool,
    /// The parameter `p`.
    is_on: bool,
    /// What a server has that is there already.
    was_on: bool,
    /// Whether what is written at once is written in the order of the file.
    in_order: bool,
}

fn worlds() -> impl Iterator<Item = World> {
    (0..16_u8).map(|bits| World {
        holds: bits & 1 > 0,
        is_on: bits & 2 > 0,
        was_on: bits & 4 > 0,
        in_order: bits & 8 > 0,
    })
}

/// Whether something is deployed: a condition, or how often a loop makes it.
#[derive(Debug, Clone, Copy)]
enum When {
    Always,
    Never,
    NeverByLoop,
    TwiceByLoop,
    IfHolds,
    IfLoopHolds,
}

impl When {
    fn is_never(self) -> bool {
        matches!(self, Self::Never | Self::NeverByLoop)
    }

    fn is_met(self, world: World) -> bool {
        match self {
            Self::Always | Self::TwiceByLoop => true,
            Self::Never | Self::NeverByLoop => false,
            Self::IfHolds | Self::IfLoopHolds => world.holds,
        }
    }

    fn put(self, resource: &mut Value) {
        let copy = |count: Value| json!({"name": "c", "count": count});
        match self {
            Self::Always => {}
            Self::Never => resource["condition"] = json!(false),
            Self::NeverByLoop => resource["copy"] = copy(json!(0)),
            Self::TwiceByLoop => resource["copy"] = copy(json!(2)),
            Self::IfHolds => resource["condition"] = json!("[parameters('e')]"),
            Self::IfLoopHolds => resource["copy"] = copy(json!("[if(parameters('e'), 1, 0)]")),
        }
    }
}

/// A value, and how a template says it.
#[derive(Debug, Clone, Copy)]
enum Said {
    Literal(bool),
    Variable(bool),
    Parameter,
}

impl Said {
    fn is_on(self, world: World) -> bool {
        match self {
            Self::Literal(on) | Self::Variable(on) => on,
            Self::Parameter => world.is_on,
        }
    }

    fn json(self) -> Value {
        match self {
            Self::Literal(on) => json!(word(on)),
            Self::Variable(on) => json!(format!("[variables('{}')]", word(on))),
            Self::Parameter => json!("[parameters('p')]"),
        }
    }
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[derive(Debug, Clone)]
enum Item {
    Server { name: usize, when: When, children: Vec<(Said, When)> },
    Parameter { server: usize, spelling: u8, said: Said, when: When },
    Deployment { inner: bool, given: Said, when: When, items: Vec<Item> },
    Within { items: Vec<Item> },
}

/// Of each server whether it enforces TLS; those that nothing made or wrote are not in it.
type Fleet = BTreeMap<&'static str, bool>;

impl Item {
    /// Every server that it is about, whether or not it is deployed.
    fn servers(&self, found: &mut BTreeSet<&'static str>) {
        match self {
            Self::Server { name, when, children } => {
                if !when.is_never() || children.iter().any(|(_, when)| !when.is_never()) {
                    found.insert(SERVERS[*name]);
                }
            }
            Self::Parameter { server, when, .. } => {
                if !when.is_never() {
                    found.insert(SERVERS[*server]);
                }
            }
            Self::Deployment { items, when, .. } => {
                if !when.is_never() {
                    items.iter().for_each(|item| item.servers(found));
                }
            }
            Self::Within { items } => items.iter().for_each(|item| item.servers(found)),
        }
    }

    /// The values that it writes. `given` is what the parameter `p` comes to where the item stands.
    fn writes(&self, world: World, written: &mut Vec<(&'static str, bool)>) {
        match self {
            // A server is there before what is set on it, and keeps what it has. A condition is not that of its children.
            Self::Server { name, children, .. } => {
                let met = children.iter().filter(|(_, when)| when.is_met(world));
                written.extend(met.map(|(said, _)| (SERVERS[*name], said.is_on(world))));
            }
            Self::Parameter { server, said, when, .. } if when.is_met(world) => {
                written.push((SERVERS[*server], said.is_on(world)));
            }
            Self::Deployment { inner, given, when, items } if when.is_met(world) => {
                let own = if *inner { World { is_on: given.is_on(world), ..world } } else { world };
                items.iter().for_each(|item| item.writes(own, written));
            }
            Self::Within { items } => items.iter().for_each(|item| item.writes(world, written)),
            Self::Parameter { .. } | Self::Deployment { .. } => {}
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Server { name, when, children } => {
                let child = |(said, when): &(Said, When)| {
                    let mut child = json!({"type": "configurations", "name": "require_secure_transport",
                                           "properties": {"value": said.json()}});
                    when.put(&mut child);
                    child
                };
                let children: Vec<Value> = children.iter().map(child).collect();
                let mut server =
                    json!({"type": SERVER, "name": SERVERS[*name], "properties": {}, "resources": children});
                when.put(&mut server);
                server
            }
            Self::Parameter { server, spelling, said, when } => {
                let server = SERVERS[*server];
                let name = match spelling {
                    0 => format!("{server}/require_secure_transport"),
                    1 => format!("[concat('{server}', '/', 'require_secure_transport')]"),
                    _ => format!("[format('{{0}}/require_secure_transport', '{server}')]"),
                };
                let mut parameter = json!({"type": format!("{SERVER}/configurations"), "name": name,
                                           "properties": {"value": said.json()}});
                when.put(&mut parameter);
                parameter
            }
            Self::Deployment { inner, given, when, items } => {
                let mut properties = json!({"template": template(items)});
                if *inner {
                    properties["expressionEvaluationOptions"] = json!({"scope": "inner"});
                    properties["parameters"] =
                        json!({"p": {"value": given.json()}, "e": {"value": "[parameters('e')]"}});
                }
                let mut deployment =
                    json!({"type": "Microsoft.Resources/deployments", "name": "d", "properties": properties});
                when.put(&mut deployment);
                deployment
            }
            Self::Within { items } => {
                let items: Vec<Value> = items.iter().map(Self::json).collect();
                json!({"type": "Microsoft.Network/virtualNetworks", "name": "n", "resources": items})
            }
        }
    }
}

fn template(items: &[Item]) -> Value {
    let resources: Vec<Value> = items.iter().map(Item::json).collect();
    json!({"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
           "contentVersion": "1.0.0.0", "parameters": {"p": {"type": "string", "defaultValue": "on"}, "e": {"type": "bool"}},
           "variables": {"on": "on", "off": "off"}, "resources": resources})
}

fn whens() -> impl Strategy<Value = When> {
    prop_oneof![6 => Just(When::Always), 1 => Just(When::Never), 1 => Just(When::NeverByLoop), 1 => Just(When::TwiceByLoop),
                1 => Just(When::IfHolds), 1 => Just(When::IfLoopHolds)]
}

fn said() -> impl Strategy<Value = Said> {
    let on = || prop_oneof![4 => Just(true), 1 => Just(false)];
    prop_oneof![4 => on().prop_map(Said::Literal), 2 => on().prop_map(Said::Variable), 1 => Just(Said::Parameter)]
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let child = (
        said(),
        whens().prop_filter("no loop in a child", |when| matches!(when, When::Always | When::Never | When::IfHolds)),
    );
    let leaf = prop_oneof![
        1 => (0..SERVERS.len(), whens(), proptest::collection::vec(child, 0..2))
            .prop_map(|(name, when, children)| Item::Server { name, when, children }),
        3 => (0..SERVERS.len(), 0..3_u8, said(), whens())
            .prop_map(|(server, spelling, said, when)| Item::Parameter { server, spelling, said, when }),
    ];
    let item = leaf.prop_recursive(2, 6, 2, |inner| {
        let items = proptest::collection::vec(inner, 1..3);
        prop_oneof![
            3 => (any::<bool>(), said(), whens(), items.clone())
                .prop_map(|(inner, given, when, items)| Item::Deployment { inner, given, when, items }),
            1 => items.prop_map(|items| Item::Within { items }),
        ]
    });
    proptest::collection::vec(item, 1..4)
}

/// What every server of a template has after a deployment.
fn deployed(items: &[Item], world: World) -> Fleet {
    let mut servers = BTreeSet::new();
    items.iter().for_each(|item| item.servers(&mut servers));
    let mut written = Vec::new();
    items.iter().for_each(|item| item.writes(world, &mut written));
    if !world.in_order {
        written.reverse();
    }
    let mut fleet: Fleet = servers.into_iter().map(|server| (server, world.was_on)).collect();
    fleet.extend(written);
    fleet
}

/// What a plan does with a server.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Kept,
    Made,
    Replaced,
    Destroyed,
    Absent,
}

/// What a plan does with a block.
#[derive(Debug, Clone, Copy)]
enum Act {
    Keep(bool),
    Create(bool),
    Update(bool, bool),
    Delete(bool),
    Replace(bool, bool),
    Forget(bool),
    /// Its value is known only when the plan is applied.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    server: usize,
    act: Act,
}

fn tf_id(server: &str) -> String {
    format!("/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/{SERVER}/{server}")
}

fn tf_resource(kind: &str, name: &str, actions: &[&str], (before, after): (Value, Value), unknown: Value) -> Value {
    json!({"address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name,
           "change": {"actions": actions, "before": before, "after": after, "after_unknown": unknown,
                      "before_sensitive": {}, "after_sensitive": {}}})
}

fn tf_server(name: &str, fate: Fate) -> Option<Value> {
    let old = json!({"id": tf_id(name), "name": name, "resource_group_name": "rg"});
    let new = json!({"name": name, "resource_group_name": "rg"});
    let (actions, values, unknown): (&[&str], _, _) = match fate {
        Fate::Kept => (&["no-op"], (old.clone(), old), json!({})),
        Fate::Made => (&["create"], (Value::Null, new), json!({"id": true})),
        Fate::Replaced => (&["delete", "create"], (old, new), json!({"id": true})),
        Fate::Destroyed => (&["delete"], (old, Value::Null), json!({})),
        Fate::Absent => return None,
    };
    Some(tf_resource("azurerm_postgresql_flexible_server", name, actions, values, unknown))
}

impl Block {
    fn json(self, number: usize, fate: Fate) -> Value {
        let name = SERVERS[self.server];
        // The id of a server that is made is not known yet.
        let is_new = matches!(fate, Fate::Made | Fate::Replaced);
        let values = |on: bool, after: bool| {
            let mut values = json!({"server_id": tf_id(name), "name": "require_secure_transport", "value": word(on)});
            if after && is_new {
                values.as_object_mut().unwrap().remove("server_id");
            }
            values
        };
        let (before, after) = (|on| values(on, false), |on| values(on, true));
        let (actions, both): (&[&str], _) = match self.act {
            Act::Keep(on) => (&["no-op"], (before(on), before(on))),
            Act::Create(on) => (&["create"], (Value::Null, after(on))),
            Act::Update(from, to) => (&["update"], (before(from), after(to))),
            Act::Delete(on) => (&["delete"], (before(on), Value::Null)),
            Act::Replace(from, to) => (&["delete", "create"], (before(from), after(to))),
            Act::Forget(on) => (&["forget"], (before(on), Value::Null)),
            Act::Unknown => {
                let mut values = after(true);
                values.as_object_mut().unwrap().remove("value");
                (&["create"], (Value::Null, values))
            }
        };
        let mut unknown = json!({});
        if is_new && !matches!(self.act, Act::Keep(_)) {
            unknown["server_id"] = json!(true);
        }
        if matches!(self.act, Act::Unknown) {
            unknown["value"] = json!(true);
        }
        let kind = "azurerm_postgresql_flexible_server_configuration";
        tf_resource(kind, &format!("c{number}"), actions, both, unknown)
    }
}

/// What every server of a plan has after an apply, of those that are there then.
fn applied(fates: &[Fate], blocks: &[Block], world: World) -> Fleet {
    let mut fleet = Fleet::new();
    for (server, fate) in fates.iter().enumerate() {
        let own: Vec<Act> = blocks.iter().filter(|block| block.server == server).map(|block| block.act).collect();
        if *fate == Fate::Destroyed || (*fate == Fate::Absent && own.is_empty()) {
            continue;
        }
        let is_new = matches!(fate, Fate::Made | Fate::Replaced);
        let known = own.iter().find_map(|act| match act {
            Act::Keep(on) | Act::Update(on, _) | Act::Delete(on) | Act::Replace(on, _) | Act::Forget(on) => Some(*on),
            Act::Create(_) | Act::Unknown => None,
        });
        // A new server starts with Azure's default, which is on.
        let mut on = is_new || known.unwrap_or(world.was_on);
        let mut written: Vec<bool> = own
            .iter()
            .filter_map(|act| match act {
                Act::Create(to) | Act::Update(_, to) | Act::Replace(_, to) => Some(*to),
                Act::Delete(_) => (!is_new).then_some(true),
                Act::Unknown => Some(world.is_on),
                Act::Keep(_) | Act::Forget(_) => None,
            })
            .collect();
        if !world.in_order {
            written.reverse();
        }
        on = written.last().copied().unwrap_or(on);
        fleet.insert(SERVERS[server], on);
    }
    fleet
}

fn plan(fates: &[Fate], blocks: &[Block]) -> Value {
    let servers = fates.iter().enumerate().filter_map(|(index, fate)| tf_server(SERVERS[index], *fate));
    let resources = blocks.iter().enumerate().map(|(number, block)| block.json(number, fates[block.server]));
    let declared = blocks.iter().enumerate().map(|(number, block)| {
        let server = format!("azurerm_postgresql_flexible_server.{}", SERVERS[block.server]);
        json!({"type": "azurerm_postgresql_flexible_server_configuration", "name": format!("c{number}"),
               "expressions": {"server_id": {"references": [format!("{server}.id"), server]}}})
    });
    let declared: Vec<Value> = declared.collect();
    json!({"format_version": "1.2", "terraform_version": "1.11.4",
           "resource_changes": servers.chain(resources).collect::<Vec<_>>(),
           "configuration": {"root_module": {"resources": declared}}})
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![3 => Just(Fate::Kept), 2 => Just(Fate::Made), 1 => Just(Fate::Replaced), 1 => Just(Fate::Destroyed),
                           2 => Just(Fate::Absent)];
    proptest::collection::vec(fate, SERVERS.len())
}

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let on = || prop_oneof![3 => Just(true), 1 => Just(false)];
    let act = prop_oneof![
        2 => on().prop_map(Act::Keep),
        3 => on().prop_map(Act::Create),
        2 => (on(), on()).prop_map(|(from, to)| Act::Update(from, to)),
        1 => on().prop_map(Act::Delete),
        1 => (on(), on()).prop_map(|(from, to)| Act::Replace(from, to)),
        1 => on().prop_map(Act::Forget),
        1 => Just(Act::Unknown),
    ];
    proptest::collection::vec((0..SERVERS.len(), act).prop_map(|(server, act)| Block { server, act }), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_template_that_passes_leaves_every_server_on(items in items()) {
        let file = template(&items);
        if passes(&file) {
            for world in worlds() {
                let fleet = deployed(&items, world);
                prop_assert!(fleet.values().all(|on| *on), "{world:?}: {fleet:?}: {file:#}");
            }
        }
    }

    #[test]
    fn a_plan_that_passes_leaves_every_server_on(fates in fates(), blocks in blocks()) {
        let file = plan(&fates, &blocks);
        if passes(&file) {
            for world in worlds() {
                let fleet = applied(&fates, &blocks, world);
                prop_assert!(fleet.values().all(|on| *on), "{world:?}: {fleet:?}: {file:#}");
            }
        }
    }
}
