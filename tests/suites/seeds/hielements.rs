//! Hielements, H1 to H16.

use crate::life::{Ground, dies_and_comes_back, ends};
use casemate::certificate::{Layer, Status};
use casemate::{Casemate, Cause, Failure, Policy};
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, guests, is_root, policy};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

const CALL: &str = "library.call";
const CHECK: &str = "library.check";

fn request(function: &str, argument: &str) -> Value {
    json!({ "function": function, "args": [argument], "workspace": "/workspace" })
}

/// H1, H4, H5, H8: one file of wasm, by the project's own configuration, with the protocol of external programs; loaded once.
#[test]
fn h01_h04_h05_h08_a_library_from_its_configuration_to_its_end() {
    block_on(async {
        let ground = Ground::new();
        let casemate = ground.host("");
        let manifest = ("hielements.toml", "[libraries]\nmodules = { path = \"lib/modules.wasm\" }\n");
        let plugin = ground.installed(&casemate, manifest, "lib/modules.wasm", "hielements", "modules").await;
        dies_and_comes_back(&casemate, &plugin, CALL, &request("module_selector", "src/")).await;
        ends(&ground, &casemate, &plugin).await;
    });
}

/// H7: with its type named, or known by `.wasm`, and others beside it.
#[test]
fn h07_libraries_are_named_or_inferred_and_mixed() {
    let wasm = std::fs::read(guests::rust("hielements")).unwrap();
    let ground = Ground::new();
    let manifest = "[libraries]\nnamed = { type = \"wasm\", path = \"a.wasm\" }\ninferred = { path = \"b.wasm\" }\n\
                    python = { executable = \"python3\", args = [\"plugins/p.py\"] }\n";
    let folder = ground
        .package("both", &[("hielements.toml", manifest.as_bytes()), ("a.wasm", &wasm), ("b.wasm", &wasm)]);
    ground.done(&["plugins", "install", folder.to_str().unwrap()]);
    let list = ground.done(&["--json", "plugins", "list"]).json();
    let names: Vec<&str> =
        list["plugins"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["inferred", "named"]);
    let wrong =
        ground.package("wrong", &[("hielements.toml", b"[libraries]\nx = { path = \"gone.wasm\" }\n")]);
    let ran = ground.ran(&["plugins", "install", wrong.to_str().unwrap()]);
    assert!(ran.code == 3 && ran.err.contains("gone.wasm"), "{ran:?}");
}

/// H7: a native program of a package is installed where that is said, and then runs behind its own walls, is killed and comes back.
#[test]
fn h07_a_native_program_of_a_package_runs_where_its_operator_says_so() {
    let ground = Ground::new();
    let manifest = "[libraries]\nmodules = { executable = \"python3\", args = [\"plugins/p.py\"] }\n\
                    own = { executable = \"./tools/analyzer\" }\n";
    let own = format!("#!/usr/bin/python3\n{PYTHON}");
    let files = [
        ("hielements.toml", manifest.as_bytes()),
        ("plugins/p.py", PYTHON.as_bytes()),
        ("tools/analyzer", own.as_bytes()),
    ];
    let folder = ground.package("native", &files);
    let folder = folder.to_str().unwrap();
    let ran = ground.ran(&["plugins", "install", folder]);
    assert!(ran.code == 3 && ran.err.contains("--native"), "{ran:?}");
    let ran = ground.done(&["plugins", "install", "--native", folder]);
    let installed = ["modules", "own"].map(|name| format!("{name} 0.0.0 installed (hielements, external)\n"));
    assert_eq!(ran.out, installed.concat());
    assert!(ground.done(&["plugins", "info", "modules"]).out.contains("program: python3 plugins/p.py"));
    block_on(async {
        let casemate = ground.host("");
        // A program of the package's own is one without a mode in its archive.
        let own = casemate.load_named("own").await.unwrap();
        let answer: Value = own.call(CHECK, &request("is_module", "src/")).await.unwrap();
        assert_eq!(answer, json!({"Pass": null}));
        own.close().await.unwrap();
        let plugin = casemate.load_named("modules").await.unwrap();
        assert_eq!(plugin.certificate().profile, casemate::certificate::Profile::External);
        dies_and_comes_back(&casemate, &plugin, CALL, &request("module_selector", "src/")).await;
        ends(&ground, &casemate, &plugin).await;
    });
}

