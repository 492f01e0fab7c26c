//! The edge of the plugin: blocks of memory that cross it, the host's functions, and the exports.
//!
//! All unsafe code of the crate is here. It rests on one fact that the host vouches for: a block it hands over came from
//! [`alloc`] with align 1, is as long as it says, and is the plugin's from then on. The host owns the plugin's memory
//! anyway, so a host that lies gains nothing by it.

use std::alloc::Layout;

/// What `casemate_abi` answers: the version of the ABI that the exports follow.
pub const VERSION: i32 = 1;

/// `casemate_alloc`: null when there is no such block to be had. A block of no bytes is a pointer to nothing.
#[must_use]
pub fn alloc(size: usize, align: usize) -> *mut u8 {
    let Ok(layout) = Layout::from_size_align(size, align) else {
        return std::ptr::null_mut();
    };
    if size == 0 {
        return std::ptr::without_provenance_mut(align);
    }
    // SAFETY: the layout has a size other than 0, checked above.
    unsafe { std::alloc::alloc(layout) }
}

/// `casemate_free`: the counterpart of [`alloc`], also for blocks from `give`.
///
/// # Safety
///
/// The block came from [`alloc`] with this size and align, or from `give` with this size and align 1, and nobody uses it
/// any more.
pub unsafe fn free(block: *mut u8, size: usize, align: usize) {
    let Ok(layout) = Layout::from_size_align(size, align) else {
        return;
    };
    if size == 0 || block.is_null() {
        return;
    }
    // SAFETY: by this function's contract the block was allocated by the global allocator with this very layout.
    unsafe { std::alloc::dealloc(block, layout) }
}

/// Takes over a block that the host filled.
///
/// # Safety
///
/// The block came from [`alloc`] with this length and align 1, all its bytes are initialised, and nobody else uses it.
#[must_use]
pub unsafe fn take(block: *mut u8, len: usize) -> Vec<u8> {
    if len == 0 || block.is_null() {
        return Vec::new();
    }
    // SAFETY: by this function's contract the global allocator made this block with the layout of a Vec<u8> of this
    // capacity, and every byte of it is written.
    unsafe { Vec::from_raw_parts(block, len, len) }
}

/// Hands bytes over to the host, which gives them back to [`free`] with align 1.
#[cfg(any(all(target_arch = "wasm32", not(target_env = "p2")), test))]
pub(crate) fn give(bytes: Vec<u8>) -> (*mut u8, usize) {
    let block = bytes.into_boxed_slice();
    let len = block.len();
    (Box::into_raw(block).cast(), len)
}

#[cfg(all(target_arch = "wasm32", not(target_env = "p2")))]
pub use boundary::give_packed;
pub(crate) use boundary::{cancelled, host_call, log};

/// From now on a panic reaches the host's log before it traps.
#[cfg(target_arch = "wasm32")]
pub fn log_panics() {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log(crate::log::Level::Error, &panic.to_string())));
    });
}

#[cfg(target_env = "p2")]
use crate::component as boundary;

/// Inside a worker: the functions that the host supplies.
#[cfg(all(target_arch = "wasm32", not(target_env = "p2")))]
mod boundary {
    use crate::log::Level;

    mod import {
        #[link(wasm_import_module = "casemate")]
        unsafe extern "C" {
            pub(super) fn host_call(request: *const u8, len: usize) -> i64;
            pub(super) fn log(level: i32, text: *const u8, len: usize);
            pub(super) safe fn cancelled() -> i32;
        }
    }

    /// Asks the host: request bytes in, reply bytes out.
    pub(crate) fn host_call(request: &[u8]) -> Vec<u8> {
        // SAFETY: the pointer and the length are those of one slice, which the host only reads.
        let reply = unsafe { import::host_call(request.as_ptr(), request.len()) };
        let (block, len) = unpack(reply);
        // SAFETY: the host filled this block, which it got from casemate_alloc(len, 1), and left it to the plugin.
        unsafe { super::take(block, len) }
    }

    /// One line for the host's log.
    pub(crate) fn log(level: Level, text: &str) {
        // SAFETY: the pointer and the length are those of one string, which the host only reads.
        unsafe { import::log(level.number(), text.as_ptr(), text.len()) }
    }

    /// Whether the deadline of the running call has passed.
    pub(crate) fn cancelled() -> bool {
        import::cancelled() != 0
    }

    /// [`super::give`], as the number that an export answers with: length in the upper half, address in the lower.
    #[must_use]
    pub fn give_packed(bytes: Vec<u8>) -> i64 {
        let (block, len) = super::give(bytes);
        ((len as u64) << 32 | block.expose_provenance() as u64).cast_signed()
    }

    fn unpack(packed: i64) -> (*mut u8, usize) {
        let packed = packed.cast_unsigned();
        let address = (packed & 0xffff_ffff) as usize;
        (std::ptr::with_exposed_provenance_mut(address), (packed >> 32) as usize)
    }
}

