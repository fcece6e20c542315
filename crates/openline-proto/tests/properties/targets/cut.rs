//! Input that comes in pieces: how it is cut must not matter.

use std::fmt::Debug;

use super::input::Input;

/// Where an input is cut, beyond the cuts that are always tried.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    /// Bytes before the only cut, if there is but one.
    pub(crate) at: usize,
    /// Bytes between two cuts, if there are many.
    pub(crate) every: usize,
}

impl Cut {
    pub(crate) fn read(input: &mut Input<'_>) -> Cut {
        Cut { at: input.byte().into(), every: 1 + input.below(64) }
    }

    /// The ways to cut `bytes` that are tried: not at all, once, now and then, everywhere.
    pub(crate) fn ways<'a>(&self, bytes: &'a [u8]) -> [Vec<&'a [u8]>; 4] {
        let (left, right) = bytes.split_at(self.at.min(bytes.len()));
        [
            vec![bytes],
            vec![left, right],
            bytes.chunks(self.every).collect(),
            bytes.chunks(1).collect(),
        ]
    }

    /// What comes of `bytes`, which is the same in whatever way they are cut.
    pub(crate) fn agree<T: PartialEq + Debug>(
        &self,
        bytes: &[u8],
        run: impl Fn(&[&[u8]]) -> T,
    ) -> T {
        let [whole, pieces @ ..] = self.ways(bytes);
        let whole = run(&whole);
        for pieces in pieces {
            let lens: Vec<usize> = pieces.iter().map(|piece| piece.len()).collect();
            assert_eq!(run(&pieces), whole, "in pieces of {lens:?}");
        }
        whole
    }
}
