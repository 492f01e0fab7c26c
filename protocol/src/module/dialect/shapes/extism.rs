//! Plugins of Extism.

use super::super::Dialect;
use super::super::shape::{BLANK, Imports, Shape};

/// Any function without parameters can be called; what tells it is whose functions it imports.
pub(super) const PLUGIN: Shape = Shape {
    dialect: Dialect::Extism,
    importing: Some("extism:host/env"),
    imports: Imports::Any(&[
        (
            "extism:host/env",
            &[
                "alloc",
                "config_get",
                "error_get",
                "error_set",
                "free",
                "get_log_level",
                "http_headers",
                "http_request",
                "http_status_code",
                "input_length",
                "input_load_u64",
                "input_load_u8",
                "input_offset",
                "length",
                "length_unsafe",
                "load_u64",
                "load_u8",
                "log_debug",
                "log_error",
                "log_info",
                "log_trace",
                "log_warn",
                "memory_bytes",
                "output_length",
                "output_offset",
                "output_set",
                "reset",
                "store_u64",
                "store_u8",
                "var_get",
                "var_set",
            ],
        ),
        ("extism:host/user", &[]),
    ]),
    ..BLANK
};
