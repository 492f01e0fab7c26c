//! Where the code cache, its secret and the configuration are: as the flags say, or where the desktop's convention puts such things.

use crate::args::Places;
use crate::exit::Exit;
use crate::problem::Problem;
use crate::screen::Screen;
use casemate::cache::{Cache, CacheError, CachePlaces};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

/// The part of the environment that says where files of a user go.
#[derive(Debug, Default)]
struct Home {
    cache: Option<OsString>,
    state: Option<OsString>,
    config: Option<OsString>,
    runtime: Option<OsString>,
    home: Option<OsString>,
}

/// The places of `cache` commands, which need some.
pub(crate) fn required(flags: &Places) -> Result<CachePlaces, Problem> {
    resolve(flags, home()).ok_or_else(|| {
        Problem::usage("there is no HOME to have a code cache in: say --cache-dir and --state-dir")
    })
}

/// The places for a command that can do without. Whoever names a directory is told if it cannot be used; the usual ones
/// are left out then, with a word if words are wanted.
pub(crate) fn wanted(flags: &Places, screen: &Screen) -> Result<Option<CachePlaces>, Problem> {
    let Some(places) = resolve(flags, home()) else { return Ok(None) };
    match Cache::open(&places) {
        Ok(_) => Ok(Some(places)),
        Err(error) if flags.cache_dir.is_some() || flags.state_dir.is_some() => Err(unusable(&error)),
        Err(error) => {
            if screen.verbose() > 0 {
                let error = casemate::outcome::escape(&error.to_string(), 512);
                let _told = writeln!(std::io::stderr(), "casemate: no code cache: {error}").is_ok();
            }
            Ok(None)
        }
    }
}

/// For a machine as a whole, where its user has none.
const OF_THE_MACHINE: &str = "/etc/casemate/casemate.toml";

/// The configuration of this user, where no flag names one; the machine's if only that is there.
pub(crate) fn configuration() -> PathBuf {
    let machine = PathBuf::from(OF_THE_MACHINE);
    match user_configuration(home()) {
        Some(user) if user.exists() || !machine.exists() => user,
        _ => machine,
    }
}

fn user_configuration(home: Home) -> Option<PathBuf> {
    let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute(home.config).or_else(|| Some(absolute(home.home)?.join(".config")))?;
    Some(base.join("casemate/casemate.toml"))
}

/// The state directory.
pub(crate) fn state(flags: &Places) -> Option<PathBuf> {
    resolve(flags, home()).map(|places| places.state_dir)
}

/// The state directory, for a command that cannot do without.
pub(crate) fn required_state(flags: &Places) -> Result<PathBuf, Problem> {
    state(flags).ok_or_else(|| Problem::usage("there is no HOME to keep plugins in: say --state-dir"))
}

/// The socket of this user's daemon, where no flag names one.
pub(crate) fn socket() -> Option<PathBuf> {
    let runtime = home().runtime.map(PathBuf::from).filter(|path| path.is_absolute());
    let of_root = || rustix::process::geteuid().is_root().then(|| PathBuf::from("/run"));
    Some(runtime.or_else(of_root)?.join("casemate.sock"))
}

/// Why there is no cache, as a problem.
pub(crate) fn unusable(error: &CacheError) -> Problem {
    let exit = if matches!(error, CacheError::Io { .. }) { Exit::NotFound } else { Exit::Policy };
    Problem::cache(exit, format!("the code cache cannot be used: {error}"))
}

fn resolve(flags: &Places, home: Home) -> Option<CachePlaces> {
    // The convention has it that a path that is not absolute is as good as none.
    let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    let below = |folder: Option<OsString>, usual: &str| {
        let base = absolute(folder).or_else(|| Some(absolute(home.home.clone())?.join(usual)))?;
        Some(base.join("casemate"))
    };
    let cache = flags.cache_dir.clone().or_else(|| below(home.cache.clone(), ".cache"))?;
    let state = flags.state_dir.clone().or_else(|| below(home.state.clone(), ".local/state"))?;
    Some(CachePlaces::new(cache, state))
}

#[expect(clippy::disallowed_methods, reason = "the edge: the environment is read here and passed inward")]
fn home() -> Home {
    let [cache, state, config, runtime, home] =
        ["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "HOME"]
            .map(std::env::var_os);
    Home { cache, state, config, runtime, home }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Option<OsString> {
        Some(value.into())
    }

    fn places(cache: &str, state: &str) -> Option<CachePlaces> {
        Some(CachePlaces::new(cache, state))
    }

    #[test]
    fn flags_go_before_the_convention_and_that_before_the_home() {
        let flags = |cache: Option<&str>, state: Option<&str>| Places {
            cache_dir: cache.map(PathBuf::from),
            state_dir: state.map(PathBuf::from),
        };
        let none = flags(None, None);
        let home = || Home { home: text("/h"), ..Home::default() };
        assert_eq!(resolve(&none, home()), places("/h/.cache/casemate", "/h/.local/state/casemate"));
        let xdg = || Home { cache: text("/c"), state: text("/s"), ..home() };
        assert_eq!(resolve(&none, xdg()), places("/c/casemate", "/s/casemate"));
        assert_eq!(resolve(&flags(Some("x"), None), xdg()), places("x", "/s/casemate"));
        assert_eq!(resolve(&flags(Some("x"), Some("y")), Home::default()), places("x", "y"));
        let relative = Home { cache: text("c"), state: text(""), ..home() };
        assert_eq!(resolve(&none, relative), places("/h/.cache/casemate", "/h/.local/state/casemate"));
        assert_eq!(resolve(&none, Home::default()), None);
        assert_eq!(resolve(&none, Home { home: text("relative"), ..Home::default() }), None);
    }

    #[test]
    fn a_configuration_is_where_the_convention_has_it() {
        let home = || Home { home: text("/h"), ..Home::default() };
        assert_eq!(user_configuration(home()), Some("/h/.config/casemate/casemate.toml".into()));
        let xdg = Home { config: text("/x"), ..home() };
        assert_eq!(user_configuration(xdg), Some("/x/casemate/casemate.toml".into()));
        assert_eq!(user_configuration(Home::default()), None);
    }

    #[test]
    fn what_cannot_be_used_says_whose_move_it_is() {
        let ours = CacheError::NotOurs { path: "/c".into(), owner: 1, us: 0 };
        assert_eq!(unusable(&ours).exit(), Exit::Policy);
        let source = std::io::ErrorKind::PermissionDenied.into();
        let io = CacheError::Io { path: "/c".into(), doing: "opening the directory", source };
        let problem = unusable(&io);
        assert_eq!(problem.exit(), Exit::NotFound);
        assert!(problem.to_string().contains("/c") && problem.to_string().ends_with("[cache.unusable]"));
    }
}
