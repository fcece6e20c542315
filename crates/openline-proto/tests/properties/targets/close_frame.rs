//! The content of a Close frame (RFC 6455 §5.5.1, §7.4).

use openline_proto::{CloseCode, CloseFrame};

pub(crate) fn check(data: &[u8]) {
    if let Ok(close) = CloseFrame::parse(data) {
        assert_eq!(close.encode(), data);
    }
    let text = String::from_utf8_lossy(data);
    let code = data.first_chunk().map_or(1000, |code| u16::from_be_bytes(*code));
    if let Ok(close) = CloseFrame::new(code, &*text) {
        assert!(close.encode().len() <= 125, "does not fit into a control frame");
        assert_eq!(CloseFrame::parse(&close.encode()), Ok(close));
    }
    // The reason for a fault is cut where it fits: never within a character, nor too early.
    let close = CloseFrame::for_fault(CloseCode::PROTOCOL_ERROR, &text);
    assert_eq!(CloseFrame::parse(&close.encode()).as_ref(), Ok(&close));
    assert!(text.starts_with(close.reason()));
    let lost = text.len() - close.reason().len();
    assert!(close.reason().len() <= CloseFrame::MAX_REASON_LEN);
    assert!(lost == 0 || close.reason().len() > CloseFrame::MAX_REASON_LEN - 4);
}
