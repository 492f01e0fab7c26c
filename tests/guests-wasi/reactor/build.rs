//! A WASI library whose constructors run once, by `_initialize`: rustc links one where each call runs them.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = std::process::Command::new(rustc).args(["--print", "sysroot"]).output();
    let Ok(output) = output else { return };
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let folder = format!("{sysroot}/lib/rustlib/wasm32-wasip1/lib/self-contained");
    println!("cargo:rustc-cdylib-link-arg={folder}/crt1-reactor.o");
    println!("cargo:rustc-cdylib-link-arg=--export=_initialize");
}
