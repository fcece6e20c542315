//! How wide characters are in a terminal, and what stands for those that must not get there.

use unicode_width::UnicodeWidthChar as _;

/// The columns of what [`push`] makes of it; 0 for what is combined with the character before.
pub(super) fn width(char: char) -> usize {
    match stand_in(char) {
        Some(text) => text.len(),
        None => char.width().unwrap_or(0),
    }
}

/// Appends it, or what stands for it.
pub(super) fn push(out: &mut String, char: char) {
    match stand_in(char) {
        Some(text) => out.push_str(&text),
        None => out.push(char),
    }
}

/// A text of another's, which can do nothing to a terminal: control characters are written as in Rust. Lines and tabs
/// stay if they may.
pub(super) fn harmless(text: &str, lines: Lines) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match (char, lines) {
            ('\n', Lines::Keep(indent)) => {
                out.push('\n');
                out.push_str(indent);
            }
            ('\t', Lines::Keep(_)) => out.push('\t'),
            _ => push(&mut out, char),
        }
    }
    out
}

/// What becomes of line breaks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lines {
    Escape,
    /// With this at the start of each line but the first, so that none looks like one of ours.
    Keep(&'static str),
}

/// C0 and C1 control characters begin escape sequences, and the others change the direction of what follows, or end
/// lines for some terminals. ASCII only.
fn stand_in(char: char) -> Option<String> {
    let is_unsafe = char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(char, '\u{2066}'..='\u{2069}');
    is_unsafe.then(|| match char {
        '\0'..='\x1f' | '\x7f' if !matches!(char, '\n' | '\r' | '\t') => {
            format!("\\x{:02x}", u32::from(char))
        }
        _ => char.escape_default().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_controls_a_terminal_is_left() {
        let all: String = ('\0'..=char::MAX).collect();
        for lines in [Lines::Escape, Lines::Keep("  ")] {
            let text = harmless(&all, lines);
            let control = |char: &char| char.is_control() && !matches!(char, '\n' | '\t');
            assert_eq!(text.chars().find(control), None);
            assert!(
                text.contains("\\x1b") && text.contains("\\u{9b}") && text.contains("\\u{202e}")
            );
        }
        let text = harmless("a\tb\r\nc\x1b[2J", Lines::Keep("  "));
        assert_eq!(text, "a\tb\\r\n  c\\x1b[2J");
        assert_eq!(harmless("a\nb", Lines::Escape), "a\\nb");
    }

    #[test]
    fn widths_are_those_of_what_is_drawn() {
        for (char, columns) in [('a', 1), ('世', 2), ('\u{301}', 0), ('\x1b', 4), ('\t', 2)] {
            assert_eq!(width(char), columns, "{char:?}");
            let mut drawn = String::new();
            push(&mut drawn, char);
            assert_eq!(drawn.chars().filter_map(|char| char.width()).sum::<usize>(), columns);
        }
    }
}
