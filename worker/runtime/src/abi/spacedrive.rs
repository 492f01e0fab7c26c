//! Extensions of Spacedrive: one generic call into the host's operations, and jobs.
//!
//! A method is a job's name or `execute_JOB`; its body `{job_id, library_id, state}`, all optional. The answer is
//! `{status: done | interrupted}`, and what the job did on its way are host calls named `job.…`.

use super::allocator::Allocator;
use super::answer::input;
use super::imports::{self, Arguments, Given as Result_, HostFunction, of};
use super::memory::{Block, read};
use super::{Answer, Given, GuestAbi, ModuleAbi, bound, function, host, invoke, run_constructors};
use crate::fault::Fault;
use crate::guest::State;
use casemate_lockdown::link::Turn;
use casemate_protocol::link::CONTENT_JSON;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use wasmtime::{Caller, Instance, Linker, Module, Store, TypedFunc};

/// Bytes of a library's or a job's number.
const UUID_BYTES: u32 = 16;

/// Jobs that one extension may register.
const JOBS_MAX: usize = 1000;

/// Bytes of a job's name, and of its function's.
const NAME_BYTES_MAX: usize = 256;

type Execute = TypedFunc<(i32, i32, i32, i32), i32>;

/// A job that the extension has.
struct Job {
    function: String,
    is_resumable: bool,
}

/// What its host functions keep.
struct Kept {
    allocator: Allocator,
    jobs: BTreeMap<String, Job>,
}

/// The adapter.
#[derive(Default)]
pub(crate) struct Spacedrive {
    instance: Option<Instance>,
}

impl Spacedrive {
    fn instance(&self) -> Result<Instance, Fault> {
        bound(self.instance)
    }
}

impl ModuleAbi for Spacedrive {
    fn link(&self, linker: &mut Linker<State>, module: &Module) -> wasmtime::Result<()> {
        imports::link(linker, module, |from, name| if from == "spacedrive" { import(name) } else { None })
    }

    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        self.instance = Some(*instance);
        let allocator = Allocator::find(store, instance, "wasm_alloc", "wasm_free")?;
        store.data_mut().kept = Box::new(Kept { allocator, jobs: BTreeMap::new() });
        Ok(())
    }
}

impl GuestAbi for Spacedrive {
    fn start(&mut self, store: &mut Store<State>, _given: Given<'_>) -> wasmtime::Result<()> {
        let instance = self.instance()?;
        run_constructors(store, &instance, &["_initialize"])?;
        let init = instance.get_typed_func::<(), i32>(&mut *store, "plugin_init")?;
        match invoke(&init, store, ())? {
            0 => Ok(()),
            code => Err(Fault::refused("plugin_init", code).into()),
        }
    }

    fn describe(&mut self, store: &mut Store<State>) -> wasmtime::Result<Answer> {
        let jobs = store.data_mut().kept::<Kept>()?.jobs.iter();
        let jobs: Vec<Value> = jobs
            .map(|(name, job)| json!({"name": name, "function": job.function, "resumable": job.is_resumable}))
            .collect();
        Ok(Answer::json(&json!({ "jobs": jobs })))
    }

    fn call(
        &mut self,
        store: &mut Store<State>,
        method: &str,
        _content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let instance = self.instance()?;
        let Kept { allocator, jobs } = store.data_mut().kept()?;
        let allocator = allocator.clone();
        let exported = match jobs.get(method) {
            Some(job) => job.function.clone(),
            None if method.starts_with("execute_") => method.to_owned(),
            None => format!("execute_{method}"),
        };
        let Some(execute) = function::<_, _>(store, &instance, &exported)? else {
            return Ok(Answer::error("no_method", "it has no job of that name"));
        };
        let execute: Execute = execute;
        let order = match input(body) {
            Ok(order) => order,
            Err(refusal) => return Ok(refusal),
        };
        let context =
            json!({ "job_id": order.get("job_id"), "library_id": order.get("library_id") }).to_string();
        let state =
            order.get("state").filter(|state| !state.is_null()).map(Value::to_string).unwrap_or_default();
        let context = allocator.place(&mut *store, &[context.as_bytes()])?;
        let state = allocator.place(&mut *store, &[state.as_bytes()])?;
        let ((context, context_bytes), (state, state_bytes)) = (context.numbers(), state.numbers());
        match invoke(&execute, store, (context, context_bytes, state, state_bytes))? {
            0 => Ok(Answer::json(&json!({ "status": "done" }))),
            1 => Ok(Answer::json(&json!({ "status": "interrupted" }))),
            code => Ok(Answer::error("failed", &format!("the job ended with {code}"))),
        }
    }

    fn turn(&mut self, store: &mut Store<State>, turn: Turn) -> wasmtime::Result<Answer> {
        let instance = self.instance()?;
        let cleanup = function::<(), i32>(store, &instance, "plugin_cleanup")?;
        match (turn, cleanup) {
            (Turn::Stop, Some(cleanup)) => {
                Ok(Answer::of_code("cleanup", "plugin_cleanup", invoke(&cleanup, store, ())?))
            }
            _ => Ok(Answer::empty()),
        }
    }
}

