//! The registry of commands and flags. Help texts, `COMMANDS.md` and what the code does all come from here.

use crate::problem::Problem;
use crate::screen::written;
use clap::error::{Error, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

/// Runs untrusted WebAssembly plugins, each in a walled-in process of its own.
#[derive(Debug, Parser)]
#[command(name = "casemate", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// Answers in JSON, of the shapes in COMMANDS.md
    #[arg(long, global = true)]
    pub json: bool,
    /// Shows the plugin's log lines on standard error; twice: those of level debug and trace too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// The whole configuration; casemate.toml in the user's configuration directory without it
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The daemon's socket; casemate.sock in the user's runtime directory without it
    #[arg(long, global = true, value_name = "PATH", env = "CASEMATE_SOCKET")]
    pub socket: Option<PathBuf>,
    /// Where the code cache is, its secret, and what plugins keep
    #[command(flatten)]
    pub places: Places,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Directories that outlive a command.
#[derive(Debug, Args)]
pub struct Places {
    /// Where compiled code is kept; in the user's cache directory without it
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Where the cache's secret and what plugins keep is, outside of that; in the user's state directory without it
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One call in a fresh cell; prints the answer
    Run(Run),
    /// What a module imports, exports and is, without running it
    Inspect(Inspect),
    /// Each layer of the wall on this machine: on or off, why, how to turn it on
    Doctor(Doctor),
    /// Good and bad guests, then native code that has broken out: live, and what stopped each
    Demo(Demo),
    /// Compiled code that is kept, so that a module is compiled once
    Cache(Cache),
    /// What plugins may do and use, and why
    Policy(Policy),
    /// Writes the project of a plugin, which builds and passes its test
    New(New),
    /// Makes a plugin, runs the examples of its manifest behind the walls, and compares
    Test(Test),
    /// Makes a plugin anew whenever its files change, reloads it, runs its examples and shows its log
    Dev(Dev),
    /// Nodes of installed plugins, one after the other
    Workflow(Workflow),
    /// Lets clients in other processes use plugins over a local socket, until a signal stops it
    Serve(Serve),
    /// What a daemon has written down for those who keep it safe
    Audit(Audit),
    /// Calls a method of a daemon's plugin; prints the answer
    Call(RemoteCall),
    /// Has a daemon load a plugin
    Load(Load),
    /// Has a daemon end a plugin and forget it
    Unload(Named),
    /// Plugins that are installed here, a daemon's, how they do, and orders to them
    Plugins(Plugins),
    /// Asks whether an installed plugin may do what only a person can allow; remembers it, and asks again for more alone
    Consent(Consent),
    /// Plugins as an application's own developers load them
    Extension(Extension),
    /// Log lines of a daemon's plugins, as they come
    Logs(Logs),
    /// Events between a daemon's plugins and clients
    Events(Events),
    /// Answers a host method for a daemon's plugins, until it is stopped
    Answer(AnswerMethod),
    /// What a daemon has counted since it started
    Stats(Stats),
    /// Prints what a shell completes these commands and flags with
    Completions(Completions),
}

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// The text that a shell is to read, made of the registry itself.
pub(crate) fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "casemate", &mut text);
    text
}

/// `new`.
#[derive(Debug, Args)]
pub struct New {
    /// The folder to make; its last part is what the plugin is called
    #[arg(value_name = "NAME")]
    pub folder: PathBuf,
    /// What it is written in
    #[arg(long, value_enum, required_unless_present = "template", conflicts_with = "template")]
    pub lang: Option<Language>,
    /// The system that it is written for, in Rust
    #[arg(long, value_enum)]
    pub template: Option<Template>,
    /// A checkout of Casemate to take the SDK from; without it the project gets a copy
    #[arg(long, value_name = "DIR")]
    pub sdk: Option<PathBuf>,
}

/// Another system, for whose plugins there is a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// IdeaNet
    Ideanet,
}

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust
    Rust,
    /// C
    C,
    /// C++
    Cpp,
    /// AssemblyScript
    Assemblyscript,
    /// Go
    Go,
    /// JavaScript
    Js,
    /// TypeScript
    Ts,
    /// Python
    Python,
}

