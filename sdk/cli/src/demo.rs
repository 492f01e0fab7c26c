//! `demo`: good guests and bad ones, live, and what stopped each; then hostile native code in a worker's place.

mod acts;
mod attacks;
mod guests;
mod stage;
mod table;

pub(crate) use guests::ECHO;

use crate::args::Demo;
use crate::certificate;
use crate::exit::Exit;
use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use attacks::Attacks;
use serde_json::json;
use stage::Stage;
use table::Row;

pub(crate) async fn perform(demo: &Demo, screen: &mut Screen) -> Result<Exit, Problem> {
    let good = match &demo.guests {
        Some(folder) => guests::from_folder(folder)?,
        None => Vec::new(),
    };
    let mut stage = Stage::new()?;
    // Where not even this one starts there is nothing to show.
    let certificate = stage.open().await?;
    if !screen.json() {
        for line in table::head(screen) {
            screen.line(line)?;
        }
    }
    let mut rows = Vec::new();
    for act in acts::all(good) {
        let working = screen.working(act.tried);
        let row = stage.perform(act).await;
        drop(working);
        if !screen.json() {
            screen.line(table::line(&row, screen))?;
        }
        rows.push(row);
    }
    stage.close().await;
    let attacks = Attacks::make(screen).await?;
    let unexpected = rows.iter().filter(|row| !row.as_expected).count() + attacks.unexpected();
    if screen.json() {
        let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
        screen.value(&json!({
            "ok": unexpected == 0,
            "rows": rows,
            "attacks": attacks.to_json(),
            "certificate": certificate::to_json(&certificate),
        }))?;
    } else {
        screen.line("")?;
        screen.line(summary(rows.len() + attacks.count(), unexpected, screen))?;
        screen.line("")?;
        certificate::print(&certificate, screen)?;
    }
    Ok(if unexpected == 0 { Exit::Done } else { Exit::Guest })
}

fn summary(rows: usize, unexpected: usize, screen: &Screen) -> String {
    match unexpected {
        0 => screen.paint(Tone::Good, format!("{rows} of {rows} ended as they must; nothing got through")),
        _ => screen.paint(Tone::Bad, format!("{unexpected} of {rows} did not end as they must")),
    }
}
