//! WASI 0.1 programs: `_start` runs from its start to its end, once in each instance.

use super::{Answer, GuestAbi, ModuleAbi, invoke};
use crate::fault::Fault;
use crate::guest::State;
use crate::wasi::exit_code;
use casemate_protocol::link::CONTENT_RAW;
use wasmtime::{Instance, Store, TypedFunc};

/// The adapter.
#[derive(Default)]
pub(crate) struct Command {
    start: Option<TypedFunc<(), ()>>,
}

impl ModuleAbi for Command {
    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        self.start = Some(instance.get_typed_func(store, "_start")?);
        Ok(())
    }
}

impl GuestAbi for Command {
    fn call(
        &mut self,
        store: &mut Store<State>,
        _method: &str,
        _content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        // A second run would find the memory of the first.
        let start = self.start.take().ok_or_else(|| Fault::Abi("it has run already".to_owned()))?;
        store.data_mut().look_around_for(body);
        let ended = invoke(&start, &mut *store, ());
        answer(store, ended)
    }
}

/// What a program wrote, and the code that it ended with.
pub(super) fn answer(store: &mut Store<State>, ended: wasmtime::Result<()>) -> wasmtime::Result<Answer> {
    let body = store.data_mut().around.end();
    let code = match ended {
        Ok(()) => 0,
        Err(error) => match exit_code(&error) {
            Some(code) => code,
            None => return Err(error),
        },
    };
    Ok(Answer { exit_code: code, ..Answer::new(false, CONTENT_RAW, body) })
}
