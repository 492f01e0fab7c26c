//! A compiler that is already lost: the module it was given has taken it over, behind a compiler's exact walls.

use casemate_lockdown::{Entered, LockdownError, seccomp};
use casemate_protocol::spawn::CompileSpec;
use casemate_sys::process::exit_now;
use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;

/// What stands between a module and what it dictates: `compiler-dictated` writes all that follows it.
const DICTATION: &[u8] = b"casemate-dictation:";

/// Bytes written at once by a compiler that does not stop.
static CHUNK: [u8; 1 << 20] = [0; 1 << 20];

/// What a hostile compiler does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// Writes nothing and says that all is well.
    Nothing,
    /// Writes bytes that are no report.
    Garbage,
    /// Writes until it is stopped.
    TooMuch,
    /// Asks for a file.
    Opens,
    /// Never ends.
    Hangs,
    /// Writes what its module dictates, for forgeries that need a real compiler's words.
    Dictated,
}

const NAMED: &[(&str, Forgery)] = &[
    ("compiler-nothing", Forgery::Nothing),
    ("compiler-garbage", Forgery::Garbage),
    ("compiler-too-much", Forgery::TooMuch),
    ("compiler-opens", Forgery::Opens),
    ("compiler-hangs", Forgery::Hangs),
    ("compiler-dictated", Forgery::Dictated),
];

impl Forgery {
    /// From a program name: `casemate-adversary:compiler-NAME`.
    pub fn named(program: &str) -> Option<Self> {
        let (_, name) = program.split_once(':')?;
        NAMED.iter().find(|(known, _)| *known == name).map(|(_, forgery)| *forgery)
    }
}

/// Runs in a compiler's place.
pub fn forge(entered: Entered, forgery: Forgery) -> ! {
    exit_now(match job(entered, forgery) {
        Ok(()) => 0,
        Err(_told) => 1,
    })
}

fn job(entered: Entered, forgery: Forgery) -> Result<(), LockdownError> {
    let walled = entered.wall_up()?;
    let (_, fds) = walled.receive::<CompileSpec>(2)?;
    let mut fds = fds.into_iter();
    let (Some(input), Some(output)) = (fds.next(), fds.next()) else { exit_now(66) };
    let job = walled.lock_in_place(input, output, seccomp::compiler_filter)?;
    // Never closed, as in a compiler: the filter allows no close.
    let input = ManuallyDrop::new(File::from(job.input));
    let mut output = ManuallyDrop::new(File::from(job.output));
    match forgery {
        Forgery::Nothing => {}
        Forgery::Garbage => say(&mut output, &[0xa5; 4096]),
        Forgery::TooMuch => while output.write_all(&CHUNK).is_ok() {},
        Forgery::Opens => drop(File::open("/etc/passwd")),
        Forgery::Hangs => loop {
            std::hint::spin_loop();
        },
        Forgery::Dictated => say(&mut output, &dictation(&input)),
    }
    Ok(())
}

fn say(output: &mut File, bytes: &[u8]) {
    let _ = output.write_all(bytes);
}

/// What the module dictates; read piece by piece, because asking for a file's size is not allowed.
fn dictation(mut input: &File) -> Vec<u8> {
    let mut wasm = Vec::new();
    let mut piece = [0_u8; 4096];
    while let Ok(read @ 1..) = input.read(&mut piece) {
        wasm.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    let mark = wasm.windows(DICTATION.len()).position(|window| window == DICTATION);
    mark.map(|at| wasm.split_off(at.saturating_add(DICTATION.len()))).unwrap_or_default()
}
