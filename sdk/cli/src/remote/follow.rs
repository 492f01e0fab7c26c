//! What goes on until the daemon ends it or the user does.

use crate::args::{EventSub, Logs};
use crate::exit::Exit;
use crate::json;
use crate::log;
use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use casemate::outcome::escape;
use casemate::{Casemate, Event};
use serde_json::{Value, json};

pub(super) async fn logs(casemate: &Casemate, order: &Logs, screen: &mut Screen) -> Result<Exit, Problem> {
    let mut lines = casemate.logs(order.name.as_deref(), order.level).await?;
    let mut told = 0;
    while let Some(record) = lines.next().await {
        if lines.dropped() > told && !screen.json() {
            let dropped = lines.dropped() - told;
            screen
                .line(screen.paint(Tone::Warn, format!("({dropped} lines were dropped on the way here)")))?;
        }
        told = lines.dropped();
        if screen.json() {
            screen.line(json!({
                "plugin": record.plugin.as_str(), "instance": record.instance.0, "level": record.level,
                "message": record.message, "dropped_lines": record.dropped_lines, "dropped": told,
            }))?;
        } else {
            screen.line(log::line(&record))?;
        }
    }
    Err(gone())
}

pub(super) async fn events(
    casemate: &Casemate,
    order: &EventSub,
    screen: &mut Screen,
) -> Result<Exit, Problem> {
    let mut events = casemate.subscribe(&order.pattern).await?;
    let mut left = order.count;
    while left != Some(0) {
        let Some(event) = events.next().await else { return Err(gone()) };
        show(&event, events.dropped(), screen)?;
        left = left.map(|left| left - 1);
    }
    Ok(Exit::Done)
}

fn show(event: &Event, dropped: u64, screen: &mut Screen) -> Result<(), Problem> {
    let text = (event.content_type == 1).then(|| json::text(&event.body)).flatten();
    if screen.json() {
        let (name, body) = match (text, std::str::from_utf8(&event.body)) {
            (Some(text), _) => ("body", serde_json::from_str(text).unwrap_or(Value::Null)),
            (None, Ok(text)) => ("body_text", json!(text)),
            (None, Err(_)) => ("body_bytes", json!(&*event.body)),
        };
        let plugin = event.plugin.as_ref().map(ToString::to_string);
        return screen.line(json!({"topic": event.topic, "plugin": plugin, "dropped": dropped, name: body}));
    }
    // Also JSON may hold what moves a cursor.
    let body = match text {
        Some(text) => escape(text, usize::MAX),
        None => escape(&String::from_utf8_lossy(&event.body), 4096),
    };
    screen.line(format!("{} {body}", screen.paint(Tone::Bold, escape(&event.topic, 256))))
}

/// Waits for the daemon's end.
pub(super) async fn until_gone(casemate: &Casemate) -> Result<Exit, Problem> {
    let mut nothing = casemate.subscribe("casemate.nothing").await?;
    while nothing.next().await.is_some() {}
    Err(gone())
}

fn gone() -> Problem {
    Problem::socket("the daemon has ended, or the connection to it")
}
