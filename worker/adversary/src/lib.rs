//! A worker that is already lost: hostile native code that starts right after the lock-down, with a worker's exact rights.
//!
//! It takes the identical path: same stub, same zygote, same walls, same filters, same certificate. Only what runs behind
//! them differs. Tests start it in a worker's place and watch what the walls and the supervisor make of it. What it does
//! is named behind a colon in its program name: `casemate-adversary:forged-version`. Names that begin with `compiler-` take a
//! compiler's place and path instead.
//!
//! The worker program contains no line of this crate.

mod behaviour;
mod compiler;
mod liar;
mod native;
mod obey;
pub mod order;

pub use behaviour::{Behaviour, attack, attack_while_loading};
pub use compiler::{Forgery, forge};
