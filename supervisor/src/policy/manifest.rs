//! `plugin.toml`: what a plugin says about itself, and asks for. It is the plugin's word: it can only make less of what the
//! operator grants.

use super::error::{ConfigError, ConfigProblem as Problem};
use super::keys::{ASKED, MANIFEST, as_part};
use super::near::nearest;
use super::place::{Place, Source};
use super::read::{self, Reader, Settings};
use super::schema;
use super::value::Value;
use casemate_protocol::ids::PluginName;
use casemate_protocol::policy::Policy;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The name of the file, beside the module.
pub const MANIFEST_FILE: &str = "plugin.toml";

/// Room for schemas; a manifest is read before anybody trusts it.
const MANIFEST_BYTES_MAX: usize = 256 << 10;

/// A manifest of which every part was checked.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// What it is called among all plugins.
    pub id: PluginName,
    /// What people call it.
    pub name: String,
    /// MAJOR.MINOR.PATCH.
    pub version: String,
    /// What it does.
    pub description: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// What its module speaks.
    pub dialect: Option<String>,
    /// What it can be called for.
    pub methods: BTreeMap<String, Method>,
    /// Calls to show how.
    pub examples: Vec<Example>,
    /// JSON Schema of its configuration.
    pub config_schema: Option<Json>,
    /// Events it wants.
    pub subscriptions: Vec<String>,
    /// Host methods, of those that it asks for, for which a person has to say yes.
    pub consent: Vec<String>,
    /// How its author makes the module. Nothing of a host's looks at it.
    pub build: Build,
    settings: Settings,
    source: Arc<Source>,
}

/// A method as its manifest describes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Method {
    /// What it does.
    pub description: Option<String>,
    /// JSON Schema of what it takes.
    pub input: Option<Json>,
    /// JSON Schema of what it answers.
    pub output: Option<Json>,
}

/// A call to show how.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Which method.
    pub method: String,
    /// What it shows.
    pub description: Option<String>,
    /// What it is called with.
    pub input: Option<Json>,
    /// What it answers.
    pub output: Option<Json>,
    /// Or the code of the error that it answers.
    pub error: Option<String>,
}

/// How a module is made from what lies beside its manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Build {
    /// A program and its arguments; none where the module is made by other means.
    pub command: Vec<String>,
    /// The module: the name of a file beside the manifest.
    pub module: Option<String>,
    /// What it is made from: paths from the manifest's folder.
    pub watch: Vec<String>,
    /// What belongs to its package beside manifest and module: paths from the manifest's folder.
    pub files: Vec<String>,
}

