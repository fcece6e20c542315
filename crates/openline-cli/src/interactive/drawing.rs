//! The line that is typed, on the screen. No I/O: what is to be written is appended to a text.
//!
//! The terminal wraps a line that is too long, and wraps it anew when it gets another width. So all that has to be
//! known is in which row below the prompt the cursor is.

use super::editor::Editor;
use super::width::{push, width};

#[derive(Debug)]
pub(super) struct Drawing {
    columns: usize,
    rows: usize,
    /// The columns of everything before the cursor, as drawn.
    before: Vec<usize>,
    /// And of what it is on.
    next: usize,
    is_coloured: bool,
}

impl Drawing {
    pub(super) fn new((columns, rows): (u16, u16), is_coloured: bool) -> Drawing {
        let mut drawing = Drawing { columns: 0, rows: 0, before: Vec::new(), next: 0, is_coloured };
        drawing.resize((columns, rows));
        drawing
    }

    /// The terminal has another size. One without a size has that of old.
    pub(super) fn resize(&mut self, (columns, rows): (u16, u16)) {
        let or = |size: u16, default: usize| if size == 0 { default } else { size.into() };
        self.columns = or(columns, 80).max(8);
        self.rows = or(rows, 24);
    }

    /// Takes it from the screen, and leaves the cursor where it began.
    pub(super) fn erase(&mut self, out: &mut String) {
        let (row, _) = self.place(&self.before, self.next);
        out.push('\r');
        if row > 0 {
            out.push_str(&format!("\x1b[{row}A"));
        }
        out.push_str("\x1b[J");
        self.before.clear();
        self.next = 0;
    }

    /// Draws it where the cursor is, at the start of a row.
    pub(super) fn draw(&mut self, editor: &Editor, out: &mut String) {
        let line = editor.line();
        let (start, end) = self.window(line, editor.cursor());
        let prompt = if start > 0 { "…" } else { PROMPT };
        let prompt_width = prompt.chars().map(width);
        self.push_prompt(prompt, out);
        line[start..end].iter().for_each(|char| push(out, *char));

        let widths: Vec<usize> = prompt_width.chain(cells(&line[start..end])).collect();
        let before = prompt.chars().count() + cells(&line[start..editor.cursor()]).count();
        let (last_row, last_column) = self.place(&widths, 0);
        if last_column == 0 && last_row > 0 {
            // A terminal goes to the next row only with the next character.
            out.push_str(" \r\x1b[K");
        }
        let next = widths.get(before).copied().unwrap_or(0);
        let (row, column) = self.place(&widths[..before], next);
        if last_row > row {
            out.push_str(&format!("\x1b[{}A", last_row - row));
        }
        out.push('\r');
        if column > 0 {
            out.push_str(&format!("\x1b[{column}C"));
        }
        self.before = widths[..before].to_vec();
        self.next = next;
    }

    /// Draws the whole of a line that is finished: it stays.
    pub(super) fn draw_finished(&mut self, line: &[char], out: &mut String) {
        self.push_prompt(PROMPT, out);
        line.iter().for_each(|char| push(out, *char));
        out.push('\n');
        self.before.clear();
        self.next = 0;
    }

    fn push_prompt(&self, prompt: &str, out: &mut String) {
        if self.is_coloured {
            out.push_str(&format!("\x1b[1m{prompt}\x1b[0m"));
        } else {
            out.push_str(prompt);
        }
    }

    /// Row and column behind these characters, where one that is so wide fits.
    fn place(&self, widths: &[usize], next: usize) -> (usize, usize) {
        let (mut row, mut column) = (0, 0);
        for width in widths {
            if column + width > self.columns {
                row += 1;
                column = 0;
            }
            column += width;
        }
        if column + next.max(1) > self.columns { (row + 1, 0) } else { (row, column) }
    }

