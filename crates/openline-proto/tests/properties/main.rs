//! The properties of the core on stable Rust: every target runs on its corpus, on changed copies of that,
//! and on noise.
//!
//! `OPENLINE_FUZZ_SECONDS` says how long each target runs; without it, a fixed number of inputs, for which
//! all targets take some seconds. What this cannot do is to see which inputs reach new code: `fuzz/` has
//! libFuzzer for that.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestError, TestRunner};

mod targets;

use targets::{ALL, Target};

/// Runs a target; called by the test of each.
#[allow(clippy::disallowed_methods, reason = "a test may last as long as it is told to")]
fn explore(target: Target) {
    let seeds = corpus(target);
    for (path, input) in &seeds {
        // The output of a test that passes is not shown.
        eprintln!("{} on {}", target.name, path.display());
        (target.check)(input);
    }
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|(_, input)| input).collect();
    let seconds = std::env::var("OPENLINE_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(0.0, |text| text.parse().expect("OPENLINE_FUZZ_SECONDS"));
    let (start, mut inputs) = (Instant::now(), seeds.len());
    loop {
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        let outcome = TestRunner::new(config).run(&input(&seeds), |input| {
            (target.check)(&input);
            Ok(())
        });
        match outcome {
            Ok(()) => inputs += CASES as usize,
            Err(TestError::Fail(reason, input)) => {
                let find = keep(target, &input);
                panic!("{}: {reason}: {} has the input", target.name, find.display())
            }
            Err(error) => panic!("{}: {error}", target.name),
        }
        if start.elapsed() >= Duration::from_secs_f64(seconds) {
            break;
        }
    }
    eprintln!("{}: {inputs} inputs in {:.1} s", target.name, start.elapsed().as_secs_f64());
}

/// Writes a find to where libFuzzer's are.
fn keep(target: Target, input: &[u8]) -> PathBuf {
    let directory = fuzz().join("artifacts").join(target.name);
    std::fs::create_dir_all(&directory).expect("fuzz/ can be written to");
    let path = directory.join("stable");
    std::fs::write(&path, input).expect("fuzz/ can be written to");
    path
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let names = ALL.iter().map(|target| target.name);
    let mut directories: Vec<String> = std::fs::read_dir(fuzz().join("corpus"))
        .expect("fuzz/corpus is there")
        .map(|entry| entry.expect("it can be read").file_name().into_string().expect("ASCII"))
        .collect();
    directories.sort();
    assert!(names.eq(directories.iter()), "{directories:?}");
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The files of a target's corpus and what is in them.
fn corpus(target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(fuzz().join("corpus").join(target.name))
        .expect("every target has a corpus");
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "the corpus of {} is empty", target.name);
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("a file"))).collect()
}

/// Noise now and then, mostly a seed with some changes.
fn input(seeds: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let changes = prop::collection::vec(change(seeds), 0..6);
    let changed = (select(seeds.to_vec()), changes).prop_map(|(mut input, changes)| {
        changes.into_iter().for_each(|change| change.apply(&mut input));
        input
    });
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..48), 5 => changed]
}

#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Set(Index, u8),
}

fn change(seeds: &[Vec<u8>]) -> impl Strategy<Value = Change> + use<> {
    let few = prop::collection::vec(any::<u8>(), 1..5);
    // A part of another seed.
    let part = (select(seeds.to_vec()), any::<Index>(), 1..40_usize).prop_map(|(seed, at, len)| {
        let start = at.index(seed.len() + 1);
        seed[start..seed.len().min(start + len)].to_vec()
    });
    let telling = select(&b"\0\x01\x7d\x7e\x7f\x80\xff\r\n \t\",;:/?#%@.[]"[..]);
    prop_oneof![
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, 1 << bit)),
        (any::<Index>(), prop_oneof![few, part]).prop_map(|(at, new)| Change::Insert(at, new)),
        (any::<Index>(), 1..16_usize).prop_map(|(at, len)| Change::Remove(at, len)),
        (any::<Index>(), 1..16_usize).prop_map(|(at, len)| Change::Repeat(at, len)),
        (any::<Index>(), prop_oneof![telling, any::<u8>()])
            .prop_map(|(at, byte)| Change::Set(at, byte)),
    ]
}

impl Change {
    fn apply(self, input: &mut Vec<u8>) {
        let bound = input.len();
        let part = |at: Index, len: usize| {
            let start = at.index(bound + 1);
            start..bound.min(start + len)
        };
        match self {
            Change::Flip(at, bits) if bound > 0 => input[at.index(bound)] ^= bits,
            Change::Set(at, byte) if bound > 0 => input[at.index(bound)] = byte,
            Change::Flip(..) | Change::Set(..) => {}
            Change::Insert(at, new) => drop(input.splice(part(at, 0), new)),
            Change::Remove(at, len) => drop(input.drain(part(at, len))),
            Change::Repeat(at, len) => {
                let range = part(at, len);
                let (start, copy) = (range.start, input[range].to_vec());
                drop(input.splice(start..start, copy));
            }
        }
    }
}

/// Inputs in one go.
const CASES: u32 = 400;