impl Manifest {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&read::file(path)?, &path.display().to_string())
    }

    /// The manifest beside a module, if there is one.
    pub fn beside(module: &Path) -> Result<Option<Self>, ConfigError> {
        let path = module.with_file_name(MANIFEST_FILE);
        // A link to nothing is a mistake, and no manifest is not.
        if path.symlink_metadata().is_err() { Ok(None) } else { Self::read(&path).map(Some) }
    }

    /// Checks a file's text. The name is for messages.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let source = Arc::new(Source { name: file.to_owned(), text: text.to_owned() });
        let document = read::document(&source, MANIFEST_BYTES_MAX)?;
        let reader = Reader { source: &source, section: ASKED, keys: MANIFEST, name: String::new() };
        let settings = reader.read(document.get_ref())?;
        let text = |path: &str| settings.text(path).map(str::to_owned);
        let must = |path: &str| {
            text(path).ok_or_else(|| ConfigError::of_file(file, Problem::Missing { key: path.to_owned() }))
        };
        let id = must("id")?;
        let manifest = Self {
            id: PluginName::new(&id).map_err(|error| fail(&settings, "id", Problem::Name(error)))?,
            name: must("name")?,
            version: must("version")?,
            description: text("description"),
            license: text("license"),
            dialect: text("dialect"),
            methods: methods(&settings),
            examples: examples(&settings)?,
            config_schema: json(&settings, "config_schema"),
            subscriptions: texts(&settings, "subscriptions"),
            consent: texts(&settings, "consent"),
            build: Build {
                command: texts(&settings, "build.command"),
                module: text("build.module"),
                watch: texts(&settings, "build.watch"),
                files: texts(&settings, "build.files"),
            },
            settings,
            source,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// Whether a configuration, as JSON text, fits the plugin's schema. Without a schema anything does.
    pub fn check_config(&self, config: &[u8]) -> Result<(), ConfigError> {
        let Some(schema) = &self.config_schema else { return Ok(()) };
        let misfit = |message: String| {
            let (key, schema) = ("the configuration".to_owned(), "config_schema".to_owned());
            fail(&self.settings, "config_schema", Problem::Misfit { key, schema, message })
        };
        let config: Json = serde_json::from_slice(config).map_err(|error| misfit(error.to_string()))?;
        schema::fits(schema, &config).map_err(misfit)
    }

    /// Whether an answer fits the method's schema. Without a schema anything does.
    pub fn check_output(&self, method: &str, output: &Json) -> Result<(), String> {
        match self.methods.get(method).and_then(|method| method.output.as_ref()) {
            Some(schema) => schema::fits(schema, output),
            None => Ok(()),
        }
    }

    /// Host methods, topics to publish and topics to hear that it asks for.
    pub fn asked(&self) -> [(&'static str, Vec<String>); 3] {
        ["permissions.host", "permissions.publish", "permissions.subscribe"]
            .map(|key| (key, texts(&self.settings, key)))
    }

    /// Whether a policy grants all events that the plugin wants.
    pub fn check_subscriptions(&self, policy: &Policy) -> Result<(), ConfigError> {
        match self.subscriptions.iter().find(|pattern| !policy.allows_subscribe(pattern)) {
            Some(pattern) => {
                let (key, granted) = ("subscriptions".to_owned(), policy.subscribe().to_vec());
                let found = pattern.chars().take(80).collect();
                Err(fail(&self.settings, "subscriptions", Problem::NotGranted { key, found, granted }))
            }
            None => Ok(()),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn beginning(&self) -> Place {
        Place::new(&self.source, 0)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if !is_version(&self.version) {
            let wanted = "write MAJOR.MINOR.PATCH, with -PRERELEASE or +BUILD behind it if you like";
            let found = self.version.chars().take(80).collect();
            return Err(fail(
                &self.settings,
                "version",
                Problem::Shape { key: "version".into(), found, wanted },
            ));
        }
        if let Some(module) = self.build.module.as_deref().filter(|module| !is_file_name(module)) {
            let (found, wanted) = (module.chars().take(80).collect(), "write the name of a file beside it");
            let problem = Problem::Shape { key: "build.module".into(), found, wanted };
            return Err(fail(&self.settings, "build.module", problem));
        }
        for (number, example) in self.examples.iter().enumerate() {
            if example.output.is_some() && example.error.is_some() {
                let [key, other] = ["error", "output"].map(|name| format!("examples[{number}].{name}"));
                let problem = Problem::Exclusive { key: key.clone(), other };
                return Err(fail(&self.settings, &key, problem));
            }
            let path = format!("examples[{number}].method");
            let Some(method) = self.methods.get(&example.method) else {
                let nearest =
                    nearest(&example.method, self.methods.keys().map(String::as_str)).map(str::to_owned);
                let found = example.method.chars().take(80).collect();
                return Err(fail(
                    &self.settings,
                    &path,
                    Problem::UnknownMethod { key: path.clone(), found, nearest },
                ));
            };
            let pairs =
                [("input", &example.input, &method.input), ("output", &example.output, &method.output)];
            for (name, value, schema) in pairs {
                let (Some(value), Some(schema)) = (value, schema) else { continue };
                schema::fits(schema, value).map_err(|message| {
                    let key = format!("examples[{number}].{name}");
                    let schema = format!("methods.{}.{name}", as_part(&example.method));
                    fail(&self.settings, &key, Problem::Misfit { key: key.clone(), schema, message })
                })?;
            }
        }
        Ok(())
    }
}

/// A problem with a key that is there.
fn fail(settings: &Settings, path: &str, problem: Problem) -> ConfigError {
    match settings.get(path) {
        Some(setting) => ConfigError::at(&setting.place, problem),
        None => ConfigError::of_file(MANIFEST_FILE, problem),
    }
}

fn json(settings: &Settings, path: &str) -> Option<Json> {
    match &settings.get(path)?.value {
        Value::Json(value) => Some(value.clone()),
        _ => None,
    }
}

fn is_file_name(text: &str) -> bool {
    let plain = !text.is_empty() && !text.chars().any(|c| c == '/' || c.is_control());
    plain && text != "." && text != ".."
}

fn texts(settings: &Settings, path: &str) -> Vec<String> {
    settings.texts(path).unwrap_or_default()
}

fn methods(settings: &Settings) -> BTreeMap<String, Method> {
    let method = |name: &str| {
        let path = |key: &str| format!("methods.{}.{key}", as_part(name));
        let description = settings.text(&path("description")).map(str::to_owned);
        Method { description, input: json(settings, &path("input")), output: json(settings, &path("output")) }
    };
    settings.groups("methods").map(|(name, _)| (name.to_owned(), method(name))).collect()
}

fn examples(settings: &Settings) -> Result<Vec<Example>, ConfigError> {
    let example = |(number, place): (&str, &Place)| {
        let path = |key: &str| format!("examples[{number}].{key}");
        let Some(method) = settings.text(&path("method")) else {
            return Err(ConfigError::at(place, Problem::Missing { key: path("method") }));
        };
        Ok(Example {
            method: method.to_owned(),
            description: settings.text(&path("description")).map(str::to_owned),
            input: json(settings, &path("input")),
            output: json(settings, &path("output")),
            error: settings.text(&path("error")).map(str::to_owned),
        })
    };
    settings.groups("examples").map(example).collect()
}

/// As Semantic Versioning has it, near enough to compare two.
fn is_version(text: &str) -> bool {
    let (numbers, rest) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let number =
        |part: &str| !part.is_empty() && part.len() <= 9 && part.bytes().all(|byte| byte.is_ascii_digit());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && rest.len() != 1
        && rest.chars().all(plain)
}
