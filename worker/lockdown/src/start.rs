//! How a jailed program is started: which stage it is.

use crate::stub;
use crate::walls::Entered;
use std::process::ExitCode;

/// Argument of the first stage.
pub(crate) const STUB: &str = "stub";
/// Argument of the second stage, in namespaces.
pub(crate) const ZYGOTE_IN_NAMESPACES: &str = "zygote";
/// Argument of the second stage where there are none.
pub(crate) const ZYGOTE_FLAT: &str = "zygote-flat";

/// What the program is to do now.
#[derive(Debug)]
pub enum Stage {
    /// Go on to the walls.
    Zygote(Entered),
    /// Nothing more: exit with this.
    Done(ExitCode),
}

/// Reads the arguments `NAME STAGE MARKER` and runs the first stage if it is that one.
///
/// The programs are started by a supervisor on a sealed memfd with a control socket as descriptor 0; by hand they only
/// say so.
pub fn start() -> Stage {
    let arguments: Vec<String> = std::env::args().take(4).collect();
    match arguments.as_slice() {
        [name, stage, marker] if stage == STUB => {
            stub::run(name, marker);
            Stage::Done(ExitCode::FAILURE)
        }
        [_, stage, _] if stage == ZYGOTE_IN_NAMESPACES => enter(true),
        [_, stage, _] if stage == ZYGOTE_FLAT => enter(false),
        _ => {
            eprintln!(
                "this program is a part of Casemate that its supervisor starts; it does nothing by hand"
            );
            Stage::Done(ExitCode::from(2))
        }
    }
}

fn enter(namespaces: bool) -> Stage {
    match Entered::new(namespaces) {
        Ok(entered) => Stage::Zygote(entered),
        // Without a stub or a control socket there is nobody to tell.
        Err(_) => Stage::Done(ExitCode::FAILURE),
    }
}
