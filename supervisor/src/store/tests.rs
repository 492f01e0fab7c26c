use super::kv::Keys;
use super::*;
use serde_json::json;

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("casemate-store-{:016x}", getrandom::u64().unwrap()));
        Self(path)
    }

    fn store(&self, name: &str) -> Store {
        Store::new(&self.0, &PluginName::new(name).unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn nothing_is_made_by_looking() {
    let folder = Folder::new();
    assert_eq!(folder.store("p").record().unwrap(), Record::default());
    assert!(!folder.0.exists());
}

#[test]
fn configurations_are_counted_and_remembered() {
    let folder = Folder::new();
    for number in 1..=12 {
        folder.store("p").change(|record| record.set_config(json!({ "n": number }))).unwrap();
    }
    folder.store("p").change(|record| record.enabled = Some(false)).unwrap();
    let record = folder.store("p").record().unwrap();
    assert_eq!((record.enabled, record.config()), (Some(false), Some(br#"{"n":12}"#.to_vec())));
    let text = std::fs::read_to_string(folder.0.join("plugins/p/p.json")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&value["version"], value["earlier"].as_array().unwrap().len()), (&json!(12), 8));
    assert_eq!(value["earlier"][0], json!({"version": 11, "config": {"n": 11}}));
    assert_eq!(
        std::fs::read_dir(folder.0.join("plugins/p")).unwrap().count(),
        1,
        "nothing unfinished is left"
    );
    // Another plugin's is another's.
    assert_eq!(folder.store("q").record().unwrap(), Record::default());
}

#[test]
fn a_record_that_is_none_is_named_with_its_file() {
    let folder = Folder::new();
    folder.store("p").change(|record| record.enabled = Some(true)).unwrap();
    let path = folder.0.join("plugins/p/p.json");
    for (text, why) in [
        ("{", "EOF"),
        ("[]", "no JSON object"),
        (r#"{"enabled": 1}"#, "neither true nor false"),
        (r#"{"config": {}}"#, "no \"version\""),
        (r#"{"version": 1, "config": 1, "earlier": [{"version": 0}]}"#, "version 0 has no \"config\""),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = folder.store("p").record().unwrap_err().to_string();
        assert!(error.contains("p.json") && error.contains(why), "{text}: {error}");
    }
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    assert!(folder.store("p").record().is_err(), "a link is not followed");
}

#[test]
fn keys_and_values_stay_and_are_ordered_by_their_bytes() {
    let folder = Folder::new();
    {
        let store = folder.store("p");
        let kv = store.kv().unwrap();
        for key in ["b", "a/2", "a/10", "a", "ä", ""] {
            kv.set(key, key.as_bytes(), 10_000).unwrap();
        }
        assert_eq!(kv.get("a/2").unwrap(), Some(b"a/2".to_vec()));
        assert_eq!(kv.get("c").unwrap(), None);
        assert!(kv.delete("b").unwrap() && !kv.delete("b").unwrap());
    }
    let store = folder.store("p");
    let kv = store.kv().unwrap();
    let list = |prefix, after, count| kv.list(prefix, after, count, 10_000).unwrap();
    assert_eq!(list("a", "", 9), Keys { keys: ["a", "a/10", "a/2"].map(Into::into).into(), more: false });
    assert_eq!(list("a", "", 2), Keys { keys: ["a", "a/10"].map(Into::into).into(), more: true });
    assert_eq!(list("a", "a/10", 2), Keys { keys: vec!["a/2".to_owned()], more: false });
    assert_eq!(list("", "b", 9).keys, ["ä"]);
    assert_eq!(kv.list("a", "", 9, 10).unwrap(), Keys { keys: vec!["a".to_owned()], more: true });
}

#[test]
fn a_full_store_takes_nothing_more_until_there_is_room() {
    let folder = Folder::new();
    let store = folder.store("p");
    let kv = store.kv().unwrap();
    kv.set("a", &[0; 100], 200).unwrap();
    assert_eq!(kv.held().unwrap(), 165);
    let full = kv.set("b", b"", 200).unwrap_err();
    assert!(matches!(full, StoreError::Full { configured: 200, observed: 230 }), "{full}");
    assert!(full.to_string().contains("limits.store"), "{full}");
    // The same key may have another value; a limit that was lowered does not stop one that is smaller.
    kv.set("a", &[0; 135], 200).unwrap();
    kv.set("a", &[0; 136], 200).unwrap_err();
    kv.set("a", &[0; 99], 10).unwrap();
    assert!(kv.delete("a").unwrap());
    assert_eq!(kv.held().unwrap(), 0);
    kv.set("b", b"", 200).unwrap();
}

#[test]
fn a_database_that_is_none_is_an_error_and_stays() {
    let folder = Folder::new();
    folder.store("p").kv().unwrap().set("a", b"1", 1000).unwrap();
    let path = folder.0.join("plugins/p/kv.sqlite3");
    let before = vec![7; 8192];
    let _ = std::fs::remove_file(folder.0.join("plugins/p/kv.sqlite3-wal"));
    std::fs::write(&path, &before).unwrap();
    let store = folder.store("p");
    let error = store.kv().unwrap().get("a").unwrap_err().to_string();
    assert!(error.contains("kv.sqlite3"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    folder.store("p").change(|record| record.enabled = Some(true)).unwrap();
    let plugins = folder.0.join("plugins/p");
    std::fs::set_permissions(&plugins, std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = folder.store("p").kv().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("chmod go-w"), "{error}");
}
