//! One parameter, as a request for it has it.

use super::{cosmos_node_parameter, cosmos_parameter, parameter as render_parameter};
use crate::estate::Record;
use crate::fleet::Kind;
use crate::parameters;
use crate::path::Plane;

/// The body of one parameter.
pub(crate) fn configuration(record: &Record, plane: Plane, name: &str) -> Option<String> {
    let mut body = String::with_capacity(768);
    let mutable = record.lock();
    if record.kind == Kind::Cosmos {
        match plane {
            Plane::Server => {
                let coordinator = parameters::of_role(Plane::Coordinator, name)?;
                let node = parameters::of_role(Plane::Node, name)?;
                let name = coordinator.name.strip_prefix("coordinator:")?;
                cosmos_parameter(&mut body, record, &mutable, name, coordinator, node);
            }
            Plane::Coordinator | Plane::Node => {
                let parameter = parameters::of_role(plane, name)?;
                let (_, name) = parameter.name.split_once(':')?;
                let collection = if plane == Plane::Node { "nodeConfigurations" } else { "coordinatorConfigurations" };
                cosmos_node_parameter(&mut body, record, &mutable, collection, name, parameter);
            }
        }
    } else {
        let parameter = parameters::plain(record.kind, name)?;
        render_parameter(&mut body, record, &mutable, parameter);
    }
    Some(body)
}
