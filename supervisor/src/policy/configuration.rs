//! The whole of `casemate.toml`.

use super::daemon::Daemon;
use super::diff::Changes;
use super::effective::{Effective, Overrides};
use super::error::{ConfigError, ConfigProblem as Problem};
use super::keys::{CEILING, DEFAULTS, PLUGIN, PLUGINS, WHOLE, as_part};
use super::manifest::Manifest;
use super::merge::Sayings;
use super::near::nearest;
use super::place::{Place, Source};
use super::read::{self, FILE_BYTES_MAX, Reader, Settings};
use super::value::Value;
use crate::external::External;
use casemate_protocol::ids::PluginName;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// A configuration of which every part was checked.
#[derive(Debug, Clone)]
pub struct Configuration {
    file: String,
    daemon: Daemon,
    plugin_dirs: Vec<PathBuf>,
    defaults: Settings,
    ceiling: Settings,
    plugins: BTreeMap<String, Settings>,
}

impl Default for Configuration {
    /// One that says nothing.
    fn default() -> Self {
        let settings = Settings::default;
        let (daemon, plugins, plugin_dirs) = (Daemon::default(), BTreeMap::new(), Vec::new());
        Self { file: String::new(), daemon, plugin_dirs, defaults: settings(), ceiling: settings(), plugins }
    }
}

