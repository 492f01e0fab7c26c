//! `run`: one call in a fresh cell.

use crate::args::{Cli, Run};
use crate::certificate;
use crate::exit::Exit;
use crate::grant;
use crate::input;
use crate::log;
use crate::places;
use crate::problem::Problem;
use crate::reply::{answer, call, certificate_beside};
use crate::screen::Screen;
use casemate::module::{CompileError, DetectError};
use casemate::outcome::escape;
use casemate::package::Installed;
use casemate::{Builder, Casemate, Cause, Certificate, Failure, Plugin};
use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;

/// The two forms of the command.
const FORMS: &str = "`casemate run FILE --call METHOD` calls a method of a plugin; \
                     `casemate run FILE -- ARGS` runs a WASI program; \
                     `casemate run --external PROGRAM --call METHOD -- ARGS` calls a native one";

pub(crate) async fn perform(cli: &Cli, run: &Run, screen: &mut Screen) -> Result<Exit, Problem> {
    let form = form(run)?;
    let mut args = arguments(run)?;
    // Those of a native program are words of its own, and not of its policy.
    let own_args = if run.external { std::mem::take(&mut args) } else { Vec::new() };
    // What needs no process is looked at first, and standard input last: a typo costs nobody what they piped in.
    let policy = grant::resolve(&grant::Flags {
        memory: run.memory.as_deref(),
        timeout: run.timeout.as_deref(),
        require: run.require.as_deref(),
        file: run.policy.as_deref().or(cli.config.as_deref()),
        plugin: run.plugin.as_deref(),
        module: &run.file,
        manifest: None,
        by_author: false,
        outside: grant::Outside { folders: &run.dir, env: &run.env, args: &args },
    })?;
    if !run.external {
        let metadata = std::fs::metadata(&run.file);
        metadata.map_err(|error| {
            let path = escape(&run.file.display().to_string(), 512);
            let failure = Failure::not_started(Cause::File { path, message: error.to_string() });
            Problem::of_module(failure, &run.file, &installed_hint(cli, &run.file))
        })?;
    }
    let input = match form {
        Form::Call(_) => Some(input::resolve(run.input.as_deref(), run.raw, std::io::stdin())?),
        Form::Program => None,
    };

    let casemate = builder(cli, screen, run.no_cache)?.build()?;
    let working = screen.working(&format!("loading {}", run.file.display()));
    let loaded = if run.external {
        let name = run.file.file_stem().unwrap_or_default().to_string_lossy();
        let words = std::iter::once(run.file.display().to_string()).chain(own_args).collect();
        let folder = std::env::current_dir().unwrap_or_default();
        casemate.load_external(&name, words, folder, policy).await
    } else {
        casemate.load(&run.file, policy).await
    };
    drop(working);
    let plugin = loaded.map_err(|failure| both_forms(failure, &run.file))?;
    let ended = match (form, input) {
        (Form::Call(method), Some(input)) => {
            let working = screen.working(&format!("calling {method}"));
            let called = call(&plugin, method, &input).await;
            drop(working);
            let shown = run.certificate.then(|| plugin.certificate());
            match called {
                Ok(reply) => answer(&reply, shown.as_ref(), screen).map(|()| Exit::Done),
                Err(failure) => refused(failure.into(), shown.as_ref(), screen),
            }
        }
        _ => pass_through(&plugin, run, screen).await,
    };
    casemate.shutdown().await;
    ended
}

/// What is no file may be the name of a plugin that is installed.
fn installed_hint(cli: &Cli, file: &Path) -> String {
    let installed = |name: &str| Installed::find(&places::state(&cli.places)?, name).ok().flatten();
    match file.to_str().filter(|name| installed(name).is_some()) {
        Some(name) => format!(
            "; {name} is an installed plugin, which a daemon runs (casemate serve): casemate call {name} METHOD"
        ),
        None => String::new(),
    }
}

/// Runs a program to its end; its streams are ours.
async fn pass_through(plugin: &Plugin, run: &Run, screen: &mut Screen) -> Result<Exit, Problem> {
    let ended = plugin.run(tokio::io::stdin(), tokio::io::stdout(), tokio::io::stderr()).await;
    let shown = run.certificate.then(|| plugin.certificate());
    let code = match ended {
        Ok(code) => code,
        Err(failure) => {
            return refused(Problem::of_module(failure, &run.file, ""), shown.as_ref(), screen);
        }
    };
    if let Some(certificate) = &shown {
        certificate_beside(certificate, screen)?;
    }
    // As the system does it: what does not fit into a byte is not told.
    Ok(Exit::Program(code.to_le_bytes()[0]))
}

/// What is to be done with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form<'a> {
    /// Calling a method.
    Call(&'a str),
    /// Running it from its start to its end.
    Program,
}

/// Which form of the command this is, or why it is none.
fn form(run: &Run) -> Result<Form<'_>, Problem> {
    let of_program = !run.args.is_empty();
    match (&run.call, of_program) {
        (Some(_), true) if !run.external => {
            Err(Problem::usage(format!("--call and -- ARGS exclude each other: {FORMS}")))
        }
        (Some(method), _) if method.is_empty() => Err(Problem::usage("--call needs the name of a method")),
        (Some(method), _) => Ok(Form::Call(method)),
        (None, false) if run.input.is_some() || run.raw => Err(Problem::usage(format!(
            "--input is for a method, and a program reads standard input: {FORMS}"
        ))),
        (None, _) => Ok(Form::Program),
    }
}

