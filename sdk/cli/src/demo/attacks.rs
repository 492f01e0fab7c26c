//! The second half: native code that has broken out of WebAssembly, family by family, and what the walls made of it.

use super::guests::ECHO;
use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use casemate::attack::{Came, Family, Grounds, Profile, Sibling, families};
use casemate::outcome::{SyscallReport, escape};
use casemate::{Casemate, Policy};
use serde_json::{Value, json};
use std::time::Instant;

/// Bytes of what was recorded, in one line of a terminal of 100 columns; in JSON there is more room.
const LINE_BYTES_MAX: usize = 90;
const TEXT_BYTES_MAX: usize = 400;

/// What came of all attacks.
#[derive(Debug, Default)]
pub(super) struct Attacks {
    rows: Vec<Row>,
    /// Calls that the good guest beside the attackers answered; `None` if it was disturbed.
    sibling_calls: Option<u64>,
}

/// A family's row.
#[derive(Debug)]
struct Row {
    family: Family,
    came: Came,
    ms: u64,
}

impl Attacks {
    /// Attacks, and shows each row as it comes.
    pub(super) async fn make(screen: &mut Screen) -> Result<Self, Problem> {
        let home = Casemate::embedded()?;
        let sibling = Sibling::start(home.load(ECHO, Policy::default()).await?, "echo");
        let grounds = Grounds::open(ECHO).await?;
        let mut attacks = Self::default();
        if !screen.json() {
            head(screen).into_iter().try_for_each(|line| screen.line(line))?;
        }
        for family in families(Profile::Core) {
            let working = screen.working(family.name);
            let started = super::stage::now();
            let came = grounds.attempt(&family).await?;
            let row = Row { family, came, ms: millis(started) };
            drop(working);
            if !screen.json() {
                row.lines(screen).into_iter().try_for_each(|line| screen.line(line))?;
            }
            attacks.rows.push(row);
        }
        grounds.close().await;
        attacks.sibling_calls = sibling.finish().await.unwrap_or(None);
        if !screen.json() {
            let line = attacks.sibling_line(screen);
            screen.line(line)?;
        }
        home.shutdown().await;
        Ok(attacks)
    }

    /// Families and siblings.
    pub(super) fn count(&self) -> usize {
        self.rows.len() + 1
    }

    /// How many of them did not end as they must.
    pub(super) fn unexpected(&self) -> usize {
        let through = self.rows.iter().filter(|row| !row.held()).count();
        through + usize::from(self.sibling_calls.is_none())
    }

    /// The documented shape.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "families": self.rows.iter().map(Row::to_json).collect::<Vec<_>>(),
            "sibling_calls": self.sibling_calls,
        })
    }

    fn sibling_line(&self, screen: &Screen) -> String {
        let (tone, mark, words) = match self.sibling_calls {
            Some(calls) => (Tone::Good, "✓", format!("{calls} calls, all answered")),
            None => (Tone::Bad, "✗", "disturbed".to_owned()),
        };
        format!("{} {:36} {words}", screen.paint(tone, mark), "a good guest beside them meanwhile")
    }
}

fn head(screen: &Screen) -> Vec<String> {
    let titles = format!("  {:36} {:>12} {:>6}  {}", "what it tried", "stopped", "ms", "what stopped it");
    vec![
        String::new(),
        screen.paint(
            Tone::Bold,
            "Suppose the guest has broken out of WebAssembly: native code in the worker's place",
        ),
        screen.paint(Tone::Bold, titles),
    ]
}

impl Row {
    fn held(&self) -> bool {
        self.came.through.is_empty()
    }

    fn stopped(&self) -> usize {
        self.came.attempts.saturating_sub(self.came.through.len() + self.came.off.len())
    }

