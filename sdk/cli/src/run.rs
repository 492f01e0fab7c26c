//! `run`: one call in a fresh cell.

use crate::args::Run;
use crate::certificate;
use crate::exit::Exit;
use crate::input::{self, Input};
use crate::log;
use crate::policy;
use crate::problem::Problem;
use crate::screen::Screen;
use casemate::module::{CompileError, DetectError};
use casemate::{Casemate, Cause, Certificate, Failure, Plugin};
use serde_json::{Map, Value, json};
use std::io::Write;

/// The two forms of the command.
const FORMS: &str = "`casemate run FILE --call METHOD` calls a method of a plugin; \
                     `casemate run FILE -- ARGS` runs a WASI command and is not available in this version";

/// A method's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reply {
    body: Vec<u8>,
    is_json: bool,
}

pub(crate) async fn perform(run: &Run, screen: &mut Screen) -> Result<Exit, Problem> {
    let method = method(run)?;
    // What needs no process is looked at first, and standard input last: a typo costs nobody what they piped in.
    let policy = policy::resolve(&policy::Flags {
        memory: run.memory.as_deref(),
        timeout: run.timeout.as_deref(),
        require: run.require.as_deref(),
        file: run.policy.as_deref(),
    })?;
    let metadata = std::fs::metadata(&run.file);
    metadata.map_err(|error| {
        let path = casemate::outcome::escape(&run.file.display().to_string(), 512);
        Failure::not_started(Cause::File { path, message: error.to_string() })
    })?;
    let input = input::resolve(run.input.as_deref(), run.raw, std::io::stdin())?;

    let casemate = embedded(screen)?;
    let working = screen.working(&format!("compiling {}", run.file.display()));
    let loaded = casemate.load(&run.file, policy).await;
    drop(working);
    let plugin = loaded.map_err(both_forms)?;
    let working = screen.working(&format!("calling {method}"));
    let called = call(&plugin, method, &input).await;
    drop(working);
    let shown = run.certificate.then(|| plugin.certificate());
    let ended = match called {
        Ok(reply) => answer(&reply, shown.as_ref(), screen).map(|()| Exit::Done),
        Err(failure) => refused(failure.into(), shown.as_ref(), screen),
    };
    casemate.shutdown().await;
    ended
}

/// The method to call, or why there is none.
fn method(run: &Run) -> Result<&str, Problem> {
    match (&run.call, run.args.is_empty()) {
        (Some(_), false) => Err(Problem::usage(format!("--call and -- ARGS exclude each other: {FORMS}"))),
        (None, false) => Err(Problem::usage(format!("`-- ARGS` is not available in this version: {FORMS}"))),
        (None, true) => Err(Problem::usage(format!("say what to run of the file: {FORMS}"))),
        (Some(method), true) if method.is_empty() => Err(Problem::usage("--call needs the name of a method")),
        (Some(method), true) => Ok(method),
    }
}

/// A supervisor that shows the plugin's log lines if they are wanted.
pub(crate) fn embedded(screen: &Screen) -> Result<Casemate, Problem> {
    let verbose = screen.verbose();
    Ok(Casemate::builder().on_log(move |record| log::show(&record, verbose)).build()?)
}

async fn call(plugin: &Plugin, method: &str, input: &Input) -> Result<Reply, Failure> {
    match input {
        Input::Json(text) => {
            plugin.call_json_text(method, text).await.map(|(body, is_json)| Reply { body, is_json })
        }
        Input::Raw(bytes) => plugin.call_raw(method, bytes).await.map(|body| {
            let is_json = false;
            Reply { body, is_json }
        }),
    }
}

/// A module that is no plugin may be one for the other form of the command: say that there are two.
fn both_forms(failure: Failure) -> Problem {
    let undetected = match &failure.cause {
        Cause::Module(CompileError::Dialect(DetectError::NoDialect { .. })) => true,
        Cause::Module(CompileError::Dialect(DetectError::UnknownImport { module, .. })) => {
            module.as_str().starts_with("wasi")
        }
        _ => false,
    };
    if undetected {
        return Problem::Own {
            exit: crate::exit::of(&failure.cause),
            code: "module.no_form",
            message: format!("{}: neither form of run is possible: {FORMS}", failure.cause),
        };
    }
    failure.into()
}

