//! What is measured.

mod cached_load;
mod call;
mod compute;
mod deadline;
mod memory;
mod program;
mod spawn;

use crate::Outcome;
use crate::request::Plan;
use crate::row::Row;

type Measure = fn(&Plan) -> Outcome<Vec<Row>>;

/// Every row, or few that belong together, by name.
pub(crate) const ALL: [(&str, Measure); 7] = [
    ("spawn", spawn::measure),
    ("call", call::measure),
    ("compute", compute::measure),
    ("memory", memory::measure),
    ("load", cached_load::measure),
    ("program", program::measure),
    ("deadline", deadline::measure),
];

pub(crate) fn names() -> String {
    ALL.map(|(name, _)| name).join(", ")
}
