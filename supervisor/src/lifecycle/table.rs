//! Which state follows which, as data. The machine moves by this table and by nothing else, and `LIFECYCLE.md` is drawn
//! from it.

/// What may move a plugin from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Signal {
    Enable,
    Disable,
    Drain,
    Reset,
    Close,
    /// The zygote is loaded and proven.
    Started,
    /// The zygote ended without an order, or could not be started.
    Crashed,
    /// A worker broke a rule or died by itself; the zygote is whole.
    Struck,
    /// A new version's probe answered.
    TakenOver,
    /// The pause is over.
    PauseOver,
    /// No accepted call is left.
    Emptied,
}

/// Who may cause a signal, for `LIFECYCLE.md`.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Operator,
    Plugin,
    Supervisor,
    Clock,
}

/// What else must hold for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// `restart.give_up_after` crashes within `restart.within`.
    TooOften,
    /// Crashes disabled it, and nobody else.
    ForCrashes,
    /// It is emptied to be disabled.
    ToDisable,
}

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) from: &'static [State],
    pub(super) on: Signal,
    pub(super) when: When,
    pub(super) to: State,
    /// What happens besides, for `LIFECYCLE.md`.
    #[cfg_attr(not(test), expect(dead_code, reason = "for people"))]
    pub(super) then: &'static str,
}

use Signal as On;
use casemate_protocol::status::State;
use casemate_protocol::status::State::{Backoff, Disabled, Draining, Running, Starting, Stopped};

const fn row(from: &'static [State], on: On, when: When, to: State, then: &'static str) -> Row {
    Row { from, on, when, to, then }
}

/// All rows; of those that fit, the first one holds. What has no row changes no state.
#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    row(&[Stopped, Disabled], On::Enable, When::Always, Starting, "crashes stay counted"),
    row(&[Draining], On::Enable, When::Always, Running, "the zygote is still there"),
    row(&[Disabled], On::Reset, When::ForCrashes, Starting, "crashes are forgotten"),
    row(&[Draining], On::Reset, When::ForCrashes, Running, "crashes are forgotten"),
    row(&[Backoff], On::Reset, When::Always, Starting, "crashes are forgotten, the pause is over"),
    row(&[Starting], On::Started, When::Always, Running, "calls that waited run in order"),
    row(&[Starting, Running], On::Crashed, When::TooOften, Disabled, "calls that wait are refused"),
    row(&[Starting, Running], On::Crashed, When::Always, Backoff, "calls wait, up to `limits.queue`"),
    row(&[Draining], On::Crashed, When::ToDisable, Disabled, "what ran is lost"),
    row(&[Draining], On::Crashed, When::Always, Stopped, "what ran is lost, what waits is refused"),
    row(&[Running], On::Struck, When::TooOften, Draining, "to be disabled; calls that wait are refused"),
    row(&[Backoff], On::PauseOver, When::Always, Starting, "a new zygote"),
    row(&[Starting, Running, Backoff], On::TakenOver, When::Always, Running, "new calls go to the new version, the old one finishes its own; crashes are forgotten"),
    row(&[Running], On::Disable, When::Always, Draining, "to be disabled; calls that wait are refused"),
    row(&[Draining], On::Disable, When::Always, Draining, "to be disabled; calls that wait are refused"),
    row(&[Stopped, Starting, Backoff, Disabled], On::Disable, When::Always, Disabled, "calls that wait are refused"),
    row(&[Running], On::Drain, When::Always, Draining, "to be stopped; calls that wait still run"),
    row(&[Starting, Backoff], On::Drain, When::Always, Stopped, "calls that wait are refused"),
    row(&[Draining], On::Emptied, When::ToDisable, Disabled, "its processes end"),
    row(&[Draining], On::Emptied, When::Always, Stopped, "its processes end"),
    row(&[Stopped, Starting, Running, Draining, Backoff, Disabled], On::Close, When::Always, Stopped, "for good: its processes end, what ran is lost"),
];

/// Where this leads, if anywhere.
pub(super) fn next(from: State, on: Signal, holds: impl Fn(When) -> bool) -> Option<State> {
    let fits = |row: &&Row| row.from.contains(&from) && row.on == on && holds(row.when);
    TABLE.iter().find(fits).map(|row| row.to)
}

#[cfg(test)]
impl Signal {
    pub(super) fn who(self) -> Who {
        match self {
            On::Enable | On::Disable | On::Drain | On::Reset | On::Close => Who::Operator,
            On::Crashed | On::Struck => Who::Plugin,
            On::Started | On::TakenOver | On::Emptied => Who::Supervisor,
            On::PauseOver => Who::Clock,
        }
    }
}