    /// What of a line is drawn: as much as fits, since what has left the screen at the top cannot be erased.
    fn window(&self, line: &[char], cursor: usize) -> (usize, usize) {
        let fits = (self.columns * self.rows.saturating_sub(1).max(1)).saturating_sub(self.columns);
        let fits = fits.max(self.columns / 2);
        let cost = |char: &char| width(*char);
        if line.iter().map(cost).sum::<usize>() + PROMPT.len() <= fits {
            return (0, line.len());
        }
        let (mut start, mut used) = (cursor, 0);
        while start > 0 && used + cost(&line[start - 1]) <= fits / 2 {
            start -= 1;
            used += cost(&line[start]);
        }
        let mut end = cursor;
        while end < line.len() && used + cost(&line[end]) + PROMPT.len() <= fits {
            used += cost(&line[end]);
            end += 1;
        }
        (start, end)
    }
}

/// What is drawn for several columns can be broken where a row ends, unless it is one wide character.
fn cells(line: &[char]) -> impl Iterator<Item = usize> {
    line.iter().flat_map(|char| {
        let mut drawn = String::new();
        push(&mut drawn, *char);
        drawn.chars().map(width).collect::<Vec<_>>()
    })
}

const PROMPT: &str = "> ";

#[cfg(test)]
mod tests {
    use super::super::keys::Key;
    use super::*;

    /// What a terminal of this size shows, and where its cursor is, after what has been appended.
    fn shown(out: &str, (columns, rows): (u16, u16)) -> (Vec<String>, (u16, u16)) {
        let mut terminal = vt100::Parser::new(rows, columns, 0);
        terminal.process(out.replace('\n', "\r\n").as_bytes());
        let screen = terminal.screen();
        let rows = screen.rows(0, columns).map(|row| row.trim_end().to_owned());
        (rows.collect(), screen.cursor_position())
    }

    fn editor(text: &str, left: usize) -> Editor {
        let mut editor = Editor::default();
        text.chars().for_each(|char| drop(editor.press(Key::Char(char))));
        (0..left).for_each(|_| drop(editor.press(Key::Left)));
        editor
    }

    #[test]
    fn the_cursor_is_where_the_editor_has_it() {
        let mut drawing = Drawing::new((10, 10), false);
        for (text, left, expected) in [
            ("", 0, (0, 2)),
            ("abc", 1, (0, 4)),
            ("12345678", 0, (1, 0)),
            ("12345678", 1, (0, 9)),
            ("1234567890", 0, (1, 2)),
            ("1234567890", 2, (1, 0)),
            ("1234567世", 0, (1, 2)),
            ("1234567世", 1, (1, 0)),
            ("e\u{301}", 0, (0, 3)),
        ] {
            let mut out = String::new();
            drawing.draw(&editor(text, left), &mut out);
            let (rows, cursor) = shown(&out, (10, 10));
            assert_eq!(cursor, expected, "{text:?} {left}");
            assert_eq!(rows.concat(), format!("> {text}").trim_end(), "{text:?}");
            drawing.erase(&mut out);
            let (rows, cursor) = shown(&out, (10, 10));
            assert_eq!((rows.concat(), cursor), (String::new(), (0, 0)), "{text:?} {left}");
        }
    }

    #[test]
    fn what_is_longer_than_the_screen_is_shown_in_part() {
        let text: String = (0..500).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
        for left in [0, 1, 37, 250, 499, 500] {
            let mut drawing = Drawing::new((10, 5), false);
            let mut out = "above\n".to_owned();
            drawing.draw(&editor(&text, left), &mut out);
            drawing.erase(&mut out);
            let (rows, _) = shown(&out, (10, 5));
            assert_eq!(rows.concat(), "above", "{left}");
        }
    }

    #[test]
    fn no_size_is_too_small() {
        for size in [(0, 0), (1, 1), (2, 1), (8, 2)] {
            let mut drawing = Drawing::new(size, true);
            let mut out = String::new();
            drawing.draw(&editor("some words", 3), &mut out);
            drawing.erase(&mut out);
            assert!(out.ends_with("\x1b[J"));
        }
    }
}
