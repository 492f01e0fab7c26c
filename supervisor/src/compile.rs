//! The compiler: a process of its own for one module, then gone.

use crate::context::Context;
use crate::memfd::{self, apart};
use crate::process::control::broken;
use crate::tree::{Tree, cause_of};
use casemate_protocol::module::{
    CWASM_BYTES_MAX, CompileReport, MODULE_BYTES_MAX, REPORT_BYTES_MAX, Sniffed, sniff,
};
use casemate_protocol::outcome::{Cause, Exit, Failure};
use casemate_protocol::spawn::{
    CompileSpec, OUT_OF_MEMORY, OUTPUT_REFUSED, PANICKED, Report, StubSpec, ZYGOTE_OPEN_FILES,
};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// What one compilation may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CompileCaps {
    pub(crate) wall: Duration,
    pub(crate) cpu_seconds: u64,
    pub(crate) memory_bytes: u64,
}

impl CompileCaps {
    /// A component is several modules and what joins them, and the largest are whole interpreters: twice the time, and half
    /// as much memory again, which with the defaults is 120 s and 3 GiB.
    fn of(self, wasm: &[u8]) -> Self {
        match sniff(wasm) {
            Sniffed::Component => Self {
                wall: self.wall.saturating_mul(2),
                cpu_seconds: self.cpu_seconds.saturating_mul(2),
                memory_bytes: self.memory_bytes.saturating_add(self.memory_bytes / 2),
            },
            _ => self,
        }
    }
}

/// Cranelift recurses with the depth of a function's blocks.
const STACK_BYTES: u64 = 16 << 20;
/// What a compiler may write, which is more than it needs: a length, a report, code.
const OUTPUT_BYTES: u64 = CWASM_BYTES_MAX + REPORT_BYTES_MAX as u64 + 5;

/// What a compiler made.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) report: CompileReport,
    /// The code in a sealed memfd of ours; empty if the report is an error or only facts were asked for.
    pub(crate) code: OwnedFd,
    /// Whether it was made before.
    pub(crate) from_cache: bool,
}

/// Compiles a module, or only looks at it, behind the walls.
pub(crate) async fn compile(
    context: &Arc<Context>,
    wasm: &[u8],
    spec: CompileSpec,
) -> Result<Compiled, Failure> {
    let caps = context.compile_caps.of(wasm);
    let cap = caps.wall;
    let too_long = || {
        let ms = cap.as_millis();
        lost(format!("its wall-clock cap is {ms} ms: make the module smaller or simpler"))
    };
    // A clock that has run out at the start may be seen late.
    if cap.is_zero() {
        return Err(too_long());
    }
    // Longer input is cut to one byte over the compiler's own limit, which then names itself.
    let kept =
        wasm.get(..usize::try_from(MODULE_BYTES_MAX).unwrap_or(usize::MAX).saturating_add(1)).unwrap_or(wasm);
    let kept_bytes = kept.len();
    let kept = kept.to_vec();
    let input = apart(move || memfd::sealed("casemate-module", &kept)).await;
    let input = input
        .unwrap_or_else(|| Err(runtime_ended()))
        .map_err(|error| broken("passing the module on", error))?;
    let output =
        memfd::empty("casemate-output").map_err(|error| broken("making the compiler's output", error))?;
    let stub_spec = StubSpec {
        identity: None,
        namespaces: true,
        stack_bytes: STACK_BYTES,
        data_bytes: caps.memory_bytes,
        cpu_seconds: Some(caps.cpu_seconds),
        file_bytes: OUTPUT_BYTES,
        open_files: ZYGOTE_OPEN_FILES,
    };
    let work = run(context, stub_spec, &spec, [&input, &output], caps);
    let exit = match tokio::time::timeout(cap, work).await {
        Ok(done) => done?,
        Err(_elapsed) => return Err(too_long()),
    };
    let read = apart(move || read(output, kept_bytes)).await;
    let read = read.unwrap_or_else(|| Err(broken("reading the compiler's output", runtime_ended())));
    let (report, code) = read.map_err(|failure| with_end(failure, exit, caps))?;
    Ok(Compiled { report, code, from_cache: false })
}

fn runtime_ended() -> std::io::Error {
    std::io::Error::other("the host's runtime has ended")
}

fn lost(message: impl Into<String>) -> Failure {
    Failure::not_started(Cause::Compiler { message: message.into() })
}

async fn run(
    context: &Arc<Context>,
    stub_spec: StubSpec,
    spec: &CompileSpec,
    [input, output]: [&OwnedFd; 2],
    caps: CompileCaps,
) -> Result<Exit, Failure> {
    let raise = Tree::raise(context, &context.compiler, "compiler", stub_spec, None, None);
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
        // Before Linux 6.15 nobody but its stub is told: the output has to say it.
        (None, Some(exit @ (Exit::Code(0) | Exit::Unknown))) => Ok(exit),
        (None, exit) => Err(lost(exceeded(exit, caps))),
    }
}

