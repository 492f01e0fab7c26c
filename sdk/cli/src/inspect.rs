//! `inspect`: what a module is, without running it.

use crate::args::Inspect;
use crate::exit::Exit;
use crate::problem::Problem;
use crate::run;
use crate::screen::{Screen, Tone};
use casemate::module::{Accepted, Code, CompileError, CompileReport, Dialect, Extent, ModuleFacts};
use casemate::policy::units::show_bytes;
use casemate::{Cause, Failure};
use serde_json::{Map, Value, json};
use std::path::Path;

pub(crate) async fn perform(inspect: &Inspect, screen: &mut Screen) -> Result<Exit, Problem> {
    let casemate = run::embedded(screen)?;
    let working = screen.working(&format!("reading {}", inspect.file.display()));
    let inspected = casemate.inspect(&inspect.file).await;
    drop(working);
    casemate.shutdown().await;
    let file = &inspect.file;
    let report = inspected.map_err(|failure| Problem::of_module(failure, file, ""))?;
    let report = match inspect.dialect.as_deref().and_then(Dialect::from_name) {
        Some(dialect) => taken_for(dialect, report),
        None => report,
    };
    if screen.json() {
        let (value, exit) = to_json(&report, file);
        screen.value(&value)?;
        return Ok(exit);
    }
    for line in lines(&report, screen) {
        screen.line(line)?;
    }
    report.into_result().map_err(|error| refusal(error, file))?;
    Ok(Exit::Done)
}

/// The same facts, for a module that somebody says is of this dialect: it is, or the error is what it lacks for that.
fn taken_for(dialect: Dialect, report: CompileReport) -> CompileReport {
    let facts = match &report {
        CompileReport::Accepted(accepted) => accepted.facts().clone(),
        CompileReport::Refused { error: CompileError::Dialect(_), facts: Some(facts) } => facts.clone(),
        CompileReport::Refused { .. } => return report,
    };
    match Accepted::new(facts.clone(), Some(dialect), Code::default()) {
        Ok(accepted) => CompileReport::Accepted(accepted),
        Err(error) => CompileReport::Refused { error: CompileError::Dialect(error), facts: Some(facts) },
    }
}

fn refusal(error: CompileError, file: &Path) -> Problem {
    Problem::of_module(Failure::not_started(Cause::Module(error)), file, "")
}

/// The facts; for a module that was not accepted together with the shape of a failed command.
fn to_json(report: &CompileReport, file: &Path) -> (Value, Exit) {
    let mut object = Map::new();
    let exit = match report {
        CompileReport::Accepted(accepted) => {
            object.insert("ok".to_owned(), json!(true));
            object.insert("dialect".to_owned(), json!(accepted.dialect().name()));
            object.insert("why".to_owned(), json!(accepted.why()));
            Exit::Done
        }
        CompileReport::Refused { error, .. } => {
            let problem = refusal(error.clone(), file);
            if let Value::Object(problem) = problem.to_json() {
                object.extend(problem);
            }
            problem.exit()
        }
    };
    if let Some(facts) = report.facts() {
        object.insert("module".to_owned(), facts_json(facts));
    }
    (Value::Object(object), exit)
}

fn facts_json(facts: &ModuleFacts) -> Value {
    let extents = |extents: &[Extent]| -> Vec<Value> {
        extents.iter().map(|extent| json!({"min": extent.min, "max": extent.max})).collect()
    };
    let imports = facts.imports().iter().map(|import| {
        json!({
            "module": import.module.as_str(),
            "name": import.name.as_str(),
            "kind": import.kind.name(),
            "type": import.ty.as_str(),
        })
    });
    let exports = facts.exports().iter().map(|export| {
        json!({"name": export.name.as_str(), "kind": export.kind.name(), "type": export.ty.as_str()})
    });
    json!({
        "imports": imports.collect::<Vec<_>>(),
        "exports": exports.collect::<Vec<_>>(),
        "memories_pages": extents(facts.memories()),
        "tables_entries": extents(facts.tables()),
        "module_bytes": facts.sizes.module_bytes,
        "code_bytes": facts.sizes.code_bytes,
        "data_bytes": facts.sizes.data_bytes,
        "custom_bytes": facts.sizes.custom_bytes,
        "functions": facts.sizes.functions,
        "globals": facts.sizes.globals,
        "has_start": facts.sizes.has_start,
        "has_names": facts.sizes.has_names,
    })
}

