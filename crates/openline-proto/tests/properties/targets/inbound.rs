//! The receiving direction: any bytes, for both roles, in any pieces, within any limits.

use openline_proto::{Limits, ProtocolError, Role, Rsv};

use super::cut::Cut;
use super::input::Input;
use super::reader::{Reader, Seen};

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let cut = Cut::read(&mut input);
    let setup = Setup::read(&mut input);
    let wire = input.rest();
    let expected = cut.agree(wire, |pieces| run(setup, pieces, Reader::receive));
    for pieces in cut.ways(wire) {
        assert_eq!(run(setup, &pieces, Reader::receive_wholes_first), expected, "wholes first");
        assert_eq!(run(setup, &pieces, Reader::receive_in_place), expected, "in place");
    }
}

#[derive(Clone, Copy)]
struct Setup {
    role: Role,
    limits: Limits,
    allowed: Rsv,
}

impl Setup {
    fn read(input: &mut Input<'_>) -> Setup {
        let bits = input.byte();
        let tight = Limits { max_message: Some(10), max_fragment: Some(6), max_fragments: 3 };
        Setup {
            role: if bits & 1 == 0 { Role::Client } else { Role::Server },
            limits: if bits & 2 == 0 { Limits::default() } else { tight },
            allowed: if bits & 4 == 0 { Rsv::NONE } else { Rsv::RSV1 },
        }
    }
}

/// All events, and the error after which there are no more.
fn run(
    setup: Setup,
    pieces: &[&[u8]],
    receive: fn(&mut Reader, &[u8]) -> Result<(), ProtocolError>,
) -> (Vec<Seen>, Option<ProtocolError>) {
    let mut reader = Reader::new(setup.role, setup.limits, setup.allowed);
    let error = pieces.iter().find_map(|piece| receive(&mut reader, piece).err());
    (reader.seen, error)
}
