//! `config.save`: a plugin's own change of its configuration. It is the record's next version, as if an operator had set it, and what
//! later instances are set up with; the one that runs knows it already, and no version is renewed.
//!
//! It is a host method: `permissions.host` has to grant it, and `limits.host_calls` counts it. What does not fit the manifest's
//! `config_schema` is refused, as it is from anybody else.

use super::Instance;
use super::builtin::nothing;
use super::shared::Terms;
use crate::host::{HostError, HostReply};
use casemate_protocol::outcome::escape;
use serde_json::Value;
use std::sync::Arc;

/// Bytes of what a plugin may save. An operator's configuration may be longer: nobody sets that a thousand times a minute, and
/// every version of it is read and written with each change.
const SAVED_BYTES_MAX: usize = 64 << 10;

/// Bytes of what a schema says against it.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Its name.
pub(super) const SAVE: &str = "config.save";

impl Instance {
    /// Keeps it where there is a state directory, and until the plugin is unloaded where there is none.
    pub(super) async fn save_config(&self, body: &[u8]) -> Result<HostReply, HostError> {
        let within = |bytes: usize| match bytes > SAVED_BYTES_MAX {
            true => {
                let message =
                    format!("the configuration has {bytes} bytes; {SAVED_BYTES_MAX} are the most to save");
                Err(HostError::new("too_large", message))
            }
            false => Ok(()),
        };
        within(body.len())?;
        let config: Value = serde_json::from_slice(body)
            .map_err(|error| HostError::new("bad_input", format!("the configuration is no JSON: {error}")))?;
        // Numbers may be longer as they are kept.
        within(config.to_string().len())?;
        if let Some(manifest) = self.shared.manifest() {
            let fits = manifest.check_config(body);
            fits.map_err(|error| {
                HostError::new("config_schema", escape(&error.to_string(), MESSAGE_BYTES_MAX))
            })?;
        }
        if let Some(store) = self.shared.store.clone() {
            // A disk is waited for beside the runtime.
            let kept = tokio::task::spawn_blocking(move || store.change(|record| record.save_config(config)));
            match kept.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let message = "the configuration cannot be kept; the supervisor's log says why";
                    return Err(self.unavailable(SAVE, &error, message));
                }
                Err(_panicked) => return Err(HostError::new("internal", "the store failed")),
            }
        }
        self.shared.take(Terms { config: Some(Arc::from(body)), ..Terms::default() });
        Ok(nothing())
    }
}
