//! ARM templates, and Bicep files that were compiled to them: servers, their parameters, and templates within templates.

use super::arm_doubt::{ArmDoubt, is_left_out};
use super::arm_resource::{ArmCopy, ArmCount, ArmEvaluation, ArmResource, ArmTemplate};
use super::arm_type::{CONFIGURATIONS, DEPLOYMENTS, STACKS, is_deployment, is_of_provider, kind_of_arm_type};
use super::expression::{ArmScope, Piece, segments};
use super::scalar::{AnyCase, Lenient, MaybeObject, Members, Scalar, is_word};
use crate::checked_file::{BlockAct, ServerBlock, SettingBlock, Stated};
use crate::{IacFile, IacFormat, IacGap, IacGapKind, IacReason, IacServerChange};
use hostssl_model::{Kind, ParameterName};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// Whether the text of a template has anything that is, or may be, about servers. One that cannot be read may have.
pub(super) fn may_have_servers(text: &str) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Whole {
        resources: Option<IgnoredAny>,
    }
    let is_whole = serde_json::from_str(text).is_ok_and(|AnyCase(Whole { resources })| resources.is_some());
    let Some(AnyCase(template)) = serde_json::from_str::<AnyCase<ArmTemplate>>(text).ok().filter(|_| is_whole) else {
        return true;
    };
    let file = template.into_file();
    let is_silent = file.servers.is_empty() && file.settings.is_empty() && file.gaps.is_empty();
    // A template may also stand in what is not read, such as the definition of a policy.
    !is_silent || text.to_ascii_lowercase().contains("dbforpostgresql")
}

impl ArmTemplate {
    /// What it says about servers.
    pub(crate) fn into_file(self) -> IacFile {
        let mut reading = Reading::default();
        let (variables, none) = (self.variables.0, BTreeMap::new());
        let scope = ArmScope { template: 0, in_loop: 0, variables: &variables, given: None, defaults: &none };
        reading.resources(&self.resources.0, &scope, None, &ArmDoubt::default());
        IacFile {
            format: IacFormat::ArmTemplate,
            tool_version: None,
            gaps: reading.gaps,
            servers: reading.servers,
            settings: reading.settings,
        }
    }
}

/// A server as a template names it: its kind's type and the pieces of its name.
type ServerName = (String, Vec<Piece>);

/// What was read of a template so far.
#[derive(Default)]
struct Reading {
    servers: Vec<ServerBlock>,
    settings: Vec<SettingBlock>,
    gaps: Vec<IacGap>,
    named: BTreeMap<ServerName, usize>,
    /// How many templates and loops have a number of their own.
    numbers: usize,
    /// The numbers of loops, by the template and loop that they are in and by how often they are made.
    loops: BTreeMap<(usize, usize, String), usize>,
}

impl Reading {
    fn resources(
        &mut self,
        resources: &[AnyCase<ArmResource>],
        scope: &ArmScope<'_>,
        parent: Option<&ServerName>,
        doubt: &ArmDoubt,
    ) {
        // Servers first: a parameter may stand before its server.
        let all = || resources.iter().map(|AnyCase(resource)| resource);
        for resource in all().filter(|one| kind_of(one, parent).is_some()) {
            self.server(resource, scope, doubt);
        }
        for resource in all().filter(|one| kind_of(one, parent).is_none()) {
            // A condition is that of the resource alone: what is declared in it is deployed all the same.
            if !is_left_out(resource) {
                self.other(resource, scope, parent, doubt);
            }
            self.below_other(resource, scope);
        }
    }

    /// A resource that is no server.
    fn other(&mut self, resource: &ArmResource, scope: &ArmScope<'_>, parent: Option<&ServerName>, doubt: &ArmDoubt) {
        let Some(arm_type) = resource.arm_type.text() else {
            if resource.arm_type == Scalar::Other {
                self.gap(IacGapKind::NotRead, "a type that is an expression", resource, scope);
            }
            return;
        };
        if arm_type.eq_ignore_ascii_case(STACKS) {
            self.gap(IacGapKind::NotRead, STACKS, resource, scope);
        } else if arm_type.eq_ignore_ascii_case(DEPLOYMENTS) {
            self.deployment(resource, scope, doubt);
        } else if !resource.existing.is_true() {
            self.parameter(resource, arm_type, scope, parent, doubt);
        }
    }

