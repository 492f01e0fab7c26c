//! The plugin behind its exports: blocks in, blocks out.

use crate::host::tell;
use crate::{Command, Event, HostApi, Plugin, PluginError};
use serde_json::{Value, json};
use std::cell::RefCell;

/// The one plugin of a module. One thread, one call at a time.
#[derive(Debug)]
pub struct Running<P>(RefCell<P>);

impl<P: Plugin> Running<P> {
    /// As it begins.
    pub const fn new(plugin: P) -> Self {
        Self(RefCell::new(plugin))
    }

    /// `initialize`
    pub fn initialize(&self, configuration: &[u8]) -> u32 {
        let configuration = serde_json::from_slice(configuration).unwrap_or_default();
        code(self.with(|plugin| plugin.initialize(HostApi { configuration, ..HostApi::default() })))
    }

    /// `handle_command`
    pub fn handle_command(&self, command: &[u8]) -> Vec<u8> {
        let command = serde_json::from_slice::<Command>(command).map_err(PluginError::from);
        let answered = command.and_then(|command| self.with(|plugin| plugin.handle_command(command)));
        let answer: Value = match answered {
            Ok(response) => json!({ "ok": response.0 }),
            Err(error) => json!({ "error": error.to_json() }),
        };
        let text = answer.to_string();
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        [&length.to_le_bytes(), text.as_bytes()].concat()
    }

    /// `handle_event`
    pub fn handle_event(&self, event: &[u8]) -> u32 {
        code(serde_json::from_slice::<Event>(event).map_err(PluginError::from).map(|event| tell(&event)))
    }

    /// `shutdown`
    pub fn shutdown(&self) -> u32 {
        code(self.with(P::shutdown))
    }

    fn with<T>(&self, act: impl FnOnce(&mut P) -> Result<T, PluginError>) -> Result<T, PluginError> {
        let busy = || PluginError::Failed("the plugin is in a call already".to_owned());
        act(&mut *self.0.try_borrow_mut().map_err(|_borrowed| busy())?)
    }
}

fn code(outcome: Result<(), PluginError>) -> u32 {
    outcome.map_or_else(|error| error.number(), |()| 0)
}

/// `alloc`
#[must_use]
pub fn alloc(bytes: usize) -> *mut u8 {
    let mut room = Vec::<u8>::with_capacity(bytes.max(1));
    let address = room.as_mut_ptr();
    std::mem::forget(room);
    address
}

/// `dealloc`
///
/// # Safety
///
/// It is what [`alloc`] gave for as many bytes, and nobody uses it any more.
pub unsafe fn dealloc(address: *mut u8, bytes: usize) {
    // SAFETY: that is this function's contract.
    drop(unsafe { Vec::from_raw_parts(address, 0, bytes.max(1)) });
}

/// A block that is full.
///
/// # Safety
///
/// It is what [`alloc`] gave for as many bytes, all of them are written, and nobody else uses it.
#[must_use]
pub unsafe fn take(address: *mut u8, bytes: usize) -> Vec<u8> {
    // SAFETY: that is this function's contract.
    unsafe { Vec::from_raw_parts(address, bytes, bytes.max(1)) }
}

/// The exports of a plugin, and the value that it begins as.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty, $first:expr) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            ::std::thread_local! {
                static PLUGIN: $crate::Running<$plugin> = $crate::Running::new($first);
            }

            #[unsafe(no_mangle)]
            extern "C" fn alloc(bytes: usize) -> *mut u8 {
                $crate::alloc(bytes)
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn dealloc(address: *mut u8, bytes: usize) {
                // SAFETY: the host gives back what `alloc` gave, or what a command was answered with.
                unsafe { $crate::dealloc(address, bytes) };
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn initialize(address: *mut u8, bytes: usize) -> u32 {
                // SAFETY: the host has written that many bytes to what `alloc` gave it, and they are ours.
                let configuration = unsafe { $crate::take(address, bytes) };
                PLUGIN.with(|plugin| plugin.initialize(&configuration))
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn handle_command(address: *mut u8, bytes: usize) -> *mut u8 {
                // SAFETY: as above.
                let command = unsafe { $crate::take(address, bytes) };
                let answer = PLUGIN.with(|plugin| plugin.handle_command(&command));
                ::std::boxed::Box::into_raw(answer.into_boxed_slice()).cast()
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn handle_event(address: *mut u8, bytes: usize) -> u32 {
                // SAFETY: as above.
                let event = unsafe { $crate::take(address, bytes) };
                PLUGIN.with(|plugin| plugin.handle_event(&event))
            }

            #[unsafe(no_mangle)]
            extern "C" fn shutdown() -> u32 {
                PLUGIN.with(|plugin| plugin.shutdown())
            }
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CommandResponse;

    #[derive(Default)]
    struct Echo {
        ended: bool,
    }

    impl Plugin for Echo {
        fn initialize(&mut self, host_api: HostApi) -> Result<(), PluginError> {
            if host_api.configuration() == &json!({ "refuse": true }) {
                return Err(PluginError::InvalidPayload("asked to".to_owned()));
            }
            Ok(())
        }

        fn handle_command(&mut self, command: Command) -> Result<CommandResponse, PluginError> {
            match command.action.as_str() {
                "echo" => Ok(command.payload.into()),
                _ => Err(PluginError::UnknownCommand(command.action)),
            }
        }

        fn shutdown(&mut self) -> Result<(), PluginError> {
            if std::mem::replace(&mut self.ended, true) {
                return Err(PluginError::Failed("once is enough".to_owned()));
            }
            Ok(())
        }
    }

    #[test]
    fn commands_go_in_and_answers_come_out() {
        let plugin = Running::new(Echo::default());
        let answered = |command: &str| {
            let block = plugin.handle_command(command.as_bytes());
            let (length, text) = block.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_le_bytes(*length) as usize, text.len());
            serde_json::from_slice::<Value>(text).unwrap()
        };
        assert_eq!(answered(r#"{"action":"echo","payload":[1]}"#), json!({ "ok": [1] }));
        let unknown = json!({ "error": { "code": "UnknownCommand", "message": "dance" } });
        assert_eq!(answered(r#"{"action":"dance"}"#), unknown);
        assert_eq!(answered("nonsense")["error"]["code"], "InvalidPayload");
        assert_eq!([plugin.initialize(b"{}"), plugin.initialize(br#"{"refuse":true}"#)], [0, 3]);
        assert_eq!([plugin.shutdown(), plugin.shutdown()], [0, 1]);
    }
}
