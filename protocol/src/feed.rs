//! What can be followed: events, and the log lines of plugins.

use crate::ids::{InstanceId, PluginName};
use std::sync::Arc;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is about: parts with dots between.
    pub topic: String,
    /// 0 raw bytes, 1 JSON.
    pub content_type: u32,
    /// What it carries.
    pub body: Arc<[u8]>,
    /// The plugin that published it; nobody: the host or a client.
    pub plugin: Option<PluginName>,
}

/// A log line of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// The plugin.
    pub plugin: PluginName,
    /// Its instance.
    pub instance: InstanceId,
    /// 0 trace, 1 debug, 2 info, 3 warn, 4 error.
    pub level: u32,
    /// One line: control and other invisible characters are escaped, the rest is cut.
    pub message: String,
    /// Lines of this instance that were dropped before this one for their volume.
    pub dropped_lines: u64,
}
