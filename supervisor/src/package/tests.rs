//! The manifests of every system, as their own pages show them, and what becomes of each.

use super::*;
use casemate_protocol::policy::Policy;
use serde_json::{Value, json};

const WASM: &[u8] = b"\0asm\x01\0\0\0";

fn files(list: &[(&str, &str)]) -> Unpacked {
    let text = |(path, text): &(&str, &str)| ((*path).to_owned(), text.as_bytes().to_vec());
    Unpacked { files: list.iter().map(text).collect() }
}

fn around() -> Surroundings {
    Surroundings { name: "folder".to_owned(), folder: Some("/work/space".into()), workspace: None }
}

/// What a package says, as our own manifest has it.
fn read(list: &[(&str, &str)]) -> Result<Vec<(Value, Draft)>, PackageError> {
    let files = files(list);
    let (reader, document) = readers::which(&files)?;
    let drafts = reader.read(&document, &files, &around())?;
    let told = |draft: Draft| {
        let text = draft.text();
        let table: toml::Table = toml::from_str(&text).unwrap();
        Manifest::parse(&text, "translated").unwrap();
        (serde_json::to_value(table).unwrap(), draft)
    };
    Ok(drafts.into_iter().map(told).collect())
}

fn one(list: &[(&str, &str)]) -> (Value, Draft) {
    let mut all = read(list).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn refusal(list: &[(&str, &str)]) -> String {
    let error = read(list).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

fn module(path: &str) -> Program {
    Program::Module { path: path.to_owned() }
}

#[test]
fn our_own_are_as_they_stand() {
    let manifest = "id = \"a\"\nname = \"A\"\nversion = \"1.0.0\"\n[build]\nfiles = [\"data/words.txt\"]\n";
    let list = [("plugin.toml", manifest), ("a.wasm", "x"), ("data/words.txt", "w"), ("b/c.wasm", "x")];
    let (_, draft) = one(&list);
    assert_eq!((draft.text().as_str(), &draft.program), (manifest, &module("a.wasm")));
    let package = Package::read(&files(&list), &around()).unwrap().remove(0);
    let contents = package.contents(&files(&list)).unwrap();
    assert_eq!(contents.keys().collect::<Vec<_>>(), ["a.wasm", "data/words.txt", "plugin.toml"]);
    for (more, wanted) in [
        (&list[..1], "plugin.toml: there is no .wasm file beside it"),
        (&[list[0], list[1], ("b.wasm", "x")][..], "plugin.toml: there are several .wasm files beside it"),
        (&[("plugin.toml", "id = \"a\"")][..], "plugin.toml: name is missing"),
        (&[("plugin.toml", "id = 1")][..], "plugin.toml:1:6: id must be a text in quotes"),
        (&[("plugin.toml", "id = ")][..], "plugin.toml: this cannot be read"),
    ] {
        let error = refusal(more);
        assert!(error.starts_with(wanted), "{error}");
    }
    let missing = package.contents(&files(&list[..2])).unwrap_err().to_string();
    assert_eq!(missing, "plugin.toml: it names \"data/words.txt\", which is not there");
}

#[test]
fn what_cannot_be_read_is_told_with_its_line_and_what_is_unknown_with_what_is_known() {
    for (file, text, wanted) in [
        ("hielements.toml", "[libraries]\na = = 1\n", " at line 2 column 5"),
        ("plugin.toml", "[plugin]\nid = \n", " at line 2 column"),
        ("manifest.json", "{\n\"a\": }", "at line 2"),
        ("manifest.yaml", "a: 1\nb: [\n", "line 2"),
        (
            "hielements.toml",
            "[libraries.a]\npath = \"a.wasm\"\nargz = []\n",
            "\"argz\" is none of type, path, executable, args,",
        ),
    ] {
        let error = refusal(&[(file, text)]);
        assert!(error.starts_with(file) && error.contains(wanted), "{error}");
    }
}

const LIBRARIES: &str = r#"
[libraries]
typescript = { type = "wasm", path = "lib/typescript.wasm" }
golang = { path = "lib/golang.wasm" }
python = { executable = "python3", args = ["plugins/python_plugin.py"] }
legacy_tool = { executable = "./tools/analyzer" }

[libraries.secured]
path = "lib/secured.wasm"

[libraries.secured.permissions]
filesystem = ["read", "workspace-only"]
environment = ["HOME", "USER"]
"#;

#[test]
fn hielements_has_several_in_one_file() {
    let all = read(&[("hielements.toml", LIBRARIES)]).unwrap();
    let of = |id: &str| all.iter().find(|(value, _)| value["id"] == id).unwrap();
    assert_eq!(all.len(), 5);
    let (value, draft) = of("typescript");
    assert_eq!(
        (value, &draft.program),
        (
            &json!({"id": "typescript", "name": "typescript", "version": "0.0.0", "dialect": "hielements",
                    "options": {"arg_encoding": "plain", "workspace": "/work/space"}}),
            &module("lib/typescript.wasm")
        )
    );
    assert_eq!(of("golang").1.program, module("lib/golang.wasm"));
    let (value, draft) = of("python");
    let command = ["python3", "plugins/python_plugin.py"].map(str::to_owned).to_vec();
    assert_eq!(draft.program, Program::External { command });
    assert_eq!((value["options"]["arg_encoding"].as_str(), value.get("dialect")), (Some("tagged"), None));
    assert_eq!(
        of("legacy_tool").1.program,
        Program::External { command: vec!["./tools/analyzer".to_owned()] }
    );
    let (value, _) = of("secured");
    assert_eq!(value["permissions"], json!({"filesystem": ["read:/work/space"], "env": ["HOME", "USER"]}));

    for (text, wanted) in [
        ("[libraries]\na = { path = \"a.so\" }", "libraries.a.path has \"a.so\": write type = \"wasm\""),
        ("[libraries]\na = { type = \"wasm\" }", "libraries.a.path is missing"),
        ("[libraries]\na = { type = \"jvm\", path = \"a.wasm\" }", "libraries.a.type has \"jvm\""),
        (
            "[libraries]\na = { path = \"../a.wasm\" }",
            "libraries.a.path has \"../a.wasm\": write a path below",
        ),
        ("[libraries]\na = { path = \"/a.wasm\" }", "libraries.a.path has \"/a.wasm\": write a path below"),
        ("[libraries]\na = { path = 1 }", "libraries.a.path must be a text, and is a number"),
        ("[libraries]\na = 1", "libraries.a must be a table, and is a number"),
        (
            "[libraries]\na = { path = \"a.wasm\", executable = \"b\" }",
            "libraries.a.executable has \"b\": a library has",
        ),
        (
            "[libraries.a]\npath = \"a.wasm\"\npermissions = { filesystem = [\"all\"] }",
            "libraries.a.permissions.filesystem[0] has \"all\": write",
        ),
        ("[libraries.a]\npath = \"a.wasm\"\npermissions = { syscalls = [] }", "libraries.a.permissions has"),
    ] {
        let error = refusal(&[("hielements.toml", text)]);
        assert!(error.starts_with(&format!("hielements.toml: {wanted}")), "{error}\n{wanted}");
    }
}

#[test]
fn hielements_wants_a_workspace_for_its_files() {
    let files = files(&[("hielements.toml", LIBRARIES)]);
    let (reader, document) = readers::which(&files).unwrap();
    let around = Surroundings { workspace: Some("/elsewhere".into()), ..around() };
    let drafts = reader.read(&document, &files, &around).unwrap();
    assert!(drafts.iter().any(|draft| draft.text().contains("read:/elsewhere")));
    let drafts = reader.read(&document, &files, &Surroundings::default()).unwrap();
    assert!(drafts.iter().any(|draft| draft.notes.iter().any(|note| note.contains("--workspace"))));
}

const POCKET: &str = "
name: sentiment-analyzer
version: 1.0.0
description: Sentiment analysis plugin for Pocket
author: Your Name
license: MIT

runtime: wasm
binary: plugin.wasm

nodes:
  - type: sentiment
    category: ai
    description: Analyze text sentiment with ML
    configSchema:
      type: object
      properties:
        threshold: { type: number }
    examples:
      - name: kind words
        config: { threshold: 0.15 }
        input: { text: great }
        output: { sentiment: positive }

requirements:
  pocket: \">=0.5.0\"
  memory: 50MB

permissions:
  # No special permissions needed for this plugin
  memory: 50MB
  cpu: 100ms
";

#[test]
fn pocket_in_yaml_and_json_with_a_map_or_a_list() {
    let (value, draft) = one(&[("manifest.yaml", POCKET), ("dist/plugin.wasm", "x")]);
    let methods = value["methods"].as_object().unwrap();
    assert_eq!(methods.keys().collect::<Vec<_>>(), ["exec", "post", "prep"]);
    let nodes: Value = serde_json::from_str(value["options"]["nodes"].as_str().unwrap()).unwrap();
    let schema = json!({"type": "object", "properties": {"threshold": {"type": "number"}}});
    assert_eq!(
        nodes,
        json!([{"type": "sentiment", "category": "ai", "description": "Analyze text sentiment with ML", "configSchema": schema}])
    );
    let mut rest = value.clone();
    for key in ["methods", "options"] {
        rest.as_object_mut().unwrap().remove(key);
    }
    assert_eq!(
        rest,
        json!({"id": "sentiment-analyzer", "name": "sentiment-analyzer", "version": "1.0.0",
               "description": "Sentiment analysis plugin for Pocket", "license": "MIT",
               "limits": {"memory": "50000000B", "cpu": "100ms"},
               "examples": [{"method": "exec", "description": "kind words",
                             "input": {"node": "sentiment", "config": {"threshold": 0.15}, "input": {"text": "great"}},
                             "output": {"output": {"sentiment": "positive"}, "next": "done"}}]})
    );
    assert_eq!((draft.program, draft.memory_needed), (module("dist/plugin.wasm"), Some(50_000_000)));
    assert_eq!(one(&[("manifest.yaml", POCKET), ("plugin.wasm", "x")]).1.program, module("plugin.wasm"));

    let list = "permissions:
  - network: [\"api.example.com\", \"*.trusted-domain.com\"]
  - env: [\"API_KEY\", \"SERVICE_URL\"]
  - filesystem: [\"read:/data\", \"write:/tmp\"]
  - memory: 100MB
  - cpu: 1000ms
  - timeout: 1m30s
";
    let head = POCKET.split("permissions:").next().unwrap();
    let (value, _) = one(&[("manifest.yml", &format!("{head}{list}"))]);
    assert_eq!(value["limits"], json!({"memory": "100000000B", "cpu": "1000ms", "call_timeout": "90000ms"}));
    assert_eq!(
        value["permissions"],
        json!({"network": ["api.example.com", "*.trusted-domain.com"], "env": ["API_KEY", "SERVICE_URL"],
               "filesystem": ["read:/data", "write:/tmp"]})
    );
    let json = json!({"name": "a", "version": "2.0", "runtime": "wasm", "binary": "a.wasm",
                      "nodes": [{"type": "t", "category": "c", "description": "d"}], "timeout": "5s"});
    let (value, _) = one(&[("manifest.json", &json.to_string())]);
    assert_eq!((&value["version"], &value["limits"]), (&json!("2.0.0"), &json!({"call_timeout": "5000ms"})));
}

#[test]
fn pocket_refuses_by_name() {
    for (old, new, wanted) in [
        (">=0.5.0", ">=0.9.0", "requirements.pocket = \">=0.9.0\" and this Casemate speaks Pocket 0.5.0"),
        (">=0.5.0", "many", "requirements.pocket has \"many\": write as in"),
        ("name: sent", "title: sent", "name is missing"),
        ("version: 1.0.0", "version: 1.5", "version must be a text, and is a number"),
        ("binary: plugin.wasm", "binary: ../p.wasm", "binary has \"../p.wasm\": write a path below"),
        ("runtime: wasm", "runtime: native", "runtime has \"native\": write \"wasm\""),
        ("type: sentiment", "kind: sentiment", "nodes[0].type is missing"),
        ("  memory: 50MB\n  cpu", "  memory: 50 potatoes\n  cpu", "permissions.memory has \"50 potatoes\""),
        ("cpu: 100ms", "cpu: lots", "permissions.cpu has \"lots\": write a time"),
        ("cpu: 100ms", "gpu: 1", "permissions.gpu has \"1\": \"gpu\" is none of"),
        ("nodes:\n  - type", "nodes:\n    a: 1\nx:\n  - type", "nodes must be a list, and is a table"),
    ] {
        assert!(POCKET.contains(old), "{old}");
        let error = refusal(&[("manifest.yaml", &POCKET.replacen(old, new, 1))]);
        assert!(error.starts_with(&format!("manifest.yaml: {wanted}")), "{error}\n{wanted}");
    }
}

#[test]
fn extism_as_its_sdks_take_it() {
    let manifest = json!({
        "wasm": [{"path": "count.wasm", "hash": "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476", "name": "main"}],
        "memory": {"max_pages": 16, "max_var_bytes": 20},
        "config": {"vowels": "aeiou", "any key": "x"},
        "allowed_hosts": ["*.example.com"],
        "allowed_paths": {"/data": "/in", "ro:/etc/words": "/words", "here": "there"},
        "timeout_ms": 1500,
    });
    let (value, draft) = one(&[("manifest.json", &manifest.to_string())]);
    assert_eq!(
        value,
        json!({"id": "folder", "name": "folder", "version": "0.0.0", "dialect": "extism",
               "limits": {"memory": "1048576B", "call_timeout": "1500ms"},
               "options": {"config": "{\"any key\":\"x\",\"vowels\":\"aeiou\"}"},
               "permissions": {"network": ["*.example.com"],
                               "filesystem": ["write:/data=/in", "write:/work/space/here=/there", "read:/etc/words=/words"]}})
    );
    assert_eq!(draft.program, module("count.wasm"));
    let package = Package { sha256: draft.sha256, ..Package::of_module("count.wasm", "count").unwrap() };
    package.check_module(WASM).unwrap();
    let error = package.check_module(b"\0asm").unwrap_err().to_string();
    assert!(
        error.starts_with("the module has the SHA-256 ") && error.contains("and should have 93a44bbb"),
        "{error}"
    );

    let of = |wasm: Value| json!({ "wasm": wasm }).to_string();
    let (_, draft) = one(&[("extism.json", &of(json!([{"url": "https://example.org/a.wasm"}])))]);
    assert_eq!(draft.program, Program::Remote { url: "https://example.org/a.wasm".to_owned() });
    for (wasm, wanted) in [
        (json!([]), "wasm has \"[]\": name one module"),
        (json!([{"path": "a"}, {"path": "b"}]), "wasm has "),
        (json!([{}]), "wasm[0].path is missing"),
        (json!([{"path": "/etc/passwd"}]), "wasm[0].path has \"/etc/passwd\": write a path below"),
        (json!("a.wasm"), "wasm must be a list, and is a text"),
    ] {
        let error = refusal(&[("extism.json", &of(wasm))]);
        assert!(error.starts_with(&format!("extism.json: {wanted}")), "{error}");
    }
}

#[test]
fn signal_k_by_its_package() {
    let manifest = json!({
        "name": "@scope/my-wasm-plugin", "version": "0.1.0", "wasmManifest": "plugin.wasm",
        "wasmCapabilities": {"dataRead": true, "dataWrite": true, "storage": "vfs-only", "network": false},
    });
    let (value, draft) = one(&[("package.json", &manifest.to_string())]);
    let host = [
        "set_status",
        "set_error",
        "read_config",
        "save_config",
        "has_capability",
        "get_self_path",
        "get_path",
        "handle_message",
        "publish_notification",
        "emit_binary_stream",
    ];
    let host =
        host.map(|name| if name == "save_config" { "config.save".to_owned() } else { format!("sk.{name}") });
    assert_eq!(
        value,
        json!({"id": "_scope_my-wasm-plugin", "name": "@scope/my-wasm-plugin", "version": "0.1.0", "storage": "vfs",
               "options": {"id": "_scope_my-wasm-plugin"},
               "permissions": {"host": host, "subscribe": ["sk.**"], "publish": ["sk.**"]}})
    );
    assert!(draft.notes.is_empty() && draft.program == module("plugin.wasm"));
    let with = |capabilities: Value| {
        json!({"name": "b", "version": "1.0.0", "wasmManifest": "b.wasm", "wasmCapabilities": capabilities})
            .to_string()
    };
    let (value, draft) = one(&[(
        "package.json",
        &with(json!({"dataWrite": false, "network": true, "rawSockets": true, "putHandlers": true, "x": 1})),
    )]);
    let host = value["permissions"]["host"].as_array().unwrap();
    assert!(!host.contains(&json!("sk.handle_message")) && host.contains(&json!("sk.register_put_handler")));
    assert!(
        !draft.notes.is_empty()
            && value["storage"] == "none"
            && value["permissions"]["network"] == json!(["*"])
    );
    assert_eq!(draft.notes.len(), 3);
    for (capabilities, wanted) in [
        (json!({"storage": "all"}), "wasmCapabilities.storage has \"all\": write"),
        (json!({"dataRead": "yes"}), "wasmCapabilities.dataRead must be true or false, and is a text"),
        (json!([]), "wasmCapabilities must be a table, and is a list"),
    ] {
        let error = refusal(&[("package.json", &with(capabilities))]);
        assert!(error.starts_with(&format!("package.json: {wanted}")), "{error}");
    }
    // What any project of JavaScript has is no manifest of a plugin.
    let error = refusal(&[("package.json", "{\"name\": \"x\"}")]);
    assert_eq!(error, "package.json is no manifest of a plugin: one of signalk has wasmManifest");
}

#[test]
fn spacedrive_by_its_methods() {
    let manifest = json!({
        "id": "finance", "name": "Finance", "version": "0.1.0", "description": "Receipts", "author": "A",
        "wasm_file": "finance.wasm",
        "permissions": {"methods": ["vdfs.", "ai.ocr", "credentials.*"], "libraries": ["*"],
                        "rate_limits": {"requests_per_minute": 500}, "network_access": ["imap.example.com"], "max_memory_mb": 512},
        "config_schema": {"type": "object", "default": null},
    });
    let (mut value, _) = one(&[("manifest.json", &manifest.to_string())]);
    // Its text is in the order of the build's documents.
    let schema: Value = serde_json::from_str(value["config_schema"].as_str().unwrap()).unwrap();
    value["config_schema"] = schema;
    assert_eq!(
        value,
        json!({"id": "finance", "name": "Finance", "version": "0.1.0", "description": "Receipts", "dialect": "spacedrive",
               "config_schema": {"default": null, "type": "object"},
               "limits": {"host_calls": "500/min", "memory": "536870912B"},
               "options": {"id": "finance", "libraries": "*", "concurrent_jobs": "10"},
               "permissions": {"host": ["vdfs.*", "query:vdfs.*", "action:vdfs.*", "ai.ocr*", "query:ai.ocr*", "action:ai.ocr*",
                                        "credentials.*", "query:credentials.*", "action:credentials.*", "job.*"],
                               "network": ["imap.example.com"]}})
    );
    let mut plain = manifest.clone();
    plain["permissions"] = json!({"methods": [], "max_memory_mb": 0});
    let (value, _) = one(&[("manifest.json", &plain.to_string())]);
    // Nothing said of memory is nothing asked.
    assert_eq!(value["limits"], json!({"host_calls": "1000/min"}));
    for (key, with, wanted) in [
        ("permissions", Value::Null, "permissions is missing"),
        ("permissions", json!({}), "permissions.methods is missing"),
        ("permissions", json!({"methods": "all"}), "permissions.methods must be a list, and is a text"),
        ("permissions", json!({"methods": ["a*b"]}), "permissions.methods[0] has \"a*b\": a method is"),
        ("id", json!(7), "id must be a text, and is a number"),
        ("wasm_file", json!("a/../../b"), "wasm_file has \"a/../../b\": write a path below"),
    ] {
        let mut broken = manifest.clone();
        broken[key] = with;
        let error = refusal(&[("manifest.json", &broken.to_string())]);
        assert!(error.starts_with(&format!("manifest.json: {wanted}")), "{error}");
    }
}

const IDEANET: &str = r#"
capabilities = [
  "RegisterBlockType", "ReadUserData", { PublishEvents = ["content.*"] }, { SubscribeEvents = ["content.created"] },
  { HttpRequest = ["api.example.com"] }, "RecordAudio",
]

[plugin]
id = "org.example.notes"
name = "Notes"
version = "0.1.0"
wasm = "notes.wasm"

[resource_limits]
max_memory = 67108864
max_cpu_time = { secs = 1, nanos = 500000000 }
allowed_network_domains = ["cdn.example.com"]
file_access_scope = { ReadOnly = "/data" }
"#;

#[test]
fn ideanet_by_its_capabilities() {
    let (value, _) = one(&[("plugin.toml", IDEANET)]);
    assert_eq!(
        value,
        json!({"id": "org.example.notes", "name": "Notes", "version": "0.1.0", "dialect": "ideanet",
               "consent": ["audio.record"],
               "options": {"id": "org.example.notes"}, "limits": {"memory": "67108864B", "cpu": "1500ms"},
               "permissions": {
                   "host": ["ui.register_block_type", "kv.get", "kv.list", "http.request", "audio.record"],
                   "publish": ["content.*"], "subscribe": ["content.created"],
                   "network": ["cdn.example.com", "api.example.com"], "filesystem": ["read:/data"]}})
    );
    for (old, new, wanted) in [
        ("\"ReadUserData\"", "\"ReadAllData\"", "capabilities[1] has \"ReadAllData\": write one of"),
        ("ReadOnly = \"/data\"", "Some = \"/data\"", "resource_limits.file_access_scope has"),
        ("wasm = \"notes.wasm\"", "", "plugin.wasm is missing"),
        (
            "max_memory = 67108864",
            "max_memory = -1",
            "resource_limits.max_memory must be a text, and is a number",
        ),
    ] {
        let error = refusal(&[("plugin.toml", &IDEANET.replacen(old, new, 1))]);
        assert!(error.starts_with(&format!("plugin.toml: {wanted}")), "{error}");
    }
}

#[test]
fn two_manifests_are_refused_by_name() {
    let native = ("plugin.toml", "id = \"a\"\nname = \"A\"\nversion = \"1.0.0\"\n");
    let error = refusal(&[native, ("manifest.yaml", POCKET)]);
    assert_eq!(
        error,
        "there is more than one manifest (manifest.yaml of pocket, plugin.toml of casemate): leave one, so that it is clear what holds"
    );
    // One file that two systems take for theirs.
    let both = json!({"wasm_file": "a.wasm", "wasm": [{"path": "a.wasm"}]}).to_string();
    let error = refusal(&[("manifest.json", &both)]);
    assert!(error.contains("manifest.json of extism, manifest.json of spacedrive"), "{error}");
    let error = refusal(&[("a.wasm", "x")]);
    assert!(
        error.starts_with(
            "there is no manifest: a package has one of extism.json, hielements.toml, manifest.json"
        ),
        "{error}"
    );
    let error = refusal(&[("manifest.json", "{}")]);
    assert!(
        error.contains("one of pocket has runtime") && error.contains("one of spacedrive has wasm_file"),
        "{error}"
    );
    // A project of JavaScript with a manifest of ours has one manifest.
    assert_eq!(one(&[native, ("package.json", "{}"), ("a.wasm", "x")]).1.file, "plugin.toml");
}

#[test]
fn a_module_alone_asks_for_what_it_is_granted() {
    let package = Package::of_module("a b.wasm", "a b").unwrap();
    assert_eq!((package.name(), package.module()), ("a_b", Some("a b.wasm")));
    let spec = casemate_protocol::policy::PolicySpec {
        host: vec!["*".to_owned()],
        publish: vec!["**".to_owned()],
        ..Default::default()
    };
    assert!(Policy::new(spec).is_ok());
    assert_eq!(package.manifest.asked()[0].1, ["*"]);
    let error = package.check_module(b"no").unwrap_err().to_string();
    assert!(error.ends_with("is no WebAssembly"), "{error}");
    assert!(package.check_dialect("anything").is_ok());
}

#[test]
fn what_a_module_speaks_must_be_its_systems() {
    let draft = Draft::new("hielements.toml", module("a.wasm"));
    let mut package = Package { dialects: &["hielements"], ..Package::of_module("a.wasm", "a").unwrap() };
    assert!(package.check_dialect("hielements").is_ok());
    (package.file, package.system) = (draft.file, "hielements");
    let error = package.check_dialect("casemate-1").unwrap_err().to_string();
    assert!(
        error.starts_with(
            "hielements.toml is a manifest of hielements and its module speaks casemate-1, not hielements"
        ),
        "{error}"
    );
}

#[test]
fn keys_that_nobody_here_knows_are_noted() {
    let spacedrive = r#"{"id": "a", "name": "A", "version": "1.0.0", "wasm_file": "a.wasm", "colour": "red",
        "permissions": {"methods": [], "librarys": ["*"], "rate_limits": {"requests_per_minut": 5}}}"#;
    let ideanet = "capabilities = []\n[plugin]\nid = \"a\"\nname = \"A\"\nversion = \"1.0.0\"\nwasm = \"a.wasm\"\n\
                   [resource_limits]\nmax_memry = 5\n";
    for (file, text, wanted) in [
        (
            "manifest.json",
            spacedrive,
            &[
                "colour is not known here, and changes nothing",
                "permissions.librarys is not known here, and changes nothing; did you mean libraries?",
                "permissions.rate_limits.requests_per_minut is not known here, and changes nothing; did you mean requests_per_minute?",
            ][..],
        ),
        (
            "plugin.toml",
            ideanet,
            &["resource_limits.max_memry is not known here, and changes nothing; did you mean max_memory?"],
        ),
    ] {
        let (_, draft) = one(&[(file, text), ("a.wasm", "x")]);
        assert_eq!(draft.notes, wanted);
    }
}

#[test]
fn paths_are_plain_or_none() {
    for good in ["a", "a/b.wasm", "a..b", "…"] {
        assert!(is_plain(good), "{good}");
    }
    let long = "x".repeat(256);
    for bad in ["", ".", "..", "a/..", "/a", "a//b", "a/", "./a", "a\\b", "a\nb", "a\0b", &long] {
        assert!(!is_plain(bad), "{bad:?}");
    }
}
