//! Set-up and checks behind `cargo xtask`.
//!
//! | module | holds |
//! |---|---|
//! | [`request`] | what was asked for on the command line |
//! | [`project`] | where things are: the root, the target folder, the guests |
//! | [`step`] | one command, shown before it runs |
//! | [`setup`] | what a machine must have, and how it gets it |
//! | [`guests`] | the test guests, from source to wasm |
//! | [`demo`] | the `demo` command |
//! | [`mod@bench`] | the `bench` command |
//! | [`group`] | the named groups of checks |
//! | [`checks`] | the groups that are one tool's verdict |
//! | [`suite`] | the tests in real processes, as root and as an ordinary user |
//! | [`build`] | the test executables as cargo reports them |
//! | [`stage`] | a copy of them that any user may read |
//! | [`user`] | an ordinary user made for one run |
//! | [`watch`] | one executable, its time limit, and whatever it left behind |
//! | [`fuzz`] | the `fuzz` group |
//! | [`python`] | the `python` group: the Python client |
//! | [`toolchains`] | the `toolchains` group: plugins in every other language |
//! | [`vm`] | the `vm` group: suites in a virtual machine with an older kernel |
//! | [`tally`] | counts, verdicts and the closing lines |
//! | [`problem`] | what went wrong, in words for the person at the terminal |
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a developer's command: it runs programs, reads the environment and the clock, and talks on the terminal"
)]

mod bench;
mod build;
mod checks;
mod demo;
mod fuzz;
mod group;
mod guests;
mod problem;
mod programs;
mod project;
mod python;
mod request;
mod setup;
mod stage;
mod step;
mod suite;
mod tally;
mod toolchains;
mod user;
mod vm;
mod watch;

use std::process::ExitCode;

use problem::Problem;
use project::Project;
use request::Request;

fn main() -> ExitCode {
    match Request::parse(std::env::args().skip(1)).and_then(carry_out) {
        Ok(code) => code,
        Err(problem) => {
            println!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(request: Request) -> Result<ExitCode, Problem> {
    match request {
        Request::Help => println!("{}", request::HELP),
        Request::ListGroups => group::list(),
        Request::Setup => setup::everything(&Project::open()?)?,
        Request::Guests => guests::build(&Project::open()?)?,
        Request::Demo { arguments } => demo::run(&Project::open()?, &arguments)?,
        Request::Bench { arguments } => bench::run(&Project::open()?, &arguments)?,
        Request::Test(plan) => return Ok(group::run(&Project::open()?, &plan)),
    }
    Ok(ExitCode::SUCCESS)
}
