//! What a plugin with WASI sees of the host: folders and variables of the environment.

use super::PolicyError;
use crate::spawn::FOLDERS_MAX;
use std::path::{Component, Path, PathBuf};

/// A folder of the host's, and all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Where it is.
    pub host: PathBuf,
    /// Where the guest finds it.
    pub guest: String,
    /// Whether what is in it may be changed.
    pub write: bool,
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; `None`: the host's own, if it has one.
    pub value: Option<String>,
}

impl Folder {
    /// From `read:/host`, `write:/host=/guest`.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let broken = || PolicyError::Folder { text: text.chars().take(80).collect() };
        let (rights, paths) = text.split_once(':').ok_or_else(broken)?;
        let write = match rights {
            "read" => false,
            "write" => true,
            _ => return Err(broken()),
        };
        let (host, guest) = paths.split_once('=').unwrap_or((paths, paths));
        let plain = !text.chars().any(char::is_control);
        let upwards = |path: &str| Path::new(path).components().any(|part| part == Component::ParentDir);
        if !plain || !host.starts_with('/') || guest.is_empty() || upwards(host) || upwards(guest) {
            return Err(broken());
        }
        Ok(Self { host: PathBuf::from(host), guest: guest.to_owned(), write })
    }
}

/// All of a policy's. Two for one place of the guest's would be a riddle.
pub(super) fn folders(texts: &[String]) -> Result<Vec<Folder>, PolicyError> {
    let mut found: Vec<Folder> = Vec::new();
    for text in texts {
        let folder = Folder::parse(text)?;
        if found.len() == FOLDERS_MAX || found.iter().any(|other| other.guest == folder.guest) {
            return Err(PolicyError::Folder { text: text.chars().take(80).collect() });
        }
        found.push(folder);
    }
    Ok(found)
}

impl Variable {
    /// From `NAME` or `NAME=VALUE`.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(part) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(PolicyError::Variable { text: text.chars().take(80).collect() });
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_absolute_and_say_what_may_be_done() {
        let folder = |text| Folder::parse(text).ok();
        let data = Folder { host: "/data".into(), guest: "/data".to_owned(), write: false };
        assert_eq!(folder("read:/data"), Some(data.clone()));
        let inbox = Folder { guest: "inbox".to_owned(), write: true, ..data };
        assert_eq!(folder("write:/data=inbox"), Some(inbox));
        for bad in [
            "",
            "/data",
            "read:data",
            "exec:/data",
            "read:/data=",
            "read:/a/../b",
            "read:/a=../b",
            "read:/\n",
        ] {
            assert_eq!(folder(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn one_place_of_the_guests_is_one_folder() {
        let texts = ["read:/a=/x".to_owned(), "write:/b=/x".to_owned()];
        assert!(folders(&texts[..1]).is_ok() && folders(&texts).is_err());
        let many: Vec<String> = (0..=FOLDERS_MAX).map(|number| format!("read:/{number}")).collect();
        assert!(folders(&many).is_err() && folders(&many[1..]).is_ok());
    }

    #[test]
    fn variables_have_names() {
        let home = Variable { name: "HOME".to_owned(), value: None };
        assert_eq!(Variable::parse("HOME").ok(), Some(home.clone()));
        let empty = Variable { value: Some("a=b".to_owned()), ..home };
        assert_eq!(Variable::parse("HOME=a=b").ok(), Some(empty));
        assert!(["", "=x", "1A", "A-B"].into_iter().all(|bad| Variable::parse(bad).is_err()));
    }
}