    /// The row, and what was recorded of it; then whatever got through.
    fn lines(&self, screen: &Screen) -> Vec<String> {
        let (tone, mark) = if self.held() { (Tone::Good, "✓") } else { (Tone::Bad, "✗") };
        let Family { name, wall, .. } = &self.family;
        let stopped = format!("{} of {}", self.stopped(), self.came.attempts);
        let mut lines =
            vec![format!("{} {name:36} {stopped:>12} {:>6}  {wall}", screen.paint(tone, mark), self.ms)];
        lines.push(screen.paint(Tone::Dim, format!("      {}", self.recorded())));
        let through = self.came.through.iter().take(3);
        lines.extend(
            through.map(|what| screen.paint(Tone::Bad, format!("      got through: {}", short(what)))),
        );
        let off = self.came.off.iter().take(3);
        lines.extend(
            off.map(|what| screen.paint(Tone::Warn, format!("      off on this host: {}", short(what)))),
        );
        lines
    }

    /// The kernel's words where there are any.
    fn recorded(&self) -> String {
        match &self.came.report {
            Some((report, shown)) => format!("recorded: {}", call(report, *shown)),
            None => short(&self.came.ended),
        }
    }

    fn to_json(&self) -> Value {
        let recorded = self.came.report.as_ref().map(|(report, _)| {
            json!({
                "name": report.name,
                "number": report.number,
                "args": report.args,
                "instruction_pointer": report.instruction_pointer,
            })
        });
        json!({
            "tried": self.family.name,
            "stopped_by": self.family.wall,
            "attempts": self.came.attempts,
            "stopped": self.stopped(),
            "reported": self.came.reported,
            "recorded": recorded,
            "ended": escape(&self.came.ended, TEXT_BYTES_MAX),
            "through": self.came.through.iter().map(|what| escape(what, TEXT_BYTES_MAX)).collect::<Vec<_>>(),
            "off": self.came.off.iter().map(|what| escape(what, TEXT_BYTES_MAX)).collect::<Vec<_>>(),
            "ms": self.ms,
        })
    }
}

/// A call as a person reads it: the arguments that were given, small ones as numbers.
fn call(report: &SyscallReport, shown: usize) -> String {
    let argument = |value: &u64| match value.cast_signed() {
        small @ -4096..=4096 => small.to_string(),
        _ => format!("{value:#x}"),
    };
    let args: Vec<String> = report.args.iter().take(shown).map(argument).collect();
    let name = report.name.map_or_else(|| format!("system call {}", report.number), str::to_owned);
    format!("{name}({}) at {:#x}", args.join(", "), report.instruction_pointer)
}

fn short(text: &str) -> String {
    escape(text, LINE_BYTES_MAX)
}

fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;

    fn row(through: &[&str]) -> Row {
        let report = SyscallReport {
            arch: 0,
            number: 41,
            name: Some("socket"),
            args: [16, 3, u64::MAX, 0, 0, 0],
            instruction_pointer: 0x4010,
        };
        Row {
            family: families(Profile::Core).remove(0),
            came: Came {
                attempts: 2,
                reported: 2,
                report: Some((Box::new(report), 3)),
                through: through.iter().map(|what| (*what).to_owned()).collect(),
                ..Came::default()
            },
            ms: 7,
        }
    }

    #[test]
    fn a_row_says_what_the_kernel_recorded() {
        let lines = row(&[]).lines(&Screen::new(false, 0, Color::Never));
        assert!(lines[0].starts_with('✓') && lines[0].contains("2 of 2"), "{lines:?}");
        assert_eq!(lines[1], "      recorded: socket(16, 3, -1) at 0x4010");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn what_got_through_is_named() {
        let attacks =
            Attacks { rows: vec![row(&[]), row(&["syscall 41: result 0x3"])], sibling_calls: Some(9) };
        assert_eq!((attacks.count(), attacks.unexpected()), (3, 1));
        let lines = attacks.rows[1].lines(&Screen::new(false, 0, Color::Never));
        assert!(lines[0].starts_with('✗') && lines[0].contains("1 of 2"), "{lines:?}");
        assert!(lines[2].contains("got through: syscall 41: result 0x3"), "{lines:?}");
        let json = attacks.to_json();
        assert_eq!(json["families"][0]["recorded"]["name"], "socket");
        assert_eq!(json["families"][1]["through"][0], "syscall 41: result 0x3");
        assert_eq!(Attacks { sibling_calls: None, ..attacks }.unexpected(), 2);
    }
}