/// What people get; every word of the module's is escaped already.
fn lines(report: &CompileReport, screen: &Screen) -> Vec<String> {
    let mut lines = Vec::new();
    let mut row = |name: &str, words: String| {
        lines.push(format!("{} {words}", screen.paint(Tone::Bold, format!("{name:8}"))))
    };
    match report {
        CompileReport::Accepted(accepted) => {
            row("dialect", screen.paint(Tone::Good, accepted.dialect().name()));
            row("why", accepted.why().to_owned());
        }
        CompileReport::Refused { .. } => row("dialect", screen.paint(Tone::Bad, "none")),
    }
    let Some(facts) = report.facts() else { return lines };
    let sizes = &facts.sizes;
    row(
        "size",
        format!(
            "{} (code {}, data {}, custom sections {})",
            show_bytes(sizes.module_bytes),
            show_bytes(sizes.code_bytes),
            show_bytes(sizes.data_bytes),
            show_bytes(sizes.custom_bytes)
        ),
    );
    row(
        "holds",
        format!(
            "{} functions{}, {} globals{}",
            sizes.functions,
            if sizes.has_names { " with names" } else { "" },
            sizes.globals,
            if sizes.has_start { ", a start function" } else { "" }
        ),
    );
    for memory in facts.memories() {
        let pages = |pages: u64| show_bytes(pages.saturating_mul(65_536));
        row("memory", extent(memory, pages));
    }
    for table in facts.tables() {
        row("table", extent(table, |entries| format!("{entries} entries")));
    }
    for import in facts.imports() {
        row("import", format!("{}.{} {} {}", import.module, import.name, import.kind, import.ty));
    }
    for export in facts.exports() {
        row("export", format!("{} {} {}", export.name, export.kind, export.ty));
    }
    lines
}

fn extent(extent: &Extent, show: impl Fn(u64) -> String) -> String {
    match extent.max {
        Some(max) => format!("{} at first, {} at most", show(extent.min), show(max)),
        None => format!("{} at first, as much as its policy allows", show(extent.min)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;
    use casemate::module::{Export, ExternKind, Import, Sizes};

    fn facts() -> ModuleFacts {
        let mut facts = ModuleFacts::default();
        facts.sizes = Sizes { module_bytes: 2048, functions: 5, ..Sizes::default() };
        let exports = [
            ("memory", ExternKind::Memory, "1"),
            ("casemate_abi", ExternKind::Function, "() -> i32"),
            ("casemate_alloc", ExternKind::Function, "(i32, i32) -> i32"),
            ("casemate_free", ExternKind::Function, "(i32, i32, i32) -> ()"),
            ("casemate_call", ExternKind::Function, "(i32, i32) -> i64"),
        ];
        for (name, kind, ty) in exports {
            facts.push_export(Export::new(name, kind, ty)).unwrap();
        }
        facts.push_memory(Extent { min: 1, max: None }).unwrap();
        facts
            .push_import(Import::new("casemate", "log", ExternKind::Function, "(i32, i32, i32) -> ()"))
            .unwrap();
        facts
    }

    #[test]
    fn a_plugin_in_json() {
        let report = CompileReport::Accepted(Accepted::new(facts(), None, Code::default()).unwrap());
        let (value, exit) = to_json(&report, Path::new("p.wasm"));
        assert_eq!(exit, Exit::Done);
        assert_eq!(value["ok"], true);
        assert_eq!(value["dialect"], "casemate-1");
        assert_eq!(value["module"]["module_bytes"], 2048);
        assert_eq!(value["module"]["memories_pages"], json!([{"min": 1, "max": null}]));
        assert_eq!(
            value["module"]["imports"],
            json!([{"module": "casemate", "name": "log", "kind": "function", "type": "(i32, i32, i32) -> ()"}])
        );
    }

    #[test]
    fn what_is_no_plugin_has_the_shape_of_a_failure_and_its_facts() {
        let report = CompileReport::Refused { error: CompileError::Component, facts: Some(facts()) };
        let (value, exit) = to_json(&report, Path::new("p.wasm"));
        assert_eq!(exit, Exit::Guest);
        assert_eq!(value["ok"], false);
        assert_eq!(value["code"], "module.component");
        assert_eq!(value["module"]["functions"], 5);
    }

    #[test]
    fn people_get_a_line_a_fact() {
        let report = CompileReport::Accepted(Accepted::new(facts(), None, Code::default()).unwrap());
        let text = lines(&report, &Screen::new(false, 0, Color::Never)).join("\n");
        for words in
            ["casemate-1", "2 KiB", "64 KiB at first", "casemate.log function", "casemate_call function"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
