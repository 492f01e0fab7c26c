//! What a hostile compiler writes when it knows a real one's words.

use crate::bombs::section;
use casemate::cache::{Cache, CachePlaces};
use casemate::module::{Accepted, Code, CompileReport, ModuleFacts};
use casemate::{Casemate, Policy};
use std::fs;

/// What a compiler writes: a report and code.
pub(crate) struct Output {
    pub(crate) facts: ModuleFacts,
    pub(crate) described: Code,
    pub(crate) code: Vec<u8>,
}

/// An entry's magic and key, which come before its lengths; and its MAC, which comes last.
const BEFORE_LENGTHS: usize = 16 + 48;
const MAC_BYTES: usize = 32;

impl Output {
    /// What the real compiler makes of a module: a cache keeps it.
    pub(crate) async fn of(wasm: &[u8], places: &CachePlaces) -> Self {
        let casemate = Casemate::builder().cache(places.clone()).build().unwrap();
        casemate.load(wasm, Policy::default()).await.unwrap();
        let listing = Cache::open(places).unwrap().list().unwrap();
        let newest = fs::read(listing.directory.join(&listing.entries[0].name)).unwrap();
        let lengths = &newest[BEFORE_LENGTHS..];
        let report_bytes = u32::from_le_bytes(lengths[..4].try_into().unwrap()) as usize;
        let rest = &lengths[12..];
        let CompileReport::Accepted(accepted) = CompileReport::decode(&rest[..report_bytes]).unwrap() else {
            panic!("only what is accepted is kept");
        };
        let code = rest[report_bytes..rest.len() - MAC_BYTES].to_vec();
        Self { facts: accepted.facts().clone(), described: accepted.code(), code }
    }

    /// A module that makes `compiler-dictated` write this about it.
    pub(crate) fn dictated_by(&self, wasm: &[u8]) -> Vec<u8> {
        let mut facts = self.facts.clone();
        // Numbers have a fixed length, so the module's size can be put in once it is known.
        facts.sizes.module_bytes = u64::try_from(carried_by(wasm, &self.bytes(&facts)).len()).unwrap();
        carried_by(wasm, &self.bytes(&facts))
    }

    /// As a compiler writes it, with these facts.
    pub(crate) fn bytes(&self, facts: &ModuleFacts) -> Vec<u8> {
        let accepted = Accepted::new(facts.clone(), None, self.described).unwrap();
        let report = CompileReport::Accepted(accepted).encode();
        let length = u32::try_from(report.len()).unwrap().to_le_bytes();
        [&length, report.as_slice(), &self.code].concat()
    }
}

/// A module that makes `compiler-dictated` write just these bytes.
pub(crate) fn carried_by(wasm: &[u8], output: &[u8]) -> Vec<u8> {
    let mut carrier = wasm.to_vec();
    section(&mut carrier, 0, &[b"\x01x".as_slice(), b"casemate-dictation:", output].concat());
    carrier
}
