//! The line that is typed, and those before it. No I/O: keys go in, and what is to be done comes out.

use super::commands;
use super::keys::Key;
use super::width::width;

/// What a key means for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// What the word before the cursor could become.
    Candidates(Vec<String>),
    ClearScreen,
    /// There will be no more.
    End,
    Interrupt,
    /// At most the line is to be drawn again.
    None,
    Submit(String),
}

#[derive(Debug, Default)]
pub(super) struct Editor {
    line: Vec<char>,
    /// Invariant: at most `line.len()`.
    cursor: usize,
    killed: Vec<char>,
    history: Vec<Vec<char>>,
    /// Where in the history we are; `history.len()` is the line that is new.
    /// Invariant: at most `history.len()`.
    position: usize,
    /// The new line, while an old one is looked at.
    draft: Vec<char>,
}

impl Editor {
    pub(super) fn line(&self) -> &[char] {
        &self.line
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn press(&mut self, key: Key) -> Effect {
        match key {
            Key::Backspace if self.cursor > 0 => self.remove(self.before()),
            Key::Char(char) => {
                self.line.insert(self.cursor, char);
                self.cursor += 1;
            }
            Key::ClearScreen => return Effect::ClearScreen,
            Key::Complete => return self.complete(),
            Key::DeleteOrEnd if self.line.is_empty() => return Effect::End,
            Key::Delete | Key::DeleteOrEnd => self.remove(self.after()),
            Key::Down if self.position < self.history.len() => self.recall(self.position + 1),
            Key::End => self.cursor = self.line.len(),
            Key::Enter => return self.submit(),
            Key::Home => self.cursor = 0,
            Key::Interrupt if self.line.is_empty() => return Effect::Interrupt,
            Key::Interrupt => self.replace(Vec::new()),
            Key::KillNextWord => self.kill(self.next_word()),
            Key::KillToEnd => self.kill(self.line.len()),
            Key::KillToStart => self.kill(0),
            Key::KillWord => self.kill(self.previous_word()),
            Key::Left => self.cursor = self.before(),
            Key::NextWord => self.cursor = self.next_word(),
            Key::PreviousWord => self.cursor = self.previous_word(),
            Key::Right => self.cursor = self.after(),
            Key::Up if self.position > 0 => self.recall(self.position - 1),
            Key::Yank => {
                let killed = self.killed.clone();
                self.line.splice(self.cursor..self.cursor, killed);
                self.cursor += self.killed.len();
            }
            Key::Backspace | Key::Down | Key::Up => {}
        }
        Effect::None
    }

    /// A line without anything is a slip of the finger, and sends nothing. One of spaces is not worth being remembered.
    fn submit(&mut self) -> Effect {
        if self.line.is_empty() {
            return Effect::None;
        }
        let line = std::mem::take(&mut self.line);
        let text = line.iter().collect::<String>();
        if !text.trim().is_empty() && self.history.last() != Some(&line) {
            self.history.push(line);
        }
        if self.history.len() > MAX_HISTORY {
            self.history.remove(0);
        }
        self.replace(Vec::new());
        Effect::Submit(text)
    }

    fn recall(&mut self, position: usize) {
        if self.position == self.history.len() {
            self.draft = self.line.clone();
        }
        self.line = self.history.get(position).unwrap_or(&self.draft).clone();
        self.position = position;
        self.cursor = self.line.len();
    }

    /// A new line, which is none of the history.
    fn replace(&mut self, line: Vec<char>) {
        self.cursor = line.len();
        self.line = line;
        self.position = self.history.len();
        self.draft.clear();
    }

    fn complete(&mut self) -> Effect {
        if self.line.first() != Some(&'/') {
            // A tab is a character of a message like others.
            return self.press(Key::Char('\t'));
        }
        let before: String = self.line[..self.cursor].iter().collect();
        let (stem, candidates) = commands::completions(&before);
        let insert = |editor: &mut Editor, text: &str| {
            for char in text.chars() {
                editor.press(Key::Char(char));
            }
        };
        match &candidates[..] {
            [] => Effect::None,
            [only] => {
                insert(self, &only[stem.len()..]);
                if self.line.get(self.cursor) != Some(&' ') {
                    insert(self, " ");
                }
                Effect::None
            }
            [first, others @ ..] => {
                let is_shared =
                    |len: &usize| others.iter().all(|one| one.starts_with(&first[..*len]));
                let shared = (stem.len()..=first.len()).rev().find(is_shared).unwrap_or(stem.len());
                insert(self, &first[stem.len()..shared]);
                if shared > stem.len() { Effect::None } else { Effect::Candidates(candidates) }
            }
        }
    }

    fn remove(&mut self, to: usize) {
        let range = self.cursor.min(to)..self.cursor.max(to);
        self.cursor = range.start;
        self.line.drain(range);
    }

    fn kill(&mut self, to: usize) {
        let range = self.cursor.min(to)..self.cursor.max(to);
        if !range.is_empty() {
            self.cursor = range.start;
            self.killed = self.line.drain(range).collect();
        }
    }

    /// Characters without a width belong to the one before them.
    fn before(&self) -> usize {
        let is_start = |at: &usize| width(self.line[*at]) > 0;
        (0..self.cursor).rev().find(is_start).unwrap_or(0)
    }

    fn after(&self) -> usize {
        let is_start = |at: &usize| width(self.line[*at]) > 0;
        (self.cursor + 1..self.line.len()).find(is_start).unwrap_or(self.line.len())
    }

    fn previous_word(&self) -> usize {
        let is_in_word = |at: &usize| self.line[*at].is_alphanumeric();
        let Some(last) = (0..self.cursor).rev().find(is_in_word) else { return 0 };
        (0..last).rev().find(|at| !is_in_word(at)).map_or(0, |at| at + 1)
    }

    fn next_word(&self) -> usize {
        let is_in_word = |at: &usize| self.line[*at].is_alphanumeric();
        let len = self.line.len();
        let Some(first) = (self.cursor..len).find(is_in_word) else { return len };
        (first..len).find(|at| !is_in_word(at)).unwrap_or(len)
    }
}

/// Lines that are remembered.
const MAX_HISTORY: usize = 1000;

#[cfg(test)]
mod tests {
    use super::super::keys::Keys;
    use super::*;

