//! JSON text for people: laid out without reading its values, so that order and digits stay the guest's.

use casemate::outcome::escape;
use std::fmt::Write;

/// Whether bytes are JSON, and their text if they are.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    serde_json::from_slice::<&serde_json::value::RawValue>(bytes).ok().map(|raw| raw.get())
}

/// Valid JSON with a line for every member, and with `\u` escapes for what could do something to a terminal.
pub(crate) fn layout(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_string => {
                out.push(c);
                out.extend(chars.next());
            }
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            _ if in_string => push_visible(&mut out, c),
            _ if c.is_whitespace() => {}
            '{' | '[' => {
                out.push(c);
                while chars.next_if(|next| next.is_whitespace()).is_some() {}
                match chars.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push(c),
        }
    }
    out
}

/// Spaces of one level, and the deepest level that is shown as deeper: a thousand brackets make no megabytes.
const INDENT: usize = 2;
const DEPTH_SHOWN_MAX: usize = 32;

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', depth.min(DEPTH_SHOWN_MAX) * INDENT));
}

fn push_visible(out: &mut String, c: char) {
    let mut utf8 = [0; 4];
    let text = c.encode_utf8(&mut utf8);
    if escape(text, text.len()) == *text {
        return out.push(c);
    }
    let mut utf16 = [0; 2];
    for unit in c.encode_utf16(&mut utf16) {
        // Writing to a string does not fail.
        let _written = write!(out, "\\u{unit:04x}").is_ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn members_get_lines_and_nothing_else_changes() {
        let laid = layout(r#"{"b":1.50,"a": [ ] ,"c":[1,{"d":"x, y: {z}\""}],"e":{}}"#);
        let expected = r#"{
  "b": 1.50,
  "a": [],
  "c": [
    1,
    {
      "d": "x, y: {z}\""
    }
  ],
  "e": {}
}"#;
        assert_eq!(laid, expected);
    }

    #[test]
    fn what_moves_a_terminal_is_escaped_and_still_the_same_value() {
        let json = "{\"\u{9b}31m\":\"\u{202e}a\u{e0041}\u{7f}\"}";
        let laid = layout(json);
        assert!(laid.contains("\\u009b31m") && laid.contains("\\u202e") && laid.contains("\\udb40\\udc41"));
        assert_eq!(
            serde_json::from_str::<Value>(&laid).unwrap(),
            serde_json::from_str::<Value>(json).unwrap()
        );
    }

    #[test]
    fn deep_nesting_stays_small() {
        let json = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(layout(&json).len() < 100 * 2 * (1 + 1 + 64));
    }

    #[test]
    fn text_is_only_for_json() {
        assert_eq!(text(b" {\"a\": 1}"), Some("{\"a\": 1}"));
        assert_eq!(text(b"{"), None);
        assert_eq!(text(b"\"\xff\""), None);
    }
}
