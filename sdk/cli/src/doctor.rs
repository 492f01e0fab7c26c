//! `doctor`: which layers this machine gives, and what stands around a worker that is really started.

use crate::args::Doctor;
use crate::certificate;
use crate::demo::ECHO;
use crate::exit::Exit;
use crate::policy;
use crate::problem::Problem;
use crate::run;
use crate::screen::{Screen, Tone};
use casemate::doctor::Finding;
use casemate::{Certificate, LayerSet, Policy};
use serde_json::{Value, json};

pub(crate) async fn perform(doctor: &Doctor, screen: &mut Screen) -> Result<Exit, Problem> {
    let require = match &doctor.require {
        Some(names) => policy::layers(names)?,
        None => LayerSet::EMPTY,
    };
    let findings = casemate::doctor::doctor();
    let working = screen.working("starting a worker to look at");
    let tried = certificate_of_a_worker(screen).await;
    drop(working);
    let missing = missing(require, &findings, tried.as_ref().ok());
    if screen.json() {
        screen.value(&to_json(&findings, &tried, missing))?;
        return Ok(match (&tried, missing.is_empty()) {
            (_, false) => Exit::Layer,
            (Ok(_), true) => Exit::Done,
            (Err(problem), true) => problem.exit(),
        });
    }
    for line in lines(&findings, screen) {
        screen.line(line)?;
    }
    screen.line("")?;
    if let Ok(certificate) = &tried {
        screen.line("A worker that was started just now:")?;
        certificate::print(certificate, screen)?;
    }
    if !missing.is_empty() {
        return Err(required(missing, &findings));
    }
    tried.map(|_| Exit::Done)
}

async fn certificate_of_a_worker(screen: &Screen) -> Result<Certificate, Problem> {
    let casemate = run::embedded(screen)?;
    let plugin = casemate.load(ECHO, Policy::default()).await?;
    // A load starts the zygote; the call starts a worker, which is what people want to know about.
    plugin.call_json_text("echo", b"null").await?;
    let certificate = plugin.certificate();
    casemate.shutdown().await;
    Ok(certificate)
}

/// What a worker shows counts more than what the machine should give.
fn missing(require: LayerSet, findings: &[Finding], certificate: Option<&Certificate>) -> LayerSet {
    match certificate {
        Some(certificate) => certificate.missing(require),
        None => require.minus(
            findings.iter().filter(|finding| finding.available).map(|finding| finding.layer).collect(),
        ),
    }
}

fn required(missing: LayerSet, findings: &[Finding]) -> Problem {
    let reasons: Vec<String> = findings
        .iter()
        .filter(|finding| missing.contains(finding.layer) && !finding.why.is_empty())
        .map(|finding| format!("{}: {}", finding.layer, finding.why))
        .collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
    Problem::layers(format!("required and not there: {missing}{reasons}"))
}

fn to_json(findings: &[Finding], tried: &Result<Certificate, Problem>, missing: LayerSet) -> Value {
    let layers: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "layer": finding.layer.name(),
                "available": finding.available,
                "why": finding.why,
                "how": finding.how,
            })
        })
        .collect();
    let missing: Vec<&str> = missing.iter().map(casemate::Layer::name).collect();
    let (certificate, problem) = match tried {
        Ok(certificate) => (certificate::to_json(certificate), Value::Null),
        Err(problem) => (Value::Null, problem.to_json()),
    };
    json!({
        "ok": missing.is_empty() && tried.is_ok(),
        "layers": layers,
        "missing": missing,
        "certificate": certificate,
        "problem": problem,
    })
}

fn lines(findings: &[Finding], screen: &Screen) -> Vec<String> {
    let row = |finding: &Finding| {
        let (tone, word) = if finding.available { (Tone::Good, "on") } else { (Tone::Warn, "off") };
        let word = screen.paint(tone, format!("{word:4}"));
        let name = format!("{:19}", finding.layer.name());
        match (finding.available, finding.how.is_empty()) {
            (true, _) if finding.why.is_empty() => format!("{word} {name} {}", finding.layer.summary()),
            (true, _) => format!("{word} {name} {}", finding.why),
            (false, true) => format!("{word} {name} {}", finding.why),
            (false, false) => format!("{word} {name} {}; {}", finding.why, finding.how),
        }
    };
    findings.iter().map(row).collect()
}
