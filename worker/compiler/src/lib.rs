//! Casemate's one-shot compiler: wasm in, native code out, then gone.
