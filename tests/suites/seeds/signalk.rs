//! Signal K, K1 to K10.

use crate::life::{Ground, dies_and_comes_back, ends};
use casemate::{Casemate, Cause, HostError, HostReply, Plugin, State};
use casemate_tests::{block_on, processes};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NAME: &str = "_boat_anchor-watch";

fn manifest(capabilities: Value) -> String {
    json!({"name": "@boat/anchor-watch", "version": "0.1.0", "wasmManifest": "plugin.wasm", "wasmCapabilities": capabilities})
        .to_string()
}

const GRANTED: &str = "[defaults.permissions]\nhost = [\"sk.*\", \"config.save\"]\nsubscribe = [\"sk.**\"]\n[defaults.instances]\nmax = 1\n";

/// The host's side, and the deltas that it was given.
fn server(casemate: &Casemate) -> Arc<Mutex<Vec<Value>>> {
    let deltas = Arc::new(Mutex::new(Vec::new()));
    for method in ["sk.set_status", "sk.register_put_handler", "sk.publish_notification"] {
        casemate.on(method, |_: Value| async { Ok::<_, HostError>(Value::Null) });
    }
    casemate.on("sk.get_self_path", |_: Value| async { Ok::<_, HostError>(json!({"latitude": 54.5})) });
    let seen = Arc::clone(&deltas);
    casemate.on("sk.handle_message", move |delta: Value| {
        seen.lock().unwrap().push(delta);
        async { Ok::<_, HostError>(Value::Null) }
    });
    deltas
}

/// K3, K5, K6: known by its package, under the id that its name makes, from its start to its end.
#[test]
fn k03_k05_k06_a_plugin_from_its_package_to_its_end() {
    block_on(async {
        let ground = Ground::new();
        let casemate = ground.host(GRANTED);
        server(&casemate);
        let manifest = manifest(json!({"dataRead": true, "dataWrite": true, "putHandlers": true}));
        let name = "_boat_anchor-watch";
        let plugin = ground
            .installed(&casemate, ("package.json", &manifest), "plugin.wasm", "signalk_anchor", name)
            .await;
        let put = "handle_put_vessels_self_navigation_anchor_position";
        dies_and_comes_back(&casemate, &plugin, put, &json!({"value": 30})).await;
        ends(&ground, &casemate, &plugin).await;
    });
}

