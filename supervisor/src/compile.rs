//! The compiler: a process of its own for one module, then gone. There is no cache yet: each load compiles.

use crate::context::Context;
use crate::memfd;
use crate::process::control::broken;
use crate::tree::{Tree, cause_of};
use casemate_protocol::module::{CWASM_BYTES_MAX, CompileReport, MODULE_BYTES_MAX, REPORT_BYTES_MAX};
use casemate_protocol::outcome::{Cause, Exit, Failure};
use casemate_protocol::spawn::{CompileSpec, Report, StubSpec};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// CPU time of one compilation.
const CPU_SECONDS: u64 = 60;
/// Memory of one compilation.
const DATA_BYTES: u64 = 2 << 30;
/// Cranelift recurses with the depth of a function's blocks.
const STACK_BYTES: u64 = 16 << 20;
const SIGKILL: i32 = 9;

/// What a compiler made.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) report: CompileReport,
    /// The code in a sealed memfd of ours; empty if the report is an error or only facts were asked for.
    pub(crate) code: OwnedFd,
}

/// Compiles a module, or only looks at it, behind the walls.
pub(crate) async fn compile(
    context: &Arc<Context>,
    wasm: &[u8],
    spec: CompileSpec,
) -> Result<Compiled, Failure> {
    // Longer input is cut to one byte over the compiler's own limit, which then names itself.
    let kept =
        wasm.get(..usize::try_from(MODULE_BYTES_MAX).unwrap_or(usize::MAX).saturating_add(1)).unwrap_or(wasm);
    let input =
        memfd::sealed("casemate-module", kept).map_err(|error| broken("passing the module on", error))?;
    let output =
        memfd::empty("casemate-output").map_err(|error| broken("making the compiler's output", error))?;
    let report_bytes = u64::try_from(REPORT_BYTES_MAX).unwrap_or(u64::MAX);
    let stub_spec = StubSpec {
        identity: None,
        namespaces: true,
        stack_bytes: STACK_BYTES,
        data_bytes: DATA_BYTES,
        cpu_seconds: Some(CPU_SECONDS),
        file_bytes: CWASM_BYTES_MAX + report_bytes + 4,
    };
    let work = run(context, stub_spec, &spec, &input, &output);
    match tokio::time::timeout(context.compile_timeout, work).await {
        Ok(done) => done?,
        Err(_elapsed) => {
            let seconds = context.compile_timeout.as_secs();
            return Err(lost(format!("it ran into its wall-clock cap of {seconds} s")));
        }
    }
    let (report, code) = read(&output)?;
    let code =
        memfd::sealed("casemate-code", &code).map_err(|error| broken("keeping the compiled code", error))?;
    Ok(Compiled { report, code })
}

fn lost(message: impl Into<String>) -> Failure {
    Failure::not_started(Cause::Compiler { message: message.into() })
}

async fn run(
    context: &Arc<Context>,
    stub_spec: StubSpec,
    spec: &CompileSpec,
    input: &OwnedFd,
    output: &OwnedFd,
) -> Result<(), Failure> {
    let raise = Tree::raise(context, &context.compiler, "compiler", stub_spec);
    let tree = match tokio::time::timeout(context.spawn_timeout, raise).await {
        Ok(tree) => tree?,
        Err(_elapsed) => return Err(broken("starting the compiler", "it took too long")),
    };
    tree.control.send("ordering the compiler", spec, &[input.as_fd(), output.as_fd()]).await?;
    context.point("compiler", "job sent");
    let (report, fds) = tree.control.receive("waiting for the compiler's filter", |count| count <= 1).await?;
    let Report::Listener(report) = report else {
        return Err(broken("waiting for the compiler's filter", "it sent something else than it must"));
    };
    if report.listener != (fds.len() == 1) {
        return Err(broken("waiting for the compiler's filter", "its listener did not come with its report"));
    }
    for listener in fds {
        context.guard.listen(listener, &tree.head).map_err(|error| broken("watching the compiler", error))?;
    }
    let fate = tree.head.ended().await;
    context.point("compiler", "ended");
    match (cause_of(&fate), fate.exit) {
        (Some(cause), _) => Err(Failure::not_started(cause)),
        (None, Some(Exit::Code(0) | Exit::Unknown)) => Ok(()),
        (None, Some(Exit::Signal(SIGKILL))) => Err(lost(format!(
            "it was killed; its CPU cap is {CPU_SECONDS} s: make the module smaller or simpler"
        ))),
        (None, exit) => {
            let how = exit.map_or_else(String::new, |exit| exit.to_string());
            Err(lost(format!(
                "it ended by {how}; its memory cap is {DATA_BYTES} bytes: make the module smaller or simpler"
            )))
        }
    }
}

/// `u32 LE report length, report, code`, as an untrusted process wrote it.
fn read(output: &OwnedFd) -> Result<(CompileReport, Vec<u8>), Failure> {
    let bytes =
        memfd::read(output, CWASM_BYTES_MAX + u64::try_from(REPORT_BYTES_MAX).unwrap_or(u64::MAX) + 4)
            .map_err(|error| lost(format!("its output cannot be read: {error}")))?;
    let broken = || lost("its output is not what a compiler writes");
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(broken)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > REPORT_BYTES_MAX {
        return Err(broken());
    }
    let (report, code) = rest.split_at_checked(length).ok_or_else(broken)?;
    let report =
        CompileReport::decode(report).map_err(|error| lost(format!("its report is broken: {error}")))?;
    let announced = match &report {
        CompileReport::Accepted(accepted) => accepted.code().cwasm_bytes,
        CompileReport::Refused { .. } => 0,
    };
    if u64::try_from(code.len()).ok() != Some(announced) {
        return Err(lost(format!("it announced {announced} bytes of code and wrote {}", code.len())));
    }
    Ok((report, code.to_vec()))
}
