//! The table and the JSON.

use crate::Outcome;
use crate::machine::Machine;
use crate::row::{Row, Target, Verdict};
use casemate::certificate::Status;
use serde_json::{Value, json};

/// Says a row as soon as it is measured.
pub(crate) fn show(row: &Row) {
    println!("{}", row.what);
    println!("    {}", certificate(row));
    if !row.note.is_empty() {
        println!("    {}", row.note);
    }
}

/// How many layers stand, and which: `2 of 2 layers: observed seccomp; reported landlock`.
fn certificate(row: &Row) -> String {
    let layers = &row.certificate.layers;
    let named = |wanted: Status| {
        let names =
            layers.iter().filter(|(_, status)| **status == wanted).map(|(layer, _)| layer.to_string());
        names.collect::<Vec<_>>()
    };
    let (observed, reported) = (named(Status::Observed), named(Status::Reported));
    format!(
        "{} of {} layers: observed {}; reported {}",
        observed.len() + reported.len(),
        layers.len(),
        observed.join(", "),
        reported.join(", ")
    )
}

const HEAD: [&str; 7] = ["what", "p50", "p90", "baseline p50", "ratio", "target", "verdict"];

/// In Markdown, so that it can be pasted.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned), HEAD.map(|_| "---".to_owned())];
    lines.extend(rows.iter().map(cells));
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |cells: &[String; 7]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("| {} |", padded.collect::<Vec<_>>().join(" | "))
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn cells(row: &Row) -> [String; 7] {
    let unit = row.unit.name();
    let shown = |number: f64| format!("{} {unit}", rounded(number));
    let baseline = row.baseline.as_ref();
    [
        row.what.to_owned(),
        shown(row.samples.percentile(50)),
        shown(row.samples.percentile(90)),
        baseline.map_or_else(String::new, |baseline| {
            format!("{} ({})", shown(baseline.samples.percentile(50)), baseline.what)
        }),
        row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        match row.target {
            Target::Ratio(most) => format!("≤ {most} ×"),
            Target::AtMost(most) => format!("≤ {most} {unit}"),
            Target::None => String::new(),
        },
        match row.verdict() {
            Verdict::Met => "met".to_owned(),
            Verdict::Missed => "missed".to_owned(),
            Verdict::NoTarget => "for comparison".to_owned(),
            Verdict::Refused(missing) => format!("REFUSED: without {missing}"),
        },
    ]
}

/// Three digits are more than a measurement is worth.
fn rounded(number: f64) -> String {
    match number.abs() {
        0.0..10.0 => format!("{number:.2}"),
        10.0..100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// The whole result.
pub(crate) fn json(machine: &Machine, rows: &[Row]) -> Outcome<String> {
    let rows: Vec<Value> = rows.iter().map(row).collect();
    let mut text = serde_json::to_string_pretty(&json!({ "machine": machine.json(), "rows": rows }))?;
    text.push('\n');
    Ok(text)
}

fn row(row: &Row) -> Value {
    let percentiles = |samples: &crate::row::Samples| {
        let [p10, p50, p90, p99] = [10, 50, 90, 99].map(|percent| samples.percentile(percent));
        json!({ "count": samples.count(), "p10": p10, "p50": p50, "p90": p90, "p99": p99 })
    };
    let target = match row.target {
        Target::Ratio(most) => json!({ "ratio": most }),
        Target::AtMost(most) => json!({ "p50": most }),
        Target::None => Value::Null,
    };
    let [.., verdict] = cells(row);
    json!({
        "what": row.what,
        "unit": row.unit.name(),
        "samples": percentiles(&row.samples),
        "baseline": row.baseline.as_ref().map(|baseline| {
            json!({ "what": baseline.what, "samples": percentiles(&baseline.samples) })
        }),
        "ratio": row.ratio(),
        "target": target,
        "verdict": verdict,
        "certificate": certificate(row),
        "note": row.note,
    })
}
