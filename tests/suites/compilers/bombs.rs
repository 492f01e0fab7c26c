//! Modules that are small to write and long to compile, written byte by byte.

/// A plugin by its exports, with functions behind them that nobody calls.
pub(crate) struct Bomb {
    pub(crate) functions: usize,
    /// Locals of each, beside its parameter.
    pub(crate) locals: u32,
    /// The instructions of each, without the last `end`.
    pub(crate) body: Vec<u8>,
}

const I32: u8 = 0x7f;
const I64: u8 = 0x7e;
const BLOCK: u8 = 0x02;
const LOOP: u8 = 0x03;
const NO_RESULT: u8 = 0x40;
const END: u8 = 0x0b;
const BR_IF: u8 = 0x0d;
const BR_TABLE: u8 = 0x0e;
const UNREACHABLE: u8 = 0x00;
const LOCAL_GET: u8 = 0x20;
const LOCAL_SET: u8 = 0x21;
const I64_ADD: u8 = 0x7c;

/// A function's body may have 2 MiB; this is what its instructions get of them.
const BODY_BYTES: usize = (2 << 20) - 64;

impl Bomb {
    /// As many functions as are allowed, or more, each with a little to do.
    pub(crate) fn functions(functions: usize) -> Self {
        let mut body = Vec::new();
        for _ in 0..24 {
            sum(&mut body, 1, 2);
        }
        Self { functions, locals: 2, body }
    }

    /// So many locals, all of them alive around a loop.
    pub(crate) fn locals(locals: u32) -> Self {
        let mut body = vec![LOOP, NO_RESULT];
        for local in 1..locals {
            sum(&mut body, local, local + 1);
        }
        body.extend([LOCAL_GET, 0, BR_IF, 0, END]);
        Self { functions: 40, locals, body }
    }

    /// As many tables of so many jumps, to a hundred places, as a function has room for.
    pub(crate) fn br_table(targets: u32) -> Self {
        const PLACES: usize = 100;
        let mut table = vec![BLOCK, NO_RESULT, LOCAL_GET, 0, BR_TABLE];
        leb(&mut table, targets);
        // And the one for all other numbers.
        table.extend((0..100).cycle().take(targets as usize + 1));
        table.push(END);
        let mut body: Vec<u8> = [BLOCK, NO_RESULT].repeat(PLACES);
        body.extend(table.repeat((BODY_BYTES - 3 * PLACES) / table.len()));
        body.extend([END].repeat(PLACES));
        Self { functions: 20, locals: 0, body }
    }

    /// Blocks in blocks, each of which may be left.
    pub(crate) fn nesting() -> Self {
        let depth = BODY_BYTES / 7;
        let mut body: Vec<u8> = [BLOCK, NO_RESULT, LOCAL_GET, 0, BR_IF, 0].repeat(depth);
        body.extend([END].repeat(depth));
        Self { functions: 20, locals: 0, body }
    }

    pub(crate) fn wasm(&self) -> Vec<u8> {
        let Self { functions, locals, body } = self;
        let types: [&[u8]; 5] = [
            &[0x60, 0, 1, I32],
            &[0x60, 2, I32, I32, 1, I32],
            &[0x60, 3, I32, I32, I32, 0],
            &[0x60, 2, I32, I32, 1, I64],
            &[0x60, 1, I32, 0],
        ];
        let mut indices: Vec<u8> = vec![0, 1, 2, 3];
        indices.resize(4 + functions, 4);
        let names = ["casemate_abi", "casemate_alloc", "casemate_free", "casemate_call"];
        let mut exports = vec![[&[6], b"memory".as_slice(), &[2, 0]].concat()];
        for (index, name) in (0_u8..).zip(names) {
            exports.push([&[u8::try_from(name.len()).unwrap()], name.as_bytes(), &[0, index]].concat());
        }
        let mut code = Vec::new();
        leb(&mut code, u32::try_from(4 + functions).unwrap());
        for _ in names {
            code.extend([3, 0, UNREACHABLE, END]);
        }
        let mut function = vec![1];
        leb(&mut function, *locals);
        function.push(I64);
        function.extend(body);
        function.push(END);
        for _ in 0..*functions {
            leb(&mut code, u32::try_from(function.len()).unwrap());
            code.extend(&function);
        }
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        section(&mut wasm, 1, &list(&types));
        let mut count = Vec::new();
        leb(&mut count, u32::try_from(indices.len()).unwrap());
        section(&mut wasm, 3, &[count, indices].concat());
        section(&mut wasm, 5, &[1, 0, 1]);
        section(&mut wasm, 7, &list(&exports));
        section(&mut wasm, 10, &code);
        wasm
    }
}

/// A component around a module, one of whose functions it exports.
pub(crate) fn component(module: &[u8]) -> Vec<u8> {
    let text = "(component (core module $m (func (export \"casemate_abi\") (result i32) i32.const 0)) \
        (core instance $i (instantiate $m)) \
        (func (export \"abi\") (result u32) (canon lift (core func $i \"casemate_abi\"))))";
    let template = wat::parse_str(text).unwrap();
    // The header; then the module: section 1, with its length.
    let (header, rest) = template.split_at(8);
    let [1, length, rest @ ..] = rest else { panic!("the module is not the first section, or is long") };
    let mut wasm = header.to_vec();
    section(&mut wasm, 1, module);
    wasm.extend(&rest[usize::from(*length)..]);
    wasm
}

/// `locals[left] = locals[left] + locals[right]`.
fn sum(body: &mut Vec<u8>, left: u32, right: u32) {
    body.push(LOCAL_GET);
    leb(body, left);
    body.push(LOCAL_GET);
    leb(body, right);
    body.push(I64_ADD);
    body.push(LOCAL_SET);
    leb(body, left);
}

fn list<T: AsRef<[u8]>>(items: &[T]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(items.len()).unwrap()];
    items.iter().for_each(|item| bytes.extend(item.as_ref()));
    bytes
}

/// A section; a custom one has number 0 and begins with its name.
pub(crate) fn section(wasm: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    wasm.push(number);
    leb(wasm, u32::try_from(bytes.len()).unwrap());
    wasm.extend(bytes);
}

fn leb(bytes: &mut Vec<u8>, mut number: u32) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}
