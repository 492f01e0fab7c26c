//! `test`: the examples of a manifest, in the real sandbox.

use super::foreign::Foreign;
use super::keeping::Keeping;
use super::{Project, configuration, examples, until_interrupted};
use crate::args::{Cli, Test};
use crate::exit::Exit;
use crate::problem::Problem;
use crate::run;
use crate::screen::Screen;

pub(crate) async fn perform(cli: &Cli, order: &Test, screen: &mut Screen) -> Result<Exit, Problem> {
    match until_interrupted(Box::pin(once(cli, order, screen))).await {
        Some(ended) => ended,
        None => Err(Problem::interrupted()),
    }
}

async fn once(cli: &Cli, order: &Test, screen: &mut Screen) -> Result<Exit, Problem> {
    if let Some(foreign) = Foreign::of(&order.plugin)? {
        return foreign.test(cli, order, screen).await;
    }
    let project = Project::open(&order.plugin)?;
    let plugin_id = project.manifest.id.to_string();
    if project.manifest.examples.is_empty() {
        return Err(Problem::policy(format!(
            "{plugin_id} has nothing to test: write [[examples]] into its plugin.toml"
        )));
    }
    let config = configuration(order.with.as_deref())?;
    if !order.no_build {
        project.make(screen).await?;
    }
    let policy = project.policy(cli, order.policy.as_deref())?;
    let keeping = Keeping::new(cli)?;
    let casemate = keeping.of(run::builder(cli, screen, false)?).build()?;
    let working = screen.working(&format!("loading {}", project.module.display()));
    let loaded = casemate.load_with(&project.module, policy, config).await;
    drop(working);
    let plugin = loaded.map_err(|failure| Problem::of_module(failure, &project.module, ""))?;
    let report = examples::run(&plugin, &project.manifest, screen).await;
    casemate.shutdown().await;
    report.show(&plugin_id, screen)?;
    Ok(if report.failed() == 0 { Exit::Done } else { Exit::Guest })
}
