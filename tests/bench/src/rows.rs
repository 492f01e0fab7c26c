//! What is measured.

mod cached_load;
mod call;
mod compute;
mod daemon;
mod deadline;
mod files;
mod isolation;
mod library;
mod memory;
mod program;
mod restart;
mod spawn;
mod thousand;
mod wasi;

use crate::Outcome;
use crate::request::Plan;
use crate::row::Row;

type Measure = fn(&Plan) -> Outcome<Vec<Row>>;

/// Every row, or few that belong together, by name.
pub(crate) const ALL: [(&str, Measure); 14] = [
    ("spawn", spawn::measure),
    ("restart", restart::measure),
    ("wasi", wasi::measure),
    ("files", files::measure),
    ("isolation", isolation::measure),
    ("call", call::measure),
    ("daemon", daemon::measure),
    ("compute", compute::measure),
    ("memory", memory::measure),
    ("thousand", thousand::measure),
    ("load", cached_load::measure),
    ("program", program::measure),
    ("deadline", deadline::measure),
    ("library", library::measure),
];

pub(crate) fn names() -> String {
    ALL.map(|(name, _)| name).join(", ")
}