/// K2, K5: deltas that its pattern matches come to it; what it may not write does not leave it.
#[test]
fn k02_k05_deltas_under_its_capabilities() {
    block_on(async {
        for writes in [true, false] {
            let ground = Ground::new();
            let casemate = ground.host(GRANTED);
            let deltas = server(&casemate);
            let manifest = manifest(json!({"dataWrite": writes}));
            let name = "_boat_anchor-watch";
            let plugin = ground
                .installed(&casemate, ("package.json", &manifest), "plugin.wasm", "signalk_anchor", name)
                .await;
            plugin.subscribe_to(&["sk.navigation.*"]).unwrap();
            casemate.publish("sk.navigation.position", &json!({"distance": 1})).await.unwrap();
            casemate.publish("sk.environment.wind", &json!({"distance": 2})).await.unwrap();
            for _ in 0..500 {
                if plugin.status().events.delivered > 0 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            assert_eq!(plugin.status().events.delivered, 1);
            assert_eq!(deltas.lock().unwrap().len(), usize::from(writes));
            casemate.shutdown().await;
        }
    });
}

/// The anchor watch with these capabilities, of a host that knows what it grants.
async fn anchor(ground: &Ground, casemate: &Casemate, capabilities: Value) -> Plugin {
    let manifest = manifest(capabilities);
    ground.installed(casemate, ("package.json", &manifest), "plugin.wasm", "signalk_anchor", NAME).await
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to this: {what}");
}

/// K2, K10: a thousand deltas wait for a plugin that is down, and come to it in their order; the oldest of more are gone.
#[test]
fn k02_k10_a_thousand_deltas_wait_while_it_is_down() {
    block_on(async {
        let ground = Ground::new();
        // It stays in its pause until it is told to go on.
        let pause = "[defaults.restart.backoff]\nfirst = \"1h\"\nmax = \"1h\"\n";
        let casemate = ground.host(&format!("{GRANTED}{pause}"));
        let deltas = server(&casemate);
        let plugin = anchor(&ground, &casemate, json!({})).await;
        plugin.subscribe_to(&["sk.navigation.*"]).unwrap();
        let [_, zygotes, _] = processes::by_kind(&casemate.marker());
        zygotes[0].signal(Signal::KILL);
        until("it pauses", || plugin.status().state == State::Backoff).await;
        for distance in 0..1005 {
            casemate.publish("sk.navigation.position", &json!({"distance": distance})).await.unwrap();
        }
        assert_eq!((plugin.status().events.waiting, plugin.status().events.dropped), (1000, 5));
        assert!(deltas.lock().unwrap().is_empty());
        plugin.reset().await.unwrap();
        until("all are heard", || plugin.status().events.delivered == 1000).await;
        let heard: Vec<f64> = deltas.lock().unwrap().iter().map(|delta| distance(delta).unwrap()).collect();
        assert_eq!(heard, (5..1005).map(f64::from).collect::<Vec<_>>());
        ends(&ground, &casemate, &plugin).await;
    });
}

/// The distance that the anchor watch says in a delta of its own.
fn distance(said: &Value) -> Option<f64> {
    said.pointer("/delta/updates/0/values/0/value")?.as_f64()
}

/// K3, K10: disabled and enabled while its host runs, which the next host still knows.
#[test]
fn k03_k10_disabled_and_enabled_while_its_host_runs() {
    block_on(async {
        let ground = Ground::new();
        let casemate = ground.host(GRANTED);
        server(&casemate);
        let plugin = anchor(&ground, &casemate, json!({})).await;
        plugin.disable().await.unwrap();
        let failure = plugin.call::<_, Value>("http_status", &Value::Null).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::PluginDisabled { .. }), "{failure}");
        until("its processes are gone", || {
            let [_, zygotes, workers] = processes::by_kind(&casemate.marker());
            zygotes.is_empty() && workers.is_empty()
        })
        .await;
        plugin.enable().await.unwrap();
        let _: Value = plugin.call("http_status", &Value::Null).await.unwrap();
        plugin.disable().await.unwrap();
        casemate.shutdown().await;
        let casemate = ground.host(GRANTED);
        server(&casemate);
        let plugin = casemate.load_named(NAME).await.unwrap();
        let failure = plugin.call::<_, Value>("http_status", &Value::Null).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::PluginDisabled { .. }), "{failure}");
        plugin.enable().await.unwrap();
        let _: Value = plugin.call("http_status", &Value::Null).await.unwrap();
        ends(&ground, &casemate, &plugin).await;
    });
}

/// K5: what its capabilities do not name is denied on every call, whatever the operator grants; the network always.
#[test]
fn k05_every_call_is_held_to_its_capabilities() {
    block_on(async {
        for has in [true, false] {
            let ground = Ground::new();
            let casemate = ground.host(GRANTED);
            let deltas = server(&casemate);
            let registered = Arc::new(Mutex::new(Vec::new()));
            for kind in ["resource", "weather", "radar"] {
                let registered = Arc::clone(&registered);
                casemate.on(&format!("sk.register_{kind}_provider"), move |said: Value| {
                    registered.lock().unwrap().push(format!("{kind} {}", said["type"]));
                    async { Ok::<_, HostError>(Value::Null) }
                });
            }
            let streams = Arc::new(Mutex::new(Vec::new()));
            for method in ["sk.emit_binary_stream", "sk.radar_emit_spokes"] {
                let streams = Arc::clone(&streams);
                casemate.on_raw(method, move |request| {
                    streams.lock().unwrap().push((method, request.body));
                    async { Ok(HostReply { content_type: 1, body: b"null".to_vec() }) }
                });
            }
            let capabilities = json!({
                "dataRead": has, "dataWrite": has, "resourceProvider": has, "weatherProvider": has,
                "radarProvider": has, "network": true, "rawSockets": true,
            });
            let plugin = anchor(&ground, &casemate, capabilities).await;
            for _ in 0..3 {
                let status: Value = plugin.call("http_status", &Value::Null).await.unwrap();
                let body = &status["body"];
                assert_eq!(body["position"].is_null(), !has, "{status}");
                assert_eq!((&body["socket"], &body["stream"]), (&json!(-1), &json!(-1)));
                assert_eq!(body["emitted"], json!([i32::from(has), i32::from(has)]));
            }
            let emitted: Vec<(&str, Vec<u8>)> = vec![
                ("sk.emit_binary_stream", b"plugins/anchor-watch/chain\n\x00\xff\n".to_vec()),
                ("sk.radar_emit_spokes", b"radars/harbour\n\x00\xff\n".to_vec()),
            ];
            let expected: Vec<_> = (0..if has { 3 } else { 0 }).flat_map(|_| emitted.clone()).collect();
            assert_eq!(*streams.lock().unwrap(), expected);
            let expected: &[&str] = if has {
                &["resource \"anchorages\"", "weather \"swell\"", "radar \"harbour\""]
            } else {
                &[]
            };
            assert_eq!(*registered.lock().unwrap(), expected);
            assert!(deltas.lock().unwrap().is_empty());
            // What it provides is called by its name, with JSON in and out.
            let asked = json!({"near": "Kiel"});
            let found: Value = plugin.call("resources_list_resources", &asked).await.unwrap();
            assert_eq!(found, json!({"bay": {"name": "Eckernförde", "asked": asked}}));
            let observed: Value = plugin.call("weather_get_observations", &asked).await.unwrap();
            assert_eq!(observed, json!([{"swell": 0.4, "asked": asked}]));
            let radars: Value = plugin.call("radar_get_radars", &Value::Null).await.unwrap();
            assert_eq!(radars, json!(["harbour"]));
            casemate.shutdown().await;
        }
    });
}