fn arguments(run: &Run) -> Result<Vec<String>, Problem> {
    let text = |arg: &OsString| {
        let shown = || escape(&arg.to_string_lossy(), 80);
        arg.clone()
            .into_string()
            .map_err(|_bytes| Problem::usage(format!("the argument {} is not UTF-8", shown())))
    };
    run.args.iter().map(text).collect()
}

/// A supervisor that shows the plugin's log lines if they are wanted.
pub(crate) fn embedded(screen: &Screen) -> Result<Casemate, Problem> {
    Ok(logging(screen).build()?)
}

/// As [`embedded`], to be made; what it compiles is kept, unless that is not wanted.
pub(crate) fn builder(cli: &Cli, screen: &Screen, no_cache: bool) -> Result<Builder, Problem> {
    let mut builder = logging(screen);
    if !no_cache && let Some(places) = places::wanted(&cli.places, screen)? {
        builder = builder.cache(places);
    }
    // A call in passing leaves nothing behind, unless it is said where.
    if let Some(state_dir) = &cli.places.state_dir {
        builder = builder.state_dir(state_dir);
    }
    Ok(builder)
}

fn logging(screen: &Screen) -> Builder {
    let verbose = screen.verbose();
    Casemate::builder().on_log(move |record| log::show(&record, verbose))
}

/// A module that is no plugin may be one for the other form of the command: say that there are two.
fn both_forms(failure: Failure, file: &Path) -> Problem {
    let has_no_form = match &failure.cause {
        Cause::Module(CompileError::Dialect(DetectError::NoDialect { .. })) => true,
        Cause::Module(CompileError::Dialect(DetectError::UnknownImport { module, .. })) => {
            module.as_str().starts_with("wasi")
        }
        _ => false,
    };
    let hint =
        if has_no_form { format!("; neither form of run is possible: {FORMS}") } else { String::new() };
    Problem::of_module(failure, file, &hint)
}

fn refused(
    problem: Problem,
    certificate: Option<&Certificate>,
    screen: &mut Screen,
) -> Result<Exit, Problem> {
    let Some(certificate) = certificate else { return Err(problem) };
    if !screen.json() {
        certificate_beside(certificate, screen)?;
        return Err(problem);
    }
    let mut value = problem.to_json();
    if let Value::Object(object) = &mut value {
        object.insert("certificate".to_owned(), certificate::to_json(certificate));
    }
    screen.value(&value)?;
    Ok(problem.exit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use crate::reply::{Reply, answer_json};
    use casemate::certificate::Profile;
    use casemate::module::Name;
    use clap::Parser;

    fn run(line: &str) -> Run {
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    fn reply(body: &[u8], is_json: bool) -> Reply {
        Reply { body: body.to_vec(), is_json }
    }

    #[test]
    fn a_call_has_a_method_and_a_program_has_none() {
        assert_eq!(form(&run("casemate run p.wasm --call stats")), Ok(Form::Call("stats")));
        assert_eq!(form(&run("casemate run p.wasm -- x")), Ok(Form::Program));
        assert_eq!(form(&run("casemate run p.wasm")), Ok(Form::Program));
        for line in ["run p.wasm --call m -- x", "run p.wasm --input 1"] {
            let run = run(&format!("casemate {line}"));
            let problem = form(&run).unwrap_err();
            assert_eq!(problem.exit(), Exit::Usage);
            let text = problem.to_string();
            assert!(text.contains("--call METHOD") && text.contains("-- ARGS"), "{text}");
        }
    }

    #[test]
    fn answers_in_json() {
        let shape = |body: &[u8], is_json| answer_json(&reply(body, is_json), None);
        assert_eq!(shape(b"{\"b\":1.50,\"a\":2}", true), r#"{"ok":true,"reply":{"b":1.50,"a":2}}"#);
        assert_eq!(shape(b"te\"xt", false), r#"{"ok":true,"reply_text":"te\"xt"}"#);
        assert_eq!(shape(b"\xff", false), r#"{"ok":true,"reply_bytes":[255]}"#);
        assert_eq!(shape(b"{broken", true), r#"{"ok":true,"reply_text":"{broken"}"#);
        let certificate = Certificate::new(Profile::Core);
        let text = answer_json(&reply(b"1", true), Some(&certificate));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["certificate"]["profile"], "core");
    }

    #[test]
    fn a_module_of_no_form_names_both() {
        let missing = vec![Name::escaped("casemate_abi")];
        let none = CompileError::Dialect(DetectError::NoDialect { nearest: None, missing });
        let wasi = CompileError::Dialect(DetectError::UnknownImport {
            module: Name::escaped("wasi_snapshot_preview1"),
            name: Name::escaped("fd_write"),
        });
        let both = |error| both_forms(Failure::not_started(Cause::Module(error)), Path::new("p.wasm"));
        for error in [none, wasi] {
            let problem = both(error);
            assert_eq!(problem.exit(), Exit::Guest);
            let text = problem.to_string();
            assert!(text.starts_with("p.wasm: ") && text.contains("neither form"), "{text}");
            assert!(text.contains("--call METHOD") && text.contains("-- ARGS"), "{text}");
        }
        assert!(!both(CompileError::Component).to_string().contains("neither form"));
    }
}