/// `test`.
#[derive(Debug, Args)]
pub struct Test {
    /// A folder with a plugin.toml, whose `build` is run first, or with another system's manifest; or a .wasm file with one beside it, as it is
    #[arg(value_name = "PLUGIN", default_value = ".", hide_default_value = true)]
    pub plugin: PathBuf,
    /// Takes the module as it is
    #[arg(long)]
    pub no_build: bool,
    /// The configuration for its initialisation: a file, - for standard input, or JSON itself
    #[arg(long, value_name = "FILE|-|JSON", id = "test-config")]
    pub with: Option<OsString>,
    /// A whole casemate.toml; without it the plugin is granted what its manifest asks for
    #[arg(long, value_name = "FILE", id = "test-policy")]
    pub policy: Option<PathBuf>,
}

/// `dev`.
#[derive(Debug, Args)]
pub struct Dev {
    /// A folder with a plugin.toml or another system's manifest; or a .wasm file with one beside it
    #[arg(value_name = "PLUGIN", default_value = ".", hide_default_value = true)]
    pub plugin: PathBuf,
    /// The configuration for its initialisation: a file, - for standard input, or JSON itself
    #[arg(long, value_name = "FILE|-|JSON", id = "dev-config")]
    pub with: Option<OsString>,
    /// A whole casemate.toml; without it the plugin is granted what its manifest asks for
    #[arg(long, value_name = "FILE", id = "dev-policy")]
    pub policy: Option<PathBuf>,
}

/// `workflow`.
#[derive(Debug, Args)]
pub struct Workflow {
    /// What to do
    #[command(subcommand)]
    pub command: WorkflowCommand,
}

/// The commands of `workflow`.
#[derive(Debug, Subcommand)]
pub enum WorkflowCommand {
    /// Runs a workflow of Pocket's to its end; prints what its last node gives
    Run(WorkflowRun),
}

/// `workflow run`.
#[derive(Debug, Args)]
pub struct WorkflowRun {
    /// The workflow, a .yaml file
    pub file: PathBuf,
    /// What its first node is given: a file, - for standard input, or JSON itself; null without it
    #[arg(long, value_name = "FILE|-|JSON", allow_hyphen_values = true)]
    pub input: Option<OsString>,
}

/// `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// How its log lines are written on standard error; text without it
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// What to do
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// The commands of `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Whether every line is what was written, and the hash of the last one to compare
    Verify,
    /// Prints the lines, checked
    Show(AuditShow),
}

/// `audit show`.
#[derive(Debug, Args)]
pub struct AuditShow {
    /// Only the last so many
    #[arg(long, value_name = "COUNT")]
    pub last: Option<usize>,
}

/// `call`.
#[derive(Debug, Args)]
pub struct RemoteCall {
    /// The plugin, by its name in the daemon
    pub name: String,
    /// The method
    pub method: String,
    /// What to call it with: a file, - for standard input, or JSON itself; null without it
    #[arg(long, value_name = "FILE|-|JSON", allow_hyphen_values = true, conflicts_with = "stream")]
    pub input: Option<OsString>,
    /// Sends the input as bytes, without reading it as JSON
    #[arg(long)]
    pub raw: bool,
    /// Passes standard input and output through while the method runs
    #[arg(long)]
    pub stream: bool,
    /// The longest to wait for it, such as 5s
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
}

/// `load`.
#[derive(Debug, Args)]
pub struct Load {
    /// The plugin: one that the daemon's configuration names, or a .wasm file to send
    #[arg(value_name = "NAME|FILE")]
    pub what: PathBuf,
    /// The configuration for its initialisation: a file, - for standard input, or JSON itself
    #[arg(long, value_name = "FILE|-|JSON")]
    pub with: Option<OsString>,
}

/// A plugin by its name.
#[derive(Debug, Args)]
pub struct Named {
    /// The plugin, by its name in the daemon
    pub name: String,
}

/// `plugins`.
#[derive(Debug, Args)]
pub struct Plugins {
    /// What to do
    #[command(subcommand)]
    pub command: PluginsCommand,
}

