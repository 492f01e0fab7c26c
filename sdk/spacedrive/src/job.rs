//! Jobs: work that takes longer, tells how far it is, and goes on where it was.

use crate::{Uuid, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(target_arch = "wasm32")]
#[link(wasm_import_module = "spacedrive")]
unsafe extern "C" {
    fn job_report_progress(id: *const u8, progress: f32, message: *const u8, bytes: usize);
    fn job_checkpoint(id: *const u8, state: *const u8, bytes: usize) -> i32;
    fn job_check_interrupt(id: *const u8) -> i32;
    fn job_add_warning(id: *const u8, warning: *const u8, bytes: usize);
    fn job_increment_bytes(id: *const u8, count: i64);
    fn job_increment_items(id: *const u8, count: i64);
}

/// How a job ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// All of it is done.
    Completed,
    /// The host wanted it to stop; it goes on at its checkpoint.
    Interrupted,
}

/// A job that runs.
#[derive(Debug)]
pub struct Job {
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only a host is told of it"))]
    id: Uuid,
    library: Option<Uuid>,
}

#[derive(Deserialize)]
struct Context {
    job_id: Option<String>,
    library_id: Option<String>,
}

#[cfg_attr(not(target_arch = "wasm32"), allow(unused_variables))]
impl Job {
    /// The library that it works on.
    pub fn library(&self) -> Option<&Uuid> {
        self.library.as_ref()
    }

    /// How far it is, from 0 to 1.
    pub fn progress(&self, progress: f32, message: &str) {
        #[cfg(target_arch = "wasm32")]
        // SAFETY: all of it is there for the length of the call.
        unsafe {
            job_report_progress(self.id.as_ptr(), progress, message.as_ptr(), message.len());
        }
    }

    /// Where it goes on after an interruption, or a crash.
    pub fn checkpoint(&self, state: &impl Serialize) -> Result<(), String> {
        let state = serde_json::to_vec(state).map_err(|error| error.to_string())?;
        #[cfg(target_arch = "wasm32")]
        // SAFETY: as above.
        if unsafe { job_checkpoint(self.id.as_ptr(), state.as_ptr(), state.len()) } != 0 {
            return Err("the host did not take the checkpoint".to_owned());
        }
        Ok(())
    }

    /// Whether the host wants it to stop.
    pub fn is_interrupted(&self) -> bool {
        #[cfg(target_arch = "wasm32")]
        // SAFETY: as above.
        return unsafe { job_check_interrupt(self.id.as_ptr()) } != 0;
        #[cfg(not(target_arch = "wasm32"))]
        false
    }

    /// What went wrong without stopping it.
    pub fn warn(&self, warning: &str) {
        #[cfg(target_arch = "wasm32")]
        // SAFETY: as above.
        unsafe {
            job_add_warning(self.id.as_ptr(), warning.as_ptr(), warning.len());
        }
    }

    /// So many bytes more.
    pub fn add_bytes(&self, count: i64) {
        #[cfg(target_arch = "wasm32")]
        // SAFETY: as above.
        unsafe {
            job_increment_bytes(self.id.as_ptr(), count);
        }
    }

    /// So many items more.
    pub fn add_items(&self, count: i64) {
        #[cfg(target_arch = "wasm32")]
        // SAFETY: as above.
        unsafe {
            job_increment_items(self.id.as_ptr(), count);
        }
    }
}

/// Runs a job for its host.
///
/// # Safety
///
/// Both blocks are of that many bytes.
#[doc(hidden)]
pub unsafe fn execute(
    context: *const u8,
    context_bytes: i32,
    state: *const u8,
    state_bytes: i32,
    run: impl FnOnce(&mut Job, Value) -> Result<Done, String>,
) -> i32 {
    let block = |address, bytes: i32| match usize::try_from(bytes) {
        Ok(bytes) if bytes > 0 => {
            // SAFETY: as the caller promises.
            unsafe { std::slice::from_raw_parts(address, bytes) }
        }
        _ => &[],
    };
    let context: Context = match serde_json::from_slice(block(context, context_bytes)) {
        Ok(context) => context,
        Err(error) => return failed(&format!("the context of a job: {error}")),
    };
    let number = |text: &Option<String>| text.as_deref().and_then(uuid);
    let mut job =
        Job { id: number(&context.job_id).unwrap_or_default(), library: number(&context.library_id) };
    let state = match block(state, state_bytes) {
        [] => Value::Null,
        state => match serde_json::from_slice(state) {
            Ok(state) => state,
            Err(error) => return failed(&format!("the state of a job: {error}")),
        },
    };
    match run(&mut job, state) {
        Ok(Done::Completed) => 0,
        Ok(Done::Interrupted) => 1,
        Err(error) => failed(&error),
    }
}

fn failed(why: &str) -> i32 {
    log::error(why);
    2
}

/// The bytes of a number as people write it.
fn uuid(text: &str) -> Option<Uuid> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let mut bytes = Uuid::default();
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let bytes = uuid("01020304-0506-0708-090a-0b0c0d0e0f10").unwrap();
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(uuid("01020304"), None);
        assert_eq!(uuid("zz020304-0506-0708-090a-0b0c0d0e0f10"), None);
    }
}