/// H7: what a package's words could reach besides its own files is refused.
#[test]
fn h07_a_package_names_no_file_of_its_hosts() {
    let ground = Ground::new();
    for (library, why) in [
        ("executable = \"/bin/cat\"", "a path below its folder"),
        ("executable = \"../cat\"", "a path below its folder"),
        ("executable = \"python3\", args = [\"/etc/passwd\"]", "no argument is an absolute path"),
        ("executable = \"python3\", args = [\"p/../../p.py\"]", "no argument is an absolute path"),
        ("executable = \"python3\", args = [\"gone.py\"]", "gone.py"),
        ("executable = \"no-such-program\"", "no such program"),
        ("executable = \"./tools/gone\"", "tools/gone"),
        ("executable = \"python3\", sandbox = \"none\"", "holds only where the operator's [ceiling] says"),
        ("executable = \"python3\", sandbox = \"open\"", "write \"walled\" or \"none\""),
        ("path = \"p.wasm\", sandbox = \"none\"", "a module always runs behind its walls"),
    ] {
        let manifest = format!("[libraries]\nx = {{ {library} }}\n");
        let folder = ground.package("p", &[("hielements.toml", manifest.as_bytes())]);
        let ran = ground.ran(&["plugins", "install", "--native", folder.to_str().unwrap()]);
        assert_ne!(ran.code, 0, "{library}: {ran:?}");
        assert!(ran.err.contains(why), "{library}: {ran:?}");
        assert_eq!(ground.ran(&["plugins", "info", "x"]).code, 8, "{library}");
    }
}

/// H7: a program that its package wants without walls runs so where its operator's ceiling names that, and nowhere else.
#[test]
fn h07_a_program_without_walls_is_the_operators_word() {
    let ground = Ground::new();
    let manifest =
        "[libraries]\nfree = { executable = \"python3\", args = [\"p.py\"], sandbox = \"none\" }\n";
    let files = [("hielements.toml", manifest.as_bytes()), ("p.py", PYTHON.as_bytes())];
    let folder = ground.package("free", &files);
    let install = ["plugins", "install", "--native", folder.to_str().unwrap()];
    let ran = ground.ran(&install);
    assert!(ran.code == 3 && ran.err.contains("[ceiling] says sandbox = \"none\""), "{ran:?}");
    let ceiling = "[ceiling]\nsandbox = \"none\"\n";
    let configured = ground.folder().join("home/.config/casemate");
    std::fs::create_dir_all(&configured).unwrap();
    std::fs::write(configured.join("casemate.toml"), format!("version = 1\n{ceiling}")).unwrap();
    ground.done(&install);
    block_on(async {
        let strict = ground.host("");
        let refused = strict.load_named("free").await.unwrap_err().to_string();
        assert!(refused.contains("[ceiling] says sandbox = \"none\""), "{refused}");
        strict.shutdown().await;
        let casemate = ground.host(ceiling);
        if is_root() {
            // Its user is another one, for whom nobody makes a way there.
            let refused = casemate.load_named("free").await.unwrap_err().to_string();
            assert!(refused.contains("cannot pass through"), "{refused}");
            let package = ground.folder().join("state/plugins/free/package").canonicalize().unwrap();
            for folder in package.ancestors().take_while(|folder| folder.starts_with(ground.folder())) {
                let mut rights = folder.metadata().unwrap().permissions();
                rights.set_mode(rights.mode() | 0o001);
                std::fs::set_permissions(folder, rights).unwrap();
            }
        }
        let plugin = casemate.load_named("free").await.unwrap();
        let filter = plugin.certificate().layers.get(&Layer::Seccomp).cloned();
        assert!(matches!(filter, Some(Status::Off { .. })), "{filter:?}");
        dies_and_comes_back(&casemate, &plugin, CALL, &request("module_selector", "src/")).await;
        ends(&ground, &casemate, &plugin).await;
    });
}

