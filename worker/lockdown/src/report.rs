//! What a walled process says of itself.

use casemate_protocol::certificate::{Layer, LayerSet};
use std::fmt::Write as _;

/// Layers taken so far, and why others are missing.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) layers: LayerSet,
    why_not: String,
}

impl Report {
    pub(crate) fn holds(&mut self, layer: Layer) {
        self.layers.insert(layer);
    }

    pub(crate) fn missing(&mut self, layer: Layer, reason: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.why_not, "{layer}: {reason}");
    }

    /// `name: reason` lines, given away.
    pub(crate) fn take_why_not(&mut self) -> String {
        std::mem::take(&mut self.why_not)
    }
}
