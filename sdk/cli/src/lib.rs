//! The `casemate` command: the first user of the client library, and of nothing else of Casemate.
//!
//! | module | holds |
//! |---|---|
//! | [`args`] | the registry of commands and flags |
//! | [`exit`] | the exit codes |
//! | `problem` | what went wrong, as one line and as JSON |
//! | `screen` | standard output and error: colours, JSON, progress |
//! | `input`, `grant` | a call's input and a plugin's policy from flags and files |
//! | `json` | JSON text laid out for people |
//! | `log` | a plugin's log lines on standard error |
//! | `certificate` | a certificate for people and programs |
//! | `packages` | `plugins` on disk: install, remove, list, info, validate and pack |
//! | `places` | where the code cache is |
//! | `run`, `inspect`, `doctor`, `demo`, `cache`, `policy`, `serve`, `audit`, `remote` | the commands; `remote` has those that need a daemon |
//! | `workflow` | nodes of plugins one after the other |
//! | `project` | for authors: `new`, `test` and `dev` |
//! | `reply` | a method's answer for people and programs |
#![forbid(unsafe_code)]

pub mod args;
mod audit;
mod cache;
mod certificate;
mod demo;
mod doctor;
pub mod exit;
mod grant;
mod input;
mod inspect;
mod json;
mod log;
mod packages;
mod places;
mod policy;
mod problem;
mod project;
mod remote;
mod reply;
mod run;
mod screen;
mod serve;
mod workflow;

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::problem::Problem;
use crate::screen::Screen;
use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

/// Reads the command line, does it, and says how it ended.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match Cli::try_parse_from(&arguments) {
        Ok(cli) => {
            let mut screen = Screen::new(cli.json, cli.verbose, cli.color);
            let ended = perform(&cli, &mut screen);
            screen.finish(ended).into()
        }
        Err(error) => match args::not_run(&error, &arguments) {
            Ok(()) => Exit::Done.into(),
            Err(problem) => {
                let mut screen = Screen::new(args::wants_json(&arguments), 0, args::Color::Never);
                screen.finish(Err(problem)).into()
            }
        },
    }
}

fn perform(cli: &Cli, screen: &mut Screen) -> Result<Exit, Problem> {
    // Mostly one thread is enough: deadlines have their own, and a command has one call at a time.
    let mut builder = match cli.command {
        Command::Serve(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Problem::ours(format!("the runtime cannot be started: {error}")))?;
    runtime.block_on(async {
        match &cli.command {
            Command::Run(run) => Box::pin(run::perform(cli, run, screen)).await,
            Command::Inspect(inspect) => Box::pin(inspect::perform(inspect, screen)).await,
            Command::Doctor(doctor) => Box::pin(doctor::perform(doctor, screen)).await,
            Command::Demo(demo) => Box::pin(demo::perform(demo, screen)).await,
            Command::Cache(order) => cache::perform(&cli.places, order, screen),
            Command::New(new) => project::new::perform(new, screen),
            Command::Test(test) => Box::pin(project::test::perform(cli, test, screen)).await,
            Command::Dev(dev) => Box::pin(project::dev::perform(cli, dev, screen)).await,
            Command::Workflow(order) => Box::pin(workflow::perform(cli, &order.command, screen)).await,
            Command::Serve(serve) => Box::pin(serve::perform(cli, serve, screen)).await,
            Command::Policy(args::Policy { command: args::PolicyCommand::Reload }) => {
                remote::reload_policy(cli, screen).await
            }
            Command::Policy(order) => policy::perform(cli.config.as_deref(), order, screen),
            Command::Completions(order) => {
                screen.bytes(&args::completions(order.shell))?;
                Ok(Exit::Done)
            }
            Command::Extension(order) => {
                let args::ExtensionCommand::Load(order) = &order.command;
                Box::pin(packages::load_extension(cli, order, screen)).await
            }
            Command::Plugins(order) => Box::pin(packages::perform(cli, &order.command, screen)).await,
            Command::Consent(order) => Box::pin(packages::consent::perform(cli, order, screen)).await,
            Command::Audit(order) => audit::perform(&cli.places, order, screen),
            order => Box::pin(remote::perform(cli, order, screen)).await,
        }
    })
}
