//! A plugin's policy from flags, a configuration and the plugin's own manifest.

use crate::problem::Problem;
use casemate::config::{Overrides, Value};
use casemate::package::manifest_beside;
use casemate::policy::units;
use casemate::{Configuration, Effective, Layer, LayerSet, Manifest, Policy};
use std::path::Path;

/// What the flags say.
#[derive(Debug)]
pub(crate) struct Flags<'a> {
    pub(crate) memory: Option<&'a str>,
    pub(crate) timeout: Option<&'a str>,
    pub(crate) require: Option<&'a str>,
    pub(crate) file: Option<&'a Path>,
    pub(crate) plugin: Option<&'a str>,
    pub(crate) module: &'a Path,
    /// What it asks for, where that is known; otherwise what lies beside it says that.
    pub(crate) manifest: Option<&'a Manifest>,
    /// Whose grant it is where no file grants anything: what the manifest asks for.
    pub(crate) by_author: bool,
    /// Of a WASI program.
    pub(crate) outside: Outside<'a>,
}

/// What a WASI program finds around it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outside<'a> {
    pub(crate) folders: &'a [String],
    pub(crate) env: &'a [String],
    pub(crate) args: &'a [String],
}

/// What holds for a module: its table in the file with the flags over it, what its manifest asks for, and the ceiling.
pub(crate) fn resolve(flags: &Flags<'_>) -> Result<Policy, Problem> {
    let mut overrides = overrides(flags)?;
    let configuration = match flags.file {
        Some(path) => Configuration::read(path)?,
        None => Configuration::default(),
    };
    let beside;
    let manifest = match flags.manifest {
        Some(manifest) => Some(manifest),
        None => {
            beside = manifest_beside(flags.module).map_err(Problem::package)?;
            beside.as_ref()
        }
    };
    if flags.by_author && flags.file.is_none() {
        for (key, asked) in manifest.into_iter().flat_map(Manifest::asked) {
            overrides = overrides.with("its author", key, Value::List(asked));
        }
    }
    let name = match flags.plugin {
        Some(name) => Some(name),
        None => table_of(&configuration, flags.module)?,
    };
    let effective = match name {
        Some(name) => configuration.plugin_with(name, manifest, &overrides)?,
        None => configuration.others("NAME", manifest, &overrides)?,
    };
    Ok(effective.policy()?.clone())
}

/// A plugin of a configuration, with the manifest that a flag names or that lies beside its module.
pub(crate) fn effective(
    configuration: &Configuration,
    name: &str,
    manifest: Option<&Path>,
) -> Result<Effective, Problem> {
    let manifest = match (manifest, configuration.module(name)) {
        (Some(path), _) => Some(Manifest::read(path)?),
        (None, Some(module)) => manifest_beside(&module).map_err(Problem::package)?,
        (None, None) => None,
    };
    Ok(configuration.plugin(name, manifest.as_ref())?)
}

/// The table that is a module's: the one of its name, of its path, or the only one.
fn table_of<'a>(configuration: &'a Configuration, module: &Path) -> Result<Option<&'a str>, Problem> {
    let names: Vec<&str> = configuration.plugins().collect();
    let stem = module.file_stem().map(|stem| stem.to_string_lossy());
    let is_named = |name: &&&str| stem.as_deref() == Some(**name);
    let same_file = |name: &&&str| {
        let path = configuration.module(name).and_then(|path| path.canonicalize().ok());
        path.is_some() && path == module.canonicalize().ok()
    };
    let found = names.iter().find(same_file).or_else(|| names.iter().find(is_named));
    match (found, names.as_slice()) {
        (Some(name), _) => Ok(Some(name)),
        (None, []) => Ok(None),
        (None, [only]) => Ok(Some(only)),
        (None, several) => Err(Problem::usage(format!(
            "the configuration has several plugins: say --plugin {}",
            several.join("|")
        ))),
    }
}

fn overrides(flags: &Flags<'_>) -> Result<Overrides, Problem> {
    let mut overrides = Overrides::default();
    if let Some(memory) = flags.memory {
        let bytes = units::bytes(memory).map_err(|error| Problem::policy(format!("--memory: {error}")))?;
        overrides = overrides.with("--memory", "limits.memory", Value::Bytes(bytes));
    }
    if let Some(timeout) = flags.timeout {
        let time =
            units::duration(timeout).map_err(|error| Problem::policy(format!("--timeout: {error}")))?;
        overrides = overrides.with("--timeout", "limits.call_timeout", Value::Time(time));
    }
    if let Some(names) = flags.require {
        let names = layers(names)?.iter().map(Layer::name).map(str::to_owned).collect();
        overrides = overrides.with("--require", "require.layers", Value::List(names));
    }
    let Outside { folders, env, args } = flags.outside;
    if !folders.is_empty() {
        let folders = folders.iter().map(|text| folder(text)).collect::<Result<_, _>>()?;
        overrides = overrides.with("--dir", "permissions.filesystem", Value::List(folders));
    }
    if !env.is_empty() {
        overrides = overrides.with("--env", "permissions.env", Value::List(env.to_vec()));
    }
    if !args.is_empty() {
        overrides = overrides.with("ARGS", "args", Value::List(args.to_vec()));
    }
    Ok(overrides)
}