/// The commands of `plugins`.
#[derive(Debug, Subcommand)]
pub enum PluginsCommand {
    /// Installs a package: its manifest and its module are checked, and a daemon that runs loads it
    Install(PluginInstall),
    /// Unloads a plugin and removes its package; what it keeps stays
    Remove(PluginRemove),
    /// Those that are installed, and those of a daemon that this client may use
    List,
    /// One of them, and what stands around its workers
    Info(PluginInfo),
    /// Every check of an installation, without installing
    Validate(PluginValidate),
    /// Makes one file of a package, the same to the last byte each time
    Pack(PluginPack),
    /// Takes over what another server kept of its plugins: their configurations and files
    Import(PluginImport),
    /// Starts it, if it is disabled or stopped
    Enable(Named),
    /// Takes no new calls, lets those that run finish, and ends its processes
    Disable(Named),
    /// As disable, and lets those that wait finish too
    Drain(Named),
    /// Forgets its crashes, and starts it if they disabled it
    Reset(Named),
    /// Loads a new version beside the one that runs, and lets it take over
    Reload(PluginReload),
    /// The configuration that its instances are set up with
    Config(PluginConfig),
}

/// `plugins install`.
#[derive(Debug, Args)]
pub struct PluginInstall {
    /// A folder, a .tar.gz, a .zip or a .wasm file; or the https:// address of one
    #[arg(value_name = "SRC|URL")]
    pub source: String,
    /// The SHA-256 that the file has to have, in hexadecimal
    #[arg(long, value_name = "HEX")]
    pub sha256: Option<String>,
    /// Whom to trust for https, in PEM, in place of whom the system trusts
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The folder that the plugin works on, where its manifest asks for one; the package's own without it
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Its native programs too, behind walls of their own unless it wants none and the ceiling names that; without it only modules
    #[arg(long)]
    pub native: bool,
}

/// `plugins remove`.
#[derive(Debug, Args)]
pub struct PluginRemove {
    /// The plugin
    pub name: String,
    /// Removes what it keeps too: its files, its keys and values, its configuration
    #[arg(long)]
    pub data: bool,
}

/// `plugins validate`.
#[derive(Debug, Args)]
pub struct PluginValidate {
    /// A folder, a .tar.gz, a .zip or a .wasm file
    #[arg(value_name = "DIR")]
    pub source: PathBuf,
    /// The folder that the plugin works on, where its manifest asks for one; the package's own without it
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Its native programs too, behind walls of their own unless it wants none and the ceiling names that; without it only modules
    #[arg(long)]
    pub native: bool,
}