    /// What is declared in a resource that is no server: of PostgreSQL nothing belongs there, and what Azure makes of it is not
    /// known.
    fn below_other(&mut self, resource: &ArmResource, scope: &ArmScope<'_>) {
        let is_foreign = resource.arm_type.text().is_some_and(|one| !is_of_provider(one) && !is_deployment(one));
        for AnyCase(child) in &resource.resources.0 {
            match child.arm_type.text() {
                // Of one part: its type goes on from that of the resource above.
                Some(one) if !one.contains('/') && is_foreign => {}
                Some(one) if one.contains('/') && !is_of_provider(one) && !is_deployment(one) => {}
                one => self.gap(IacGapKind::NotUnderstood, one.unwrap_or("a type that is an expression"), child, scope),
            }
            self.below_other(child, scope);
        }
    }

    fn server(&mut self, resource: &ArmResource, scope: &ArmScope<'_>, doubt: &ArmDoubt) {
        let arm_type = resource.arm_type.text().unwrap_or_default();
        let Some(kind) = kind_of_arm_type(arm_type) else { return };
        let scope = &self.of_loop(resource, scope);
        let doubt = &doubt.within(resource, scope.in_loop);
        let name = scope.pieces(resource.name.text().unwrap_or_default());
        let key = (kind.offering().arm_type.to_owned(), name.clone());
        if !resource.existing.is_true() && !is_left_out(resource) {
            let address: Box<str> = address(kind.offering().arm_type, &name).into();
            let inline = inline(resource, kind, scope, &address, doubt.is_conditional);
            let block = ServerBlock {
                address,
                kind,
                id: None,
                name: known(&name).map(Into::into),
                resource_group: None,
                hides_id: false,
                change: IacServerChange::Deploys,
                destroys: None,
                is_copy: false,
                inline,
            };
            let index = self.servers.len();
            self.servers.push(block);
            // A loop makes several servers of one name, as far as it can be told.
            if resource.copy.is_none() {
                self.named.entry(key.clone()).or_insert(index);
            }
        }
        self.resources(&resource.resources.0, scope, Some(&key), doubt);
    }

    fn parameter(
        &mut self,
        resource: &ArmResource,
        arm_type: &str,
        scope: &ArmScope<'_>,
        parent: Option<&ServerName>,
        doubt: &ArmDoubt,
    ) {
        let (server_type, last) = match (arm_type.rsplit_once('/'), parent) {
            (Some((server, last)), _) => (server.to_owned(), last),
            (None, Some((server, _))) => (server.clone(), arm_type),
            (None, None) => return,
        };
        let Some(kind) = kind_of_arm_type(&server_type).filter(|_| last.eq_ignore_ascii_case(CONFIGURATIONS)) else {
            // A kind of server that is not known, or a server in another one.
            let is_whole = arm_type.matches('/').count() == 1;
            let is_known = Kind::of_arm_type(arm_type).is_some() && parent.is_none();
            if is_whole && is_of_provider(arm_type) && !is_known {
                self.gap(IacGapKind::NotUnderstood, arm_type, resource, scope);
            }
            return;
        };
        let scope = &self.of_loop(resource, scope);
        let doubt = doubt.within(resource, scope.in_loop);
        let full = scope.pieces(resource.name.text().unwrap_or_default());
        let mut parts = segments(&full);
        let own = parts.pop().unwrap_or_default();
        // In its parent, a child has only its own name.
        let server = match (parts.pop(), parent) {
            (Some(server), _) => Some((kind.offering().arm_type.to_owned(), server)),
            (None, parent) => parent.cloned(),
        };
        let address = address(&format!("{}/{CONFIGURATIONS}", kind.offering().arm_type), &full);
        let may_be_left_out = doubt.may_leave_out(server.as_ref().map(|(_, name)| name.as_slice()));
        // Its server is one of the file, whatever the parameter is.
        let server = server.map(|server| self.server_named(server, kind, &address));
        let name = match known(&own) {
            Some(name) => match kind.setting_named(&name) {
                Some(setting) => Some(setting),
                // A parameter that has nothing to do with TLS.
                None => return,
            },
            None => None,
        };
        let after = match name {
            Some(name) => match resource.properties.object().map(|properties| &properties.value) {
                // It writes something, whatever that is: the server does not keep what it has.
                None | Some(Scalar::Absent | Scalar::Null) => Stated::Unclear(IacReason::UntilDeployment),
                Some(value) => stated(value, name, scope, may_be_left_out),
            },
            None => Stated::Unclear(IacReason::UntilDeployment),
        };
        self.settings.push(SettingBlock {
            address: address.into(),
            kind,
            server,
            name,
            before: Stated::Absent,
            after,
            act: BlockAct::Write,
            changed_outside: None,
        });
    }

