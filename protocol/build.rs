//! Makes the types of `proto/casemate.proto`, without protoc.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    #[cfg(feature = "client")]
    client()?;
    Ok(())
}

#[cfg(feature = "client")]
fn client() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/casemate.proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true);
    compiler.open_file("casemate.proto")?;
    prost_build::Config::new().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
