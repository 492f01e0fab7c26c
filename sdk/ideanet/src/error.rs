//! What goes wrong in a plugin, and with its host.

use serde_json::{Value, json};
use std::fmt;

/// An error: of the plugin's, or of its host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginError {
    /// It has no such command.
    UnknownCommand(String),
    /// What it was given is not what it takes.
    InvalidPayload(String),
    /// Its capabilities do not say that it may.
    PermissionDenied(String),
    /// The host refused, or failed.
    Host {
        /// In one word.
        code: String,
        /// In a sentence.
        message: String,
    },
    /// Anything else.
    Failed(String),
}

impl PluginError {
    /// Its name, as callers get it.
    pub fn code(&self) -> &str {
        match self {
            Self::UnknownCommand(_) => "UnknownCommand",
            Self::InvalidPayload(_) => "InvalidPayload",
            Self::PermissionDenied(_) => "PermissionDenied",
            Self::Host { code, .. } => code,
            Self::Failed(_) => "Failed",
        }
    }

    /// What callers get beside it.
    pub fn message(&self) -> &str {
        match self {
            Self::UnknownCommand(text)
            | Self::InvalidPayload(text)
            | Self::PermissionDenied(text)
            | Self::Failed(text)
            | Self::Host { message: text, .. } => text,
        }
    }

    /// Its number, where only a number goes over: 1 for what has no other.
    pub(crate) fn number(&self) -> u32 {
        match self {
            Self::Failed(_) => 1,
            Self::UnknownCommand(_) => 2,
            Self::InvalidPayload(_) => 3,
            Self::PermissionDenied(_) => 4,
            Self::Host { .. } => 5,
        }
    }

    /// As a host tells it: `{"code", "message"}`.
    pub(crate) fn of_host(error: &Value) -> Self {
        let text =
            |key: &str, other: &str| error.get(key).and_then(Value::as_str).unwrap_or(other).to_owned();
        match text("code", "failed") {
            code if code == "denied" => Self::PermissionDenied(text("message", "the host does not say why")),
            code => Self::Host { code, message: text("message", "the host does not say why") },
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "code": self.code(), "message": self.message() })
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())
    }
}

impl std::error::Error for PluginError {}

impl From<serde_json::Error> for PluginError {
    fn from(error: serde_json::Error) -> Self {
        Self::InvalidPayload(error.to_string())
    }
}
