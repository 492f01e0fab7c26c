//! Runs one script by QuickJS, with what Javy gives to scripts: `Javy.IO`, `console`, `TextEncoder`, promises.
//!
//! The script is a part of the program, as it is where Javy's own command line makes one: `SCRIPT` names its file at build time.

use javy::{Config, Runtime, quickjs::CatchResultExt as _};
use std::process::ExitCode;

const SCRIPT: &str = include_str!(env!("SCRIPT"));

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let mut config = Config::default();
    // Standard output is for the response alone.
    config.text_encoding(true).javy_stream_io(true).redirect_stdout_to_stderr(true);
    let runtime = Runtime::new(config)?;
    runtime.context().with(|context| {
        let ran = context.eval::<(), _>(SCRIPT).catch(&context);
        ran.map_err(|error| anyhow::anyhow!("{error}"))
    })?;
    runtime.resolve_pending_jobs()
}