/// `plugins pack`.
#[derive(Debug, Args)]
pub struct PluginPack {
    /// The package's folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The file to make; NAME-VERSION.tar.gz without it
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `extension`.
#[derive(Debug, Args)]
pub struct Extension {
    /// What to do
    #[command(subcommand)]
    pub command: ExtensionCommand,
}

/// The commands of `extension`.
#[derive(Debug, Subcommand)]
pub enum ExtensionCommand {
    /// Installs it as `plugins install` does, and has a daemon load it; where none runs, sets it up once and ends it, to see that it works
    Load(ExtensionLoad),
}

/// `extension load`.
#[derive(Debug, Args)]
pub struct ExtensionLoad {
    /// A folder with a manifest and a module
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// `plugins import`.
#[derive(Debug, Args)]
pub struct PluginImport {
    /// The folder, such as plugin-config-data: ID.json, or ID/ID.json with ID/vfs, for each plugin
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// `plugins info`.
#[derive(Debug, Args)]
pub struct PluginInfo {
    /// The plugin
    pub name: String,
    /// Says what stands around its workers as well
    #[arg(long)]
    pub certificate: bool,
}

/// `consent`.
#[derive(Debug, Args)]
pub struct Consent {
    /// The plugin, by the name that it is installed under
    pub name: String,
    /// Says yes to all of it, and asks nobody
    #[arg(long, conflicts_with = "revoke")]
    pub yes: bool,
    /// Takes back what was said
    #[arg(long)]
    pub revoke: bool,
}

/// `plugins reload`.
#[derive(Debug, Args)]
pub struct PluginReload {
    /// The plugin, by its name in the daemon
    pub name: String,
    /// The new version, a .wasm file
    pub file: PathBuf,
}

/// `plugins config`.
#[derive(Debug, Args)]
pub struct PluginConfig {
    /// What to do with it
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// The commands of `plugins config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Prints it
    Get(Named),
    /// Checks another one, and hands it to the plugin without dropping a call
    Set(ConfigSet),
}

/// `plugins config set`.
#[derive(Debug, Args)]
pub struct ConfigSet {
    /// The plugin, by its name in the daemon
    pub name: String,
    /// The configuration: a file, - for standard input, or JSON itself
    #[arg(value_name = "FILE|-|JSON", id = "new-config")]
    pub text: OsString,
}

/// `logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// Only those of this plugin
    pub name: Option<String>,
    /// From this level on: 0 trace, 1 debug, 2 info, 3 warn, 4 error
    #[arg(long, value_name = "LEVEL", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=4))]
    pub level: u32,
}

/// `events`.
#[derive(Debug, Args)]
pub struct Events {
    /// What to do
    #[command(subcommand)]
    pub command: EventsCommand,
}

/// The commands of `events`.
#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Publishes one
    Pub(EventPub),
    /// Prints those whose topic matches, as they come
    Sub(EventSub),
}

/// `events pub`.
#[derive(Debug, Args)]
pub struct EventPub {
    /// What it is about: parts with dots between
    pub topic: String,
    /// What it carries: a file, - for standard input, or JSON itself; null without it
    #[arg(value_name = "FILE|-|JSON", allow_hyphen_values = true)]
    pub body: Option<OsString>,
    /// Sends it as bytes, without reading it as JSON
    #[arg(long)]
    pub raw: bool,
}

/// `events sub`.
#[derive(Debug, Args)]
pub struct EventSub {
    /// Parts with dots between; a part may be *, the last one **
    pub pattern: String,
    /// Ends after so many
    #[arg(long, value_name = "COUNT")]
    pub count: Option<u64>,
}

/// `answer`.
#[derive(Debug, Args)]
pub struct AnswerMethod {
    /// The host method; one that ends in * is all that begin with the rest
    pub method: String,
    /// The answer, the same for every call: a file, - for standard input, or JSON itself
    #[arg(long, value_name = "FILE|-|JSON", required = true)]
    pub with: OsString,
}

/// `stats`.
#[derive(Debug, Args)]
pub struct Stats {}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The plugin, a .wasm file
    pub file: PathBuf,
    /// FILE is a native program (a path with a slash, or a name such as python3), ARGS its arguments, and it speaks JSON-RPC
    #[arg(long, requires = "call")]
    pub external: bool,
    /// The method to call
    #[arg(long, value_name = "METHOD")]
    pub call: Option<String>,
    /// What to call it with: a file, - for standard input, or JSON itself; null without it
    #[arg(long, value_name = "FILE|-|JSON", allow_hyphen_values = true)]
    pub input: Option<OsString>,
    /// Sends the input as bytes, without reading it as JSON
    #[arg(long)]
    pub raw: bool,
    /// The most memory the plugin may have, such as 64MiB
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// The longest the call may take, such as 5s
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// Layers without which the plugin must not run, separated by commas
    #[arg(long, value_name = "LAYERS")]
    pub require: Option<String>,
    /// A whole casemate.toml; the flags above go over the plugin's table, below the ceiling
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Which table of it; without it the one that is named as the file, or the only one
    #[arg(long, value_name = "NAME")]
    pub plugin: Option<String>,
    /// Says what stands around the worker as well
    #[arg(long)]
    pub certificate: bool,
    /// Compiles the plugin anew and keeps nothing of it
    #[arg(long)]
    pub no_cache: bool,
    /// A folder for a WASI program: HOST, HOST:GUEST, and :rw for one that it may change
    #[arg(long, value_name = "HOST:GUEST[:ro|rw]")]
    pub dir: Vec<String>,
    /// A variable for a WASI program; without a value, this command's own
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Runs a WASI program with these arguments, its streams and its exit code passed through
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<OsString>,
}

