//! Booting an image, and the transcript of its console.

use std::path::Path;
use std::time::Duration;

use super::Parts;
use super::script::Transcript;
use crate::problem::Problem;
use crate::project::Project;
use crate::step::Step;

/// Memory of the machine: the image twice, and room for what runs.
const MEMORY_MIB: &str = "1536";

/// The kernel says little, and ends the machine when it panics.
const KERNEL_LINE: &str = "console=ttyS0 quiet panic=-1";

/// Runs the machine to its end, with what its jobs say on the terminal.
pub(super) fn boot(
    project: &Project,
    parts: &Parts,
    image: &Path,
    limit: Duration,
) -> Result<Transcript, Problem> {
    let mut transcript = Transcript::default();
    let ended = Step::new("timeout", &project.root)
        .args(["--kill-after=10", &limit.as_secs().to_string()])
        .arg(&parts.qemu)
        // Emulated: a machine inside a machine seldom gets more. Any processor will do, so the one with most features.
        .args(["-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", MEMORY_MIB])
        .args(["-display", "none", "-vga", "none", "-monitor", "none", "-serial", "stdio"])
        .args(["-nic", "none", "-no-reboot"])
        .arg("-kernel")
        .arg(&parts.kernel)
        .arg("-initrd")
        .arg(image)
        .args(["-append", KERNEL_LINE])
        .run_reading(|line| transcript.take(line))?;
    match (ended, transcript.is_whole()) {
        (_, true) => Ok(transcript),
        (true, false) => Err(Problem::new(format!(
            "the virtual machine ended before its last job; the end of its console:\n{}",
            transcript.tail()
        ))),
        (false, false) => Err(Problem::new(format!(
            "the virtual machine failed, or took more than {} min; the end of its console:\n{}",
            limit.as_secs() / 60,
            transcript.tail()
        ))),
    }
}
