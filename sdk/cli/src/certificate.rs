//! A certificate, for people and for programs.

use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use casemate::Certificate;
use casemate::certificate::Status;
use serde_json::{Map, Value, json};

/// `{"profile": …, "layers": {NAME: {"status": …, "reason"?: …}}}`.
pub(crate) fn to_json(certificate: &Certificate) -> Value {
    let layers: Map<String, Value> = certificate
        .layers
        .iter()
        .map(|(layer, status)| {
            let value = match status {
                Status::Off { reason } => json!({"status": status.name(), "reason": reason}),
                _ => json!({"status": status.name()}),
            };
            (layer.name().to_owned(), value)
        })
        .collect();
    json!({"profile": certificate.profile.name(), "layers": layers})
}

/// One line a layer, as `print` gets them.
pub(crate) fn lines(certificate: &Certificate, screen: &Screen) -> Vec<String> {
    let holding = certificate.holding().iter().count();
    let all = certificate.layers.len();
    let head = format!(
        "certificate: {holding} of {all} layers stand, worker profile {}",
        certificate.profile.name()
    );
    let mut lines = vec![screen.paint(Tone::Bold, head)];
    for (layer, status) in &certificate.layers {
        let (tone, words) = match status {
            Status::Observed => (Tone::Good, layer.summary().to_owned()),
            Status::Reported => (Tone::Good, format!("{} (the worker says so)", layer.summary())),
            Status::Off { reason } => (Tone::Bad, casemate::outcome::escape(reason, 200)),
        };
        let status = screen.paint(tone, format!("{:9}", status.name()));
        lines.push(format!("  {status} {:19} {words}", layer.name()));
    }
    lines
}

/// On standard output.
pub(crate) fn print(certificate: &Certificate, screen: &mut Screen) -> Result<(), Problem> {
    lines(certificate, screen).into_iter().try_for_each(|line| screen.line(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;
    use casemate::Layer;
    use casemate::certificate::Profile;

    fn certificate() -> Certificate {
        let mut certificate = Certificate::new(Profile::Core);
        certificate.set(Layer::Seccomp, Status::Observed);
        certificate.set(Layer::SealedCode, Status::Reported);
        certificate.off(Layer::Landlock, "kernel before 5.13");
        certificate
    }

    #[test]
    fn json_has_every_layer_with_its_status_and_a_reason_where_it_is_off() {
        let value = to_json(&certificate());
        assert_eq!(value["profile"], "core");
        assert_eq!(value["layers"]["seccomp"], json!({"status": "observed"}));
        assert_eq!(value["layers"]["sealed-code"], json!({"status": "reported"}));
        assert_eq!(value["layers"]["landlock"], json!({"status": "off", "reason": "kernel before 5.13"}));
        assert_eq!(value["layers"].as_object().unwrap().len(), Layer::all().count());
    }

    #[test]
    fn people_get_one_line_a_layer() {
        let lines = lines(&certificate(), &Screen::new(false, 0, Color::Never));
        assert_eq!(lines.len(), 1 + Layer::all().count());
        assert!(lines[0].contains("2 of 22"), "{}", lines[0]);
        assert!(lines.iter().any(|line| line.contains("landlock") && line.contains("kernel before 5.13")));
    }
}
