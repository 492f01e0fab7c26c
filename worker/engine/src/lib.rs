//! The one wasmtime configuration, for the side that compiles and the side that runs; and beside it the one for components.
//!
//! Compiled code loads only in an engine of the same configuration, and some defaults depend on cargo features that the
//! two sides do not share. So every such default is pinned here, and nowhere else is a [`Config`] made.

use wasmtime::{Config, Engine};

/// What differs from plugin to plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// Wasm stack, in bytes.
    pub max_wasm_stack_bytes: u64,
    /// Whether the code counts fuel.
    pub fuel: bool,
    /// Which of the two configurations.
    pub kind: EngineKind,
}

/// The two configurations. Code of one does not load in an engine of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// Modules, in a worker that has nothing else compiled in.
    Core,
    /// Modules that want WASI, and components. Only a build with the feature `components` has it.
    Components,
}

/// Address space of one linear memory: with it, and the guard behind it, no access needs a bounds check.
const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;

/// Address space behind a linear memory, and as much before it, in which every access traps.
const MEMORY_GUARD_BYTES: u64 = 32 << 20;

/// The configuration.
pub fn config(options: &EngineOptions) -> Config {
    let mut config = Config::new();
    let stack = usize::try_from(options.max_wasm_stack_bytes).unwrap_or(usize::MAX);
    // The engine compares the first with the second, which nothing here uses, and refuses otherwise.
    config.async_stack_size(stack.saturating_add(1 << 20));
    config.max_wasm_stack(stack).consume_fuel(options.fuel).epoch_interruption(true);

    // Traps are signals and bounds are guard pages: both sides must agree, and guests run fastest so.
    config.signals_based_traps(true).memory_reservation(MEMORY_RESERVATION_BYTES);
    config.memory_guard_size(MEMORY_GUARD_BYTES).guard_before_linear_memory(true);
    // A copy-on-write image would keep the code's descriptor open and map it again in every worker.
    config.memory_init_cow(false);
    // Nobody unwinds through guest frames, and registering them would be one more thing to trust.
    config.native_unwind_info(false);

    // Threads, exceptions, garbage collection and stack switching are not even compiled in: both sides leave out those cargo
    // features. These have switches without them, and no use here.
    config.gc_support(false).wasm_memory64(false).concurrency_support(false).shared_memory(false);
    // The compiler and the worker with WASI have components compiled in, which the first configuration must not notice.
    #[cfg(feature = "components")]
    config.wasm_component_model(options.kind == EngineKind::Components);
    // The same input must give the same answer on every machine.
    config.relaxed_simd_deterministic(true);
    config
}

/// An engine of that configuration.
pub fn engine(options: &EngineOptions) -> wasmtime::Result<Engine> {
    Engine::new(&config(options))
}

/// The engine's version, as in Cargo.toml (tested).
pub const ENGINE_VERSION: &str = "48.0.8";

/// A number that differs where the engine's version or our options do. Engines of one build and one number load each
/// other's code; the engine itself checks more than this when it loads, the processor's features among it.
pub fn compatibility(options: &EngineOptions) -> u64 {
    // FNV-1a: the same number in every build, which the standard library's hasher does not promise.
    let fuel = if options.fuel { b"fuel" } else { b"free" };
    let stack = options.max_wasm_stack_bytes.to_le_bytes();
    let kind = match options.kind {
        EngineKind::Core => b"core",
        EngineKind::Components => b"comp",
    };
    let bytes = ENGINE_VERSION.bytes().chain(stack).chain(fuel.iter().copied()).chain(kind.iter().copied());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_in_cargo_toml() {
        let manifest = include_str!("../../../Cargo.toml");
        assert!(manifest.contains(&format!("wasmtime = {{ version = \"={ENGINE_VERSION}\"")));
    }

    #[test]
    fn options_make_a_difference() {
        let options = EngineOptions { max_wasm_stack_bytes: 1 << 20, fuel: false, kind: EngineKind::Core };
        let fuel = EngineOptions { fuel: true, ..options };
        let stack = EngineOptions { max_wasm_stack_bytes: 2 << 20, ..options };
        let kind = EngineOptions { kind: EngineKind::Components, ..options };
        for other in [fuel, stack, kind] {
            assert_ne!(compatibility(&options), compatibility(&other));
        }
    }
}
