//! What code was made from: the module, and everything else that makes a difference.

use super::secret::hex;
use crate::programs::Program;
use casemate_protocol::spawn::CompileSpec;
use sha2::{Digest as _, Sha256};

const MODULE_BYTES: usize = 32;
const BUILD_BYTES: usize = 16;

/// What an entry is the entry of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// SHA-256 of the module.
    module: [u8; MODULE_BYTES],
    /// The rest, digested.
    build: [u8; BUILD_BYTES],
}

/// What all keys of one supervisor have in common: the programs that make and run the code, which are the engine's version
/// and flags to the last byte, and the processor.
#[derive(Debug, Clone)]
pub(crate) struct Build(Sha256);

impl Build {
    pub(crate) fn new(compiler: &Program, workers: [&Program; 2]) -> Self {
        let mut digest = Sha256::new_with_prefix(b"casemate cache build 2");
        for part in [compiler.name().as_bytes(), compiler.digest(), processor().as_bytes()] {
            add(&mut digest, part);
        }
        workers.iter().for_each(|worker| add(&mut digest, worker.digest()));
        Self(digest)
    }

    /// A build that is no more than a word.
    #[cfg(test)]
    pub(super) fn of(word: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(word))
    }
}

impl Key {
    /// The key of a module that is compiled so.
    pub(crate) fn new(wasm: &[u8], spec: &CompileSpec, build: &Build) -> Self {
        let CompileSpec { inspect_only, dialect, stack_bytes, fuel } = spec;
        let mut rest = build.0.clone();
        add(&mut rest, &stack_bytes.to_le_bytes());
        add(&mut rest, &dialect.to_le_bytes());
        add(&mut rest, &[u8::from(*fuel), u8::from(*inspect_only)]);
        let mut key = Self { module: Sha256::digest(wasm).into(), build: [0; BUILD_BYTES] };
        key.build.iter_mut().zip(rest.finalize()).for_each(|(to, from)| *to = from);
        key
    }

    /// One of nothing, for the oracle.
    pub(super) fn known() -> Self {
        Self { module: [7; MODULE_BYTES], build: [7; BUILD_BYTES] }
    }

    /// A file's name that says all of it.
    pub(super) fn name(&self) -> String {
        format!("{}-{}", hex(&self.module), hex(&self.build))
    }

    /// The key that a file's name says.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (module, build) = name.split_once('-')?;
        Some(Self { module: digits(module)?, build: digits(build)? })
    }

    /// The module's digest.
    pub(super) fn module(&self) -> String {
        hex(&self.module)
    }

    /// As an entry's head has it.
    pub(super) fn bytes(&self) -> [u8; MODULE_BYTES + BUILD_BYTES] {
        let mut bytes = [0; MODULE_BYTES + BUILD_BYTES];
        bytes.iter_mut().zip(self.module.iter().chain(&self.build)).for_each(|(to, from)| *to = *from);
        bytes
    }
}

/// Its length first, so that no two lists of parts digest alike.
fn add(digest: &mut Sha256, part: &[u8]) {
    digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
    digest.update(part);
}

fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let canonical = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != N * 2 || !text.bytes().all(canonical) {
        return None;
    }
    let mut bytes = [0; N];
    for (to, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *to = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// The processor as the code generator sees it: it asks for these features, and uses what is there.
fn processor() -> String {
    let mut features = vec![std::env::consts::ARCH];
    macro_rules! ask {
        ($detected:ident: $($feature:tt)*) => {
            $(if std::arch::$detected!($feature) { features.push($feature); })*
        };
    }
    #[cfg(target_arch = "x86_64")]
    ask!(is_x86_feature_detected:
        "cmpxchg16b" "sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "avx" "avx2" "fma" "avxvnni" "bmi1" "bmi2" "lzcnt"
        "avx512bitalg" "avx512dq" "avx512f" "avx512vl" "avx512vbmi" "avx512vnni");
    #[cfg(target_arch = "aarch64")]
    ask!(is_aarch64_feature_detected: "lse" "paca" "fp16" "dotprod" "i8mm");
    features.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: CompileSpec =
        CompileSpec { inspect_only: false, dialect: 0, stack_bytes: 1 << 20, fuel: false };

    #[test]
    fn everything_makes_another_key() {
        let key = Key::new(b"module", &SPEC, &Build::of(b"a"));
        assert_eq!(key, Key::new(b"module", &SPEC, &Build::of(b"a")));
        assert_ne!(key, Key::new(b"modulf", &SPEC, &Build::of(b"a")));
        assert_ne!(key, Key::new(b"module", &SPEC, &Build::of(b"b")));
        assert_ne!(key, Key::new(b"module", &CompileSpec { fuel: true, ..SPEC }, &Build::of(b"a")));
        assert_ne!(key, Key::new(b"module", &CompileSpec { dialect: 1, ..SPEC }, &Build::of(b"a")));
        assert_ne!(key, Key::new(b"module", &CompileSpec { stack_bytes: 1 << 21, ..SPEC }, &Build::of(b"a")));
    }

    #[test]
    fn a_name_says_its_key_in_one_way() {
        let key = Key::new(b"module", &SPEC, &Build::of(b"a"));
        let name = key.name();
        assert_eq!(Key::parse(&name), Some(key));
        assert_eq!(Key::parse(&name.to_uppercase()), None);
        assert_eq!(Key::parse(&format!("{name}0")), None);
        assert_eq!(Key::parse("tmp-0123456789abcdef"), None);
        assert_eq!(Key::parse("../x"), None);
    }

    #[test]
    fn the_processor_is_known() {
        assert!(processor().starts_with(std::env::consts::ARCH));
    }
}
