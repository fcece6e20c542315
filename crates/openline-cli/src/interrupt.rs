//! Ctrl-C, and the other signals that ask a program to end.
//!
//! No handler runs: the signals are blocked in every thread, and one thread waits for them. So no call is
//! interrupted, and ending can take the time it takes. Whoever asks a second time is obeyed at once.

use nix::sys::signal::{SigSet, Signal};

use crate::failure::{Failure, Outcome, interrupted};
use crate::interactive;

/// Calls `end` at the first such signal; the process exits at the second. Before other threads are started.
pub(crate) fn on_signal(end: impl FnOnce(Signal) + Send + 'static) -> Outcome<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
        signals.add(signal);
    }
    signals.thread_block().map_err(|errno| Failure::system("block signals")(errno.into()))?;
    let wait = move || {
        let Ok(signal) = signals.wait() else { return };
        end(signal);
        if let Ok(signal) = signals.wait() {
            interactive::restore();
            std::process::exit(interrupted(signal).into());
        }
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait)
        .map_err(Failure::system("start a thread"))?;
    Ok(())
}
