//! What must hold for every input: one file for each parser of the core, and for its parts together.
//!
//! A target is a function of bytes that panics when a property does not hold. So the same code runs in
//! `cargo test` (`tests/properties/main.rs`) and under libFuzzer (`fuzz/`, which includes this module),
//! and every file in `fuzz/corpus/<target>/` is a test case of both.
//!
//! A new target is a file here with a function `check`, and its name in the two lists below.

mod client_handshake;
mod close_frame;
mod cut;
mod deflate;
mod deflate_negotiation;
mod frame_header;
mod handshake;
mod header_lists;
mod inbound;
mod inflate_deflate;
mod input;
mod pair;
mod proxy_reply;
mod proxy_uri;
mod reader;
mod redirect;
mod round_trip;
mod server_handshake;
mod uri;
mod utf8;

targets![
    client_handshake,
    close_frame,
    deflate,
    deflate_negotiation,
    frame_header,
    handshake,
    header_lists,
    inbound,
    inflate_deflate,
    pair,
    proxy_reply,
    proxy_uri,
    redirect,
    round_trip,
    server_handshake,
    uri,
    utf8,
];

/// The properties of one parser.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    /// The name: that of its file, of its corpus, and in the variable `FUZZ`.
    pub(crate) name: &'static str,
    /// Panics if one of the properties does not hold for this input.
    pub(crate) check: fn(&[u8]),
}

/// Makes the list of targets, and in `cargo test` a test of each.
macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        /// All targets, by name.
        pub(crate) const ALL: &[Target] =
            &[$(Target { name: stringify!($name), check: $name::check }),*];

        #[cfg(test)]
        mod tests {
            $(#[test] fn $name() {
                crate::explore(super::Target { name: stringify!($name), check: super::$name::check });
            })*
        }
    };
}
use targets;
