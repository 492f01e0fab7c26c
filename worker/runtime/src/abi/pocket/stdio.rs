//! Nodes that are programs: a request on standard input, a response on standard output, once in each instance. Without a
//! request they say what they are.

use super::super::{Answer, GuestAbi, ModuleAbi, command, imports};
use super::{answer, described, request};
use crate::guest::State;
use wasmtime::{Instance, Linker, Module, Store};

/// The adapter: that of programs, with JSON on both sides.
#[derive(Default)]
pub(crate) struct Program(command::Command);

impl Program {
    fn run(&mut self, store: &mut Store<State>, body: &[u8]) -> wasmtime::Result<Answer> {
        self.0.call(store, "", 0, body)
    }
}

impl ModuleAbi for Program {
    fn link(&self, linker: &mut Linker<State>, module: &Module) -> wasmtime::Result<()> {
        imports::link(linker, module, |_, _| None)
    }

    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        self.0.bind(store, instance)
    }
}

impl GuestAbi for Program {
    fn describe(&mut self, store: &mut Store<State>) -> wasmtime::Result<Answer> {
        described(self.run(store, &[])?.body)
    }

    fn call(
        &mut self,
        store: &mut Store<State>,
        method: &str,
        _content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let request = match request(method, body) {
            Ok(request) => request,
            Err(refusal) => return Ok(refusal),
        };
        let ran = self.run(store, &request)?;
        match ran.exit_code {
            0 => Ok(answer(&ran.body)?),
            code => Ok(Answer::error("failed", &format!("the node ended with code {code}"))),
        }
    }
}
