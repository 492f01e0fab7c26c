//! A plugin's policy from flags and, if there is one, a file.

use crate::problem::Problem;
use casemate::outcome::escape;
use casemate::policy::units;
use casemate::policy_file;
use casemate::{LayerSet, Policy, PolicySpec};
use std::path::Path;

/// Bytes of a policy file: far more than anybody writes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the flags say.
#[derive(Debug, Default)]
pub(crate) struct Flags<'a> {
    pub(crate) memory: Option<&'a str>,
    pub(crate) timeout: Option<&'a str>,
    pub(crate) require: Option<&'a str>,
    pub(crate) file: Option<&'a Path>,
}

/// The file's policy with the flags over it. Layers of file and flags are required together.
pub(crate) fn resolve(flags: &Flags<'_>) -> Result<Policy, Problem> {
    let mut spec = match flags.file {
        Some(path) => read(path)?,
        None => PolicySpec::default(),
    };
    if let Some(memory) = flags.memory {
        spec.limits.memory_bytes =
            units::bytes(memory).map_err(|error| Problem::policy(format!("--memory: {error}")))?;
    }
    if let Some(timeout) = flags.timeout {
        spec.limits.call_timeout =
            units::duration(timeout).map_err(|error| Problem::policy(format!("--timeout: {error}")))?;
    }
    if let Some(names) = flags.require {
        spec.require = spec.require.union(layers(names)?);
    }
    Policy::new(spec).map_err(|error| Problem::policy(error.to_string()))
}

/// Names of layers, separated by commas.
pub(crate) fn layers(names: &str) -> Result<LayerSet, Problem> {
    names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .try_fold(LayerSet::EMPTY, |set, name| LayerSet::named(name).map(|layer| set.union(layer)))
        .map_err(|error| Problem::policy(format!("--require: {error}")))
}

fn read(path: &Path) -> Result<PolicySpec, Problem> {
    let shown = escape(&path.display().to_string(), 512);
    let unreadable =
        |why: &dyn std::fmt::Display| Problem::not_found(format!("--policy {shown} cannot be read: {why}"));
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(unreadable(&"it is not a regular file"));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(Problem::policy(format!(
            "{shown} has {} bytes; {FILE_BYTES_MAX} are the most",
            metadata.len()
        )));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Problem::policy(format!("{shown} is not UTF-8: {error}")))?;
    policy_file::parse(&text, &shown).map_err(|error| Problem::policy(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use casemate::Layer;
    use std::time::Duration;

    fn problem(flags: &Flags<'_>, exit: Exit) -> String {
        let problem = resolve(flags).unwrap_err();
        assert_eq!(problem.exit(), exit, "{problem}");
        problem.to_string()
    }

    #[test]
    fn flags_make_a_policy() {
        let flags = Flags {
            memory: Some("64MiB"),
            timeout: Some("5s"),
            require: Some("seccomp, landlock"),
            file: None,
        };
        let policy = resolve(&flags).unwrap();
        assert_eq!(policy.limits().memory_bytes, 64 << 20);
        assert_eq!(policy.limits().call_timeout, Duration::from_secs(5));
        assert_eq!(policy.require().iter().collect::<Vec<_>>(), [Layer::Seccomp, Layer::Landlock]);
        assert_eq!(resolve(&Flags::default()).unwrap(), Policy::default());
    }

    #[test]
    fn mistakes_name_the_flag_and_what_is_right() {
        let memory = |memory| Flags { memory: Some(memory), ..Flags::default() };
        assert!(problem(&memory("64"), Exit::Policy).contains("limits.memory"), "out of range");
        assert!(problem(&memory("99999999999GiB"), Exit::Policy).contains("overflows"));
        assert!(problem(&memory("lots"), Exit::Policy).contains("--memory"));
        let timeout = |timeout| Flags { timeout: Some(timeout), ..Flags::default() };
        assert!(problem(&timeout("5"), Exit::Policy).contains("--timeout"));
        assert!(problem(&timeout("0s"), Exit::Policy).contains("limits.call_timeout"));
        let require = Flags { require: Some("seccomp,secomp"), ..Flags::default() };
        let line = problem(&require, Exit::Policy);
        assert!(line.contains("\"secomp\"") && line.contains("landlock"), "{line}");
    }

    #[test]
    fn flags_go_over_the_file_and_layers_add_up() {
        let file = std::env::temp_dir().join(format!("casemate-cli-policy-{}.toml", std::process::id()));
        let text = "[limits]\nmemory = \"1MiB\"\ncall_timeout = \"1s\"\n[require]\nlayers = [\"seccomp\"]\n";
        std::fs::write(&file, text).unwrap();
        let flags =
            Flags { memory: Some("2MiB"), require: Some("landlock"), file: Some(&file), ..Flags::default() };
        let policy = resolve(&flags);
        std::fs::write(&file, "[limits]\nmemry = \"1MiB\"\n").unwrap();
        let line = problem(&Flags { file: Some(&file), ..Flags::default() }, Exit::Policy);
        std::fs::remove_file(&file).unwrap();
        let policy = policy.unwrap();
        assert_eq!(policy.limits().memory_bytes, 2 << 20);
        assert_eq!(policy.limits().call_timeout, Duration::from_secs(1));
        assert_eq!(policy.require().iter().collect::<Vec<_>>(), [Layer::Seccomp, Layer::Landlock]);
        assert!(line.contains(".toml:2:") && line.contains("memry"), "{line}");
    }

    #[test]
    fn a_policy_file_that_is_not_there_is_not_found() {
        let flags = Flags { file: Some(Path::new("/no/such/policy.toml")), ..Flags::default() };
        assert!(problem(&flags, Exit::NotFound).contains("/no/such/policy.toml"));
        let flags = Flags { file: Some(Path::new("/")), ..Flags::default() };
        assert!(problem(&flags, Exit::NotFound).contains("not a regular file"));
    }
}
