//! `plugins`: what a daemon's plugins are and how they do, and orders to them.

use super::{done, json_text};
use crate::args::{ConfigCommand, PluginsCommand};
use crate::certificate;
use crate::exit::Exit;
use crate::json;
use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use casemate::{Casemate, Info, State, Status};
use serde_json::{Value, json};

pub(super) async fn perform(
    casemate: &Casemate,
    order: &PluginsCommand,
    screen: &mut Screen,
) -> Result<Exit, Problem> {
    match order {
        PluginsCommand::Enable(order) => casemate.plugin(&order.name).await?.enable().await?,
        PluginsCommand::Disable(order) => casemate.plugin(&order.name).await?.disable().await?,
        PluginsCommand::Drain(order) => casemate.plugin(&order.name).await?.drain().await?,
        PluginsCommand::Reset(order) => casemate.plugin(&order.name).await?.reset().await?,
        PluginsCommand::Reload(order) => {
            let plugin = casemate.plugin(&order.name).await?;
            let working = screen.working(&format!("loading {}", order.file.display()));
            let reloaded = plugin.reload(&order.file).await;
            drop(working);
            reloaded.map_err(|failure| Problem::of_module(failure, &order.file, ""))?;
        }
        PluginsCommand::Config(order) => match &order.command {
            ConfigCommand::Get(order) => {
                let config = casemate.plugin(&order.name).await?.config().await?;
                let text = json::text(&config).unwrap_or("null").to_owned();
                screen.json_text(&text)?;
                return Ok(Exit::Done);
            }
            ConfigCommand::Set(order) => {
                let config = json_text(&order.text)?;
                casemate.plugin(&order.name).await?.set_config(config).await?;
            }
        },
        PluginsCommand::Install(_)
        | PluginsCommand::Remove(_)
        | PluginsCommand::List
        | PluginsCommand::Info(_)
        | PluginsCommand::Validate(_)
        | PluginsCommand::Pack(_)
        | PluginsCommand::Import(_) => return Err(Problem::ours("this command needs no daemon")),
    }
    done(screen)
}

pub(crate) fn tone(status: &Status) -> Tone {
    match status.state {
        State::Running => Tone::Good,
        State::Disabled | State::Backoff => Tone::Bad,
        State::Stopped | State::Starting | State::Draining => Tone::Warn,
    }
}

fn line(status: &Status, screen: &Screen) -> String {
    let state = screen.paint(tone(status), format!("{:8}", status.state.name()));
    let counts = format!(
        "{} busy, {} idle, {} waiting, {} crashes",
        status.busy, status.idle, status.waiting, status.crashes
    );
    let why = status.disabled.as_ref().map_or_else(String::new, |why| format!("; disabled {why}"));
    format!("{state} {counts}{why}")
}

/// For people: how it does, and what stands around its workers.
pub(crate) fn lines(name: &str, info: &Info, with_certificate: bool, screen: &Screen) -> Vec<String> {
    let mut lines = vec![format!("{name} {}", line(&info.status, screen))];
    lines.extend(info.status.last_crash.as_ref().map(|crash| format!("last crash: {crash}")));
    if with_certificate {
        lines.extend(certificate::lines(&info.certificate, screen));
    }
    lines
}

/// `{"ok": true, "name": …, …}`.
pub(crate) fn info_json(name: &str, info: &Info, with_certificate: bool) -> Value {
    let mut value = status_json(name, &info.status);
    if let Value::Object(object) = &mut value {
        object.insert("ok".to_owned(), true.into());
        object.insert("from_cache".to_owned(), info.from_cache.into());
        if with_certificate {
            object.insert("certificate".to_owned(), certificate::to_json(&info.certificate));
        }
    }
    value
}

pub(crate) fn status_json(name: &str, status: &Status) -> Value {
    json!({
        "name": name, "state": status.state.name(), "disabled": status.disabled,
        "generation": status.generation, "reloading": status.reloading, "idle": status.idle,
        "busy": status.busy, "starting": status.starting, "waiting": status.waiting,
        "dropped": status.dropped, "crashes": status.crashes, "last_crash": status.last_crash,
        "retry_in_ms": status.retry_in.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
    })
}
