//! The project's files as text, with code told apart from comments and from the insides of strings.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours.
const NOT_OURS: [&str; 5] = ["target", ".git", "corpus", "artifacts", "node_modules"];

/// Files that people read and that are not Rust.
const TEXTS: [&str; 7] = ["toml", "proto", "wat", "wit", "md", "sh", "run"];

/// One Rust file. Code and comments have the same lines; each is blank where the other is not.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the root of the project, with `/`.
    pub(crate) path: String,
    /// Without comments and without what is inside strings and character literals.
    pub(crate) code: String,
    comments: String,
}

/// Where a word stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// An `unsafe` that does or promises something, as opposed to one in an attribute or a type.
    pub(crate) needs_reason: bool,
}

/// The checkout. This suite is about it, so it does not run from a copy as the others do.
pub(crate) fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Every Rust file of the project.
pub(crate) fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    walk(&repository(), "", &mut |path, file| {
        if path.ends_with(".rs") {
            sources.push(Source::of(path, &fs::read_to_string(file).expect("Rust files are UTF-8")));
        }
    });
    assert!(
        sources.len() > 10,
        "the project has more than ten Rust files; looked in {}",
        repository().display()
    );
    sources
}

/// The other texts: path and contents.
pub(crate) fn text_files() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    walk(&repository(), "", &mut |path, file| {
        if TEXTS.iter().any(|ending| path.rsplit(['.', '/']).next() == Some(ending)) {
            texts.extend(fs::read_to_string(file).ok().map(|text| (path.to_owned(), text)));
        }
    });
    texts
}

fn walk(folder: &Path, path: &str, visit: &mut impl FnMut(&str, &Path)) {
    let mut entries: Vec<_> = fs::read_dir(folder).expect("a folder of ours").flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let inner = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        let kind = entry.file_type().expect("a kind of file");
        if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) {
            walk(&entry.path(), &inner, visit);
        } else if kind.is_file() {
            visit(&inner, &entry.path());
        }
    }
}

impl Source {
    fn of(path: &str, text: &str) -> Self {
        let mut cutter = Cutter { rest: text, code: String::new(), comments: String::new() };
        cutter.cut();
        Self { path: path.to_owned(), code: cutter.code, comments: cutter.comments }
    }

    /// Whether it is linked into what we ship: no test, no build script, no tool.
    pub(crate) fn is_product(&self) -> bool {
        let tool = ["tests/", "fuzz/"].iter().any(|folder| self.path.starts_with(folder));
        let test = ["/tests/", "/examples/", "/benches/"].iter().any(|folder| self.path.contains(folder));
        let file = ["/tests.rs", "/build.rs"].iter().any(|file| self.path.ends_with(file));
        !(tool || test || file)
    }

    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.lines())
    }

    /// The lines before the file's tests, which stand last.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let product = self.code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        (1..).zip(product.lines())
    }

    pub(crate) fn comment_lines_with(&self, word: &str) -> impl Iterator<Item = usize> {
        let lines = (1..).zip(self.comments.lines());
        lines.filter(move |(_, line)| has_word(line, word)).map(|(number, _)| number)
    }

    /// Where the word stands in code, and what it is there for.
    pub(crate) fn words(&self, word: &str) -> Vec<(usize, Place)> {
        let mut found = Vec::new();
        for (number, line) in self.code_lines().filter(|(_, line)| has_word(line, word)) {
            let after = line.split(word).nth(1).unwrap_or_default().trim_start();
            let needs_reason =
                ["{", "impl", "fn "].iter().any(|next| after.starts_with(next)) || after.is_empty();
            found.push((number, Place { needs_reason }));
        }
        found
    }

    /// Whether one of the marks stands in a comment on this line or just above the statement or item it is part of.
    pub(crate) fn comment_near(&self, line: usize, marks: &[&str]) -> bool {
        let first = line.saturating_sub(12);
        let comments: Vec<&str> = self.comments.lines().skip(first).take(line - first).collect();
        let code: Vec<&str> = self.code.lines().skip(first).take(line - first).collect();
        let mut statements = 0;
        for (comment, code) in comments.iter().zip(&code).rev() {
            if marks.iter().any(|mark| comment.contains(mark)) {
                return true;
            }
            // Upwards past attributes, other comment lines and the beginning of the statement.
            let code = code.trim();
            statements += usize::from(!code.is_empty() && !code.starts_with("#["));
            if statements > 4 {
                return false;
            }
        }
        false
    }
}

/// Whether the line has this word, and not as a part of a longer one.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, from) = line.split_at(at);
        let after = from.strip_prefix(word).unwrap_or_default();
        !before.ends_with(part_of_word) && !after.starts_with(part_of_word)
    })
}

/// Goes through a Rust file once and sorts its text.
struct Cutter<'a> {
    rest: &'a str,
    code: String,
    comments: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Inside,
}

