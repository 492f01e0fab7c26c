//! Carrying out orders, and answering what became of them.

use crate::native;
use crate::order::{Argument, Order, Patch, Way};
use casemate_protocol::link::{CallResult, Status};
use casemate_worker::Guest;
use std::fmt::Write as _;
use std::sync::OnceLock;

/// Answers a call whose input is an order. Most orders end the process, and that is the answer.
pub(crate) fn obey(
    guest: &mut Guest,
    _method: &str,
    _content_type: u32,
    body: &[u8],
) -> (CallResult, Vec<u8>) {
    let order = std::str::from_utf8(body).ok().and_then(Order::parse);
    let code = guest.code().start as u64;
    let text = match order {
        Some(order) => perform(order, code),
        None => "no such order".to_owned(),
    };
    (CallResult { status: Status::Ok.into(), ..CallResult::default() }, text.into_bytes())
}

fn perform(order: Order, code: u64) -> String {
    match order {
        Order::Where => format!("{:#x}", native::syscall_end()),
        Order::Syscall(number, arguments) => syscall(number, &arguments, code),
        Order::Int80(number, arguments) => said(native::int80(number, arguments)),
        Order::Masked(order) => masked(*order, code),
        Order::Spin => spin(),
        Order::Patch(Patch::Code) => {
            native::write_and_run(code);
            "the module's code was changed".to_owned()
        }
        Order::Patch(Patch::Text) => {
            let page = native::own_text();
            let made_writable = call("mprotect", [page, 4096, 3, 0, 0, 0]);
            if made_writable < 0 {
                return said(made_writable);
            }
            native::write_and_run(page);
            "changed text was run".to_owned()
        }
        Order::RunData => {
            native::write_and_run(map(4096, READ_WRITE, PRIVATE).cast_unsigned());
            "new memory was run".to_owned()
        }
        Order::Eat(way) => eat(way),
    }
}

/// What a system call came to, and whether the module's code is still what it was.
fn syscall(number: i64, arguments: &[Argument], code: u64) -> String {
    let before = (code != 0).then(|| native::peek(code));
    let mut values = [0; 6];
    for (value, argument) in values.iter_mut().zip(arguments) {
        *value = match argument {
            Argument::Number(number) => *number,
            Argument::Bytes(bytes) => bytes.as_ptr().addr() as u64,
            Argument::Page => map(4096, READ_WRITE, PRIVATE).cast_unsigned(),
            Argument::Code => code,
            Argument::Text => native::own_text(),
        };
    }
    let mut text = said(native::syscall(number, values));
    if before.is_some_and(|before| before != native::peek(code)) {
        text.push_str(", the module's code is another");
    }
    text
}