/// `HOST[:GUEST][:ro|rw]`, as the policy has it. A folder's guest name is what was written, unless there is another.
fn folder(text: &str) -> Result<String, Problem> {
    let (paths, rights) = match text.rsplit_once(':') {
        Some((paths, "rw")) => (paths, "write"),
        Some((paths, "ro")) => (paths, "read"),
        _ => (text, "read"),
    };
    let (host, guest) = paths.split_once(':').unwrap_or((paths, paths));
    let absolute =
        std::path::absolute(host).map_err(|error| Problem::usage(format!("--dir {text}: {error}")))?;
    let folder = format!("{rights}:{}={guest}", absolute.display());
    match casemate::policy::Folder::parse(&folder) {
        Ok(_) => Ok(folder),
        Err(_) => Err(Problem::usage(format!(
            "--dir {text}: write HOST:GUEST, with :ro or :rw behind it; neither path may lead upwards"
        ))),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use std::time::Duration;

    fn bare() -> Flags<'static> {
        let module = Path::new("/no/such/module.wasm");
        Flags {
            memory: None,
            timeout: None,
            require: None,
            file: None,
            plugin: None,
            module,
            manifest: None,
            by_author: false,
            outside: Outside::default(),
        }
    }

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
            ..bare()
        };
        let policy = resolve(&flags).unwrap();
        assert_eq!(policy.limits().memory_bytes, 64 << 20);
        assert_eq!(policy.limits().call_timeout, Duration::from_secs(5));
        assert_eq!(policy.require().iter().collect::<Vec<_>>(), [Layer::Seccomp, Layer::Landlock]);
        assert_eq!(resolve(&bare()).unwrap(), Policy::default());
    }

    #[test]
    fn mistakes_name_the_flag_and_what_is_right() {
        let memory = |memory| Flags { memory: Some(memory), ..bare() };
        assert!(problem(&memory("64"), Exit::Policy).contains("limits.memory"), "out of range");
        assert!(problem(&memory("99999999999GiB"), Exit::Policy).contains("overflows"));
        assert!(problem(&memory("lots"), Exit::Policy).contains("--memory"));
        let timeout = |timeout| Flags { timeout: Some(timeout), ..bare() };
        assert!(problem(&timeout("5"), Exit::Policy).contains("--timeout"));
        assert!(problem(&timeout("0s"), Exit::Policy).contains("limits.call_timeout"));
        let require = Flags { require: Some("seccomp,secomp"), ..bare() };
        let line = problem(&require, Exit::Policy);
        assert!(line.contains("\"secomp\"") && line.contains("landlock"), "{line}");
    }

    #[test]
    fn flags_go_over_the_file_and_layers_add_up() {
        let file = std::env::temp_dir().join(format!("casemate-cli-policy-{}.toml", std::process::id()));
        let text = "[plugins.p.limits]\nmemory = \"1MiB\"\ncall_timeout = \"1s\"\n[plugins.p.require]\nlayers = [\"seccomp\"]\n";
        std::fs::write(&file, text).unwrap();
        let flags = Flags { memory: Some("2MiB"), require: Some("landlock"), file: Some(&file), ..bare() };
        let policy = resolve(&flags);
        std::fs::write(&file, "[defaults.limits]\nmemry = \"1MiB\"\n").unwrap();
        let line = problem(&Flags { file: Some(&file), ..bare() }, Exit::Policy);
        std::fs::remove_file(&file).unwrap();
        let policy = policy.unwrap();
        assert_eq!(policy.limits().memory_bytes, 2 << 20);
        assert_eq!(policy.limits().call_timeout, Duration::from_secs(1));
        assert_eq!(policy.require().iter().collect::<Vec<_>>(), [Layer::Seccomp, Layer::Landlock]);
        assert!(line.contains(".toml:2:") && line.contains("memry"), "{line}");
    }

    #[test]
    fn a_policy_file_that_is_not_there_is_not_found() {
        let flags = Flags { file: Some(Path::new("/no/such/policy.toml")), ..bare() };
        assert!(problem(&flags, Exit::NotFound).contains("/no/such/policy.toml"));
        let flags = Flags { file: Some(Path::new("/")), ..bare() };
        assert!(problem(&flags, Exit::NotFound).contains("not a regular file"));
    }
}