/// Which cap ended it, as far as its end says.
fn exceeded(exit: Option<Exit>, caps: CompileCaps) -> String {
    let CompileCaps { cpu_seconds, memory_bytes, .. } = caps;
    let cap = match exit {
        Some(Exit::KILLED) => format!("its CPU cap is {cpu_seconds} s"),
        Some(Exit::Code(OUT_OF_MEMORY)) => format!("its memory cap is {memory_bytes} bytes"),
        Some(Exit::Code(OUTPUT_REFUSED) | Exit::XFSZ) => return output_cap(),
        Some(Exit::SEGV) => format!("its stack cap is {STACK_BYTES} bytes"),
        Some(Exit::Code(PANICKED)) => "it gave up on this module".to_owned(),
        _ => "it cannot say why".to_owned(),
    };
    let how = exit.map_or_else(String::new, |exit| exit.to_string());
    format!("{cap} (it ended by {how}): make the module smaller or simpler")
}

/// What is wrong with an output, and what else there is to say if nobody knows how its writer ended.
fn with_end(failure: Failure, exit: Exit, caps: CompileCaps) -> Failure {
    let CompileCaps { cpu_seconds, memory_bytes, .. } = caps;
    match failure.cause {
        Cause::Compiler { message } if exit == Exit::Unknown => lost(format!(
            "{message}, and this kernel does not say how it ended; its CPU cap is {cpu_seconds} s, its memory cap is \
             {memory_bytes} bytes, its stack cap is {STACK_BYTES} bytes: make the module smaller or simpler"
        )),
        _ => failure,
    }
}

/// The first process of a pid namespace is not sent SIGXFSZ: what it writes is cut off there.
fn output_cap() -> String {
    format!("its output cap is {OUTPUT_BYTES} bytes: make the module smaller or simpler")
}

/// `u32 LE report length, report, code`, as an untrusted process wrote it about a module of so many bytes. What it
/// announces meets its limit, and the size of what it wrote, before any of that is read.
fn read(output: OwnedFd, module_bytes: usize) -> Result<(CompileReport, OwnedFd), Failure> {
    let unreadable = |error| lost(format!("its output cannot be read: {error}"));
    let size = memfd::size(&output).map_err(unreadable)?;
    if size >= OUTPUT_BYTES {
        return Err(lost(output_cap()));
    }
    let mut output = File::from(output);
    output.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let strange = |_cut_off| lost("its output is not what a compiler writes");
    let mut length = [0; 4];
    output.read_exact(&mut length).map_err(strange)?;
    let length = u32::from_le_bytes(length);
    let mut report = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(REPORT_BYTES_MAX + 1)];
    output.read_exact(&mut report).map_err(strange)?;
    let report =
        CompileReport::decode(&report).map_err(|error| lost(format!("its report is broken: {error}")))?;
    let announced = match &report {
        CompileReport::Accepted(accepted) => accepted.code().cwasm_bytes,
        CompileReport::Refused { .. } => 0,
    };
    let code_bytes = size.saturating_sub(u64::from(length)).saturating_sub(4);
    if code_bytes != announced || announced > CWASM_BYTES_MAX {
        return Err(lost(format!("it announced {announced} bytes of code and wrote {code_bytes}")));
    }
    // A report of another module, by the one fact that we know too.
    let described = report.facts().map(|facts| facts.sizes.module_bytes);
    if described.is_some_and(|bytes| u64::try_from(module_bytes).ok() != Some(bytes)) {
        return Err(lost("its report is about another module than the one it was given"));
    }
    let code = memfd::sealed_copy("casemate-code", &mut output, announced)
        .map_err(|error| broken("keeping the compiled code", error))?;
    Ok((report, code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::Config;

    #[test]
    fn a_component_may_take_twice_the_time_and_half_as_much_memory_again() {
        let config = Config::default();
        let caps = CompileCaps {
            wall: config.compile_timeout,
            cpu_seconds: config.compile_cpu_seconds,
            memory_bytes: config.compile_memory_bytes,
        };
        let (module, component) = (caps.of(b"\0asm\x01\0\0\0"), caps.of(b"\0asm\x0d\0\x01\0"));
        assert_eq!((module.cpu_seconds, module.memory_bytes), (60, 2 << 30));
        assert_eq!((component.cpu_seconds, component.memory_bytes), (120, 3 << 30));
        assert_eq!(component.wall, 2 * module.wall);
    }
}
