use super::*;
use crate::module::{
    Direction, Export, Extent, ExternKind, Glue, GlueFound, Import, Limit, LooksLike, Message, Name,
    OverLimit, Sizes,
};
use proptest::prelude::*;

fn plugin_facts() -> ModuleFacts {
    let mut facts = ModuleFacts::default();
    facts.push_import(Import::new("casemate", "log", ExternKind::Function, "(i32, i32, i32) -> ()")).unwrap();
    for (name, kind, ty) in [
        ("memory", ExternKind::Memory, "17"),
        ("casemate_abi", ExternKind::Function, "() -> i32"),
        ("casemate_alloc", ExternKind::Function, "(i32, i32) -> i32"),
        ("casemate_free", ExternKind::Function, "(i32, i32, i32) -> ()"),
        ("casemate_call", ExternKind::Function, "(i32, i32) -> i64"),
        ("__data_end", ExternKind::Global, "i32"),
    ] {
        facts.push_export(Export::new(name, kind, ty)).unwrap();
    }
    facts.push_memory(Extent { min: 17, max: Some(256) }).unwrap();
    facts.push_table(Extent { min: 5, max: None }).unwrap();
    facts.sizes = Sizes {
        module_bytes: 1000,
        code_bytes: 800,
        data_bytes: 100,
        custom_bytes: 50,
        functions: 12,
        globals: 3,
        has_start: false,
        has_names: true,
        is_component: false,
    };
    facts
}

fn accepted() -> CompileReport {
    let code = Code { cwasm_bytes: 4096, compatibility: 0x0102_0304_0506_0708 };
    CompileReport::Accepted(Accepted::new(plugin_facts(), None, code).unwrap())
}

fn errors() -> Vec<CompileError> {
    let name = |text: &str| Name::escaped(text);
    let message = || Message::escaped("what\nhappened");
    vec![
        CompileError::NotWasm(LooksLike::Elf),
        CompileError::Component,
        CompileError::Glue(GlueFound { glue: Glue::Napi, module: name("env"), name: name("napi_throw") }),
        CompileError::TooLarge(OverLimit { limit: Limit::Functions, observed: 100_001, allowed: 100_000 }),
        CompileError::Invalid { message: message(), offset: 77 },
        CompileError::UnsupportedFeature { feature: name("memory64"), message: message(), offset: 8 },
        CompileError::CompileFailed { message: message() },
        DetectError::NoDialect { nearest: None, missing: vec![] }.into(),
        DetectError::NoDialect { nearest: Some(Dialect::Casemate1), missing: vec![name("a"), name("b")] }
            .into(),
        DetectError::UnknownImport { module: name("env"), name: name("x") }.into(),
        DetectError::WrongSignature {
            direction: Direction::Import,
            name: name("casemate.log"),
            expected: name("() -> ()"),
            found: name("() -> i32"),
        }
        .into(),
        DetectError::MissingMemory.into(),
        DetectError::Tie { first: Dialect::Casemate1, second: Dialect::Casemate1 }.into(),
    ]
}

fn reports() -> Vec<CompileReport> {
    let wanted = Accepted::new(plugin_facts(), Some(Dialect::Casemate1), Code::default()).unwrap();
    let mut reports = vec![accepted(), CompileReport::Accepted(wanted)];
    for error in errors() {
        reports.push(CompileReport::Refused { error: error.clone(), facts: None });
        reports.push(CompileReport::Refused { error, facts: Some(plugin_facts()) });
    }
    reports
}

