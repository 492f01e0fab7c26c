//! Makes the types of `proto/casemate.proto`, without protoc.

fn main() {
    #[cfg(feature = "client")]
    client();
}

#[cfg(feature = "client")]
fn client() {
    println!("cargo::rerun-if-changed=proto/casemate.proto");
    let mut compiler = protox::Compiler::new(["proto"]).expect("the folder proto");
    compiler.include_source_info(true);
    compiler.open_file("casemate.proto").expect("casemate.proto");
    prost_build::Config::new()
        .compile_fds(compiler.file_descriptor_set())
        .expect("the types of casemate.proto");
}