    /// The server of a name; one that is not in the template is added.
    fn server_named(&mut self, server: ServerName, kind: Kind, address: &str) -> usize {
        if let Some(index) = self.named.get(&server) {
            return *index;
        }
        let index = self.servers.len();
        self.servers.push(ServerBlock {
            address: address.into(),
            kind,
            id: None,
            name: known(&server.1).map(Into::into),
            resource_group: None,
            hides_id: false,
            change: IacServerChange::Elsewhere,
            destroys: None,
            is_copy: false,
            inline: Vec::new(),
        });
        self.named.insert(server, index);
        index
    }

    fn deployment(&mut self, resource: &ArmResource, scope: &ArmScope<'_>, doubt: &ArmDoubt) {
        // A link, or an expression that comes to a template or to all the properties: it is not in the file as such.
        let found =
            resource.properties.object().and_then(|properties| Some((properties, properties.template.object()?)));
        let Some((properties, template)) = found else {
            return self.gap(IacGapKind::LinkedTemplate, DEPLOYMENTS, resource, scope);
        };
        let word = match &properties.evaluation {
            MaybeObject::Nothing => "outer".to_owned(),
            MaybeObject::Object(ArmEvaluation { scope: Scalar::Absent | Scalar::Null }) => "outer".to_owned(),
            MaybeObject::Object(evaluation) => evaluation.scope.text().unwrap_or_default().to_ascii_lowercase(),
            MaybeObject::Bool(_) | MaybeObject::Other => String::new(),
        };
        match word.as_str() {
            "inner" => {}
            // Its expressions are those of the outer template.
            "outer" | "notspecified" => {
                let scope = self.of_loop(resource, scope);
                let doubt = doubt.within(resource, scope.in_loop);
                return self.resources(&template.resources.0, &scope, None, &doubt);
            }
            // Whose expressions they are is decided at deployment.
            _ => return self.gap(IacGapKind::NotRead, DEPLOYMENTS, resource, scope),
        }
        let number = self.next_number();
        // A module in a loop is given something else each time, and is one template in the file.
        let in_loop = resource.copy.is_some();
        let (parameters, is_known) = match &properties.parameters {
            MaybeObject::Object(parameters) => (Some(parameters), properties.parameters_link.is_none()),
            MaybeObject::Nothing => (None, properties.parameters_link.is_none()),
            // An expression may give any of them.
            MaybeObject::Bool(_) | MaybeObject::Other => (None, false),
        };
        let given = parameters.iter().flat_map(|Members(each)| each).map(|(name, given)| {
            let value = if in_loop || !is_known { Scalar::Other } else { given.0.value.clone() };
            (name.clone(), value)
        });
        let given: BTreeMap<Box<str>, Scalar> = given.collect();
        // What is given is not known by name: no default is certain.
        let defaults = template
            .parameters
            .0
            .iter()
            .filter(|_| is_known)
            .map(|(name, one)| (name.clone(), one.0.default_value.clone()));
        let defaults: BTreeMap<Box<str>, Scalar> = defaults.collect();
        let inner = ArmScope {
            template: number,
            in_loop: number,
            variables: &template.variables.0,
            given: Some((&given, scope)),
            defaults: &defaults,
        };
        self.resources(&template.resources.0, &inner, None, &doubt.within(resource, number));
    }

    fn next_number(&mut self) -> usize {
        self.numbers += 1;
        self.numbers
    }

