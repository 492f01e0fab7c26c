//! What a `conditional` asks: one action of Go's templates, such as `{{eq .sentiment "positive"}}`.
//!
//! What there is: fields (`.a.b`, `.`), texts in `"` and in backquotes, numbers, `true`, `false`, `nil`, parentheses, and the functions
//! `eq`, `ne`, `lt`, `le`, `gt`, `ge`, `and`, `or`, `not`. What there is not, and is refused when the file is read: text beside the
//! action, pipelines, variables, `if`, `range` and the like, and every other function. Numbers are compared as numbers, whole or not;
//! values of two kinds are never equal, and a field that is not there is `nil`.

use serde_json::Value;
use std::fmt;

/// How deep parentheses may nest.
const DEPTH_MAX: usize = 32;

/// A condition that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    text: String,
    term: Term,
}

#[derive(Debug, Clone, PartialEq)]
enum Term {
    /// The value itself with no names, else the field that they lead to.
    Field(Vec<String>),
    Literal(Value),
    Call(Function, Vec<Term>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Not,
}

const FUNCTIONS: [(&str, Function); 9] = [
    ("eq", Function::Eq),
    ("ne", Function::Ne),
    ("lt", Function::Lt),
    ("le", Function::Le),
    ("gt", Function::Gt),
    ("ge", Function::Ge),
    ("and", Function::And),
    ("or", Function::Or),
    ("not", Function::Not),
];

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Condition {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let action = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        let action = action.ok_or("write one action and nothing beside it, as in {{eq .x 1}}")?;
        let action = action.strip_prefix("- ").unwrap_or(action);
        let action = action.strip_suffix(" -").unwrap_or(action);
        let mut reader = Reader { words: words(action)?.into_iter().peekable() };
        let term = reader.expression(0)?;
        match reader.words.next() {
            None => Ok(Self { text: text.trim().to_owned(), term }),
            Some(word) => Err(format!("{word} is one too many: a function goes before what it is of")),
        }
    }

    /// Whether it holds for a value: not `false`, 0, `nil`, or something empty.
    pub(super) fn holds(&self, value: &Value) -> Result<bool, String> {
        Ok(is_true(&self.term.of(value)?))
    }
}

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
enum Word {
    Open,
    Close,
    Text(String),
    /// A name, a field or a number.
    Plain(String),
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("("),
            Self::Close => f.write_str(")"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Plain(word) => f.write_str(word),
        }
    }
}

fn words(action: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut letters = action.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            '(' => words.push(Word::Open),
            ')' => words.push(Word::Close),
            '`' => {
                let text: String = letters.by_ref().take_while(|letter| *letter != '`').collect();
                words.push(Word::Text(text));
            }
            '"' => words.push(Word::Text(quoted(&mut letters)?)),
            letter if letter.is_alphanumeric() || "._-+".contains(letter) => {
                let mut word = String::from(letter);
                while let Some(letter) =
                    letters.next_if(|letter| letter.is_alphanumeric() || "._-+".contains(*letter))
                {
                    word.push(letter);
                }
                words.push(Word::Plain(word));
            }
            other => return Err(format!("{other} is a part of Go's templates that is not done here")),
        }
    }
    Ok(words)
}

/// The rest of a text in quotes, whose escapes are those of JSON too.
fn quoted(letters: &mut impl Iterator<Item = char>) -> Result<String, String> {
    let mut text = String::from('"');
    let mut is_escaped = false;
    for letter in letters {
        text.push(letter);
        match letter {
            '"' if !is_escaped => {
                return serde_json::from_str(&text)
                    .map_err(|_error| format!("{text} has an escape that is none here"));
            }
            _ => is_escaped = letter == '\\' && !is_escaped,
        }
    }
    Err(format!("{text} has no end"))
}

struct Reader<I: Iterator<Item = Word>> {
    words: std::iter::Peekable<I>,
}

impl<I: Iterator<Item = Word>> Reader<I> {
    /// A function with what it is of, or one operand.
    fn expression(&mut self, depth: usize) -> Result<Term, String> {
        if depth > DEPTH_MAX {
            return Err(format!("it nests deeper than {DEPTH_MAX}"));
        }
        let Some(Word::Plain(name)) = self.words.peek() else { return self.operand(depth) };
        let Some((_, function)) = FUNCTIONS.into_iter().find(|(known, _)| known == name) else {
            return self.operand(depth);
        };
        let name = name.clone();
        self.words.next();
        let mut operands = Vec::new();
        while self.words.peek().is_some_and(|word| *word != Word::Close) {
            operands.push(self.operand(depth)?);
        }
        let (least, most) = match function {
            Function::Not => (1, 1),
            Function::And | Function::Or => (1, usize::MAX),
            Function::Eq => (2, usize::MAX),
            _ => (2, 2),
        };
        match (least..=most).contains(&operands.len()) {
            true => Ok(Term::Call(function, operands)),
            false => Err(format!("{name} is of {least}{}, and not of {}", more(least, most), operands.len())),
        }
    }

    fn operand(&mut self, depth: usize) -> Result<Term, String> {
        match self.words.next() {
            Some(Word::Text(text)) => Ok(Term::Literal(Value::String(text))),
            Some(Word::Plain(word)) => plain(&word),
            Some(Word::Open) => {
                let term = self.expression(depth + 1)?;
                match self.words.next() {
                    Some(Word::Close) => Ok(term),
                    _ => Err("a parenthesis is not closed".to_owned()),
                }
            }
            Some(Word::Close) => Err("a parenthesis is closed that was not opened".to_owned()),
            None => Err("it asks nothing".to_owned()),
        }
    }
}

