//! `audit`: what a daemon has written down for those who keep it safe.

use crate::args::{Audit as Order, AuditCommand, Places};
use crate::exit::Exit;
use crate::places;
use crate::problem::Problem;
use crate::screen::Screen;
use casemate::daemon::audit;
use serde_json::{Value, json};
use std::collections::VecDeque;

pub(crate) fn perform(flags: &Places, order: &Order, screen: &mut Screen) -> Result<Exit, Problem> {
    let state = places::state(flags)
        .ok_or_else(|| Problem::usage("there is no HOME to have a state directory in: say --state-dir"))?;
    let path = state.join(audit::FILE);
    match &order.command {
        AuditCommand::Verify => {
            let head = audit::verify(&path).map_err(|error| Problem::audit(&error))?;
            if screen.json() {
                screen.value(&json!({"ok": true, "lines": head.lines, "hash": head.hash}))?;
            } else {
                screen.line(format!("{} lines, whole; the last one is {}", head.lines, head.hash))?;
            }
        }
        AuditCommand::Show(order) => {
            let mut kept: VecDeque<Value> = VecDeque::new();
            for line in audit::lines(&path).map_err(|error| Problem::audit(&error))? {
                let (_, value) = line.map_err(|error| Problem::audit(&error))?;
                match order.last {
                    None => screen.line(value)?,
                    Some(last) => {
                        kept.push_back(value);
                        if kept.len() > last {
                            kept.pop_front();
                        }
                    }
                }
            }
            for value in kept {
                screen.line(value)?;
            }
        }
    }
    Ok(Exit::Done)
}
