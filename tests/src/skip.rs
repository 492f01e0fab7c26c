//! How a test says that it could not run here.
//!
//! libtest knows `#[ignore]`, which is decided before the run. Whether a kernel has a layer, or whether this user may
//! remount `/proc`, shows only in the test itself. It then calls [`skip`] and returns, and `cargo xtask test` counts it
//! as skipped, by name, instead of as passed.

use std::fs::OpenOptions;
use std::io::Write;

/// Notes that this test did not run, and why. The reason names the thing that is missing.
///
/// ```text
/// if !kernel.has_mseal() {
///     return skip("sealed_code_stays_sealed", "mseal needs Linux 6.10");
/// }
/// ```
#[expect(
    clippy::disallowed_methods,
    reason = "the runner names the file in the environment of the test process"
)]
pub fn skip(test: &str, reason: &str) {
    let line = format!("{test}: {}\n", reason.replace('\n', " "));
    // Past libtest's capture, which would hide it: nobody looks at the output of a test that passed.
    let mut said = std::io::stderr().write_all(format!("skipped: {line}").as_bytes());
    if let Some(file) = std::env::var_os("CASEMATE_SKIPS") {
        said = said.and_then(|()| {
            // One write to an appending file, so that tests on other threads do not cut the line.
            OpenOptions::new().append(true).create(true).open(file)?.write_all(line.as_bytes())
        });
    }
    // A lost note shows as one test more that passed; failing the test for it would say something worse.
    let _ = said;
}