fn more(least: usize, most: usize) -> &'static str {
    if least == most { "" } else { " or more" }
}

fn plain(word: &str) -> Result<Term, String> {
    if let Some(path) = word.strip_prefix('.') {
        let names: Vec<String> = path.split('.').map(str::to_owned).collect();
        return match (path, names.iter().all(|name| is_name(name))) {
            ("", _) => Ok(Term::Field(Vec::new())),
            (_, true) => Ok(Term::Field(names)),
            (_, false) => Err(format!("{word} is no field: write it as in .a.b")),
        };
    }
    match word {
        "true" => Ok(Term::Literal(Value::Bool(true))),
        "false" => Ok(Term::Literal(Value::Bool(false))),
        "nil" => Ok(Term::Literal(Value::Null)),
        _ => match serde_json::from_str(word) {
            Ok(Value::Number(number)) => Ok(Term::Literal(Value::Number(number))),
            _ => {
                let known = FUNCTIONS.map(|(name, _)| name).join(", ");
                Err(format!("{word} is not done here: there are {known}, fields, texts and numbers"))
            }
        },
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

impl Term {
    fn of(&self, value: &Value) -> Result<Value, String> {
        match self {
            Self::Literal(literal) => Ok(literal.clone()),
            Self::Field(names) => {
                let found = names.iter().try_fold(value, |value, name| value.get(name));
                Ok(found.cloned().unwrap_or_default())
            }
            Self::Call(function, operands) => call(*function, operands, value),
        }
    }
}

fn call(function: Function, operands: &[Term], value: &Value) -> Result<Value, String> {
    // As in Go, what is behind the one that decides is not looked at.
    if let Function::And | Function::Or = function {
        let mut last = Value::Null;
        for operand in operands {
            last = operand.of(value)?;
            if is_true(&last) == (function == Function::Or) {
                break;
            }
        }
        return Ok(last);
    }
    let values = operands.iter().map(|operand| operand.of(value)).collect::<Result<Vec<_>, _>>()?;
    let [first, others @ ..] = values.as_slice() else { return Ok(Value::Null) };
    let second = others.first().unwrap_or(&Value::Null);
    let holds = match function {
        Function::Not => !is_true(first),
        Function::Eq => others.iter().any(|other| is_equal(first, other)),
        Function::Ne => !is_equal(first, second),
        Function::Lt => order(first, second)?.is_lt(),
        Function::Le => order(first, second)?.is_le(),
        Function::Gt => order(first, second)?.is_gt(),
        _ => order(first, second)?.is_ge(),
    };
    Ok(Value::Bool(holds))
}

fn is_equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn order(a: &Value, b: &Value) -> Result<std::cmp::Ordering, String> {
    let order = match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => a.as_f64().zip(b.as_f64()).and_then(|(a, b)| a.partial_cmp(&b)),
    };
    order.ok_or_else(|| format!("{a} and {b} have no order: there is one of two numbers, or two texts"))
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn comparisons_of_fields_texts_and_numbers() {
        let value =
            json!({"sentiment": "positive", "score": 0.2, "count": 3, "tags": [], "deep": {"er": true}});
        for (text, holds) in [
            (r#"{{eq .sentiment "positive"}}"#, true),
            ("{{ eq .sentiment `negative` }}", false),
            (r#"{{- eq .sentiment "negative" "positive" -}}"#, true),
            (r#"{{ne .sentiment "a \"b\""}}"#, true),
            ("{{gt .score 0.1}}", true),
            ("{{ge .count 3.0}}", true),
            ("{{lt .count -1}}", false),
            ("{{le .sentiment \"q\"}}", true),
            ("{{and (gt .score 0.1) (not .tags) .deep.er}}", true),
            ("{{or .tags .nothing.here}}", false),
            ("{{or true (gt .nothing 1)}}", true),
            ("{{eq .count \"3\"}}", false),
            ("{{eq .nothing nil}}", true),
            ("{{.deep.er}}", true),
            ("{{.}}", true),
        ] {
            assert_eq!(Condition::parse(text).unwrap().holds(&value), Ok(holds), "{text}");
        }
        let failed = Condition::parse("{{gt .nothing 1}}").unwrap().holds(&value).unwrap_err();
        assert!(failed.contains("null and 1"), "{failed}");
    }

    #[test]
    fn what_is_not_done_is_refused_by_name() {
        for (text, why) in [
            ("positive", "one action"),
            ("x {{eq 1 1}}", "one action"),
            ("{{}}", "asks nothing"),
            ("{{.a | len}}", "|"),
            ("{{$x}}", "$"),
            ("{{len .a}}", "len"),
            ("{{if .a}}", "if"),
            ("{{eq .a}}", "eq is of 2 or more, and not of 1"),
            ("{{not 1 2}}", "not is of 1, and not of 2"),
            ("{{.a .b}}", "one too many"),
            ("{{eq .a \"b}}", "has no end"),
            ("{{(eq 1 1}}", "not closed"),
            ("{{eq 1 1)}}", "one too many"),
            ("{{..a}}", "no field"),
        ] {
            let refused = Condition::parse(text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
        let deep = format!("{{{{{}1{}}}}}", "(".repeat(100), ")".repeat(100));
        assert!(Condition::parse(&deep).unwrap_err().contains("deeper"));
    }
}
