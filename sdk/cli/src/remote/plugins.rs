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
        PluginsCommand::List => return list(casemate, screen).await,
        PluginsCommand::Info(order) => {
            let plugin = casemate.plugin(&order.name).await?;
            let info = plugin.info().await?;
            return show(plugin.name(), &info, order.certificate, screen);
        }
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
    }
    done(screen)
}

async fn list(casemate: &Casemate, screen: &mut Screen) -> Result<Exit, Problem> {
    let plugins = casemate.plugins().await?;
    if screen.json() {
        let shape = |(name, status): &(String, Status)| status_json(name, status);
        screen.value(&json!({"ok": true, "plugins": plugins.iter().map(shape).collect::<Vec<Value>>()}))?;
        return Ok(Exit::Done);
    }
    let row = |(name, status): &(String, Status)| {
        let plain = |text: String| (None, text);
        let why = status.disabled.as_ref().map_or_else(String::new, ToString::to_string);
        [
            plain(name.clone()),
            (Some(tone(status)), status.state.name().to_owned()),
            plain(status.busy.to_string()),
            plain(status.idle.to_string()),
            plain(status.waiting.to_string()),
            plain(status.crashes.to_string()),
            plain(why),
        ]
    };
    let head = ["PLUGIN", "STATE", "BUSY", "IDLE", "WAITING", "CRASHES", "DISABLED"];
    screen.table(head, &plugins.iter().map(row).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

fn tone(status: &Status) -> Tone {
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

fn show(name: &str, info: &Info, with_certificate: bool, screen: &mut Screen) -> Result<Exit, Problem> {
    if screen.json() {
        screen.value(&info_json(name, info, with_certificate))?;
        return Ok(Exit::Done);
    }
    screen.line(format!("{name} {}", line(&info.status, screen)))?;
    if let Some(crash) = &info.status.last_crash {
        screen.line(format!("last crash: {crash}"))?;
    }
    if with_certificate {
        for line in certificate::lines(&info.certificate, screen) {
            screen.line(line)?;
        }
    }
    Ok(Exit::Done)
}

/// `{"ok": true, "name": …, …}`.
pub(super) fn info_json(name: &str, info: &Info, with_certificate: bool) -> Value {
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

fn status_json(name: &str, status: &Status) -> Value {
    json!({
        "name": name, "state": status.state.name(), "disabled": status.disabled,
        "generation": status.generation, "reloading": status.reloading, "idle": status.idle,
        "busy": status.busy, "starting": status.starting, "waiting": status.waiting,
        "dropped": status.dropped, "crashes": status.crashes, "last_crash": status.last_crash,
        "retry_in_ms": status.retry_in.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
    })
}
