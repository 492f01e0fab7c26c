//! The table of keys in `docs/configuration.md`, made from the one that everything else comes from.

use super::keys::{ASKED, CEILING, DEFAULTS, Key, Kind, MANIFEST, PLUGIN, PLUGINS, WHOLE, joined};
use std::fmt::Write;

/// The tables of both files, in Markdown.
pub fn tables() -> String {
    let mut text = String::from("## Around the plugins\n\n");
    let around: Vec<Row> = rows("", WHOLE).into_iter().filter(|row| !row.is_of_plugin()).collect();
    write(&mut text, &["key", "value", "what it does", "per", "who sees to it"], &around, |row| {
        vec![row.value(), row.key.doc.to_owned(), row.key.scope.to_owned(), row.key.by.to_owned()]
    });
    text.push_str("\n## A plugin\n\nUnder `[plugins.NAME]`. `d`: also under `[defaults]`; `c`: also under `[ceiling]`; `m`: a plugin may ask for less.\n\n");
    let heads = ["key", "value", "default", "also", "what it does", "per", "who sees to it"];
    write(&mut text, &heads, &rows("", PLUGIN), |row| {
        let default = row.key.default().map_or("-".to_owned(), |value| format!("`{value}`"));
        let (doc, scope) = (row.key.doc.to_owned(), row.key.scope.to_owned());
        vec![row.value(), default, row.sections(), doc, scope, row.key.by.to_owned()]
    });
    text.push_str(
        "\n## A manifest\n\nIn `plugin.toml`, beside the module. `limits` has every limit of a plugin.\n\n",
    );
    let own: Vec<Row> =
        rows("", MANIFEST).into_iter().filter(|row| !row.path.starts_with("limits.")).collect();
    write(&mut text, &["key", "value", "what it does", "who sees to it"], &own, |row| {
        vec![row.value(), row.key.doc.to_owned(), row.key.by.to_owned()]
    });
    text
}

/// Every key of `casemate.toml` that has a value, as the reference names it: those of a plugin without `plugins.NAME.`.
pub fn keys() -> Vec<String> {
    let around = rows("", WHOLE).into_iter().filter(|row| !row.is_of_plugin());
    around.chain(rows("", PLUGIN)).map(|row| row.path).collect()
}

/// A key with a value, and its path.
struct Row {
    path: String,
    key: &'static Key,
}

fn rows(prefix: &str, table: &'static [Key]) -> Vec<Row> {
    let mut found = Vec::new();
    for key in table {
        let path = joined(prefix, key.name);
        match key.kind {
            Kind::Table(inner) => found.extend(rows(&path, inner)),
            Kind::Named(inner) => found.extend(rows(&format!("{path}.NAME"), inner)),
            Kind::Many(inner) => found.extend(rows(&format!("{path}[]"), inner)),
            _ => found.push(Row { path, key }),
        }
    }
    found
}

impl Row {
    fn is_of_plugin(&self) -> bool {
        ["plugins.", "defaults.", "ceiling."].iter().any(|section| self.path.starts_with(section))
    }

    fn value(&self) -> String {
        match self.key.kind {
            Kind::Bytes => "`\"64MiB\"`".to_owned(),
            Kind::BytesPerSecond => "`\"64KiB/s\"`".to_owned(),
            Kind::Time => "`\"30s\"`".to_owned(),
            Kind::Count => "number".to_owned(),
            Kind::Percent => "`\"50%\"`".to_owned(),
            Kind::Hundredths => "`0.25`".to_owned(),
            Kind::Rate => "`\"100/min\"`".to_owned(),
            Kind::Flag => "`true`, `false`".to_owned(),
            Kind::Word(words) => {
                words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ")
            }
            Kind::Text => "text".to_owned(),
            Kind::Texts(_) => "`[\"…\"]`".to_owned(),
            Kind::Options => "`{ name = \"…\" }`".to_owned(),
            Kind::Schema => "JSON Schema: table or text".to_owned(),
            _ => "anything".to_owned(),
        }
    }

    fn sections(&self) -> String {
        [(DEFAULTS, 'd'), (CEILING, 'c'), (ASKED, 'm')]
            .iter()
            .filter(|(section, _)| self.key.sections & section != 0 && self.key.sections & PLUGINS != 0)
            .map(|(_, letter)| letter)
            .collect()
    }
}

fn write(text: &mut String, heads: &[&str], rows: &[Row], columns: impl Fn(&Row) -> Vec<String>) {
    // Writing to a string does not fail.
    let _written = writeln!(text, "| {} |\n|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows {
        let _written = writeln!(text, "| `{}` | {} |", row.path, columns(row).join(" | ")).is_ok();
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::{reference, schema};

    const BEGIN: &str = "<!-- keys: begin -->\n";
    const END: &str = "<!-- keys: end -->";

    #[test]
    fn the_reference_is_that_of_the_keys() {
        let document = include_str!("../../../docs/configuration.md");
        let (_, rest) = document.split_once(BEGIN).expect("it has a begin mark");
        let (found, _) = rest.split_once(END).expect("it has an end mark");
        let tables = reference::tables();
        assert!(found == tables, "write this between the marks of docs/configuration.md:\n\n{tables}\n");
    }

    #[test]
    fn the_schemas_are_those_of_the_keys() {
        for (file, found, made) in [
            ("casemate", include_str!("../../../docs/casemate.schema.json"), schema::of_configuration()),
            ("plugin", include_str!("../../../docs/plugin.schema.json"), schema::of_manifest()),
        ] {
            // The order of members is no matter, and depends on who else is built.
            let same = serde_json::from_str::<serde_json::Value>(found).is_ok_and(|found| found == made);
            assert!(same, "write this to docs/{file}.schema.json:\n\n{made:#}\n");
        }
    }
}
