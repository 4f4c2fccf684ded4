//! Whether what a template declares is deployed: conditions, and loops that may make nothing.

use super::arm_resource::{ArmCopy, ArmCount, ArmResource};
use super::expression::Piece;
use super::scalar::{Lenient, Scalar};

/// What is not certain of what is declared at a place: that it is deployed at all.
#[derive(Debug, Clone, Default)]
pub(super) struct ArmDoubt {
    /// A condition that is known only at a deployment.
    pub(super) is_conditional: bool,
    /// Loops of which it is known only then that they make anything.
    pub(super) loops: Vec<usize>,
}

impl ArmDoubt {
    /// The same within a resource.
    pub(super) fn within(&self, resource: &ArmResource, in_loop: usize) -> Self {
        let mut doubt = self.clone();
        doubt.is_conditional |= is_conditional(resource);
        if may_make_nothing(resource) {
            doubt.loops.push(in_loop);
        }
        doubt
    }

    /// Whether something may be left out while the server of this name is there. A server whose name a loop makes is not there
    /// when the loop makes nothing.
    pub(super) fn may_leave_out(&self, server: Option<&[Piece]>) -> bool {
        let makes = |number: &usize| {
            server.unwrap_or_default().iter().any(|piece| matches!(piece, Piece::Expression(of, _) if of == number))
        };
        self.is_conditional || !self.loops.iter().all(makes)
    }
}

pub(super) fn is_left_out(resource: &ArmResource) -> bool {
    let is_made_never = matches!(&resource.copy, Some(Lenient(ArmCopy { count: ArmCount::Number(0) })));
    resource.condition == Scalar::Bool(false) || is_made_never
}

/// Whether it is known only at a deployment that the resource is deployed.
fn is_conditional(resource: &ArmResource) -> bool {
    !resource.condition.is_nothing() && !matches!(resource.condition, Scalar::Bool(_))
}

/// Whether it is known only at a deployment that a loop makes anything.
fn may_make_nothing(resource: &ArmResource) -> bool {
    !matches!(&resource.copy, None | Some(Lenient(ArmCopy { count: ArmCount::Number(_) })))
}