fn import(name: &str) -> Option<HostFunction> {
    match name {
        "spacedrive_call" => of(call),
        "spacedrive_log" => of(|caller, arguments| {
            let line = arguments.bytes(caller, 1, "a log line")?;
            // Theirs begin with debug, ours with trace.
            host::log_in(caller.data_mut(), arguments.number(0).saturating_add(1), &line)?;
            Ok(Result_::Nothing)
        }),
        "register_job" => of(register),
        "job_report_progress" => of(|caller, arguments| {
            let message = arguments.text(caller, 2, "what a job says of its progress")?;
            let said = json!({ "progress": arguments.float(1), "message": message });
            of_job(caller, arguments, "job.progress", said)
        }),
        "job_checkpoint" => of(|caller, arguments| {
            let state = arguments.bytes(caller, 1, "a job's state")?;
            let Ok(state) = serde_json::from_slice::<Value>(&state) else { return Ok(Result_::Number(1)) };
            of_job(caller, arguments, "job.checkpoint", json!({ "state": state }))
        }),
        "job_check_interrupt" => of(|caller, arguments| {
            if host::is_cancelled() {
                return Ok(Result_::Number(1));
            }
            let asked = json!({ "job_id": uuid(caller, arguments.number(0))? });
            let answer =
                host::call(caller, "job.check_interrupt", CONTENT_JSON, asked.to_string().as_bytes())?;
            Ok(Result_::Number(i32::from(!answer.is_error && answer.body == b"true")))
        }),
        "job_add_warning" => of(|caller, arguments| {
            let warning = arguments.text(caller, 1, "a job's warning")?;
            of_job(caller, arguments, "job.warning", json!({ "message": warning }))
        }),
        "job_increment_bytes" => of(|caller, arguments| {
            of_job(caller, arguments, "job.bytes", json!({ "count": arguments.long(1) }))
        }),
        "job_increment_items" => of(|caller, arguments| {
            of_job(caller, arguments, "job.items", json!({ "count": arguments.long(1) }))
        }),
        _ => None,
    }
}

/// The one generic call. Whatever is wrong comes back as `{"error": …}`.
fn call(caller: &mut Caller<'_, State>, arguments: Arguments<'_>) -> wasmtime::Result<Result_> {
    let method = arguments.text(caller, 0, "the method of a call")?;
    let library = match arguments.number(2) {
        0 => Value::Null,
        address => uuid(caller, address)?.into(),
    };
    let payload = arguments.bytes(caller, 3, "the payload of a call")?;
    let result = match payload.as_slice() {
        [] => Ok(Value::Null),
        payload => serde_json::from_slice::<Value>(payload),
    };
    let reply = match result {
        Ok(payload) => {
            let body = json!({ "library_id": library, "payload": payload }).to_string();
            let answer = host::call(caller, &method, CONTENT_JSON, body.as_bytes())?;
            if answer.is_error { error(&answer.body) } else { answer.body }
        }
        Err(why) => json!({ "error": format!("the payload is not JSON: {why}") }).to_string().into_bytes(),
    };
    let allocator = caller.data_mut().kept::<Kept>()?.allocator.clone();
    // The guest reads up to a zero.
    let block = allocator.place(caller, &[&reply, &[0]])?;
    Ok(Result_::Number(block.numbers().0))
}

/// A host's error as these guests know them.
fn error(body: &[u8]) -> Vec<u8> {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = error.get("message").and_then(Value::as_str).unwrap_or("the host does not say why");
    json!({ "error": message, "code": error.get("code") }).to_string().into_bytes()
}

fn register(caller: &mut Caller<'_, State>, arguments: Arguments<'_>) -> wasmtime::Result<Result_> {
    let name = arguments.text(caller, 0, "the name of a job")?;
    let function = arguments.text(caller, 2, "the function of a job")?;
    let is_resumable = arguments.number(4) != 0;
    let jobs = &mut caller.data_mut().kept::<Kept>()?.jobs;
    let is_short = name.len() <= NAME_BYTES_MAX && function.len() <= NAME_BYTES_MAX;
    let is_new = is_short && !jobs.contains_key(&name) && jobs.len() < JOBS_MAX;
    if is_new {
        jobs.insert(name, Job { function, is_resumable });
    }
    Ok(Result_::Number(i32::from(!is_new)))
}

/// Tells the host something of a job: 0 if that was heard.
fn of_job(
    caller: &mut Caller<'_, State>,
    arguments: Arguments<'_>,
    method: &str,
    mut said: Value,
) -> wasmtime::Result<Result_> {
    let job = uuid(caller, arguments.number(0))?;
    if let Some(said) = said.as_object_mut() {
        said.insert("job_id".to_owned(), job.into());
    }
    let answer = host::call(caller, method, CONTENT_JSON, said.to_string().as_bytes())?;
    Ok(Result_::Number(i32::from(answer.is_error)))
}

/// Sixteen bytes of the guest's as people write them.
fn uuid(caller: &mut Caller<'_, State>, address: i32) -> Result<String, Fault> {
    let memory = host::memory(caller)?;
    let block = Block { address: address.cast_unsigned(), length: UUID_BYTES };
    let mut text = String::new();
    for (at, byte) in read(memory, caller, block, "a number of 16 bytes")?.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
