//! The life of a plugin as a pure machine: `(state, event, now) → (state, actions)`.
//!
//! It decides who is started, forked, handed a call, answered and ended; it does none of it. It must never know what a
//! process, a socket, a clock or a thread is: times come in as the time since some beginning, and chance as a seed. So
//! it is tried with made-up time over thousands of made-up lives (`simulation`).
//!
//! | module | has |
//! |---|---|
//! | `table` | which state follows which, by whose doing: data, also for `LIFECYCLE.md` |
//! | `event` | what it is told and what it wants |
//! | `machine` | events to actions |
//! | `pool` | the instances: pick, grow, shrink, recycle |
//! | `queue` | the calls that wait |
//! | `breaker` | crashes: pauses, and the end of them |

mod breaker;
#[cfg(test)]
mod document;
mod event;
mod machine;
mod pool;
mod queue;
#[cfg(test)]
mod simulation;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use casemate_protocol::status::State;
pub use event::DisabledBy;
pub(crate) use event::{
    Action, Answer, CallNo, End, Event, ForkFailure, Generation, InstanceNo, Refusal, Rules,
};
pub(crate) use machine::Machine;
