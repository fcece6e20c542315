//! Has the system tell when this process was forked: a child that had to ask for its number before each
//! call would pay for a system call, which is a twentieth of what sending a short message costs.

#![allow(unsafe_code)] // pthread_atfork has no safe form.

use nix::libc;

/// Calls `in_child` in every child that is forked from now on, before `fork` returns there. `false` if the
/// system has no memory for that. `in_child` may do what the handler of a signal may.
pub(super) fn register(in_child: extern "C" fn()) -> bool {
    // SAFETY: the function is there as long as this code is: the system forgets it when the library that holds it
    // is unloaded. What it may not do is said above.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) == 0 }
}
