//! What an extension of Spacedrive in Rust links: [`call`], the one way into the host's operations, with types over it
//! ([`ai`], [`credentials`], [`vdfs`]); [`job`]; and [`extension!`] for what its host calls.
//!
//! ```text
//! spacedrive_sdk::extension! {
//!     init: || Ok(()),
//!     jobs: { "scan" => execute_scan(scan), resumable: true },
//! }
//!
//! fn scan(job: &mut Job, state: serde_json::Value) -> Result<Done, String> { … }
//! ```
//!
//! On a machine that is no wasm everything compiles and every call fails, so that an extension's own logic can be tested there.

pub mod ai;
pub mod credentials;
mod host;
pub mod job;
pub mod vdfs;

pub use host::{Error, call, log};
pub use job::{Done, Job};

#[doc(hidden)]
pub use host::{alloc, free, register};
#[doc(hidden)]
pub use serde_json;

/// A library's number.
pub type Uuid = [u8; 16];

/// Exports an extension: what it does at first, and its jobs, each as an export `execute_NAME`.
#[macro_export]
macro_rules! extension {
    (init: $init:expr, jobs: { $($name:literal => $export:ident($run:path), resumable: $resumable:literal),* $(,)? } $(,)?) => {
        #[unsafe(no_mangle)]
        extern "C" fn plugin_init() -> i32 {
            $(
                if $crate::register($name, stringify!($export), $resumable).is_err() {
                    return 2;
                }
            )*
            let init: fn() -> ::std::result::Result<(), ::std::string::String> = $init;
            match init() {
                Ok(()) => 0,
                Err(error) => {
                    $crate::log::error(&error);
                    1
                }
            }
        }

        #[unsafe(no_mangle)]
        extern "C" fn plugin_cleanup() -> i32 {
            0
        }

        #[unsafe(no_mangle)]
        extern "C" fn wasm_alloc(bytes: i32) -> *mut u8 {
            $crate::alloc(bytes)
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn wasm_free(address: *mut u8, bytes: i32) {
            // SAFETY: the host gives back what `wasm_alloc` gave.
            unsafe { $crate::free(address, bytes) }
        }

        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $export(context: *const u8, context_bytes: i32, state: *const u8, state_bytes: i32) -> i32 {
                // SAFETY: the host has written that many bytes there.
                unsafe { $crate::job::execute(context, context_bytes, state, state_bytes, $run) }
            }
        )*
    };
}
