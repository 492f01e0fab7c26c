//! `consent`: a person's word on what an installed plugin may do with nobody else's.

use super::shown::effective;
use super::{Told, tell};
use crate::args::{Cli, Consent as Order};
use crate::exit::Exit;
use crate::places;
use crate::problem::Problem;
use crate::screen::Screen;
use casemate::package::{Consent, Installed, PackageError};
use serde_json::json;
use std::io::{BufRead as _, IsTerminal as _};

pub(crate) async fn perform(cli: &Cli, order: &Order, screen: &mut Screen) -> Result<Exit, Problem> {
    let name = order.name.as_str();
    let state_dir = places::required_state(&cli.places)?;
    let installed = Installed::find(&state_dir, name).map_err(Problem::package)?;
    let installed =
        installed.ok_or_else(|| Problem::package(PackageError::NotInstalled { name: name.to_owned() }))?;
    let effective = effective(cli, name, &installed)?;
    let wanted = &installed.manifest.consent;
    let before = Consent::read(&state_dir, name).map_err(Problem::package)?;
    let waiting = before.waiting(wanted, effective.consent());
    let mut said = before.clone();
    if order.revoke {
        said = Consent::default();
    } else if order.yes {
        said.host.extend(waiting.iter().cloned());
    } else if !waiting.is_empty() {
        if !std::io::stdin().is_terminal() {
            return Err(Problem::usage(format!(
                "{name} waits for a person's word on {}, and there is none here: run this on a terminal, say --yes, or \
                 grant it as `consent` of [plugins.{name}] in casemate.toml",
                waiting.join(", ")
            )));
        }
        for method in &waiting {
            if asked(name, method, screen)? {
                said.host.insert(method.clone());
            }
        }
    }
    let mut told = None;
    if said != before {
        said.write(&state_dir, name).map_err(Problem::package)?;
        told = tell(cli).await;
    }
    let left = said.waiting(wanted, effective.consent());
    let (became, exit) = match &told {
        Some(told) => (told.about(name), told.exit(name)),
        None => (None, Exit::Done),
    };
    if screen.json() {
        let daemon = became.map(|became| &became.what);
        let value = json!({
            "ok": exit == Exit::Done, "name": name, "consented": said.host, "waiting": left, "daemon": daemon
        });
        screen.value(&value)?;
        return Ok(exit);
    }
    screen.line(format!("{name}: {}", sentence(wanted, &left)))?;
    if let (Some(Told { who, .. }), Some(became)) = (&told, became) {
        screen.line(format!("  {who}: {}", became.what))?;
    }
    Ok(exit)
}

fn sentence(wanted: &[String], left: &[String]) -> String {
    match (wanted, left) {
        ([], _) => "nothing of it needs a person's word".to_owned(),
        (wanted, []) => format!("may call {}", wanted.join(", ")),
        (_, left) => format!("{}: denied", left.join(", ")),
    }
}

fn asked(name: &str, method: &str, screen: &mut Screen) -> Result<bool, Problem> {
    let method = casemate::outcome::escape(method, 256);
    screen.line(format!("{name} wants to call \"{method}\". May it? [y/N]"))?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Problem::usage(format!("the answer could not be read: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
