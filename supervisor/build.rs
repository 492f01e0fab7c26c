//! Builds the programs that the supervisor carries inside itself, as finished static binaries, each by a cargo
//! invocation of its own: only so does no feature of one program reach another.
//!
//! One folder, `embedded` in the target folder, serves the builds of all profiles. From outside one can set
//!
//! | variable | to |
//! |---|---|
//! | `CASEMATE_WORKER_BIN`, `CASEMATE_WORKER_WASI_BIN`, `CASEMATE_LAUNCHER_BIN`, `CASEMATE_COMPILER_BIN`, `CASEMATE_ADVERSARY_BIN`, `CASEMATE_ADVERSARY_WASI_BIN` | a finished static program: it is not built then |
//! | `CASEMATE_EMBED` | `skip`: embed nothing, for checking that the code compiles; loading a plugin then fails |
#![expect(clippy::disallowed_methods, reason = "a build script reads its environment and starts compilers")]

use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// One program to embed.
struct Recipe {
    /// Package, binary and file name.
    name: &'static str,
    /// In whose place an environment variable may put a finished program.
    prebuilt: &'static str,
    /// The variable that names the embedded file to the library.
    embedded: &'static str,
    profile: &'static str,
    /// The package's folder, from the workspace root.
    sources: &'static str,
}

const WORKER: Recipe = Recipe {
    name: "casemate-worker",
    prebuilt: "CASEMATE_WORKER_BIN",
    embedded: "CASEMATE_EMBEDDED_WORKER",
    profile: "embedded-worker",
    sources: "worker/runtime",
};
const WORKER_WASI: Recipe = Recipe {
    name: "casemate-worker-wasi",
    prebuilt: "CASEMATE_WORKER_WASI_BIN",
    embedded: "CASEMATE_EMBEDDED_WORKER_WASI",
    profile: "embedded-worker",
    sources: "worker/wasi",
};
const LAUNCHER: Recipe = Recipe {
    name: "casemate-launcher",
    prebuilt: "CASEMATE_LAUNCHER_BIN",
    embedded: "CASEMATE_EMBEDDED_LAUNCHER",
    profile: "embedded-worker",
    sources: "worker/launcher",
};
const COMPILER: Recipe = Recipe {
    name: "casemate-compiler",
    prebuilt: "CASEMATE_COMPILER_BIN",
    embedded: "CASEMATE_EMBEDDED_COMPILER",
    profile: "embedded",
    sources: "worker/compiler",
};
const ADVERSARY: Recipe = Recipe {
    name: "casemate-adversary",
    prebuilt: "CASEMATE_ADVERSARY_BIN",
    embedded: "CASEMATE_EMBEDDED_ADVERSARY",
    profile: "embedded-worker",
    sources: "worker/adversary",
};

const ADVERSARY_WASI: Recipe = Recipe {
    name: "casemate-adversary-wasi",
    prebuilt: "CASEMATE_ADVERSARY_WASI_BIN",
    embedded: "CASEMATE_EMBEDDED_ADVERSARY_WASI",
    profile: "embedded-worker",
    sources: "worker/adversary-wasi",
};

/// What more than one of the programs is made of, from the workspace root.
const SHARED_SOURCES: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "protocol",
    "sdk/wit",
    "worker/engine",
    "worker/lockdown",
    "worker/runtime",
];

const SKIP: &str = "CASEMATE_EMBED";

/// What went wrong, for the person who builds.
struct Problem(String);

type Outcome<T> = Result<T, Problem>;

/// Says what was being done when an operation failed.
trait While<T> {
    fn doing(self, what: impl Display) -> Outcome<T>;
}

impl<T> While<T> for std::io::Result<T> {
    fn doing(self, what: impl Display) -> Outcome<T> {
        self.map_err(|error| Problem(format!("{what}: {error}")))
    }
}

fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Problem(text)) => {
            eprintln!("casemate-supervisor cannot embed its programs: {text}");
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Outcome<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={SKIP}");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut recipes = vec![WORKER, WORKER_WASI, LAUNCHER, COMPILER];
    if env::var_os("CARGO_FEATURE_ADVERSARY").is_some() {
        recipes.extend([ADVERSARY, ADVERSARY_WASI]);
    }
    let origin = match env::var(SKIP).as_deref() {
        Err(env::VarError::NotPresent) | Ok("") => install_programs(&recipes, &out)?,
        Ok("skip") => {
            for recipe in &recipes {
                install(&out, recipe, &[])?;
            }
            "none"
        }
        _ => return Err(Problem(format!("{SKIP} is neither empty nor \"skip\""))),
    };
    println!("cargo:rustc-env=CASEMATE_EMBEDDED_ORIGIN={origin}");
    Ok(())
}

/// Takes or builds every program. Returns where they come from.
fn install_programs(recipes: &[Recipe], out: &Path) -> Outcome<&'static str> {
    let arch = variable("CARGO_CFG_TARGET_ARCH")?;
    let mut workshop = None;
    for recipe in recipes {
        println!("cargo:rerun-if-env-changed={}", recipe.prebuilt);
        let bytes = match env::var_os(recipe.prebuilt).filter(|path| !path.is_empty()) {
            Some(path) => take_prebuilt(recipe, Path::new(&path), &arch)?,
            None => {
                let workshop = match &mut workshop {
                    Some(workshop) => workshop,
                    empty => empty.insert(Workshop::open(&arch, out)?),
                };
                workshop.build(recipe)?
            }
        };
        install(out, recipe, &bytes)?;
    }
    Ok(match workshop {
        Some(Workshop { libc: Libc::Musl, .. }) => "musl",
        Some(Workshop { libc: Libc::Glibc, .. }) => "glibc",
        None => "prebuilt",
    })
}

fn take_prebuilt(recipe: &Recipe, path: &Path, arch: &str) -> Outcome<Vec<u8>> {
    let variable = recipe.prebuilt;
    if !path.is_absolute() {
        return Err(Problem(format!("{variable} is {}: give an absolute path", path.display())));
    }
    println!("cargo:rerun-if-changed={}", path.display());
    let bytes = fs::read(path).doing(format!("{variable}: reading {}", path.display()))?;
    check_program(&bytes, arch)
        .map_err(|Problem(why)| Problem(format!("{variable}: {} {why}", path.display())))?;
    Ok(bytes)
}