/// The reply as it is; laid out if it is JSON and a person reads it.
fn answer(reply: &Reply, certificate: Option<&Certificate>, screen: &mut Screen) -> Result<(), Problem> {
    if screen.json() {
        return screen.value(&answer_json(reply, certificate));
    }
    let value = reply.is_json.then(|| serde_json::from_slice::<Value>(&reply.body).ok()).flatten();
    match value {
        Some(value) if screen.out_is_terminal() => screen.line(format_args!("{value:#}"))?,
        // A line of text ends with its line; bytes are left alone.
        _ if reply.is_json => screen.bytes(&[&reply.body[..], b"\n"].concat())?,
        _ if screen.out_is_terminal() => {
            screen.line(casemate::outcome::escape(&String::from_utf8_lossy(&reply.body), usize::MAX))?;
        }
        _ => screen.bytes(&reply.body)?,
    }
    match certificate {
        Some(certificate) => certificate_beside(certificate, screen),
        None => Ok(()),
    }
}

/// The reply belongs to standard output alone; what stands around the worker is told beside it.
fn certificate_beside(certificate: &Certificate, screen: &Screen) -> Result<(), Problem> {
    let text = certificate::lines(certificate, screen).join("\n");
    writeln!(std::io::stderr(), "{text}").map_err(|error| {
        Problem::not_found(format!("the certificate cannot be written to standard error: {error}"))
    })
}

/// `{"ok": true, "reply": …}`; `reply_bytes` where the reply is not JSON.
fn answer_json(reply: &Reply, certificate: Option<&Certificate>) -> Value {
    let mut object = Map::new();
    object.insert("ok".to_owned(), json!(true));
    let parsed = reply.is_json.then(|| serde_json::from_slice(&reply.body).ok()).flatten();
    match (parsed, std::str::from_utf8(&reply.body)) {
        (Some(value), _) => object.insert("reply".to_owned(), value),
        (None, Ok(text)) => object.insert("reply_text".to_owned(), json!(text)),
        (None, Err(_)) => object.insert("reply_bytes".to_owned(), json!(reply.body)),
    };
    if let Some(certificate) = certificate {
        object.insert("certificate".to_owned(), certificate::to_json(certificate));
    }
    Value::Object(object)
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
    fn a_call_needs_a_method_and_every_other_form_is_named() {
        assert_eq!(method(&run("casemate run p.wasm --call stats")), Ok("stats"));
        for line in ["run p.wasm", "run p.wasm -- x", "run p.wasm --call m -- x"] {
            let run = run(&format!("casemate {line}"));
            let problem = method(&run).unwrap_err();
            assert_eq!(problem.exit(), Exit::Usage);
            let text = problem.to_string();
            assert!(text.contains("--call METHOD") && text.contains("-- ARGS"), "{text}");
            assert!(text.contains("not available in this version"), "{text}");
        }
    }

    #[test]
    fn answers_in_json() {
        assert_eq!(answer_json(&reply(b"{\"a\":1}", true), None), json!({"ok": true, "reply": {"a": 1}}));
        assert_eq!(answer_json(&reply(b"text", false), None), json!({"ok": true, "reply_text": "text"}));
        assert_eq!(answer_json(&reply(b"\xff", false), None), json!({"ok": true, "reply_bytes": [255]}));
        assert_eq!(answer_json(&reply(b"{broken", true), None), json!({"ok": true, "reply_text": "{broken"}));
        let certificate = Certificate::new(Profile::Core);
        let value = answer_json(&reply(b"1", true), Some(&certificate));
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
        for error in [none, wasi] {
            let problem = both_forms(Failure::not_started(Cause::Module(error)));
            assert_eq!(problem.exit(), Exit::Guest);
            let text = problem.to_string();
            assert!(text.contains("--call METHOD") && text.contains("-- ARGS"), "{text}");
        }
        let component = both_forms(Failure::not_started(Cause::Module(CompileError::Component)));
        assert!(matches!(component, Problem::Failure(_)));
    }
}
