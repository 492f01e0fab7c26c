//! The compiler program.

use casemate_lockdown::{Entered, LockdownError, Stage, seccomp};
use casemate_protocol::spawn::{CompileSpec, FailedReport, OUT_OF_MEMORY, OUTPUT_REFUSED, PANICKED};
use casemate_sys::allocator::Capped;
use casemate_sys::process::exit_now;
use casemate_sys::signal;
use std::fs::File;
use std::io::Read;
use std::mem::ManuallyDrop;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Capped = Capped::new(OUT_OF_MEMORY);

fn main() -> ExitCode {
    match casemate_lockdown::start() {
        Stage::Zygote(entered) => run(entered),
        Stage::Done(code) => code,
    }
}

/// Does the one job and ends here, not in `main`: what the standard library does after that, the filters do not allow.
fn run(entered: Entered) -> ! {
    say_nothing();
    exit_now(match job(entered) {
        Ok(Ok(())) => 0,
        Ok(Err(_output)) => OUTPUT_REFUSED,
        Err(_told) => 1,
    })
}

/// Whatever ends this process must end it as it is: words of the standard library's on standard error would be a
/// forbidden call, and be reported in the place of what happened.
fn say_nothing() {
    std::panic::set_hook(Box::new(|_| exit_now(PANICKED)));
    // Its handler for a stack that overflows. Where that cannot be taken away nothing is lost but the better report.
    let _ = signal::reset_all();
}

fn job(entered: Entered) -> Result<std::io::Result<()>, LockdownError> {
    let walled = entered.wall_up()?;
    let (spec, fds) = walled.receive::<CompileSpec>(2)?;
    let mut fds = fds.into_iter();
    let (Some(input), Some(output)) = (fds.next(), fds.next()) else {
        walled.fail(FailedReport { step: "taking the job".to_owned(), ..FailedReport::default() });
        return Ok(Err(std::io::ErrorKind::InvalidInput.into()));
    };
    let job = walled.lock_in_place(input, output, seccomp::compiler_filter)?;
    // Never closed: the filter allows no close, and the process ends with the job.
    let mut input = ManuallyDrop::new(Plain(File::from(job.input)));
    let mut output = ManuallyDrop::new(File::from(job.output));
    Ok(casemate_compiler::job::run(&mut *input, &mut *output, &spec))
}

/// A file that is only ever read: `File` itself asks for its size first, which the filter does not allow.
struct Plain(File);

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}
