//! What five applications want of their plugins, number by number (docs/systems/README.md): each test is named after the number
//! that it shows, and goes from the system's own manifest to a plugin in a worker process, its end and its coming back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "seeds/extism.rs"]
mod extism;
#[path = "seeds/hielements.rs"]
mod hielements;
#[path = "seeds/ideanet.rs"]
mod ideanet;
#[path = "seeds/life.rs"]
mod life;
#[path = "seeds/pocket.rs"]
mod pocket;
#[path = "seeds/signalk.rs"]
mod signalk;
#[path = "seeds/spacedrive.rs"]
mod spacedrive;
