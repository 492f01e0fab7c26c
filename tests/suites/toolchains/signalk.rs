//! Plugins of Signal K from the tools of their languages: AssemblyScript with its own strings, and Go with WASI.

use crate::life::{Ground, dies_and_comes_back, ends};
use crate::{built, is_there};
use casemate::{Casemate, Cause, HostError, Plugin};
use casemate_tests::block_on;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const GRANTED: &str = "[defaults]\nstorage = \"vfs\"\n[defaults.permissions]\nhost = [\"sk.*\"]\nsubscribe = [\"sk.**\"]\n\
                       [defaults.instances]\nmax = 1\n[defaults.limits]\ncall_timeout = \"60s\"\n";

/// What the host was told, by method.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(String, Value)>>>);

impl Told {
    fn of(&self, method: &str) -> Vec<Value> {
        let told = self.0.lock().unwrap();
        told.iter().filter(|(one, _)| one == method).map(|(_, said)| said.clone()).collect()
    }
}

/// A guest in a package, a server for it, and what both said.
struct Boat {
    ground: Ground,
    casemate: Casemate,
    plugin: Plugin,
    told: Told,
}

impl Boat {
    async fn with(guest: &str, name: &str, capabilities: Value, options: &str) -> Self {
        let ground = Ground::new();
        let wasm = built(guest, ground.folder());
        let options = if options.is_empty() {
            String::new()
        } else {
            format!("[plugins._boat_{name}.options]\n{options}\n")
        };
        let granted = format!("{GRANTED}{options}");
        let casemate = ground.host(&granted);
        let told = Told::default();
        for method in
            ["sk.set_status", "sk.handle_message", "sk.register_put_handler", "sk.register_weather_provider"]
        {
            let told = told.clone();
            casemate.on(method, move |said: Value| {
                told.0.lock().unwrap().push((method.to_owned(), said));
                async { Ok::<_, HostError>(Value::Null) }
            });
        }
        casemate.on("sk.get_self_path", |asked: Value| async move { Ok::<_, HostError>(asked) });
        let manifest = json!({
            "name": format!("@boat/{name}"), "version": "1.0.0", "wasmManifest": "plugin.wasm",
            "wasmCapabilities": capabilities,
        });
        let (manifest, id) = (manifest.to_string(), format!("_boat_{name}"));
        let manifest = ("package.json", manifest.as_str());
        let plugin = ground.installed_file(&casemate, manifest, "plugin.wasm", &wasm, &id).await;
        Self { ground, casemate, plugin, told }
    }

    async fn call(&self, method: &str, input: &Value) -> Value {
        self.plugin.call(method, input).await.unwrap_or_else(|failure| panic!("{method}: {failure}"))
    }

