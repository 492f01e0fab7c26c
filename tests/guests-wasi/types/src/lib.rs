//! A component that takes and gives a value of every type.

#[allow(missing_docs, reason = "made from wit")]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "types" });
}

use bindings::exports::tests::types::all::*;
use std::cell::Cell;

struct Types;

/// Counts up.
struct Counting(Cell<u32>);

impl GuestCounter for Counting {
    fn new(start: u32) -> Self {
        Self(Cell::new(start))
    }

    fn next(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

impl Guest for Types {
    type Counter = Counting;

    fn integers(
        a: i8,
        b: u8,
        c: i16,
        d: u16,
        e: i32,
        f: u32,
        g: i64,
        h: u64,
    ) -> (i8, u8, i16, u16, i32, u32, i64, u64) {
        (a, b, c, d, e, f, g, h)
    }

    fn floats(a: f32, b: f64) -> (f32, f64) {
        (a, b)
    }

    fn words(flag: bool, letter: char, text: String) -> (bool, char, String) {
        (!flag, letter, text.to_uppercase())
    }

    fn move_(point: Point) -> Point {
        Point { x: point.x + 1, ..point }
    }

    fn turn(shape: Shape) -> Shape {
        shape
    }

    fn paint(color: Color) -> Color {
        color
    }

    fn grant(rights: Rights) -> Rights {
        rights
    }

    fn maybe(value: Option<Option<u32>>) -> Option<Option<u32>> {
        value
    }

    fn divide(a: u32, b: u32) -> Result<u32, String> {
        a.checked_div(b).ok_or_else(|| "by zero".to_owned())
    }

    fn nested(values: Vec<Result<u8, String>>) -> Vec<Result<u8, String>> {
        values
    }

    fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.reverse();
        bytes
    }

    fn nothing() {}
}

impl bindings::Guest for Types {
    fn add(a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }
}

bindings::export!(Types with_types_in bindings);
