//! One small thing, named by the first argument; what came of it goes to standard output. Without an argument, the names.
//!
//! Folders are as the suites grant them: `/rw` may be changed and is empty at first but for `seed.txt`, `/ro` may only be
//! read and holds `a.txt`, `b/c.txt` and links. What differs from run to run (times, numbers by chance) is never printed,
//! only what is true of it.

mod files;
#[cfg(target_env = "p1")]
mod raw;
mod system;

use std::process::ExitCode;

/// A case.
type Case = (&'static str, fn() -> Said);
/// What came of it.
type Said = Result<String, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let cases: Vec<Case> = [system::CASES, files::CASES].concat();
    #[cfg(target_env = "p1")]
    let cases = [cases, raw::CASES.to_vec()].concat();
    let Some(name) = std::env::args().nth(1) else {
        cases.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let Some((_, run)) = cases.iter().find(|(known, _)| *known == name) else {
        eprintln!("there is no case {name}");
        return ExitCode::from(99);
    };
    match run() {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("error: {error}");
            ExitCode::from(1)
        }
    }
}