/// K3, K4: a configuration that the plugin itself saves is the next version of its record: of its next worker, and of the next host.
#[test]
fn k03_k04_what_a_plugin_saves_is_its_configuration() {
    block_on(async {
        let ground = Ground::new();
        let casemate = ground.host(GRANTED);
        server(&casemate);
        let plugin = anchor(&ground, &casemate, json!({"putHandlers": true})).await;
        let put = "handle_put_vessels_self_navigation_anchor_position";
        for radius in [40, 50] {
            let answer: Value = plugin.call(put, &json!({"value": radius})).await.unwrap();
            assert_eq!(answer["statusCode"], 200, "{answer}");
        }
        let radius = async |plugin: &Plugin| {
            let status: Value = plugin.call("http_status", &Value::Null).await.unwrap();
            (status["body"]["radius"].clone(), status["body"]["config"]["radius"].clone())
        };
        assert_eq!(
            radius(&plugin).await,
            (json!(30.0), json!(50)),
            "it was started with none, and reads what it saved"
        );
        processes::youngest_worker(&casemate.marker()).unwrap().signal(Signal::KILL);
        until("its worker is gone", || plugin.status().idle == 0).await;
        assert_eq!(radius(&plugin).await, (json!(50.0), json!(50)), "its next worker starts with that");
        let file = ground.folder().join(format!("state/plugins/{NAME}/{NAME}.json"));
        let record: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let earlier = json!([{"version": 1, "config": {"radius": 40}}]);
        assert_eq!(record, json!({"version": 2, "config": {"radius": 50}, "earlier": earlier}));
        casemate.shutdown().await;

        // Whose operator does not grant it cannot.
        let casemate = ground.host(&GRANTED.replace(", \"config.save\"", ""));
        server(&casemate);
        let plugin = casemate.load_named(NAME).await.unwrap();
        let answer: Value = plugin.call(put, &json!({"value": 60})).await.unwrap();
        assert_eq!(answer["statusCode"], 500, "{answer}");
        assert_eq!(radius(&plugin).await, (json!(50.0), json!(50)));
        ends(&ground, &casemate, &plugin).await;
    });
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// K4: what the project's own server has kept, at both of its places, is the plugin's here.
#[test]
fn k04_what_another_server_kept_is_taken_over() {
    block_on(async {
        let ground = Ground::new();
        let data = ground.folder().join("plugin-config-data");
        let kept = r#"{"enabled": true, "enableDebug": true, "configuration": {"radius": 77}}"#;
        put(&data.join(format!("{NAME}.json")), kept);
        let log = r#"{"configuration": {"unit": "m"}, "enabled": false}"#;
        put(&data.join("log-book/log-book.json"), log);
        put(&data.join("log-book.json"), r#"{"configuration": {"unit": "from the older place"}}"#);
        put(&data.join("log-book/vfs/data/deep/book.log"), "Kiel\n");
        put(&data.join("log-book/vfs/tmp/gone"), "");
        put(&data.join("reactor/vfs/data/note"), "Kiel");
        let manifest = manifest(json!({}));
        let wasm = fs::read(casemate_tests::guests::rust("signalk_anchor")).unwrap();
        let package = [("package.json", manifest.as_bytes()), ("plugin.wasm", wasm.as_slice())];
        let package = ground.package("package", &package);
        ground.done(&["plugins", "install", package.to_str().unwrap()]);

        let state = ground.folder().join("state/plugins");
        let consent = r#"{"host": ["audio.record"]}"#;
        fs::write(state.join(NAME).join(".consent.json"), consent).unwrap();
        // As the native programs of other packages are.
        let module = state.join(NAME).join("package/files/plugin.wasm");
        fs::set_permissions(&module, fs::Permissions::from_mode(0o755)).unwrap();

        let data = data.to_str().unwrap();
        let ran = ground.done(&["plugins", "import", data]);
        assert!(ran.out.contains(&format!("{NAME} imported: its configuration, 0 files\n")), "{ran:?}");
        assert!(ran.out.contains("log-book imported: its configuration, 1 files\n"), "{ran:?}");
        let read = |path: &str| fs::read_to_string(state.join(path)).unwrap();
        assert_eq!(read("log-book/vfs/data/deep/book.log"), "Kiel\n");
        assert_eq!(read(&format!("{NAME}/.consent.json")), consent);
        assert_eq!(fs::metadata(&module).unwrap().permissions().mode() & 0o777, 0o755);
        assert!(state.join("log-book/vfs/tmp").is_dir() && !state.join("log-book/vfs/tmp/gone").exists());
        let record: Value = serde_json::from_str(&read("log-book/log-book.json")).unwrap();
        assert_eq!(record, json!({"enabled": false, "version": 1, "config": {"unit": "m"}}));

        let casemate = ground.host(GRANTED);
        server(&casemate);
        let plugin = casemate.load_named(NAME).await.unwrap();
        let status: Value = plugin.call("http_status", &Value::Null).await.unwrap();
        assert_eq!(status["body"]["config"], json!({"radius": 77, "enableDebug": true}));
        // Files are the plugin's own, whoever it runs as: it reads them, and writes to them.
        let files = casemate_tests::policy(|spec| spec.storage = casemate::policy::Storage::Vfs);
        let files = casemate.load(casemate_tests::guests::wasi("reactor"), files).await.unwrap();
        assert_eq!(files.call::<_, Value>("read", "/data/note").await.unwrap(), "Kiel");
        let _: Value = files.call("write", &json!({"path": "/data/note", "bytes": 9})).await.unwrap();
        // What it keeps by now is not written over.
        plugin.set_config(br#"{"radius": 5}"#.to_vec()).await.unwrap();
        let ran = ground.done(&["--json", "plugins", "import", data]);
        let left = [NAME, "log-book", "reactor"].map(|name| json!({"plugin": name, "imported": false}));
        assert_eq!(ran.json()["plugins"], json!(left));
        ends(&ground, &casemate, &plugin).await;
        let record: Value = serde_json::from_str(&read(&format!("{NAME}/{NAME}.json"))).unwrap();
        assert_eq!((&record["config"], &record["version"]), (&json!({"radius": 5}), &json!(2)));
        // Nothing of that name was ever installed, and what it keeps can go all the same.
        assert_eq!(ground.ran(&["plugins", "remove", "log-book"]).code, 8);
        ground.done(&["plugins", "remove", "log-book", "--data"]);
        assert!(!state.join("log-book").exists());
        assert_eq!(ground.ran(&["plugins", "remove", "log-book", "--data"]).code, 8);
    });
}

/// K4: nothing of a plugin is taken over that has a link among its files, nor of anybody where a configuration is broken.
#[test]
fn k04_what_cannot_be_taken_over_is_refused_by_name() {
    let ground = Ground::new();
    let data = ground.folder().join("data");
    put(&data.join("a/a.json"), "{}");
    put(&data.join("a/vfs/data/kept"), "");
    std::os::unix::fs::symlink("/etc/passwd", data.join("a/vfs/data/link")).unwrap();
    let import = || ground.ran(&["plugins", "import", data.to_str().unwrap()]);
    let ran = import();
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("a/vfs/data/link") && ran.err.contains("no plain file"), "{ran:?}");
    assert!(!ground.folder().join("state/plugins/a").exists());
    fs::remove_file(data.join("a/vfs/data/link")).unwrap();
    put(&data.join("b.json"), "{");
    let ran = import();
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("b.json") && ran.err.contains("no JSON"), "{ran:?}");
    assert!(!ground.folder().join("state/plugins/a").exists());
    fs::remove_file(data.join("b.json")).unwrap();
    assert_eq!(import().code, 0);
    assert!(ground.folder().join("state/plugins/a/vfs/data/kept").exists());
    // What a killed one left is swept away by the next.
    assert_eq!(fs::read_dir(ground.folder().join("state/staging")).unwrap().count(), 0);
}