    /// The scope within the loop of a resource. `copyIndex()` of two loops is one value only where both go equally far.
    fn of_loop<'s>(&mut self, resource: &ArmResource, scope: &ArmScope<'s>) -> ArmScope<'s> {
        let Some(Lenient(ArmCopy { count })) = &resource.copy else { return *scope };
        let count = match count {
            ArmCount::Number(number) => Some(number.to_string()),
            ArmCount::Expression(text) => scope.text(text).or_else(|| Some(text.split_whitespace().collect())),
            ArmCount::Other | ArmCount::Unknown(_) => None,
        };
        let number = match count {
            Some(count) => {
                let place = (scope.template, scope.in_loop, count);
                self.loops.get(&place).copied().unwrap_or_else(|| {
                    let number = self.next_number();
                    self.loops.insert(place, number);
                    number
                })
            }
            None => self.next_number(),
        };
        ArmScope { in_loop: number, ..*scope }
    }

    fn gap(&mut self, kind: IacGapKind, arm_type: &str, resource: &ArmResource, scope: &ArmScope<'_>) {
        let name = scope.pieces(resource.name.text().unwrap_or_default());
        self.gaps.push(IacGap { kind, address: Some(address(arm_type, &name).into()) });
    }
}

/// The kind, if the resource is a server.
fn kind_of(resource: &ArmResource, parent: Option<&ServerName>) -> Option<Kind> {
    kind_of_arm_type(resource.arm_type.text()?).filter(|_| parent.is_none())
}

/// The settings that are properties of the server.
fn inline(
    resource: &ArmResource,
    kind: Kind,
    scope: &ArmScope<'_>,
    address: &str,
    may_be_left_out: bool,
) -> Vec<SettingBlock> {
    // A flexible server has none: its settings are resources of their own.
    if kind.switch().is_none_or(|switch| kind.default_of(switch).is_some()) {
        return Vec::new();
    }
    let after = |name: ParameterName| match &resource.properties {
        MaybeObject::Object(properties) => {
            let value = if name.is_switch() { &properties.ssl_enforcement } else { &properties.minimal_tls_version };
            stated(value, name, scope, may_be_left_out)
        }
        MaybeObject::Nothing => Stated::Unclear(IacReason::NotManaged),
        MaybeObject::Bool(_) | MaybeObject::Other => Stated::Unclear(IacReason::UntilDeployment),
    };
    let block = |name| SettingBlock {
        address: address.into(),
        kind,
        server: None,
        name: Some(name),
        before: Stated::Absent,
        after: after(name),
        act: BlockAct::Write,
        changed_outside: None,
    };
    kind.settings().into_iter().map(block).collect()
}

/// What a template says about a value. What is deployed under a condition is not proof that it is set.
fn stated(value: &Scalar, name: ParameterName, scope: &ArmScope<'_>, may_be_left_out: bool) -> Stated {
    let text = match value {
        Scalar::Absent | Scalar::Null => return Stated::Unclear(IacReason::NotManaged),
        Scalar::Text(text) => scope.text(text),
        Scalar::Bool(_) | Scalar::Other => return Stated::Unclear(IacReason::OtherValue),
    };
    // An expression may come to any text, of which only a word of a setting is looked for.
    match text.filter(|text| is_word(text)).and_then(|text| name.meaning(&text)) {
        _ if may_be_left_out => Stated::Unclear(IacReason::UntilDeployment),
        Some(meaning) => Stated::Value(meaning),
        None if value.text().is_some_and(|text| text.starts_with('[')) => Stated::Unclear(IacReason::UntilDeployment),
        None => Stated::Unclear(IacReason::OtherValue),
    }
}

/// The text of pieces that are known as a whole.
fn known(pieces: &[Piece]) -> Option<String> {
    match pieces {
        [Piece::Text(text)] => Some(text.clone()),
        _ => None,
    }
}

/// A name for a resource in messages: its type, and its name as far as it is known.
fn address(arm_type: &str, name: &[Piece]) -> String {
    let name = name.iter().map(|piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Expression(_, text) => format!("[{text}]"),
    });
    format!("{arm_type}/{}", name.collect::<String>())
}
