//! Parts of lists: no result fills the context of a model.

use crate::tool_error::ToolTrouble;
use hostssl_formats::tool_json::{LONGEST_TEXT, ListPart};
use hostssl_model::Hint;
use serde_json::Value;

/// The most elements of a result that does not say how many it wants.
pub(crate) const USUAL: u32 = 20;
/// The most elements of any result.
const MOST: u32 = 200;
/// The most bytes of the elements of a result: about 12,000 tokens.
const BYTES: usize = 48 << 10;
/// The most bytes of a list in an element, or beside the elements.
const INNER_BYTES: usize = 12 << 10;

/// How much of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) offset: usize,
    limit: usize,
}

impl Wanted {
    /// Reads what a call asks for.
    pub(crate) fn new(offset: u32, limit: Option<u32>) -> Result<Self, ToolTrouble> {
        let limit = limit.unwrap_or(USUAL);
        if limit == 0 || limit > MOST {
            return Err(ToolTrouble::new(
                format!("`limit` is {limit}"),
                Hint::with("a limit is from 1 to {}", &[&MOST]),
            ));
        }
        Ok(Self { offset: offset as usize, limit: limit as usize })
    }

    /// The most elements.
    pub(crate) fn limit(self) -> usize {
        self.limit
    }

    /// The part of the elements that is wanted, as far as there is room: at least one, if there is one.
    pub(crate) fn part(
        self,
        of: &'static str,
        matched: usize,
        elements: impl Iterator<Item = Value>,
    ) -> (Vec<Value>, ListPart) {
        let mut room = BYTES;
        let mut taken = Vec::new();
        for element in elements.skip(self.offset).take(self.limit) {
            let bytes = bytes_of(&element);
            if bytes > room && !taken.is_empty() {
                break;
            }
            room = room.saturating_sub(bytes);
            taken.push(element);
        }
        let returned = taken.len();
        (taken, ListPart { of, matched, offset: self.offset, returned })
    }
}

/// Keeps the first of a list, as far as there is room, and says how many were left out.
pub(crate) fn keep_first(list: &mut Value, most: usize) -> usize {
    let Some(items) = list.as_array_mut() else { return 0 };
    let mut room = INNER_BYTES;
    let fits = |item: &&Value| {
        let left = room.checked_sub(bytes_of(item));
        room = left.unwrap_or_default();
        left.is_some()
    };
    let kept = items.iter().take(most).take_while(fits).count();
    let left = items.len() - kept;
    items.truncate(kept);
    left
}

/// About how many bytes a value has in the document, where long texts are cut.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len().min(LONGEST_TEXT) + 3,
        Value::Array(items) => items.iter().map(bytes_of).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + 4 + bytes_of(value)).sum::<usize>() + 2
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part(offset: u32, limit: Option<u32>, elements: Vec<Value>) -> (usize, Option<usize>) {
        let wanted = Wanted::new(offset, limit).unwrap();
        let (taken, part) = wanted.part("servers", elements.len(), elements.into_iter());
        assert_eq!(taken.len(), part.returned);
        (part.returned, part.next())
    }

    #[test]
    fn a_part_has_the_size_that_was_asked_for_and_no_more_than_fits() {
        let small = vec![json!("x"); 50];
        assert_eq!(part(0, None, small.clone()), (20, Some(20)));
        assert_eq!(part(40, Some(200), small.clone()), (10, None));
        assert_eq!(part(99, None, small), (0, None));
        let large = vec![json!(vec!["x".repeat(1_000); 20]); 4];
        assert_eq!(part(0, None, large), (2, Some(2)));
        assert_eq!(part(0, None, vec![json!(vec!["x".repeat(1_000); 60]); 2]), (1, Some(1)), "one, however large");
        for wrong in [0, 201, u32::MAX] {
            assert!(Wanted::new(0, Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_of_a_list_stay() {
        let mut list = json!([1, 2, 3]);
        assert_eq!((keep_first(&mut list, 2), &list), (1, &json!([1, 2])));
        assert_eq!(keep_first(&mut json!(null), 2), 0);
        let mut large = json!([1, vec!["x".repeat(1_000); 8], vec!["x".repeat(1_000); 8], 2]);
        assert_eq!((keep_first(&mut large, 4), large.as_array().unwrap().len()), (2, 2), "as far as there is room");
    }
}
