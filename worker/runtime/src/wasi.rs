//! WASI: what a program finds around it. Arguments, environment and folders come with the zygote's order; time, chance and
//! the two ends of its streams are its worker's own.

mod denied;
mod own;
mod poll;
mod room;
mod run;
mod stdio;

use crate::fault::Fault;
use crate::guest::SharedLink;
use crate::guest::State;
use casemate_lockdown::Grant;
use casemate_lockdown::control::read_file;
use casemate_protocol::spawn::{WasiOrder, WasiSpec};
use poll::Monotonic;
use rustix::io::fcntl_dupfd_cloexec;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use stdio::{Input, Lines, Output};
use wasmtime::Linker;
use wasmtime_wasi::filesystem::WasiFilesystemCtx;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

pub(crate) use denied::network_is_denied;
pub(crate) use room::{ONE, SharedRoom, growth, locked};
pub(crate) use run::{block_on, invoke};

/// Levels of the log.
const INFO: u32 = 2;
const WARN: u32 = 3;

/// What a program finds its first folder as.
const FIRST_FOLDER: u32 = 3;

/// Numbers from here on are for what comes with the order, so that folders can be opened below.
const ASIDE: i32 = 40;

/// What a zygote was told, and what it has opened.
pub(crate) struct World {
    spec: WasiSpec,
    folders: WasiFilesystemCtx,
}

/// A folder as the zygote got it.
pub(crate) struct Given {
    folder: OwnedFd,
    write: bool,
}

impl World {
    /// Reads the order and opens its folders, as descriptors 1, 2, 3 and so on: nothing else may be open below
    /// [`ASIDE`] but the control socket. This must come before a filter, and needs no right that the walls take.
    pub(crate) fn open(
        order: WasiOrder,
        spec: OwnedFd,
        folders: Vec<OwnedFd>,
    ) -> io::Result<(Self, Vec<Given>)> {
        let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let spec: WasiSpec = read_file(&mut File::from(spec), order.spec_bytes.into())?;
        if spec.folders.len() != folders.len() {
            return Err(broken("the order is of another number of folders than came with it"));
        }
        let mut aside = Vec::new();
        for folder in folders {
            aside.push(fcntl_dupfd_cloexec(folder, ASIDE)?);
        }
        let mut builder = WasiCtxBuilder::new();
        builder.allow_blocking_current_thread(true);
        let mut given = Vec::new();
        for (folder, told) in aside.into_iter().zip(&spec.folders) {
            let rights = if told.write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            // WASI opens folders by path, and there is no path to them any more: as the working directory there is.
            rustix::process::fchdir(&folder)?;
            builder.preopened_dir(".", &told.guest, rights).map_err(io::Error::other)?;
            given.push(Given { folder, write: told.write });
        }
        rustix::process::chdir("/")?;
        let mut context = builder.build();
        Ok((Self { spec, folders: context.filesystem().clone() }, given))
    }

    /// How many descriptors above 0 its folders are.
    pub(crate) fn kept(&self) -> u32 {
        u32::try_from(self.spec.folders.len()).unwrap_or(u32::MAX)
    }
}

impl Given {
    /// For Landlock.
    pub(crate) fn grant(&self) -> Grant<'_> {
        Grant { folder: self.folder.as_fd(), write: self.write }
    }
}

/// Moves what came with an order out of the way of the folders.
pub(crate) fn set_aside(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    Ok(fcntl_dupfd_cloexec(descriptor, ASIDE)?)
}

/// What host functions of WASI reach through the store.
pub(crate) struct Around {
    context: WasiP1Ctx,
    world: Option<Arc<World>>,
    stdout: Arc<Mutex<Vec<u8>>>,
    /// Lines that may not be at their end.
    lines: Vec<Arc<Mutex<Lines>>>,
    clock: Monotonic,
    /// What the plugin's own files may still grow by, if it has any.
    room: Option<SharedRoom>,
}

impl Around {
    /// Nothing around it yet: no guest code has run.
    pub(crate) fn new(world: Option<World>) -> Self {
        let context = WasiCtx::builder().build_p1();
        Self {
            context,
            world: world.map(Arc::new),
            stdout: Arc::default(),
            lines: Vec::new(),
            clock: Monotonic::start(),
            room: None,
        }
    }

    /// What the plugin's own files may still grow by, if it has any.
    pub(crate) fn room(&self) -> Option<&SharedRoom> {
        self.room.as_ref()
    }

    /// Whether a folder, by its place among all of them, is the plugin's own.
    pub(crate) fn is_own_folder(&self, number: usize) -> bool {
        self.world.as_ref().and_then(|world| world.spec.folders.get(number)).is_some_and(|folder| folder.own)
    }

