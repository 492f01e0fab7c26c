//! Processes: the only room with `Command`, kill and wait.
//!
//! | file | holds |
//! |---|---|
//! | `guard` | the thread that owns deadlines, listeners and pidfds |
//! | `control` | our end of a control socket |
//! | `stub` | starting one |
//! | `registered` | a socket that the host's runtime waits for |
//! | `points` | the named points at which tests kill the host |

pub(crate) mod control;
pub(crate) mod guard;
pub(crate) mod points;
pub(crate) mod registered;
pub(crate) mod stub;
