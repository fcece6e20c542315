//! UTF-8 in pieces (RFC 6455 §8.1): the verdict of the whole, at the first byte that decides it.

use openline_proto::utf8::{InvalidUtf8, Validator, whole_characters};

use super::cut::Cut;
use super::input::Input;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let cut = Cut::read(&mut input);
    let text = input.rest();
    let verdict = cut.agree(text, |pieces| {
        let mut validator = Validator::default();
        pieces.iter().try_for_each(|piece| validator.push(piece)).and_then(|()| validator.finish())
    });
    assert_eq!(verdict, std::str::from_utf8(text).map(drop).map_err(|_| InvalidUtf8));

    let mut validator = Validator::default();
    for (n, byte) in text.iter().enumerate() {
        let so_far = &text[..=n];
        let can_go_on = match std::str::from_utf8(so_far) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none(),
        };
        assert_eq!(validator.push(&[*byte]).is_ok(), can_go_on, "at byte {n}");
        if !can_go_on {
            return;
        }
        let whole = whole_characters(so_far);
        assert!(std::str::from_utf8(&so_far[..whole]).is_ok(), "cut within a character");
        assert!(so_far.len() - whole < 4);
    }
}
