//! Extensions of Spacedrive.

use super::super::Dialect;
use super::super::shape::{BLANK, Imports, Shape};
use super::{ALLOC, BLOCK, NUMBER};

/// Jobs are exports named `execute_JOB`.
pub(super) const EXTENSION: Shape = Shape {
    dialect: Dialect::Spacedrive,
    required: &[("wasm_alloc", ALLOC), ("plugin_init", NUMBER)],
    optional: &[("wasm_free", BLOCK), ("plugin_cleanup", NUMBER)],
    imports: Imports::Any(&[(
        "spacedrive",
        &[
            "job_add_warning",
            "job_check_interrupt",
            "job_checkpoint",
            "job_increment_bytes",
            "job_increment_items",
            "job_report_progress",
            "register_job",
            "spacedrive_call",
            "spacedrive_log",
        ],
    )]),
    stops: Some("plugin_cleanup"),
    ..BLANK
};