/// The format, byte for byte: a change here needs a new format number.
#[test]
fn golden_bytes() {
    let report = CompileReport::Refused {
        error: DetectError::UnknownImport { module: Name::escaped("env"), name: Name::escaped("go") }.into(),
        facts: None,
    };
    assert_eq!(report.encode(), [3, 1, 17, 3, 0, b'e', b'n', b'v', 2, 0, b'g', b'o', 0]);

    let mut facts = ModuleFacts::default();
    facts.push_export(Export::new("m", ExternKind::Memory, "1")).unwrap();
    facts.push_memory(Extent { min: 1, max: Some(2) }).unwrap();
    facts.sizes.functions = 0x0102;
    let report = CompileReport::Refused { error: CompileError::Component, facts: Some(facts) };
    let mut golden = vec![3, 1, 2, 1];
    golden.extend([0; 4]);
    golden.extend([1, 0, 0, 0, 1, 0, b'm', 2, 1, 0, b'1']);
    golden.extend([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0]);
    golden.extend([0; 4]);
    golden.extend([0; 32]);
    golden.extend([2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(report.encode(), golden);
}

#[test]
fn every_report_comes_back() {
    for report in reports() {
        let bytes = report.encode();
        assert!(bytes.len() <= REPORT_BYTES_MAX);
        assert_eq!(CompileReport::decode(&bytes), Ok(report));
    }
}

#[test]
fn every_truncation_and_every_extension_is_a_violation() {
    for report in reports() {
        let mut bytes = report.encode();
        for cut in 0..bytes.len() {
            assert!(CompileReport::decode(&bytes[..cut]).is_err(), "cut at {cut} of {report:?}");
        }
        bytes.push(0);
        assert_eq!(CompileReport::decode(&bytes), Err(DecodeViolation::Trailing { bytes: 1 }));
    }
}

#[test]
fn every_flipped_bit_gives_a_violation_or_a_report_of_exactly_these_bytes() {
    for report in reports() {
        let bytes = report.encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = CompileReport::decode(&changed) {
                assert_eq!(other.encode(), changed, "bit {bit} of {report:?}");
            }
        }
    }
}

#[test]
fn hostile_counts_and_lengths_reserve_nothing() {
    let huge = u32::MAX.to_le_bytes();
    // Imports, exports; then a text's length.
    let mut imports = vec![3, 0];
    imports.extend(huge);
    assert_eq!(CompileReport::decode(&imports), Err(DecodeViolation::CutOff { field: "an import's module" }));
    let mut exports = vec![3, 0, 0, 0, 0, 0];
    exports.extend(huge);
    exports.extend([0xff, 0xff]);
    assert_eq!(CompileReport::decode(&exports), Err(DecodeViolation::Text { field: "an export's name" }));
    let mut missing = vec![3, 1, 16, 0, 0, 0, 0];
    missing.extend(17_u32.to_le_bytes());
    assert!(matches!(CompileReport::decode(&missing), Err(DecodeViolation::Unknown { number: 17, .. })));

    let mut memories = vec![3, 0];
    memories.extend([0; 8]);
    memories.extend(huge);
    memories.extend(vec![0; 9 * 100]);
    let over = OverLimit { limit: Limit::Memories, observed: 9, allowed: 8 };
    assert_eq!(CompileReport::decode(&memories), Err(DecodeViolation::OverLimit(over)));

    let report_bytes = REPORT_BYTES_MAX + 1;
    assert_eq!(CompileReport::decode(&vec![1; report_bytes]), Err(DecodeViolation::TooLong { report_bytes }));
}

#[test]
fn texts_that_an_honest_compiler_would_have_escaped_are_violations() {
    for text in ["a\u{1b}[2J", "a\u{202e}b", "\0"] {
        let mut bytes = vec![3, 1, 7];
        bytes.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
        assert_eq!(CompileReport::decode(&bytes), Err(DecodeViolation::Text { field: "a message" }));
    }
    assert!(matches!(CompileReport::decode(&[3, 1, 7, 1, 0, 0xff, 0]), Err(DecodeViolation::Text { .. })));
}

#[test]
fn facts_without_a_dialect_cannot_be_accepted() {
    let mut bytes = vec![3, 0];
    let mut out = Writer::default();
    ModuleFacts::default().write(&mut out);
    bytes.extend(out.finish());
    bytes.extend([0; 20]);
    assert_eq!(CompileReport::decode(&bytes), Err(DecodeViolation::Contradiction));
}

#[test]
fn the_largest_facts_and_error_fit() {
    let mut facts = ModuleFacts::default();
    let long = "x".repeat(300);
    while facts.push_export(Export::new(&long, ExternKind::Function, "")).is_ok() {}
    let name = || Name::escaped(&long);
    let error = CompileError::UnsupportedFeature {
        feature: name(),
        message: Message::escaped(&"x".repeat(5000)),
        offset: u64::MAX,
    };
    let report = CompileReport::Refused { error, facts: Some(facts.clone()) };
    assert!(report.encode().len() <= REPORT_BYTES_MAX);
    let error = DetectError::NoDialect { nearest: None, missing: vec![name(); 16] };
    let report = CompileReport::Refused { error: error.into(), facts: Some(facts) };
    let bytes = report.encode();
    assert!(bytes.len() <= REPORT_BYTES_MAX);
    assert_eq!(CompileReport::decode(&bytes), Ok(report));
}

#[test]
fn errors_are_one_printable_line_with_a_code_of_their_own() {
    let mut codes = Vec::new();
    for error in errors() {
        let line = error.to_string();
        assert!(!line.is_empty() && !line.chars().any(char::is_control), "{line:?}");
        codes.push(error.code());
    }
    codes.dedup();
    assert_eq!(
        codes,
        [
            "not_wasm",
            "component",
            "napi",
            "too_large",
            "invalid",
            "unsupported_feature",
            "compile_failed",
            "no_dialect",
            "unknown_import",
            "wrong_signature",
            "missing_memory",
            "dialect_tie",
        ]
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(report) = CompileReport::decode(&bytes) {
            prop_assert_eq!(report.encode(), bytes);
        }
    }

    #[test]
    fn spoiled_reports_never_panic(
        which in 0..reports().len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = reports()[which].encode();
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        for candidate in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(report) = CompileReport::decode(candidate) {
                prop_assert_eq!(report.encode(), candidate);
            }
        }
    }

    #[test]
    fn any_words_of_a_module_come_back_printable(
        module in any::<String>(), name in any::<String>(), ty in any::<String>(), words in any::<String>(),
    ) {
        let mut facts = ModuleFacts::default();
        facts.push_import(Import::new(&module, &name, ExternKind::Function, &ty)).unwrap();
        let error = CompileError::CompileFailed { message: Message::escaped(&words) };
        let report = CompileReport::Refused { error, facts: Some(facts) };
        prop_assert_eq!(CompileReport::decode(&report.encode()), Ok(report));
    }
}
