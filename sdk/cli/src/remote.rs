//! The commands that need a daemon.

mod follow;
pub(crate) mod plugins;

use crate::args::{Cli, Command, EventsCommand, Load, PluginsCommand, RemoteCall};
use crate::exit::Exit;
use crate::input::{self, Input};
use crate::packages::FAILED;
use crate::places;
use crate::problem::Problem;
use crate::reply::{self, Reply};
use crate::screen::{Screen, Tone};
use casemate::policy::units;
use casemate::{Casemate, Cause, Failure, HostReply};
use serde_json::{Value, json};
use std::ffi::OsStr;

pub(crate) async fn perform(cli: &Cli, order: &Command, screen: &mut Screen) -> Result<Exit, Problem> {
    let casemate = connect(cli).await?;
    match order {
        Command::Call(order) => call(&casemate, order, screen).await,
        Command::Load(order) => load(&casemate, order, screen).await,
        Command::Unload(order) => {
            casemate.plugin(&order.name).await?.close().await?;
            done(screen)
        }
        Command::Logs(order) => follow::logs(&casemate, order, screen).await,
        Command::Events(order) => match &order.command {
            EventsCommand::Sub(order) => follow::events(&casemate, order, screen).await,
            EventsCommand::Pub(order) => {
                let (content_type, body) =
                    match input::resolve(order.body.as_deref(), order.raw, std::io::stdin())? {
                        Input::Json(text) => (1, text),
                        Input::Raw(bytes) => (0, bytes),
                    };
                casemate.publish_raw(&order.topic, content_type, body).await?;
                done(screen)
            }
        },
        Command::Answer(order) => {
            if !casemate.rights().iter().any(|right| right == "serve") {
                let message =
                    "add \"serve\" to its rights in daemon.clients of the daemon's configuration".to_owned();
                let what = "answer host methods for others".to_owned();
                return Err(Failure::not_started(Cause::Denied { what, message }).into());
            }
            let body = json_text(&order.with)?;
            casemate.on_raw(&order.method, move |_| {
                let body = body.clone();
                async move { Ok(HostReply { content_type: 1, body }) }
            });
            // Anything that makes sure that the daemon knows of it.
            casemate.plugins().await?;
            if !screen.json() {
                screen.line(format!("answering {}; Ctrl-C ends it", order.method))?;
            }
            follow::until_gone(&casemate).await
        }
        Command::Stats(_) => stats(&casemate, screen).await,
        Command::Run(_)
        | Command::Inspect(_)
        | Command::Doctor(_)
        | Command::Demo(_)
        | Command::Cache(_)
        | Command::Policy(_)
        | Command::New(_)
        | Command::Test(_)
        | Command::Dev(_)
        | Command::Audit(_)
        | Command::Completions(_)
        | Command::Consent(_)
        | Command::Plugins(_)
        | Command::Workflow(_)
        | Command::Extension(_)
        | Command::Serve(_) => Err(Problem::ours("this command needs no daemon")),
    }
}

/// Orders to a daemon about one plugin of its own.
pub(crate) async fn order(cli: &Cli, order: &PluginsCommand, screen: &mut Screen) -> Result<Exit, Problem> {
    let casemate = connect(cli).await?;
    plugins::perform(&casemate, order, screen).await
}

/// The daemon, if there is one. One that was named must be there.
pub(crate) async fn daemon(cli: &Cli) -> Result<Option<Casemate>, Problem> {
    if cli.socket.is_some() {
        return connect(cli).await.map(Some);
    }
    match places::socket().filter(|socket| socket.exists()) {
        Some(socket) => match Casemate::connect(socket).await {
            Ok(casemate) => Ok(Some(casemate)),
            // A socket that nobody listens at any more.
            Err(Failure { cause: Cause::Connection { .. }, .. }) => Ok(None),
            Err(failure) => Err(failure.into()),
        },
        None => Ok(None),
    }
}

async fn connect(cli: &Cli) -> Result<Casemate, Problem> {
    let socket = cli.socket.clone().or_else(places::socket).ok_or_else(|| {
        Problem::usage("there is no XDG_RUNTIME_DIR to look for the daemon's socket in: say --socket")
    })?;
    Ok(Casemate::connect(socket).await?)
}

