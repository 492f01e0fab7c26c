//! Libraries, and which of them an extension may work on.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// A library's number, as people write it: 32 hexadecimal digits with four dashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Library(String);

impl Library {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.to_ascii_lowercase();
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        let is_plain = text.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
        if groups == [8, 4, 4, 4, 12] && is_plain {
            return Ok(Self(text));
        }
        let shown: String = text.chars().take(80).collect();
        Err(format!(
            "{shown:?} is no library: it is 32 hexadecimal digits as in 00000000-0000-0000-0000-000000000000"
        ))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Those that an extension may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Libraries {
    /// All: its manifest says `"*"`.
    All,
    /// These.
    These(BTreeSet<Library>),
}

impl Libraries {
    /// As a manifest says it: `"*"`, a list with `"*"` or numbers in it, or nothing, which is none.
    pub(crate) fn of_manifest(said: &Value) -> Result<Self, String> {
        let texts = match said {
            Value::Null => Vec::new(),
            Value::String(text) => vec![text.as_str()],
            Value::Array(list) => {
                let texts = list.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
                texts.ok_or("permissions.libraries is a list of texts: \"*\", or numbers of libraries")?
            }
            _ => {
                return Err(
                    "permissions.libraries is a list of texts: \"*\", or numbers of libraries".to_owned()
                );
            }
        };
        if texts.contains(&"*") {
            return Ok(Self::All);
        }
        texts.into_iter().map(Library::parse).collect::<Result<_, _>>().map(Self::These)
    }

    /// Whether this one is among them.
    pub fn have(&self, library: &Library) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(library),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ONE: &str = "FFEEDDCC-bbaa-9988-7766-554433221100";

    #[test]
    fn libraries_are_compared_by_their_number() {
        let one = Library::parse(ONE).unwrap();
        assert_eq!(one.to_string(), ONE.to_lowercase());
        for wrong in [
            "",
            "*",
            "ffeeddcc",
            "ffeeddcc-bbaa-9988-7766-55443322110g",
            "ffeeddcc-bbaa-9988-77665544-33221100",
        ] {
            assert!(Library::parse(wrong).is_err(), "{wrong}");
        }
        let read = |said: Value| Libraries::of_manifest(&said);
        assert_eq!(read(json!("*")), Ok(Libraries::All));
        assert_eq!(read(json!(["*"])), Ok(Libraries::All));
        assert!(read(json!([ONE.to_lowercase()])).unwrap().have(&one));
        assert!(!read(json!(null)).unwrap().have(&one));
        assert!(!read(json!(["00000000-0000-0000-0000-000000000000"])).unwrap().have(&one));
        assert!(read(json!([7])).is_err() && read(json!({})).is_err() && read(json!(["mine"])).is_err());
    }
}