/// Puts a program where the library includes it from, and says what its digest is; an equal file stays untouched.
fn install(out: &Path, recipe: &Recipe, bytes: &[u8]) -> Outcome<()> {
    let path = out.join(recipe.name);
    if fs::read(&path).ok().as_deref() != Some(bytes) {
        fs::write(&path, bytes).doing(format!("writing {}", path.display()))?;
    }
    println!("cargo:rustc-env={}={}", recipe.embedded, path.display());
    println!("cargo:rustc-env={}_SHA256={}", recipe.embedded, hexadecimal(&Sha256::digest(bytes)));
    Ok(())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Libc {
    Musl,
    Glibc,
}

/// Where the inner builds happen.
struct Workshop {
    arch: String,
    libc: Libc,
    target: String,
    root: PathBuf,
    folder: PathBuf,
    /// The inner cargo's whole environment.
    environment: BTreeMap<OsString, OsString>,
    /// Held until all programs are copied, so that another build of ours does not replace one in between.
    _turn: File,
}

impl Workshop {
    fn open(arch: &str, out: &Path) -> Outcome<Self> {
        let manifest_folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
        let root = manifest_folder.parent().unwrap_or(&manifest_folder).to_owned();
        let folder = shared_folder(out, &variable("TARGET")?);
        fs::create_dir_all(&folder).doing(format!("making {}", folder.display()))?;
        let turn = File::create(folder.join(".turn")).doing("making a lock file in the shared folder")?;
        turn.lock().doing("waiting for another build's turn in the shared folder")?;

        for source in SHARED_SOURCES.iter().map(|source| root.join(source)).filter(|source| source.exists()) {
            println!("cargo:rerun-if-changed={}", source.display());
        }
        let (libc, target) = choose_target(arch)?;
        let mut environment: BTreeMap<_, _> = env::vars_os().filter(|(name, _)| is_inherited(name)).collect();
        if let Some((name, compiler)) = c_compiler(libc, arch, &target)? {
            environment.insert(name, compiler);
        }
        // Set, even when empty, it overrules what a configuration file says: the programs are the same everywhere.
        let flags = if libc == Libc::Glibc { "-Ctarget-feature=+crt-static" } else { "" };
        environment.insert("CARGO_ENCODED_RUSTFLAGS".into(), flags.into());
        // A configured build folder is the outer cargo's, and locked by it.
        environment.insert("CARGO_BUILD_BUILD_DIR".into(), folder.clone().into());
        Ok(Self { arch: arch.to_owned(), libc, target, root, folder, environment, _turn: turn })
    }

    fn build(&self, recipe: &Recipe) -> Outcome<Vec<u8>> {
        println!("cargo:rerun-if-changed={}", self.root.join(recipe.sources).display());
        let mut cargo = Command::new(variable("CARGO")?);
        cargo.args(["build", "--package", recipe.name, "--bin", recipe.name]);
        cargo.args(["--profile", recipe.profile, "--target", &self.target]);
        cargo.arg("--manifest-path").arg(self.root.join("Cargo.toml"));
        cargo.arg("--target-dir").arg(&self.folder);
        // The outer cargo has settled the versions and reads the same file; without one there is nothing to keep.
        if self.root.join("Cargo.lock").exists() {
            cargo.arg("--locked");
        }
        cargo.current_dir(&self.root).env_clear().envs(&self.environment);
        cargo.stdin(Stdio::null()).stdout(Stdio::null());
        // Its standard error is ours, which the outer cargo shows when we fail.
        let status = cargo.status().doing("starting cargo")?;
        if !status.success() {
            return Err(Problem(format!(
                "building {} for {}: cargo ended with {status}",
                recipe.name, self.target
            )));
        }
        let path = self.folder.join(&self.target).join(recipe.profile).join(recipe.name);
        let bytes = fs::read(&path).doing(format!("reading {}", path.display()))?;
        check_program(&bytes, &self.arch)
            .map_err(|Problem(why)| Problem(format!("{} {why}", path.display())))?;
        Ok(bytes)
    }
}

/// `embedded` in the outer build's target folder: `OUT_DIR` is `TARGET_DIR[/TRIPLE]/PROFILE/build/…/out`.
fn shared_folder(out: &Path, triple: &str) -> PathBuf {
    let build = out.ancestors().find(|folder| folder.file_name() == Some(OsStr::new("build")));
    let target = build.and_then(|build| build.parent()?.parent());
    let target = match target {
        Some(folder) if folder.file_name() == Some(OsStr::new(triple)) => folder.parent(),
        other => other,
    };
    // Another layout of folders: a folder of our own is only slower.
    target.unwrap_or(out).join("embedded")
}

/// musl where the toolchain has it: a smaller program that starts faster. Otherwise static glibc.
fn choose_target(arch: &str) -> Outcome<(Libc, String)> {
    let musl = format!("{arch}-unknown-linux-musl");
    let mut rustc = Command::new(variable("RUSTC")?);
    let output = rustc.args(["--print", "sysroot"]).output().doing("asking rustc for its folder")?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let installed = sysroot.join("lib/rustlib");
    // rustup changes this file when a target comes or goes.
    let components = installed.join("components");
    if components.exists() {
        println!("cargo:rerun-if-changed={}", components.display());
    }
    if installed.join(&musl).join("lib").is_dir() {
        return Ok((Libc::Musl, musl));
    }
    println!(
        "cargo:warning=the embedded programs are built with static glibc, which makes them larger and slower to start: \
         for musl run `rustup target add {musl}`"
    );
    Ok((Libc::Glibc, format!("{arch}-unknown-linux-gnu")))
}

/// What to tell wasmtime's build, which compiles one small C file. For musl it wants a `musl-gcc`; the file needs nothing
/// of a C library, so that the system's own compiler does as well.
fn c_compiler(libc: Libc, arch: &str, target: &str) -> Outcome<Option<(OsString, OsString)>> {
    let specific = format!("CC_{}", target.replace('-', "_"));
    let names = ["CC", "TARGET_CC", &specific, &format!("CC_{target}")];
    names.iter().for_each(|name| println!("cargo:rerun-if-env-changed={name}"));
    if names.iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty())) {
        return Ok(None);
    }
    let cross = arch != env::consts::ARCH;
    let own = [format!("{arch}-linux-musl-gcc"), "musl-gcc".to_owned()];
    if cross || (libc == Libc::Musl && own.iter().any(|name| is_in_path(name))) {
        return Ok(None);
    }
    let system = ["cc", "gcc", "clang"].into_iter().find(|name| is_in_path(name));
    match system {
        Some(compiler) => Ok(Some((specific.into(), compiler.into()))),
        None => Err(Problem(
            "there is no C compiler: install gcc or clang (and musl-tools, if you can)".to_owned(),
        )),
    }
}