/// `{"ok": true}`, or nothing.
pub(crate) fn done(screen: &mut Screen) -> Result<Exit, Problem> {
    if screen.json() {
        screen.value(&json!({"ok": true}))?;
    }
    Ok(Exit::Done)
}

/// JSON from a file, standard input or the text itself.
fn json_text(text: &OsStr) -> Result<Vec<u8>, Problem> {
    match input::resolve(Some(text), false, std::io::stdin())? {
        Input::Json(text) | Input::Raw(text) => Ok(text),
    }
}

async fn call(casemate: &Casemate, order: &RemoteCall, screen: &mut Screen) -> Result<Exit, Problem> {
    let mut plugin = casemate.plugin(&order.name).await?;
    if let Some(timeout) = &order.timeout {
        let timeout =
            units::duration(timeout).map_err(|error| Problem::usage(format!("--timeout: {error}")))?;
        plugin = plugin.within(timeout);
    }
    if order.stream {
        let (body, is_json) = plugin.stream(&order.method, tokio::io::stdin(), tokio::io::stdout()).await?;
        // Standard output is the stream's; what the method says in the end is told beside it.
        if let (true, Ok(text)) = (screen.verbose() > 0 && is_json, std::str::from_utf8(&body)) {
            screen.aside(text);
        }
        return Ok(Exit::Done);
    }
    let input = input::resolve(order.input.as_deref(), order.raw, std::io::stdin())?;
    let working = screen.working(&format!("calling {}", order.method));
    let called = reply::call(&plugin, &order.method, &input).await;
    drop(working);
    let reply: Reply = called?;
    reply::answer(&reply, None, screen)?;
    Ok(Exit::Done)
}

async fn load(casemate: &Casemate, order: &Load, screen: &mut Screen) -> Result<Exit, Problem> {
    let config = order.with.as_deref().map(json_text).transpose()?;
    let working = screen.working(&format!("loading {}", order.what.display()));
    let is_file = order.what.extension().is_some_and(|extension| extension == "wasm");
    let loaded = if is_file {
        casemate.load_sent(order.what.clone(), config).await
    } else {
        let name = order.what.to_string_lossy();
        casemate.load_configured(&name, config).await
    };
    drop(working);
    let plugin = loaded?;
    if screen.json() {
        screen.value(&plugins::info_json(plugin.name(), &plugin.info().await?, true))?;
    } else {
        screen.line(format!("{} runs, behind: {}", plugin.name(), plugin.certificate().holding()))?;
    }
    Ok(Exit::Done)
}

pub(crate) async fn reload_policy(cli: &Cli, screen: &mut Screen) -> Result<Exit, Problem> {
    let changes = connect(cli).await?.reload_policy().await?;
    let failed = changes.iter().any(|change| change.what == FAILED);
    if screen.json() {
        let shape = |change: &casemate::Change| json!({"plugin": change.plugin, "what": change.what, "message": change.message});
        screen
            .value(&json!({"ok": !failed, "plugins": changes.iter().map(shape).collect::<Vec<Value>>()}))?;
    } else {
        for change in &changes {
            let tone = if change.what == FAILED { Tone::Bad } else { Tone::Good };
            let colon = if change.message.is_empty() { "" } else { ": " };
            screen.line(format!(
                "{} {}{colon}{}",
                change.plugin,
                screen.paint(tone, &change.what),
                change.message
            ))?;
        }
    }
    Ok(if failed { Exit::Policy } else { Exit::Done })
}

async fn stats(casemate: &Casemate, screen: &mut Screen) -> Result<Exit, Problem> {
    let stats = casemate.stats().await?;
    let uptime_ms = u64::try_from(stats.uptime.as_millis()).unwrap_or(u64::MAX);
    let rows = [
        ("uptime_ms", uptime_ms),
        ("clients", stats.clients.into()),
        ("connections", stats.connections),
        ("refused", stats.refused),
        ("calls", stats.calls),
        ("failures", stats.failures),
        ("host_calls", stats.host_calls),
        ("events", stats.events),
        ("events_dropped", stats.events_dropped),
    ];
    if screen.json() {
        let counts: serde_json::Map<String, Value> =
            rows.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
        screen.value(&json!({"ok": true, "stats": counts}))?;
    } else {
        for (name, count) in rows {
            screen.line(format!("{name:15}{count:>12}"))?;
        }
    }
    Ok(Exit::Done)
}
