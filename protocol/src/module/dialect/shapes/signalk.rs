//! Plugins of Signal K.

use super::super::Dialect;
use super::super::shape::{BLANK, Imports, Offer, Shape};
use super::{ALLOC, BLOCK, BLOCK_TO_NUMBER, NOTHING, NUMBER};

/// In AssemblyScript: texts are its own strings.
pub(super) const SCRIPT: Shape = Shape {
    dialect: Dialect::SignalkScript,
    required: &[
        ("__new", BLOCK_TO_NUMBER),
        ("plugin_name", NUMBER),
        ("plugin_start", BLOCK_TO_NUMBER),
        ("plugin_stop", NUMBER),
    ],
    optional: &[
        ("__collect", NOTHING),
        ("__pin", ALLOC),
        ("__unpin", &["(i32) -> ()"]),
        ("delta_handler", &["(i32) -> ()"]),
        ("http_endpoints", NUMBER),
        ("plugin_id", NUMBER),
        ("plugin_schema", NUMBER),
        ("poll", NUMBER),
    ],
    absent: &["allocate", "_start"],
    imports: Imports::Any(OFFERS),
    hears: Some("delta_handler"),
    polls: Some("poll"),
    stops: Some("plugin_stop"),
    ..BLANK
};

/// In Rust or Go: the host gives the room that answers are written to.
pub(super) const BUFFER: Shape = Shape {
    dialect: Dialect::SignalkBuffer,
    required: &[
        ("allocate", ALLOC),
        ("plugin_id", BLOCK_TO_NUMBER),
        ("plugin_start", BLOCK_TO_NUMBER),
        ("plugin_stop", NUMBER),
    ],
    optional: &[
        ("_initialize", NOTHING),
        ("deallocate", BLOCK),
        ("delta_handler", BLOCK),
        ("http_endpoints", BLOCK_TO_NUMBER),
        ("plugin_name", BLOCK_TO_NUMBER),
        ("plugin_schema", BLOCK_TO_NUMBER),
        ("poll", NUMBER),
    ],
    imports: Imports::Any(OFFERS),
    hears: Some("delta_handler"),
    polls: Some("poll"),
    stops: Some("plugin_stop"),
    ..BLANK
};

/// What both may import. `abort` and `seed` are AssemblyScript's own.
const OFFERS: &[Offer] = &[
    ("as-fetch", &["_fetchGET", "_fetchGETSync", "_fetchPOST", "_fetchPOSTSync", "_initAsyncify"]),
    (
        "env",
        &[
            "abort",
            "console.log",
            "seed",
            "sk_debug",
            "sk_emit_binary_stream",
            "sk_get_path",
            "sk_get_self_path",
            "sk_handle_message",
            "sk_has_capability",
            "sk_publish_notification",
            "sk_radar_emit_spokes",
            "sk_read_config",
            "sk_register_put_handler",
            "sk_register_radar_provider",
            "sk_register_resource_provider",
            "sk_register_weather_provider",
            "sk_save_config",
            "sk_set_error",
            "sk_set_status",
            "sk_tcp_close",
            "sk_tcp_connect",
            "sk_tcp_connected",
            "sk_tcp_create",
            "sk_tcp_pending",
            "sk_tcp_recv_line",
            "sk_tcp_recv_raw",
            "sk_tcp_send",
            "sk_tcp_set_line_buffering",
            "sk_udp_bind",
            "sk_udp_close",
            "sk_udp_create",
            "sk_udp_join_multicast",
            "sk_udp_leave_multicast",
            "sk_udp_pending",
            "sk_udp_recv",
            "sk_udp_send",
            "sk_udp_set_broadcast",
            "sk_udp_set_multicast_loopback",
            "sk_udp_set_multicast_ttl",
        ],
    ),
];