impl Configuration {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&read::file(path)?, &path.display().to_string())
    }

    /// Checks a file's text. The name is for messages, and what a plugin's `path` starts from.
    ///
    /// Everything is looked at: each value alone, and what comes out for each plugin.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let source = Arc::new(Source { name: file.to_owned(), text: text.to_owned() });
        let document = read::document(&source, FILE_BYTES_MAX)?;
        let mut configuration = Self { file: file.to_owned(), ..Self::default() };
        let top = Reader { source: &source, section: PLUGINS, keys: WHOLE, name: String::new() };
        let mut rest = DeTable::new();
        for (key, value) in read::in_order(document.get_ref()) {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("defaults", DeValue::Table(table)) => {
                    configuration.defaults = section(&source, DEFAULTS, "defaults").read(table)?;
                }
                ("ceiling", DeValue::Table(table)) => {
                    configuration.ceiling = section(&source, CEILING, "ceiling").read(table)?;
                }
                ("plugins", DeValue::Table(plugins)) => configuration.read_plugins(&source, plugins)?,
                ("plugins" | "defaults" | "ceiling" | _, _) => {
                    rest.insert(key.clone(), value.clone());
                }
            }
        }
        let settings = top.read(&rest)?;
        version(&settings)?;
        configuration.daemon = Daemon::of(&settings)?;
        if let Some(Value::List(folders)) = settings.get("plugin_dirs").map(|setting| &setting.value) {
            configuration.plugin_dirs =
                folders.iter().map(|folder| configuration.folder().join(folder)).collect();
        }
        configuration.check()?;
        Ok(configuration)
    }

    /// Reads a file anew and takes its place. A file with a mistake changes nothing: what was valid stays.
    ///
    /// No plugin hears of it: [`Supervisor::reload`](crate::Supervisor::reload) reads the file for them too.
    pub fn reload(&mut self, path: &Path) -> Result<Changes, ConfigError> {
        let new = Self::read(path)?;
        let changes = Changes::between(self, &new)?;
        *self = new;
        Ok(changes)
    }

    fn read_plugins(&mut self, source: &Arc<Source>, plugins: &DeTable<'_>) -> Result<(), ConfigError> {
        for (key, value) in read::in_order(plugins) {
            let place = Place::new(source, key.span().start);
            let name = PluginName::new(key.get_ref())
                .map_err(|error| ConfigError::at(&place, Problem::Name(error)))?;
            let path = plugin_path(name.as_str());
            let DeValue::Table(table) = value.get_ref() else {
                let wanted = "a table with the keys of a plugin";
                return Err(ConfigError::at(
                    &place,
                    Problem::WrongType { key: path, wanted, found: "something else" },
                ));
            };
            let settings = section(source, PLUGINS, &path).read(table)?;
            if let (Some(_), Some(external)) = (settings.get("path"), settings.get("external")) {
                let (key, other) = (format!("{path}.external"), format!("{path}.path"));
                return Err(ConfigError::at(&external.place, Problem::Exclusive { key, other }));
            }
            self.plugins.insert(name.as_str().to_owned(), settings);
        }
        Ok(())
    }

    /// What comes out must be a policy: for each plugin, and for those that have no table.
    fn check(&self) -> Result<(), ConfigError> {
        for name in self.plugins.keys() {
            self.plugin(name, None)?;
        }
        self.others("plugin", None, &Overrides::default()).map(drop)
    }

    /// The file, as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What `[daemon]` says.
    pub fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// Its file, or that there is none, for people.
    pub fn shown_file(&self) -> String {
        if self.file.is_empty() { "the defaults".to_owned() } else { self.file.clone() }
    }

    /// The plugins that have a table.
    pub fn plugins(&self) -> impl Iterator<Item = &str> {
        self.plugins.keys().map(String::as_str)
    }

    /// Whether a plugin is to run from the start: `enabled`.
    pub fn is_enabled(&self, name: &str) -> bool {
        let said = self.plugins.get(name).and_then(|settings| settings.get("enabled"));
        said.is_none_or(|setting| setting.value != Value::Flag(false))
    }

    /// The module of a plugin: its `path`, from the folder of the file.
    pub fn module(&self, name: &str) -> Option<PathBuf> {
        let path = self.plugins.get(name)?.text("path")?;
        Some(self.folder().join(path))
    }

    /// The folder of the file, which paths start from.
    fn folder(&self) -> &Path {
        Path::new(&self.file).parent().unwrap_or(Path::new(""))
    }

    /// Folders with packages in them, beside those installed: `plugin_dirs`.
    pub fn plugin_dirs(&self) -> &[PathBuf] {
        &self.plugin_dirs
    }

    /// The native program of a plugin, if it has one in place of a module.
    pub fn external(&self, name: &str) -> Option<External> {
        let words = self.plugins.get(name)?.texts("external")?;
        let folder = Path::new(&self.file).parent().unwrap_or(Path::new(""));
        Some(External::new(words, folder))
    }

    /// What holds for a plugin with a table of its own, and of what its manifest asks for.
    pub fn plugin(&self, name: &str, manifest: Option<&Manifest>) -> Result<Effective, ConfigError> {
        self.plugin_with(name, manifest, &Overrides::default())
    }

    /// As [`Configuration::plugin`], with values over those of the plugin's table.
    pub fn plugin_with(
        &self,
        name: &str,
        manifest: Option<&Manifest>,
        overrides: &Overrides,
    ) -> Result<Effective, ConfigError> {
        match self.plugins.get(name) {
            Some(plugin) => self.sayings(name, Some(plugin), manifest, overrides).merge(),
            None => Err(self.unknown(name)),
        }
    }

    /// What holds for a plugin without a table: the defaults, below the ceiling.
    pub fn others(
        &self,
        name: &str,
        manifest: Option<&Manifest>,
        overrides: &Overrides,
    ) -> Result<Effective, ConfigError> {
        self.sayings(name, None, manifest, overrides).merge()
    }

    fn sayings<'a>(
        &'a self,
        name: &str,
        plugin: Option<&'a Settings>,
        manifest: Option<&'a Manifest>,
        overrides: &'a Overrides,
    ) -> Sayings<'a> {
        Sayings {
            file: &self.file,
            plugin_path: plugin_path(name),
            defaults: &self.defaults,
            plugin,
            overrides,
            manifest: manifest.map(|manifest| (manifest.settings(), manifest.beginning())),
            ceiling: &self.ceiling,
        }
    }

    fn unknown(&self, name: &str) -> ConfigError {
        let nearest = nearest(name, self.plugins()).map(str::to_owned);
        let name = name.chars().take(80).flat_map(char::escape_debug).collect();
        ConfigError::of_file(&self.file, Problem::UnknownPlugin { name, nearest })
    }
}

fn plugin_path(name: &str) -> String {
    format!("plugins.{}", as_part(name))
}

fn section<'a>(source: &'a Arc<Source>, section: u8, name: &str) -> Reader<'a> {
    Reader { source, section, keys: PLUGIN, name: name.to_owned() }
}

fn version(settings: &Settings) -> Result<(), ConfigError> {
    match settings.get("version") {
        Some(setting) if setting.value != Value::Count(1) => {
            Err(ConfigError::at(&setting.place, Problem::Version { found: setting.value.to_string() }))
        }
        _ => Ok(()),
    }
}
