//! Programs and libraries that nobody here wrote, unchanged.

use super::programs::{casemate as command, folders, ran};
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, casemate, guests, policy, skip};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const PICTURE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="120" height="80">
<defs><linearGradient id="g"><stop offset="0" stop-color="red"/><stop offset="1" stop-color="blue"/></linearGradient></defs>
<rect width="120" height="80" fill="url(#g)"/><circle cx="60" cy="40" r="30" fill="none" stroke="white" stroke-width="4"/>
<path d="M10 70 C 40 10, 65 10, 95 70" stroke="black" fill="transparent"/></svg>"##;

const NOT_FETCHED: &str = "it was not fetched: `cargo xtask guests` does";

#[test]
fn resvg_draws_the_same_picture_to_the_last_byte() {
    let (Some(wasmtime), Some(resvg)) = (guests::foreign("wasmtime"), guests::foreign("resvg.wasm")) else {
        skip("resvg_draws_the_same_picture_to_the_last_byte", NOT_FETCHED);
        return;
    };
    let (places, folder) = (Scratch::new(), folders());
    let rw = folder.join("rw");
    fs::write(rw.join("in.svg"), PICTURE).unwrap();
    let mut ours = command(&places);
    ours.arg("--dir").arg(format!("{}:/w:rw", rw.display())).arg(&resvg).args([
        "--",
        "/w/in.svg",
        "/w/ours.png",
    ]);
    let ours = ran(ours, b"");
    assert!(ours.status.success(), "{ours:?}");
    let mut theirs = Command::new(wasmtime);
    theirs
        .arg("run")
        .arg("--dir")
        .arg(format!("{}::/w", rw.display()))
        .arg(&resvg)
        .args(["/w/in.svg", "/w/theirs.png"]);
    assert!(ran(theirs, b"").status.success());
    let picture = fs::read(rw.join("ours.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture == fs::read(rw.join("theirs.png")).unwrap());
    // And by its streams alone.
    let mut streamed = command(&places);
    streamed.arg(&resvg).args(["--", "-", "-c"]);
    assert_eq!(ran(streamed, PICTURE.as_bytes()).stdout, picture);
}

#[test]
fn quickjs_computes() {
    let Some(qjs) = guests::foreign("qjs.wasm") else {
        skip("quickjs_computes", NOT_FETCHED);
        return;
    };
    block_on(async {
        let folder = folders();
        let one = policy(|spec| {
            spec.instances.max = 1;
            spec.filesystem = vec![format!("write:{}=/rw", folder.join("rw").display())];
        });
        let plugin = casemate().load(qjs, one).await.unwrap();
        let script = "import * as std from 'qjs:std'; const f = std.open('/rw/said', 'w'); f.puts(`${[1, 2, 3].map(n => n * 14).join()}`); f.close();";
        let words = ["qjs", "--std", "-m", "-e", script];
        let mut pointers = Vec::new();
        for word in words {
            let address: u32 = plugin.call("malloc", &json!([word.len() + 1])).await.unwrap();
            let body = [&address.to_le_bytes()[..], word.as_bytes(), b"\0"].concat();
            plugin.call_raw("memory.write", &body).await.unwrap();
            pointers.extend_from_slice(&address.to_le_bytes());
        }
        let address: u32 = plugin.call("malloc", &json!([pointers.len()])).await.unwrap();
        plugin.call_raw("memory.write", &[&address.to_le_bytes()[..], &pointers].concat()).await.unwrap();
        let code: i64 = plugin.call("qjs_init_argv", &json!([words.len(), address])).await.unwrap();
        assert_eq!(code, 0);
        assert_eq!(fs::read_to_string(folder.join("rw/said")).unwrap(), "14,28,42");
    });
}

#[test]
fn a_codec_of_numcodecs_packs_and_unpacks() {
    let Some(zlib) = guests::foreign("zlib.wasm") else {
        skip("a_codec_of_numcodecs_packs_and_unpacks", NOT_FETCHED);
        return;
    };
    block_on(async {
        let one = policy(|spec| spec.instances.max = 1);
        let plugin = casemate().load(zlib, one).await.unwrap();
        let name = |function: &str| format!("numcodecs:abc/codec@0.1.1#{function}");
        assert_eq!(plugin.call::<_, String>(&name("codec-id"), &()).await.unwrap(), "zlib.rs");
        let codec: Value = plugin.call(&name("[static]codec.from-config"), r#"{"level": 9}"#).await.unwrap();
        let data: Vec<u8> = (0..4000_u32).map(|number| (number % 7).to_le_bytes()[0]).collect();
        let array = json!({"data": {"u8": data}, "shape": [4000]});
        let packed: Value = plugin.call(&name("[method]codec.encode"), &json!([codec, array])).await.unwrap();
        let bytes = packed["data"]["u8"].as_array().unwrap().len();
        assert!(bytes < 200, "{bytes} bytes of 4,000");
        let back: Value = plugin.call(&name("[method]codec.decode"), &json!([codec, packed])).await.unwrap();
        assert_eq!(back, array);
    });
}