/// H10, H11: requests and results of the design.
#[test]
fn h10_h11_requests_results_and_errors() {
    block_on(async {
        let plugin =
            Casemate::embedded().unwrap().load(guests::rust("hielements"), Policy::default()).await.unwrap();
        let scope: Value = plugin.call(CALL, &request("module_selector", "src/")).await.unwrap();
        assert_eq!(scope, json!({"Scope": {"kind": "src/", "paths": [], "resolved": true}}));
        for (argument, result) in
            [("src/", json!({"Pass": null})), ("a", json!({"Fail": "a is not a folder"}))]
        {
            assert_eq!(
                plugin.call::<_, Value>(CHECK, &request("is_module", argument)).await.unwrap(),
                result
            );
        }
        let unknown: Value = plugin.call(CHECK, &request("nothing", "")).await.unwrap();
        assert_eq!(unknown, json!({"Error": "Unknown function: nothing"}));
        let failure = plugin.call::<_, Value>(CALL, &request("nothing", "")).await.unwrap_err();
        assert!(failure.to_string().contains("Unknown function: nothing"), "{failure}");
        let failure = plugin.call::<_, Value>(CALL, &json!([])).await.unwrap_err();
        assert!(failure.to_string().contains("Failed to parse request: "), "{failure}");
    });
}

/// H2, H13: nothing is granted by asking; what the operator grants too, is.
#[test]
fn h02_h13_what_a_manifest_asks_for_is_the_operators_to_grant() {
    let wasm = std::fs::read(guests::rust("hielements")).unwrap();
    let ground = Ground::new();
    let manifest = "[libraries.modules]\npath = \"m.wasm\"\n[libraries.modules.permissions]\n\
                    filesystem = [\"read\", \"workspace-only\"]\nenvironment = [\"HOME\", \"USER\"]\n";
    let folder = ground.package("p", &[("hielements.toml", manifest.as_bytes()), ("m.wasm", &wasm)]);
    ground.done(&["plugins", "install", folder.to_str().unwrap()]);
    let info = ground.done(&["plugins", "info", "modules"]).out;
    for wanted in ["permissions.filesystem", "permissions.env"] {
        assert!(info.contains(wanted), "{info}");
    }
}