    /// Another call begins.
    pub(crate) fn forget(&self) {
        if let Some(room) = &self.room {
            locked(room).forget();
        }
    }

    /// Asks for room from here on, wherever the plugin's own folder is.
    fn make_room(&mut self, link: &SharedLink, ask_bytes_max: u32) {
        let own = self.world.iter().flat_map(|world| &world.spec.folders).zip(FIRST_FOLDER..);
        let own: HashSet<u32> = own.filter(|(folder, _)| folder.own).map(|(_, number)| number).collect();
        self.room = (!own.is_empty()).then(|| room::shared(link, own, ask_bytes_max));
    }

    /// The guest's monotonic time.
    fn clock(&self) -> Monotonic {
        self.clock
    }

    /// For the linker of WASI 0.1.
    fn context(&mut self) -> &mut WasiP1Ctx {
        &mut self.context
    }

    /// A library's world: what it writes goes to the log.
    pub(crate) fn of_library(&mut self, link: &SharedLink) {
        let (out, err) = (Lines::new(link, INFO), Lines::new(link, WARN));
        self.lines = vec![Arc::clone(&out), Arc::clone(&err)];
        self.begin(Input::body(&[]), Output::Log(out), Output::Log(err));
    }

    /// A program's world: it reads its call's body and writes its answer's; what it complains about goes to the log.
    pub(crate) fn of_program(&mut self, link: &SharedLink, body: &[u8], bytes_max: u32) {
        let err = Lines::new(link, WARN);
        self.lines = vec![Arc::clone(&err)];
        self.stdout = Arc::default();
        let out = Output::Body { body: Arc::clone(&self.stdout), bytes_max };
        self.begin(Input::body(body), out, Output::Log(err));
    }

    /// A program's world whose streams are its caller's while it runs.
    pub(crate) fn of_stream(&mut self, link: &SharedLink) {
        let (out, err) = (Lines::new(link, INFO), Lines::new(link, WARN));
        self.lines = vec![Arc::clone(&out), Arc::clone(&err)];
        self.stdout = Arc::default();
        let to = |method, lines| Output::Stream { link: Arc::clone(link), method, lines };
        self.begin(Input::Stream(Arc::clone(link)), to("stream.write", out), to("stream.error", err));
    }

    fn begin(&mut self, input: Input, out: Output, err: Output) {
        // The generator was made before the fork, and all instances have the same one.
        let _ = rand::rng().reseed();
        self.clock = Monotonic::start();
        let mut builder = WasiCtxBuilder::new();
        builder
            .allow_blocking_current_thread(true)
            .monotonic_clock(self.clock)
            .stdin(input)
            .stdout(out)
            .stderr(err);
        if let Some(world) = &self.world {
            builder.args(&world.spec.args).envs(&world.spec.env);
        }
        let mut context = builder.build_p1();
        if let Some(world) = &self.world {
            context.ctx().ctx.filesystem().clone_from(&world.folders);
        }
        self.context = context;
    }

    /// A call is over: what a program wrote, and lines without an end.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        for lines in &self.lines {
            lines.lock().unwrap_or_else(PoisonError::into_inner).flush();
        }
        std::mem::take(&mut *self.stdout.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// The world of a library, which a program's replaces with each call.
    pub(crate) fn look_around(&mut self) {
        if let Some(link) = self.link.clone() {
            self.around.of_library(&link);
            self.around.make_room(&link, self.output_bytes_max);
        }
    }

    /// The world of a program for one call.
    pub(crate) fn look_around_for(&mut self, body: &[u8]) {
        let bytes_max = self.output_bytes_max;
        if let Some(link) = &self.link {
            self.around.make_room(link, bytes_max);
        }
        match (self.link.clone(), self.streams) {
            (Some(link), true) => self.around.of_stream(&link),
            (Some(link), false) => self.around.of_program(&link, body, bytes_max),
            (None, _) => {}
        }
    }
}

/// Everything of WASI 0.1.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p1::add_to_linker_async(linker, |state: &mut State| state.around.context())?;
    linker.allow_shadowing(true);
    poll::link(linker)?;
    own::link(linker)?;
    denied::link(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What instantiating comes to, in a zygote or a worker. No code of a guest waits there.
pub(crate) fn made<T>(future: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    match run::at_once(pin!(future)) {
        Some(result) => result,
        None => Err(Fault::Abi("it waits for something while it is instantiated".to_owned()).into()),
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.around.context.ctx()
    }
}

/// The code that a program ended with, if that is what an error says.
pub(crate) fn exit_code(error: &wasmtime::Error) -> Option<u32> {
    error.downcast_ref::<I32Exit>().map(|exit| exit.0.cast_unsigned())
}
