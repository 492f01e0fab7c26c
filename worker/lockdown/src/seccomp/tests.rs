//! The filters, proven by running their final instructions: against the lists read naively, against another compiler, on
//! random rules, and with parts taken out.

mod corpus;
mod lists;
mod naive;
mod oracle;
mod random;
mod verdicts;

use crate::seccomp::bpf::Program;
use crate::seccomp::emit::{EmitError, Table, emit};
use crate::seccomp::interp::{SeccompData, run};

/// The program of a table that must have one.
fn program(table: Result<Table, EmitError>) -> Program {
    emit(&table.unwrap()).unwrap()
}

/// The verdict of a program, which always has one.
fn verdict(program: &Program, call: &SeccompData) -> u32 {
    run(program, call).unwrap()
}