    /// The editor after these bytes, with a bar where the cursor is.
    fn typed(editor: &mut Editor, bytes: &str) -> String {
        for key in Keys::default().feed(bytes.as_bytes()) {
            editor.press(key);
        }
        let (before, after) = editor.line.split_at(editor.cursor);
        [before, &['|'], after].concat().iter().collect()
    }

    #[test]
    fn a_line_is_edited() {
        for (bytes, line) in [
            ("hello\x1b[D\x1b[Dx", "helx|lo"),
            ("hello\x01>\x05<", ">hello<|"),
            ("abc\x02\x7f", "a|c"),
            ("abc\x01\x04\x1b[3~", "|c"),
            ("one two  \x17", "one |"),
            ("one two\x1bb\x0b\x19\x19", "one twotwo|"),
            ("one two\x01\x1bf\x15", "| two"),
            ("one two\x01\x1bd!", "!| two"),
            ("e\u{301}x\x1b[D\x7f", "|x"),
            ("\x7f\x1b[D\x1b[C\x1b[A\x1b[B\x0b\x15\x17", "|"),
            ("a\tb", "a\tb|"),
            ("abc\x03d", "d|"),
        ] {
            assert_eq!(typed(&mut Editor::default(), bytes), line, "{bytes:?}");
        }
    }

    #[test]
    fn lines_are_remembered_once_each() {
        let mut editor = Editor::default();
        typed(&mut editor, "one\rtwo\rtwo\r \r\r");
        assert_eq!(typed(&mut editor, "new\x1b[A"), "two|");
        assert_eq!(typed(&mut editor, "\x1b[A\x1b[A\x1b[A"), "one|");
        assert_eq!(typed(&mut editor, "\x1b[B\x1b[B\x1b[B"), "new|");
        assert_eq!(typed(&mut editor, "\x1b[A!\r\x1b[A"), "two!|");
        for n in 0..2 * MAX_HISTORY {
            typed(&mut editor, &format!("{n}\r"));
        }
        assert_eq!(editor.history.len(), MAX_HISTORY);
        assert_eq!(typed(&mut editor, "\x1b[A"), format!("{}|", 2 * MAX_HISTORY - 1));
    }

    #[test]
    fn keys_that_end_depend_on_the_line() {
        let mut editor = Editor::default();
        assert_eq!(editor.press(Key::Interrupt), Effect::Interrupt);
        assert_eq!(editor.press(Key::DeleteOrEnd), Effect::End);
        editor.press(Key::Char('x'));
        assert_eq!(editor.press(Key::DeleteOrEnd), Effect::None); // nothing is behind the cursor
        assert_eq!(editor.press(Key::Enter), Effect::Submit("x".to_owned()));
        editor.press(Key::Char('y'));
        assert_eq!(editor.press(Key::Interrupt), Effect::None);
        assert_eq!(editor.press(Key::Interrupt), Effect::Interrupt);
    }

    #[test]
    fn commands_are_completed() {
        let mut editor = Editor::default();
        assert_eq!(typed(&mut editor, "/p\t"), "/ping |");
        assert_eq!(typed(&mut editor, "\x15/t\ti\t"), "/time |");
        assert_eq!(typed(&mut editor, "o\t\t"), "/time o|");
        let both = vec!["off".to_owned(), "on".to_owned()];
        assert_eq!(editor.press(Key::Complete), Effect::Candidates(both));
        assert_eq!(typed(&mut editor, "f\t"), "/time off |");
        assert_eq!(typed(&mut editor, "\x15/x\t"), "/x|");
    }
}