/// Natively: no host, so that a plugin's own tests link and run.
#[cfg(not(target_arch = "wasm32"))]
mod boundary {
    use crate::log::Level;
    use crate::{Error, envelope, host};

    /// Answers that there is no host.
    pub(crate) fn host_call(_request: &[u8]) -> Vec<u8> {
        let message = "this is a native build: host calls are answered only inside a Casemate worker";
        envelope::error_reply(&Error::new(host::NO_HOST, message))
    }

    /// Writes to standard error, which the test harness captures.
    pub(crate) fn log(level: Level, text: &str) {
        eprintln!("[{level}] {text}");
    }

    /// No call, no deadline.
    pub(crate) fn cancelled() -> bool {
        false
    }
}

/// The exports of the ABI `casemate-1` for one plugin type; with `event`, the optional one too. As a component: those of the
/// world `casemate:plugin`.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty $(, $event:ident)?) => {
        $crate::__export_component!($plugin);

        #[cfg(all(target_arch = "wasm32", not(target_env = "p2")))]
        const _: () = {
            ::std::thread_local! {
                static INSTANCE: $crate::__private::Instance<$plugin> =
                    const { $crate::__private::Instance::new() };
            }

            #[unsafe(no_mangle)]
            extern "C" fn casemate_abi() -> i32 {
                $crate::__private::VERSION
            }

            #[unsafe(no_mangle)]
            extern "C" fn casemate_alloc(size: usize, align: usize) -> *mut u8 {
                $crate::__private::alloc(size, align)
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn casemate_free(block: *mut u8, size: usize, align: usize) {
                // SAFETY: the host frees what it got from casemate_alloc or as a result, once, with the same size.
                unsafe { $crate::__private::free(block, size, align) }
            }

            #[unsafe(no_mangle)]
            extern "C" fn casemate_describe() -> i64 {
                $crate::__private::give_packed($crate::__private::Instance::<$plugin>::describe())
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn casemate_init(block: *mut u8, len: usize) -> i64 {
                $crate::__private::log_panics();
                // SAFETY: the host filled this block, which it got from casemate_alloc(len, 1), and left it to us.
                let config = unsafe { $crate::__private::take(block, len) };
                $crate::__private::give_packed(INSTANCE.with(|instance| instance.init(&config)))
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn casemate_call(block: *mut u8, len: usize) -> i64 {
                $crate::__private::log_panics();
                // SAFETY: the host filled this block, which it got from casemate_alloc(len, 1), and left it to us.
                let request = unsafe { $crate::__private::take(block, len) };
                $crate::__private::give_packed(INSTANCE.with(|instance| instance.call(&request)))
            }

            #[unsafe(no_mangle)]
            extern "C" fn casemate_shutdown() -> i32 {
                $crate::__private::log_panics();
                INSTANCE.with(|instance| instance.shutdown())
            }

            $($crate::__export_event!($event);)?
        };
    };
}

/// Nothing: this is no component.
#[cfg(not(target_env = "p2"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_component {
    ($plugin:ty) => {};
}

/// `casemate_event`, inside the block that [`__export!`] makes.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_event {
    ($event:ident) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn casemate_event(block: *mut u8, len: usize) -> i32 {
            $crate::__private::log_panics();
            // SAFETY: the host filled this block, which it got from casemate_alloc(len, 1), and left it to us.
            let event = unsafe { $crate::__private::take(block, len) };
            INSTANCE.with(|instance| instance.event(&event))
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_goes_in_and_a_block_comes_out() {
        let block = alloc(4, 1);
        assert!(!block.is_null());
        // SAFETY: the block has four bytes and nobody else knows it.
        unsafe { block.write_bytes(7, 4) };
        // SAFETY: the block came from alloc(4, 1) and is written.
        let bytes = unsafe { take(block, 4) };
        assert_eq!(bytes, [7; 4]);

        let mut spacious = Vec::with_capacity(100);
        spacious.extend_from_slice(&bytes);
        let (block, len) = give(spacious);
        assert_eq!(len, 4);
        // SAFETY: the block came from give with this length.
        unsafe { free(block, len, 1) };
    }

    #[test]
    fn no_bytes_are_no_block() {
        assert_eq!(alloc(0, 8).addr(), 8);
        // SAFETY: a block of no bytes owns nothing.
        unsafe { free(alloc(0, 8), 0, 8) };
        // SAFETY: as above.
        assert!(unsafe { take(alloc(0, 1), 0) }.is_empty());
    }

    #[test]
    fn impossible_layouts_are_null() {
        assert!(alloc(1, 0).is_null());
        assert!(alloc(1, 3).is_null());
        assert!(alloc(usize::MAX, 1).is_null());
    }
}