fn said(result: i64) -> String {
    match result {
        -4095..=-1 => format!("error {}", -result),
        _ => format!("result {result:#x}"),
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// What is left to do after the forged return, whose function takes nothing.
static AFTERWARDS: OnceLock<(Order, u64)> = OnceLock::new();

#[cfg(target_arch = "x86_64")]
fn masked(order: Order, code: u64) -> String {
    extern "C" fn go_on() -> ! {
        if let Some((order, code)) = AFTERWARDS.get() {
            let _ = perform(order.clone(), *code);
        }
        spin()
    }
    let _ = AFTERWARDS.set((order, code));
    native::return_masked(go_on)
}

#[cfg(not(target_arch = "x86_64"))]
fn masked(_order: Order, _code: u64) -> String {
    let _ = &AFTERWARDS;
    "no frame of this machine is forged".to_owned()
}

const NONE: u64 = 0;
const READ_WRITE: u64 = 3;
const PRIVATE: u64 = 0x22;
const NO_RESERVE: u64 = 0x4022;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A system call that a worker's list allows.
pub(crate) fn call(name: &str, arguments: [u64; 6]) -> i64 {
    match Order::parse(&format!("syscall {name}")) {
        Some(Order::Syscall(number, _)) => native::syscall(number, arguments),
        _ => -38,
    }
}

fn map(bytes: u64, rights: u64, flags: u64) -> i64 {
    call("mmap", [0, bytes, rights, flags, u64::MAX, 0])
}

fn pages(start: u64, bytes: u64) -> impl Iterator<Item = u64> {
    (0..bytes / 4096).map(move |page| start + page * 4096)
}

/// No limit stops whoever got this much; more would only hurt the machine of whoever tries.
const ENOUGH: u64 = 512 * MIB;

/// Takes memory until there is no more, and says how much that was.
fn eat(way: Way) -> String {
    let (mut bytes, mut count) = (0_u64, 0_u64);
    let error = loop {
        let taken = match way {
            Way::Anonymous => take_anonymous(MIB),
            Way::Reserved => take_reserved(MIB),
            Way::Heap => take_heap(MIB),
            Way::Moved => return eat_moved(),
            Way::Module => return eat_module(),
            Way::Stack => native::dig(0).cast_signed(),
            Way::Sparse => take_sparse(),
            Way::Holes => take_hole(),
            Way::Mappings => {
                map(4096, if count.is_multiple_of(2) { NONE } else { READ_WRITE }, NO_RESERVE).min(0)
            }
        };
        if taken < 0 {
            break -taken;
        }
        bytes += taken.cast_unsigned();
        count += 1;
        if bytes >= ENOUGH {
            break 0;
        }
    };
    eaten(bytes, count, error)
}

fn eaten(bytes: u64, count: u64, error: i64) -> String {
    let mut text = String::new();
    let _ = write!(text, "{bytes} bytes in {count} steps, error {error}");
    text
}

/// Bytes taken, or a negative error.
fn take_anonymous(bytes: u64) -> i64 {
    let start = map(bytes, READ_WRITE, NO_RESERVE);
    if start < 0 {
        return start;
    }
    pages(start.cast_unsigned(), bytes).for_each(native::touch);
    bytes.cast_signed()
}

fn take_reserved(bytes: u64) -> i64 {
    let start = map(bytes, NONE, NO_RESERVE);
    if start < 0 {
        return start;
    }
    let given = call("mprotect", [start.cast_unsigned(), bytes, READ_WRITE, 0, 0, 0]);
    if given < 0 {
        return given;
    }
    pages(start.cast_unsigned(), bytes).for_each(native::touch);
    bytes.cast_signed()
}

fn take_heap(bytes: u64) -> i64 {
    let now = call("brk", [0; 6]).cast_unsigned();
    let then = call("brk", [now + bytes, 0, 0, 0, 0, 0]).cast_unsigned();
    if then < now + bytes {
        return -12;
    }
    pages(now, bytes).for_each(native::touch);
    bytes.cast_signed()
}

fn take_sparse() -> i64 {
    // As far from the last one as there is room for.
    let strides = [GIB, 64 * MIB, 2 * MIB];
    let mapped = strides.into_iter().map(|stride| (stride, map(stride, NONE, NO_RESERVE)));
    let Some((stride, start)) = mapped.into_iter().find(|(_, start)| *start > 0) else {
        return -12;
    };
    let given = call("mprotect", [start.cast_unsigned(), 4096, READ_WRITE, 0, 0, 0]);
    if given < 0 {
        return given;
    }
    native::touch(start.cast_unsigned());
    // With the tables that lead to it, each a page: for 2 MiB, and for 1 GiB.
    if stride < GIB { 2 * 4096 } else { 3 * 4096 }
}

/// Address space that the module's memory has reserved and not used, made usable without asking for any more: all at
/// once, then piece by piece.
fn eat_module() -> String {
    // Found by trying: it is the only thing of such a size near a new mapping.
    let here = map(4096, NONE, NO_RESERVE).cast_unsigned() & !(MIB - 1);
    let usable = |at: u64, bytes: u64| call("mprotect", [at, bytes, READ_WRITE, 0, 0, 0]);
    let near = || (1..64).flat_map(|n| [here + n * GIB / 4, here - n * GIB / 4]);
    // More than there is address space left for: then the kernel (6.18) does not ask whether there is data left.
    if let Some(start) = near().find(|at| usable(*at, ENOUGH) == 0) {
        pages(start, ENOUGH).for_each(native::touch);
        return eaten(ENOUGH, 1, 0);
    }
    let Some(start) = near().find(|at| usable(*at, MIB) == 0) else { return eaten(0, 0, 12) };
    let (mut bytes, mut count) = (0, 0);
    loop {
        let given = usable(start + bytes, MIB);
        if given < 0 || bytes >= ENOUGH {
            return eaten(bytes, count, -given);
        }
        pages(start + bytes, MIB).for_each(native::touch);
        bytes += MIB;
        count += 1;
    }
}

fn take_hole() -> i64 {
    let start = map(2 * MIB, NONE, NO_RESERVE);
    if start < 0 {
        return start;
    }
    let (start, last) = (start.cast_unsigned(), start.cast_unsigned() + 2 * MIB - 4096);
    let given = call("mprotect", [last, 4096, READ_WRITE, 0, 0, 0]);
    if given < 0 {
        return given;
    }
    native::touch(last);
    match call("munmap", [start, 2 * MIB - 4096, 0, 0, 0, 0]) {
        0 => 4096,
        error => error,
    }
}

fn eat_moved() -> String {
    let (mut size, mut count) = (MIB, 0);
    let mut at = map(size, READ_WRITE, PRIVATE);
    loop {
        if at < 0 || size > ENOUGH {
            return eaten(size - MIB, count, -at.min(0));
        }
        pages(at.cast_unsigned(), size).for_each(native::touch);
        at = call("mremap", [at.cast_unsigned(), size, size + MIB, 1, 0, 0]);
        size += MIB;
        count += 1;
    }
}