impl Cutter<'_> {
    fn cut(&mut self) {
        while let Some(letter) = self.rest.chars().next() {
            if self.rest.starts_with("//") {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()), Kind::Comment);
            } else if self.rest.starts_with("/*") {
                self.take(block_comment(self.rest), Kind::Comment);
            } else if let Some(hashes) = self.raw_string() {
                let open = hashes + 2;
                self.take(open, Kind::Code);
                let end = format!("\"{}", "#".repeat(hashes));
                let inside = self.rest.find(&end).unwrap_or(self.rest.len());
                self.take(inside, Kind::Inside);
                self.take(end.len(), Kind::Code);
            } else if letter == '"' {
                self.quoted('"');
            } else if letter == '\'' && is_character(self.rest) {
                self.quoted('\'');
            } else {
                self.take(letter.len_utf8(), Kind::Code);
            }
        }
    }

    /// How many `#` the raw string has that starts here, if one does.
    fn raw_string(&self) -> Option<usize> {
        let in_word = self.code.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        // `br` and `cr`: the letter before has gone by as code.
        let prefixed = ['b', 'c'].iter().any(|prefix| {
            let before = self.code.strip_suffix(*prefix);
            before.is_some_and(|before| {
                !before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
            })
        });
        let after = self.rest.strip_prefix('r').filter(|_| !in_word || prefixed)?;
        let hashes = after.len() - after.trim_start_matches('#').len();
        after.trim_start_matches('#').starts_with('"').then_some(hashes)
    }

    fn quoted(&mut self, quote: char) {
        self.take(1, Kind::Code);
        let mut escaped = false;
        let inside = self.rest.find(|letter: char| {
            let end = letter == quote && !escaped;
            escaped = letter == '\\' && !escaped;
            end
        });
        self.take(inside.unwrap_or(self.rest.len()), Kind::Inside);
        self.take(1, Kind::Code);
    }

    fn take(&mut self, bytes: usize, kind: Kind) {
        let (taken, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.rest = rest;
        let blank: String = taken.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }).collect();
        self.code.push_str(if kind == Kind::Code { taken } else { &blank });
        self.comments.push_str(if kind == Kind::Comment { taken } else { &blank });
    }
}

/// The length of the block comment that starts here, with those nested in it.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let here = text.split_at(at).1;
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else if let Some(letter) = here.chars().next() {
            at += letter.len_utf8();
        } else {
            return at;
        }
    }
}

/// A character literal, as opposed to a lifetime.
fn is_character(text: &str) -> bool {
    let mut letters = text.chars().skip(1);
    match letters.next() {
        Some('\\') => true,
        Some(_) => letters.next() == Some('\''),
        None => false,
    }
}

#[test]
fn comments_strings_and_code_are_told_apart() {
    let text = concat!(
        "let a = \"unsafe // \\\" no\"; // TODO: yes\n",
        "let b = r#\"todo!(\"#; let c = br\"unsafe\"; /* a /* FIXME */ b */ unsafe { c }\n",
        "let d: &'static str = f('\"', '\\'', 'x'); // and \"on\n",
        "fn unsafe_code<'a>(r#fn: &'a str) {}",
    );
    let source = Source::of("a/src/lib.rs", text);
    assert_eq!(source.code.lines().count(), 4);
    assert_eq!(source.words("unsafe"), [(2, Place { needs_reason: true })]);
    assert_eq!(source.comment_lines_with("TODO").collect::<Vec<_>>(), [1]);
    assert_eq!(source.comment_lines_with("FIXME").collect::<Vec<_>>(), [2]);
    assert!(!source.code.contains("todo!("));
    assert!(source.code.contains("&'static str = f('"));
    assert!(source.code.ends_with("fn unsafe_code<'a>(r#fn: &'a str) {}"));
}

#[test]
fn a_reason_is_looked_for_above_the_statement() {
    let text = concat!(
        "// SAFETY: the pointer came from a reference.\n",
        "#[cfg(unix)]\n",
        "let a =\n",
        "    unsafe { *p };\n",
        "let b = 1;\nlet c = 2;\nlet d = 3;\nlet e = 4;\n",
        "let f = unsafe { *p };\n",
    );
    let source = Source::of("a/src/lib.rs", text);
    assert!(source.comment_near(4, &["SAFETY:"]));
    assert!(!source.comment_near(9, &["SAFETY:"]));
}

#[test]
fn tests_stand_last_and_are_not_product() {
    let source = Source::of("a/src/lib.rs", "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n");
    assert!(source.product_lines().all(|(_, line)| !line.contains("fn b")));
    assert!(source.is_product());
    assert!(!Source::of("tests/xtask/src/main.rs", "").is_product());
    assert!(!Source::of("supervisor/build.rs", "").is_product());
}
