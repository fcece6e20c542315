//! Runs the target that the variable `FUZZ` names: under libFuzzer if cargo-fuzz built this, otherwise on
//! the files given, which is how a find is repeated without nightly.

#![cfg_attr(fuzzing, no_main)]

use std::process::exit;
use std::sync::LazyLock;

#[path = "../../crates/openline-proto/tests/properties/targets/mod.rs"]
mod targets;

use targets::{ALL, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ").unwrap_or_default();
    ALL.iter().copied().find(|target| target.name == name).unwrap_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|target| target.name).collect();
        eprintln!("set FUZZ to one of {}", names.join(", "));
        exit(2)
    })
});

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.check)(data));

#[cfg(not(fuzzing))]
fn main() {
    for path in std::env::args_os().skip(1) {
        let Target { name, check } = *TARGET;
        eprintln!("{name} on {}", path.display());
        match std::fs::read(&path) {
            Ok(input) => check(&input),
            Err(error) => {
                eprintln!("cannot read it: {error}");
                exit(2)
            }
        }
    }
}
