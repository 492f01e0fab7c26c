//! Components: the plugin world, and functions called by their types.

use casemate::certificate::Profile;
use casemate::{Cause, Policy};
use casemate_tests::{block_on, casemate, guests, policy};
use serde_json::{Value, json};
use std::time::Duration;

const ALL: &str = "tests:types/all@0.1.0";

#[test]
fn values_of_every_type_go_there_and_come_back() {
    block_on(async {
        let plugin = casemate().load(guests::wasi("types"), Policy::default()).await.unwrap();
        let numbers = json!([-128, 255, -32768, 65535, i32::MIN, u32::MAX, i64::MIN, u64::MAX]);
        let rows = [
            ("integers", numbers.clone(), numbers),
            ("floats", json!([1.5, "NaN"]), json!([1.5, "NaN"])),
            ("words", json!({"flag": true, "letter": "ß", "text": "hé"}), json!([false, "ß", "HÉ"])),
            ("move", json!({"x": 1, "name": "p"}), json!({"x": 2, "y": null, "name": "p"})),
            ("turn", json!("none"), json!("none")),
            ("turn", json!({"circle": 0.5}), json!({"circle": 0.5})),
            (
                "turn",
                json!({"box": {"x": 1, "y": 2, "name": "n"}}),
                json!({"box": {"x": 1, "y": 2, "name": "n"}}),
            ),
            ("paint", json!("red"), json!("red")),
            ("grant", json!(["read", "run"]), json!(["read", "run"])),
            ("maybe", json!(null), json!(null)),
            ("maybe", json!({"some": null}), json!({"some": null})),
            ("maybe", json!({"some": 7}), json!({"some": 7})),
            ("divide", json!([7, 2]), json!(3)),
            ("nested", json!([{"ok": 1}, {"err": "x"}]), json!([{"ok": 1}, {"err": "x"}])),
            ("reverse", json!([1, 2, 3]), json!([3, 2, 1])),
            ("nothing", json!(null), json!(null)),
        ];
        for (function, input, expected) in rows {
            let found: Value = plugin.call(&format!("{ALL}#{function}"), &input).await.unwrap();
            assert_eq!(found, expected, "{function} {input}");
        }
        assert_eq!(plugin.call::<_, u64>("add", &json!([1, "41"])).await.unwrap(), 42);
    });
}

#[test]
fn wrong_values_are_refused_in_words() {
    block_on(async {
        let plugin = casemate().load(guests::wasi("types"), Policy::default()).await.unwrap();
        let rows = [
            ("paint", json!("blue"), "bad_input"),
            ("integers", json!([1]), "bad_input"),
            ("integers", json!([128, 0, 0, 0, 0, 0, 0, 0]), "bad_input"),
            ("words", json!([true, "ab", ""]), "bad_input"),
            ("move", json!({"x": 1}), "bad_input"),
            ("move", json!({"x": 1, "name": "", "z": 0}), "bad_input"),
            ("grant", json!(["fly"]), "bad_input"),
            ("divide", json!([1, 0]), "err"),
            ("[method]counter.next", json!({"resource": 9}), "bad_input"),
            ("missing", json!(null), "no_method"),
        ];
        for (function, input, expected) in rows {
            let failure = plugin.call::<_, Value>(&format!("{ALL}#{function}"), &input).await.unwrap_err();
            let Cause::GuestError { code, .. } = &failure.cause else { panic!("{function}: {failure}") };
            assert_eq!(code, expected, "{function} {input}: {failure}");
        }
    });
}

#[test]
fn resources_live_as_long_as_their_instance() {
    block_on(async {
        let one = policy(|spec| spec.instances.max = 1);
        let plugin = casemate().load(guests::wasi("types"), one).await.unwrap();
        let counter: Value = plugin.call(&format!("{ALL}#[constructor]counter"), &10).await.unwrap();
        for expected in [11, 12] {
            let next: u64 = plugin.call(&format!("{ALL}#[method]counter.next"), &counter).await.unwrap();
            assert_eq!(next, expected);
        }
    });
}

#[test]
fn a_component_of_the_plugin_world_is_a_plugin() {
    block_on(async {
        let casemate = casemate();
        casemate.on("ask", |asked: Value| async move { Ok(asked) });
        let granted = policy(|spec| {
            spec.host = vec!["ask".to_owned()];
            spec.limits.call_timeout = Duration::from_secs(20);
            spec.instances.max = 1;
        });
        let plugin = casemate.load(guests::wasi("plugin"), granted).await.unwrap();
        assert_eq!(plugin.call::<_, Value>("echo", &json!({"a": [1]})).await.unwrap(), json!({"a": [1]}));
        assert_eq!(plugin.call_raw("echo", b"\x00\xff").await.unwrap(), b"\x00\xff");
        assert_eq!(plugin.call::<_, Value>("ask", &json!(7)).await.unwrap(), json!(7));
        assert_eq!(plugin.call::<_, u64>("count", &()).await.unwrap(), 1);
        assert_eq!(plugin.call::<_, u64>("count", &()).await.unwrap(), 2);
        let failure = plugin.call::<_, Value>("fail", &()).await.unwrap_err();
        assert!(matches!(&failure.cause, Cause::GuestError { code, .. } if code == "failed"), "{failure}");
        let failure = plugin.call::<_, Value>("trap", &()).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Trap { .. }), "{failure}");
        assert_eq!(plugin.call::<_, u64>("count", &()).await.unwrap(), 1, "by another instance");
    });
}

#[test]
fn a_rust_plugin_is_the_same_as_a_component() {
    block_on(async {
        let casemate = casemate();
        let core = casemate.load(guests::rust("statistics"), Policy::default()).await.unwrap();
        let component = casemate.load(guests::wasi("statistics-component"), Policy::default()).await.unwrap();
        assert_eq!(component.certificate().profile, Profile::Wasi);
        assert_eq!(core.certificate().profile, Profile::Core);
        for input in
            [json!({"numbers": [1, 2.5]}), json!({"numbers": []}), json!({"numbers": 1}), json!(null)]
        {
            let [one, other] = [&core, &component].map(|plugin| plugin.call::<_, Value>("stats", &input));
            match (one.await, other.await) {
                (Ok(one), Ok(other)) => assert_eq!(one, other),
                (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string(), "{input}"),
                both => panic!("{input}: {both:?}"),
            }
        }
        assert_eq!(
            core.call::<_, Value>("stats", &json!({"numbers": [4]})).await.unwrap()["sum"],
            json!(4.0)
        );
    });
}

#[test]
fn who_waits_or_loops_is_interrupted_at_its_deadline() {
    block_on(async {
        let short = policy(|spec| {
            spec.limits.call_timeout = Duration::from_millis(200);
            spec.limits.grace = Duration::from_secs(20);
        });
        let plugin = casemate().load(guests::wasi("plugin"), short).await.unwrap();
        for method in ["sleep", "loop"] {
            let failure = plugin.call::<_, Value>(method, &()).await.unwrap_err();
            assert!(matches!(failure.cause, Cause::SoftTimeout { .. }), "{method}: {failure}");
        }
    });
}