/// A library whose call does one thing that it should not.
fn attack(imports: &str, body: &str) -> Vec<u8> {
    let text = format!(
        "(module {imports} (memory (export \"memory\") 2)
            (data (i32.const 512) \"{{\\\"Int\\\":0}}\") (data (i32.const 1024) \"etc/passwd\")
            (func (export \"alloc\") (param i32) (result i32) i32.const 4096)
            (func (export \"library_call\") (param i32 i32) (result i32 i32) {body} i32.const 512 i32.const 9)
            (func (export \"library_check\") (param i32 i32) (result i32 i32) i32.const 512 i32.const 9))"
    );
    wat::parse_str(text).unwrap()
}

async fn attempted(wasm: &[u8], policy: Policy) -> Result<Value, Failure> {
    let folder = Scratch::new();
    let path = folder.join("attack.wasm");
    std::fs::write(&path, wasm).unwrap();
    let casemate = Casemate::embedded().unwrap();
    let plugin = casemate.load(&*path, policy).await.unwrap();
    let outcome = plugin.call(CALL, &request("f", "")).await;
    // Whatever it tried, the next call finds a library as it was.
    assert_eq!(plugin.call::<_, Value>(CHECK, &request("f", "")).await.unwrap(), json!({"Int": 0}));
    outcome
}

/// H14, first row: no folder is granted, so there is no descriptor to start from, and no name leads anywhere.
#[test]
fn h14_sensitive_files_are_not_there() {
    let imports = "(import \"wasi_snapshot_preview1\" \"path_open\"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))";
    // What it opens is told by trapping if it could: every descriptor that a folder might have.
    let body = "(local $fd i32) (local.set $fd (i32.const 3))
        (loop $next
            (if (i32.eqz (call $open (local.get $fd) (i32.const 1) (i32.const 1024) (i32.const 10) (i32.const 0)
                    (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 2048)))
                (then unreachable))
            (br_if $next (i32.lt_u (local.tee $fd (i32.add (local.get $fd) (i32.const 1))) (i32.const 32))))";
    block_on(async {
        let outcome = attempted(&attack(imports, body), Policy::default()).await;
        assert_eq!(outcome.unwrap(), json!({"Int": 0}), "nothing could be opened");
    });
}

/// H14, second row.
#[test]
fn h14_there_is_no_network() {
    let imports = "(import \"env\" \"socket\" (func $socket (param i32 i32 i32) (result i32)))";
    let body = "(drop (call $socket (i32.const 2) (i32.const 1) (i32.const 0)))";
    block_on(async {
        let failure = attempted(&attack(imports, body), Policy::default()).await.unwrap_err();
        assert!(failure.to_string().contains("env.socket, which this host does not have"), "{failure}");
    });
}

/// H14, third row.
#[test]
fn h14_there_are_no_processes_to_make() {
    let imports = "(import \"env\" \"fork\" (func $fork (result i32)))";
    let body = "(loop $more (drop (call $fork)) (br $more))";
    block_on(async {
        let failure = attempted(&attack(imports, body), Policy::default()).await.unwrap_err();
        assert!(failure.to_string().contains("env.fork, which this host does not have"), "{failure}");
    });
}

/// H14, fourth row: memory and time.
#[test]
fn h14_what_it_uses_up_is_its_own() {
    let small = policy(|spec| {
        spec.limits.memory_bytes = 1 << 20;
        spec.limits.call_timeout = Duration::from_millis(200);
    });
    block_on(async {
        let greedy =
            "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
        let failure = attempted(&attack("", greedy), small.clone()).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Limit { .. }), "{failure}");
        let failure = attempted(&attack("", "(loop $more (br $more))"), small).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::SoftTimeout { .. }), "{failure}");
    });
}

/// H14, fifth row: what it returns is looked at as any stranger's bytes, and its own code cannot be written.
#[test]
fn h14_nothing_is_injected() {
    let far = "i32.const -64 i32.const 1000 return";
    let noise = "i32.const 1024 i32.const 10 return";
    block_on(async {
        let failure = attempted(&attack("", far), Policy::default()).await.unwrap_err();
        assert!(failure.to_string().contains("outside its memory"), "{failure}");
        let failure = attempted(&attack("", noise), Policy::default()).await.unwrap_err();
        assert!(failure.to_string().contains("is not JSON"), "{failure}");
    });
}

/// H16: the same library as a Python program and as wasm.
const PYTHON: &str = r#"
import json, sys

def call(request):
    path = request["args"][0]
    if request["function"] != "module_selector":
        raise ValueError("Unknown function: " + request["function"])
    return {"Scope": {"kind": path, "paths": [], "resolved": True}}

def check(request):
    path = request["args"][0]
    if request["function"] != "is_module":
        return {"Error": "Unknown function: " + request["function"]}
    return {"Pass": None} if path.endswith("/") else {"Fail": path + " is not a folder"}

for line in sys.stdin:
    message = json.loads(line)
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    try:
        if message["method"] == "library.metadata":
            answer["result"] = {"name": "modules", "version": "1.0.0"}
        else:
            answer["result"] = {"library.call": call, "library.check": check}[message["method"]](message["params"])
    except ValueError as error:
        answer["error"] = {"code": -32000, "message": str(error)}
    print(json.dumps(answer), flush=True)
"#;

#[test]
fn h16_a_python_program_and_its_wasm_version_answer_alike() {
    block_on(async {
        let folder = Scratch::new();
        std::fs::write(folder.join("library.py"), PYTHON).unwrap();
        // A supervisor that is root gives its programs another user, who must be able to read them.
        std::fs::set_permissions(&*folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        let casemate = Casemate::embedded().unwrap();
        let words = ["python3", "library.py"].map(str::to_owned).to_vec();
        let python = casemate.load_external("python", words, &*folder, Policy::default()).await.unwrap();
        let wasm = casemate.load(guests::rust("hielements"), Policy::default()).await.unwrap();
        for (method, function, argument) in [
            (CALL, "module_selector", "src/"),
            (CALL, "module_selector", "ß/\"quoted\""),
            (CHECK, "is_module", "src/"),
            (CHECK, "is_module", "a.rs"),
            (CHECK, "nothing", ""),
        ] {
            let request = request(function, argument);
            let answers: [Value; 2] =
                [python.call(method, &request).await.unwrap(), wasm.call(method, &request).await.unwrap()];
            assert_eq!(answers[0], answers[1], "{request}");
        }
        let request = request("nothing", "");
        for plugin in [&python, &wasm] {
            let failure = plugin.call::<_, Value>(CALL, &request).await.unwrap_err();
            assert!(failure.to_string().contains("Unknown function: nothing"), "{failure}");
        }
    });
}