/// `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The module, a .wasm file
    pub file: PathBuf,
    /// What it is to be taken for, where it could be several things or its own system tells it by its name only
    #[arg(long, value_name = "NAME", value_parser = casemate::module::Dialect::NAMES.to_vec())]
    pub dialect: Option<String>,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Layers that must be there, separated by commas
    #[arg(long, value_name = "LAYERS")]
    pub require: Option<String>,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// A folder with statistics.wasm, wordcount.wasm and data/; without it smaller guests do, which the command carries
    #[arg(long, value_name = "DIR")]
    pub guests: Option<PathBuf>,
}

/// `cache`.
#[derive(Debug, Args)]
pub struct Cache {
    /// What to do with it
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// The commands of `cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// What is in it, most recently used first
    Ls,
    /// Whether every entry is what was stored; changes nothing
    Verify,
    /// Removes what killed writers left, the quarantine, and what was used longest ago and is too much
    Gc(Gc),
}

/// `cache gc`.
#[derive(Debug, Args)]
pub struct Gc {
    /// The most that may stay, such as 100MiB; 1 GiB without it
    #[arg(long, value_name = "SIZE")]
    pub max: Option<String>,
}

/// `policy`.
#[derive(Debug, Args)]
pub struct Policy {
    /// What to do with it
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// The commands of `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Whether a casemate.toml, or a plugin.toml, is right, and what of it does not hold
    Check(PolicyCheck),
    /// What holds for a plugin, and where each value comes from
    Show(PolicyShow),
    /// An outcome in plain words: the rule, the layer, the line, and the smallest safe change
    Explain(PolicyExplain),
    /// What a second casemate.toml allows more and less
    Diff(PolicyDiff),
    /// What would happen if a plugin tried something
    Test(PolicyTest),
    /// The JSON Schema of casemate.toml
    Schema(PolicySchema),
    /// Has a daemon read its configuration anew, and says what became of each plugin
    Reload,
}

/// `policy check`.
#[derive(Debug, Args)]
pub struct PolicyCheck {
    /// The file; one that is named plugin.toml is a manifest
    pub file: PathBuf,
}

/// `policy show`.
#[derive(Debug, Args)]
pub struct PolicyShow {
    /// The plugin, as in the configuration
    pub name: String,
    /// What the plugin asks for; plugin.toml beside its module without it
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// The system calls that its workers have left, each with its reason
    #[arg(long)]
    pub syscalls: bool,
}

/// `policy explain`.
#[derive(Debug, Args)]
pub struct PolicyExplain {
    /// What `casemate run --json` printed: a file, or - for standard input, as without it
    pub file: Option<PathBuf>,
    /// The plugin, as in the configuration; the only one without it
    #[arg(long, value_name = "NAME")]
    pub plugin: Option<String>,
    /// What the plugin asks for; plugin.toml beside its module without it
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}

/// `policy diff`.
#[derive(Debug, Args)]
pub struct PolicyDiff {
    /// The old one
    pub a: PathBuf,
    /// The new one
    pub b: PathBuf,
}

/// `policy test`.
#[derive(Debug, Args)]
pub struct PolicyTest {
    /// The plugin, as in the configuration
    pub name: String,
    /// A host method that it might call
    #[arg(long, value_name = "METHOD", required = true)]
    pub host: Vec<String>,
    /// What the plugin asks for; plugin.toml beside its module without it
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}

/// `policy schema`.
#[derive(Debug, Args)]
pub struct PolicySchema {
    /// That of plugin.toml instead
    #[arg(long)]
    pub manifest: bool,
}

/// Whether `--json` is on a command line that could not be read as a whole.
pub fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json")
}

/// Help and version are printed; any other reason not to run is a problem of one line.
pub(crate) fn not_run(error: &Error, arguments: &[OsString]) -> Result<(), Problem> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let mut out = std::io::stdout();
            written(write!(out, "{}", error.render()).and_then(|()| out.flush()))
        }
        _ => Err(Problem::usage(one_line(error, arguments))),
    }
}