    /// Publishes deltas, and waits until they were heard.
    async fn sails(&self, deltas: &[Value]) {
        let until = self.plugin.status().events.delivered + deltas.len() as u64;
        for delta in deltas {
            self.casemate.publish("sk.navigation.position", delta).await.unwrap();
        }
        for _ in 0..3000 {
            if self.plugin.status().events.delivered >= until {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (status, lines) = (self.plugin.status(), self.ground.lines());
        panic!("not all of {} deltas were heard: {status:?} {lines:#?}", deltas.len());
    }

    async fn ends(self) -> Told {
        ends(&self.ground, &self.casemate, &self.plugin).await;
        self.told
    }
}

/// K2, K3, K8: from its start to its end, with strings that are no ASCII.
#[test]
fn k08_a_plugin_in_assemblyscript() {
    if !is_there("k08_a_plugin_in_assemblyscript", "assemblyscript") {
        return;
    }
    block_on(async {
        let capabilities = json!({"putHandlers": true, "weatherProvider": true, "httpEndpoints": true});
        let boat = Boat::with("signalk-as", "greeter", capabilities, "").await;
        boat.plugin.subscribe_to(&["sk.navigation.*"]).unwrap();
        boat.sails(&[json!({"text": "Förde ⚓"}), json!({"text": "\u{1f600}"})]).await;
        let heard: Vec<Value> = boat.told.of("sk.handle_message");
        assert_eq!(heard.len(), 2);
        assert_eq!(
            heard[1]["delta"]["updates"][0]["values"][0],
            json!({"path": "greeting.heard", "value": 2})
        );
        assert_eq!(heard[1]["version"], 2);

        let status = boat.call("http_status", &json!({"method": "GET"})).await;
        assert_eq!(status["statusCode"], 200);
        let body = &status["body"];
        assert_eq!(body["last"], json!({"text": "\u{1f600}"}), "UTF-16 both ways, surrogates too");
        assert_eq!(body["config"], json!({}));
        assert_eq!(body["position"], json!({"path": "navigation.position"}));
        assert_eq!((&body["network"], &body["socket"]), (&json!(false), &json!(-1)));
        assert_eq!(body["fetched"], json!(false), "as-fetch is answered at once, and denied");

        let request = json!({"name": "Ägir \u{1f30a}"});
        let echoed = boat.call("http_echo", &request).await;
        assert_eq!(echoed["body"], request, "a handler gets UTF-8 as documented");
        let put = boat.call("handle_put_vessels_self_greeting_name", &request).await;
        assert_eq!(put, json!({"state": "COMPLETED", "statusCode": 200, "request": request}));
        let weather = boat.call("weather_get_observations", &request).await;
        assert_eq!(weather[0]["asked"], request);
        let registered = json!({"context": "vessels.self", "path": "greeting.name"});
        assert_eq!(boat.told.of("sk.register_put_handler")[0], registered);
        assert_eq!(boat.told.of("sk.register_weather_provider")[0], json!({"type": "greeter"}));

        for wanted in ["started with {}", "a line of AssemblyScript's own: ü"] {
            assert!(boat.ground.lines().iter().any(|line| line == wanted), "{wanted}");
        }
        assert!(boat.ground.lines().iter().any(|line| line.contains("wanted the network")));
        dies_and_comes_back(&boat.casemate, &boat.plugin, "http_echo", &request).await;
        let told = boat.ends().await;
        assert!(told.of("sk.set_status").contains(&json!({"message": "grüßt"})));
        assert_eq!(told.of("sk.set_status").last().unwrap(), &json!({"message": "stopped"}));
    });
}

/// The other encoding of handlers: what the project's own server does.
#[test]
fn k08_a_handler_that_takes_strings() {
    if !is_there("k08_a_handler_that_takes_strings", "assemblyscript") {
        return;
    }
    block_on(async {
        let boat = Boat::with("signalk-as", "greeter", json!({}), "http_encoding = \"as\"").await;
        let request = json!({"name": "Ägir \u{1f30a}"});
        let text = boat.call("http_text", &request).await;
        assert_eq!(text["body"], json!({"same": true, "request": request}));
        boat.ends().await;
    });
}

/// A start that says no, and an abort: both with the guest's own words.
#[test]
fn k08_how_a_plugin_in_assemblyscript_fails() {
    if !is_there("k08_how_a_plugin_in_assemblyscript_fails", "assemblyscript") {
        return;
    }
    block_on(async {
        let boat = Boat::with("signalk-as", "greeter", json!({}), "").await;
        boat.plugin.subscribe_to(&["sk.navigation.*"]).unwrap();
        boat.casemate.publish("sk.navigation.position", &json!({"abort": true})).await.unwrap();
        for _ in 0..3000 {
            if boat.plugin.status().events.failed > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(boat.plugin.status().events.failed, 1);
        boat.call("http_echo", &json!({})).await;
        let refused = boat.casemate.load_named_with("_boat_greeter", Some(br#"{"refuse":1}"#.to_vec())).await;
        assert!(refused.unwrap_err().to_string().contains("plugin_start answered 9"));
        boat.ends().await;
    });
}

/// The smallest runtime collects nothing by itself: what goes in and comes out is many times its memory.
#[test]
fn k08_a_plugin_in_assemblyscript_does_not_grow() {
    if !is_there("k08_a_plugin_in_assemblyscript_does_not_grow", "assemblyscript") {
        return;
    }
    block_on(async {
        let boat = Boat::with("signalk-as", "greeter", json!({}), "").await;
        let request = json!({"text": "x".repeat(100_000)});
        for _ in 0..400 {
            assert_eq!(boat.call("http_echo", &request).await["body"], request);
        }
        boat.ends().await;
    });
}

/// K4: a Go program with WASI, whose root is its own files, which outlive its worker and its host.
#[test]
fn k04_k09_a_plugin_in_go_and_its_own_files() {
    if !is_there("k04_k09_a_plugin_in_go_and_its_own_files", "go") {
        return;
    }
    block_on(async {
        let boat = Boat::with("signalk-go", "log-book", json!({"storage": "vfs-only"}), "").await;
        boat.plugin.subscribe_to(&["sk.navigation.*"]).unwrap();
        let deltas = [json!({"at": "Kiel"}), json!({"at": "Ærø"})];
        boat.sails(&deltas).await;
        let said = boat.told.of("sk.handle_message");
        assert_eq!(
            said[1]["delta"]["updates"][0]["values"][0],
            json!({"path": "logbook.entries", "value": 2})
        );
        let book = boat.call("http_book", &Value::Null).await;
        assert_eq!(book["body"], json!(deltas));
        let stolen = boat.call("http_steal", &Value::Null).await;
        assert!(stolen["body"].as_object().unwrap().values().all(|got| got == "no"), "{stolen}");
        let file = boat.ground.folder().join("state/plugins/_boat_log-book/vfs/data/book.log");
        assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 2);
        dies_and_comes_back(&boat.casemate, &boat.plugin, "http_book", &Value::Null).await;
        let failure = boat.plugin.call::<_, Value>("allocate", &json!(1)).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::GuestError { .. }), "{failure}");
        let told = boat.ends().await;
        assert_eq!(told.of("sk.set_status").last().unwrap(), &json!({"message": "closed the book"}));
    });
}
