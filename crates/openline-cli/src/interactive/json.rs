//! JSON with line breaks and colours. Its tokens stay as they are: a number too large, a name that comes twice.

use super::width::push;

/// Whether it is an object or an array, and not so large that looking takes long.
pub(super) fn is_structure(text: &str) -> bool {
    let begins = text.trim_start().starts_with(['{', '[']);
    begins && text.len() <= MAX_LEN && serde_json::from_str::<serde_json::Value>(text).is_ok()
}

/// Valid JSON, or the beginning of it, on as many lines as it takes; each but the first begins with `indent`.
pub(super) fn pretty(text: &str, indent: &str, is_coloured: bool) -> String {
    let mut out = String::with_capacity(2 * text.len());
    let mut depth = 0_usize;
    let mut rest = text.trim_start();
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(indent);
        (0..depth).for_each(|_| out.push_str("  "));
    };
    while let Some(first) = rest.chars().next() {
        let (token, behind) = rest.split_at(token_len(rest));
        let behind = behind.trim_start();
        match first {
            '{' | '[' => {
                out.push(first);
                if behind.starts_with(['}', ']']) {
                    out.push_str(&behind[..1]);
                    rest = behind[1..].trim_start();
                    continue;
                }
                depth += 1;
                new_line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(first);
            }
            ',' => {
                out.push(first);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                let colour = match first {
                    '"' if behind.starts_with(':') => BLUE,
                    '"' => GREEN,
                    '-' | '0'..='9' => YELLOW,
                    _ => MAGENTA,
                };
                out.push_str(if is_coloured { colour } else { "" });
                token.chars().for_each(|char| push(&mut out, char));
                out.push_str(if is_coloured { RESET } else { "" });
            }
        }
        rest = behind;
    }
    out
}

/// The bytes of the first token: a text, a sign, or what reaches to the next sign or space.
fn token_len(text: &str) -> usize {
    let mut chars = text.char_indices();
    match chars.next() {
        Some((_, '"')) => {
            let mut is_escaped = false;
            for (at, char) in chars {
                match char {
                    '"' if !is_escaped => return at + 1,
                    _ => is_escaped = char == '\\' && !is_escaped,
                }
            }
            text.len()
        }
        Some((_, '{' | '}' | '[' | ']' | ',' | ':')) => 1,
        _ => {
            let is_end = |char: char| char.is_whitespace() || "{}[],:\"".contains(char);
            text.find(is_end).unwrap_or(text.len())
        }
    }
}

/// Bytes of a text that is looked at as JSON.
const MAX_LEN: usize = 1 << 20;

const BLUE: &str = "\x1b[34m";
const GREEN: &str = "\x1b[32m";
const MAGENTA: &str = "\x1b[35m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#" {"b":1e999,"a":[{}, [ ],"\"}\\"],"b":{"x":null},"é":-0.50} "#;

    #[test]
    fn only_white_space_changes() {
        let expected = "{\n..  \"b\": 1e999,\n..  \"a\": [\n..    {},\n..    [],\n..    \"\\\"}\\\\\"\n..  ],\n..  \
            \"b\": {\n..    \"x\": null\n..  },\n..  \"é\": -0.50\n..}";
        assert_eq!(pretty(TEXT, "..", false), expected);
        let coloured = pretty(r#"{"a":["b",1,true]}"#, "", true);
        let expected = "{\n  \x1b[34m\"a\"\x1b[0m: [\n    \x1b[32m\"b\"\x1b[0m,\n    \x1b[33m1\x1b[0m,\n    \
            \x1b[35mtrue\x1b[0m\n  ]\n}";
        assert_eq!(coloured, expected);
    }

    #[test]
    fn a_part_is_laid_out_as_the_whole() {
        let whole = pretty(TEXT, "", false);
        for len in (0..TEXT.len()).filter(|len| TEXT.is_char_boundary(*len)) {
            let part = pretty(&TEXT[..len], "", false);
            let same = |text: &str| text.split_whitespace().collect::<String>();
            assert!(same(&whole).starts_with(&same(&part)), "{part}");
        }
    }

    #[test]
    fn only_structures_are_laid_out() {
        assert!(is_structure(" [1]") && is_structure("{}") && is_structure(r#"{"a":1}"#));
        for text in ["1", "\"a\"", "null", "", "{", "[1] 2", "[1,]", "hello", &"[".repeat(100_000)]
        {
            assert!(!is_structure(text), "{text:.20}");
        }
    }

    #[test]
    fn what_controls_terminals_is_escaped_in_texts() {
        assert_eq!(pretty("[\"\u{9b}2J\u{202e}\"]", "", false), "[\n  \"\\u{9b}2J\\u{202e}\"\n]");
    }
}