/// The parser's first paragraph and its tips, and where the rest is.
fn one_line(error: &Error, arguments: &[OsString]) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let registry = Cli::command();
        let inner = named(&registry, arguments).filter(|command| command.has_subcommands());
        let words =
            inner.map_or_else(|| "casemate".to_owned(), |inner| format!("casemate {}", inner.get_name()));
        let commands = inner.unwrap_or(&registry).get_subcommands();
        let names = commands.map(clap::Command::get_name).collect::<Vec<_>>();
        return format!("say what to do: {}; `{words} --help` says more", names.join(", "));
    }
    let text = error.render().to_string();
    let mut words = Vec::new();
    for paragraph in text.split("\n\n") {
        let paragraph = paragraph.trim();
        let mut lines = paragraph.lines().map(str::trim);
        if words.is_empty() {
            words.push(lines.collect::<Vec<_>>().join(" "));
        } else if let Some(tip) = lines.find(|line| line.contains("similar")) {
            // The other tip is how to pass a mistyped flag on as a value.
            words.push(tip.to_owned());
        }
    }
    let message = words.join("; ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let registry = Cli::command();
    match named(&registry, arguments) {
        Some(command) => format!("{message}; `casemate {} --help` says more", command.get_name()),
        None => format!("{message}; `casemate --help` says more"),
    }
}

/// The command on a command line that could not be read as a whole.
fn named<'a>(registry: &'a clap::Command, arguments: &[OsString]) -> Option<&'a clap::Command> {
    arguments.iter().find_map(|argument| registry.find_subcommand(argument))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    fn message(line: &str) -> String {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        match not_run(&parse(line).unwrap_err(), &arguments) {
            Err(Problem::Own { exit, message, .. }) => {
                assert_eq!(exit, crate::exit::Exit::Usage);
                assert!(!message.contains('\n'), "{message}");
                message
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_registry_has_no_contradiction() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_call_with_everything() {
        let cli = parse(
            "casemate run p.wasm --call stats --input {} --memory 64MiB --timeout 5s --require seccomp,landlock \
             --policy p.toml --certificate --json",
        )
        .unwrap();
        assert!(cli.json);
        let Command::Run(run) = cli.command else { panic!() };
        assert_eq!(run.call.as_deref(), Some("stats"));
        assert_eq!(run.input.as_deref(), Some("{}".as_ref()));
        assert!(run.certificate);
        assert_eq!(run.require.as_deref(), Some("seccomp,landlock"));
    }

    #[test]
    fn input_may_begin_with_a_dash() {
        for input in ["-", "-1.5"] {
            let Command::Run(run) =
                parse(&format!("casemate run p.wasm --call m --input {input}")).unwrap().command
            else {
                panic!()
            };
            assert_eq!(run.input.as_deref(), Some(input.as_ref()));
        }
    }

    #[test]
    fn global_flags_go_on_either_side() {
        assert!(parse("casemate --json doctor").unwrap().json);
        assert!(parse("casemate doctor --json").unwrap().json);
        assert_eq!(parse("casemate doctor --color never -vv").unwrap().verbose, 2);
    }

    #[test]
    fn arguments_after_two_dashes_are_kept_for_the_command() {
        let Command::Run(run) = parse("casemate run p.wasm -- --json x").unwrap().command else { panic!() };
        assert_eq!(run.args, ["--json", "x"]);
    }

    #[test]
    fn a_mistake_is_one_line_that_names_it() {
        assert!(message("casemate").contains("run, inspect, doctor, demo, cache, policy"));
        assert!(message("casemate cache").contains("ls, verify, gc; `casemate cache --help`"));
        assert!(message("casemate cache lss").contains("'ls'"), "the nearest command");
        assert!(message("casemate runn").contains("runn"));
        assert!(message("casemate run").contains("<FILE>"));
        assert!(message("casemate run p.wasm --memroy 1").contains("--memroy"));
        assert!(message("casemate run p.wasm --memroy 1").contains("'--memory'"), "the nearest flag");
        assert!(!message("casemate run p.wasm --memroy 1").contains("as a value"));
        assert!(message("casemate doctor --color blue").contains("blue"));
        assert!(message("casemate doctor --color blue").ends_with("`casemate doctor --help` says more"));
    }

    #[test]
    fn json_is_found_on_a_broken_line() {
        let words = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        assert!(wants_json(&words("casemate run --json --nonsense")));
        assert!(!wants_json(&words("casemate run p.wasm -- --json")));
    }
}