fn is_in_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Whether the inner cargo sees a variable. What the outer cargo, or a tool around it (clippy, miri, coverage, fuzzing),
/// says about the outer build is not for these programs; where crates come from and how to link is.
fn is_inherited(name: &OsStr) -> bool {
    const OUTER: &[&str] = &[
        "CLIPPY_ARGS",
        "DEBUG",
        "HOST",
        "NUM_JOBS",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "RUSTC_LINKER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
        "TARGET",
    ];
    const OURS: &[&str] =
        &["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_"];
    let Some(name) = name.to_str() else { return true };
    let linker = name.starts_with("CARGO_TARGET_") && name.ends_with("_LINKER");
    // The job server, so that both cargos together start no more compilers than one.
    let cargos_own = matches!(name, "CARGO_HOME" | "CARGO_MAKEFLAGS");
    if name.starts_with("CARGO") {
        cargos_own || linker || OURS.iter().any(|prefix| name.starts_with(prefix))
    } else {
        !(OUTER.contains(&name) || name.starts_with("DEP_") || name.starts_with("__CARGO"))
    }
}

/// Whether this is a program for `arch` that needs no dynamic linker.
fn check_program(bytes: &[u8], arch: &str) -> Outcome<()> {
    const NEEDS_INTERPRETER: u64 = 3;
    let machine = match arch {
        "x86_64" => 62,
        "aarch64" => 183,
        other => return Err(Problem(format!("cannot be: Casemate does not run on {other}"))),
    };
    let little_64_bit = bytes.starts_with(b"\x7fELF\x02\x01");
    if !little_64_bit || number(bytes, 18, 2) != Some(machine) {
        return Err(Problem(format!("is no ELF program for {arch}")));
    }
    let (Some(table), Some(size), Some(count)) =
        (number(bytes, 32, 8), number(bytes, 54, 2), number(bytes, 56, 2))
    else {
        return Err(Problem("is cut off".to_owned()));
    };
    for index in 0..count {
        let kind =
            usize::try_from(table.saturating_add(index * size)).ok().and_then(|at| number(bytes, at, 4));
        match kind {
            None => return Err(Problem("is cut off".to_owned())),
            Some(NEEDS_INTERPRETER) => {
                return Err(Problem(
                    "is linked dynamically: behind the walls there is no library to load".to_owned(),
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// A little-endian number of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    Some(field.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
}

fn variable(name: &str) -> Outcome<String> {
    env::var(name).map_err(|error| Problem(format!("{name}: {error}")))
}
