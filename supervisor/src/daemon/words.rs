//! What the supervisor knows, as messages.

use crate::configured::{Compared, PluginReloaded};
use crate::plugin::Plugin;
use casemate_protocol::client::{self, Change, Response, encode_certificate};

pub(super) fn plugins(plugins: &[Plugin]) -> Response {
    Response { plugins: plugins.iter().map(plugin).collect(), ..Response::default() }
}

/// One, with its certificate.
pub(super) fn plugin_response(of: &Plugin) -> Response {
    let certificate = Some(encode_certificate(&of.certificate()));
    Response { plugins: vec![client::Plugin { certificate, ..plugin(of) }], ..Response::default() }
}

/// The same, with what of its manifest does not hold.
pub(super) fn info(of: &Plugin, compared: Option<Compared>) -> Response {
    let mut response = plugin_response(of);
    if let (Some(plugin), Some(Compared { notes, configuration })) = (response.plugins.first_mut(), compared)
    {
        (plugin.notes, plugin.configuration) = (notes, configuration);
    }
    response
}

fn plugin(plugin: &Plugin) -> client::Plugin {
    let status = plugin.status();
    client::Plugin {
        name: plugin.name().to_string(),
        state: status.state.name().to_owned(),
        disabled: status.disabled.unwrap_or_default(),
        generation: status.generation.unwrap_or_default(),
        reloading: status.reloading,
        idle: status.idle,
        busy: status.busy,
        starting: status.starting,
        waiting: status.waiting,
        dropped: status.dropped,
        crashes: status.crashes,
        last_crash: status.last_crash.unwrap_or_default(),
        retry_in_ms: status.retry_in.map_or(0, |left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        from_cache: plugin.from_cache(),
        events_waiting: status.events.waiting,
        events_delivered: status.events.delivered,
        events_failed: status.events.failed,
        events_dropped: status.events.dropped,
        ..client::Plugin::default()
    }
}

pub(super) fn change(reloaded: &PluginReloaded) -> Change {
    let (what, message) = (reloaded.taken.name().to_owned(), reloaded.taken.reason());
    Change { plugin: reloaded.plugin.to_string(), what, message }
}
