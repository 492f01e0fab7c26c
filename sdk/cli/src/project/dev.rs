//! `dev`: made anew and reloaded at every change, with its examples and its log, until it is stopped.

use super::changes::Changes;
use super::keeping::Keeping;
use super::{Project, configuration, examples, until_interrupted};
use crate::args::{Cli, Dev};
use crate::exit::Exit;
use crate::log;
use crate::problem::Problem;
use crate::run;
use crate::screen::{Screen, Tone};
use casemate::config::MANIFEST_FILE;
use casemate::{Casemate, Plugin};

/// Log lines are what it is for: from info on, and all of them with `-v`.
const LOG_SHOWN: u8 = 1;

pub(crate) async fn perform(cli: &Cli, order: &Dev, screen: &mut Screen) -> Result<Exit, Problem> {
    until_interrupted(Box::pin(for_ever(cli, order, screen))).await.unwrap_or(Ok(Exit::Done))
}

async fn for_ever(cli: &Cli, order: &Dev, screen: &mut Screen) -> Result<Exit, Problem> {
    let verbose = screen.verbose().saturating_add(LOG_SHOWN);
    let keeping = Keeping::new(cli)?;
    let builder = run::builder(cli, screen, false)?.on_log(move |record| log::show(&record, verbose));
    let casemate = keeping.of(builder).build()?;
    let config = configuration(order.with.as_deref())?;
    let mut changes = Changes::watch(&order.plugin)?;
    let mut running: Option<Running> = None;
    loop {
        let before = changes.seen(Project::open(&order.plugin).ok().as_ref());
        let mut round = Round { cli, order, config: config.as_deref(), casemate: &casemate, screen };
        if let Err(problem) = round.perform(&mut running).await {
            // A mistake is what the next change mends.
            screen.told(&problem)?;
        }
        let working = screen.working("waiting for a change");
        changes.other_than(&before).await;
        drop(working);
        if !screen.json() {
            screen.line(screen.paint(Tone::Dim, "changed"))?;
        }
    }
}

/// What runs, and the manifest that it was loaded with.
struct Running {
    plugin: Plugin,
    manifest: String,
}

/// One time: made, loaded and tried.
struct Round<'a> {
    cli: &'a Cli,
    order: &'a Dev,
    config: Option<&'a [u8]>,
    casemate: &'a Casemate,
    screen: &'a mut Screen,
}

impl Round<'_> {
    async fn perform(&mut self, running: &mut Option<Running>) -> Result<(), Problem> {
        let project = Project::open(&self.order.plugin)?;
        project.make(self.screen).await?;
        let manifest = std::fs::read_to_string(project.folder.join(MANIFEST_FILE)).unwrap_or_default();
        let working = self.screen.working(&format!("loading {}", project.module.display()));
        let loaded = match running.take() {
            // The new version takes over from the one that runs, as it does where a host reloads it.
            Some(old) if old.manifest == manifest => {
                let reloaded = old.plugin.reload(&project.module).await;
                let plugin = old.plugin.clone();
                *running = Some(old);
                reloaded.map(|()| plugin)
            }
            _ => {
                let policy = project.policy(self.cli, self.order.policy.as_deref())?;
                let config = self.config.map(<[u8]>::to_vec);
                self.casemate.load_with(&project.module, policy, config).await
            }
        };
        drop(working);
        let plugin = loaded.map_err(|failure| Problem::of_module(failure, &project.module, ""))?;
        *running = Some(Running { plugin: plugin.clone(), manifest });
        let report = examples::run(&plugin, &project.manifest, self.screen).await;
        report.show(project.manifest.id.as_str(), self.screen)
    }
}
