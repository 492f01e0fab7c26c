//! `doctor`: which layers this machine gives, and what stands around a worker that is really started.

use crate::args::Doctor;
use crate::certificate;
use crate::demo::ECHO;
use crate::exit::Exit;
use crate::grant;
use crate::problem::Problem;
use crate::run;
use crate::screen::{Screen, Tone};
use casemate::doctor::Finding;
use casemate::{Certificate, LayerSet, Policy};
use serde_json::{Value, json};

pub(crate) async fn perform(doctor: &Doctor, screen: &mut Screen) -> Result<Exit, Problem> {
    let require = match &doctor.require {
        Some(names) => grant::layers(names)?,
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
    let remedies = casemate::doctor::remedies(findings, missing);
    let remedies: String = remedies.iter().map(|remedy| format!("; what helps: {remedy}")).collect();
    Problem::layers(format!("required and not there: {missing}{reasons}{remedies}"))
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

/// One line a layer: whether it is there, what that rests on, and what to do.
fn lines(findings: &[Finding], screen: &Screen) -> Vec<String> {
    let row = |finding: &Finding| {
        let (tone, word) = if finding.available { (Tone::Good, "on") } else { (Tone::Warn, "off") };
        let word = screen.paint(tone, format!("{word:3}"));
        let words = match (finding.why.is_empty(), finding.how.is_empty()) {
            (true, _) => finding.layer.summary().to_owned(),
            (false, true) => finding.why.clone(),
            (false, false) => format!("{}; {}", finding.why, finding.how),
        };
        format!("{word} {:19} {}", finding.layer.name(), casemate::outcome::escape(&words, 400))
    };
    findings.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;
    use casemate::Layer;
    use casemate::certificate::{Profile, Status};

    fn findings() -> Vec<Finding> {
        let finding = |layer, available, why: &str, how: &str| Finding {
            layer,
            available,
            why: why.to_owned(),
            how: how.to_owned(),
        };
        vec![
            finding(Layer::Seccomp, true, "the kernel has it", ""),
            finding(Layer::Landlock, false, "it is not among the kernel's lsm", "boot with lsm=landlock"),
        ]
    }

    fn certificate() -> Certificate {
        let mut certificate = Certificate::new(Profile::Core);
        certificate.set(Layer::Seccomp, Status::Observed);
        certificate
    }

    #[test]
    fn a_layer_that_is_off_says_why_and_what_to_do() {
        let lines = lines(&findings(), &Screen::new(false, 0, Color::Never));
        assert_eq!(lines[0], "on  seccomp             the kernel has it");
        assert_eq!(
            lines[1],
            "off landlock            it is not among the kernel's lsm; boot with lsm=landlock"
        );
    }

    #[test]
    fn what_a_worker_shows_counts_before_what_the_machine_should_give() {
        let both: LayerSet = [Layer::Seccomp, Layer::Landlock].into_iter().collect();
        let landlock: LayerSet = [Layer::Landlock].into_iter().collect();
        assert_eq!(missing(both, &findings(), None), landlock);
        assert_eq!(missing(both, &findings(), Some(&certificate())), landlock);
        assert_eq!(missing(LayerSet::EMPTY, &findings(), None), LayerSet::EMPTY);
        let problem = required(landlock, &findings());
        assert_eq!(problem.exit(), Exit::Layer);
        for words in ["landlock: it is not among", "what helps: boot with lsm=landlock"] {
            assert!(problem.to_string().contains(words), "{problem}");
        }
    }

    #[test]
    fn the_shape_in_json() {
        let value = to_json(&findings(), &Ok(certificate()), LayerSet::EMPTY);
        assert_eq!(value["ok"], true);
        assert_eq!(value["layers"][0]["layer"], "seccomp");
        assert_eq!(value["layers"][1]["how"], "boot with lsm=landlock");
        assert_eq!(value["problem"], Value::Null);
        let tried = Err(Problem::ours("no worker"));
        let value = to_json(&findings(), &tried, [Layer::Landlock].into_iter().collect());
        assert_eq!(value["ok"], false);
        assert_eq!(value["missing"], json!(["landlock"]));
        assert_eq!((&value["certificate"], &value["problem"]["code"]), (&Value::Null, &json!("internal")));
    }
}
