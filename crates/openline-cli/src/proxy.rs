//! `openline proxy`: a network that fails, in front of a server.

use std::sync::mpsc;

use openline::Address;
use openline::testing::{FaultCounts, FaultProxy, Faults};

use crate::args::{ListenAddress, ProxyArgs, ServerAddress, Way};
use crate::failure::{Failure, Outcome};
use crate::{interrupt, talk};

pub(crate) fn run(args: &ProxyArgs) -> Outcome<()> {
    let (end, ended) = mpsc::channel::<()>();
    interrupt::on_signal(move |_| drop(end))?;
    let options = FaultProxy::options().seed(args.seed).on_event(talk::tell);
    let options = match args.direction {
        Way::Up => options.up(faults(args)),
        Way::Down => options.down(faults(args)),
        Way::Both => options.both(faults(args)),
    };
    let proxy = match (&args.server, &args.listen) {
        (ServerAddress::Uri(uri), None) => options.start_at("127.0.0.1:0", uri)?,
        (ServerAddress::Uri(uri), Some(ListenAddress::Tcp(address))) => {
            options.start_at(address.as_str(), uri)?
        }
        (ServerAddress::Unix(server), Some(ListenAddress::Unix(path))) => {
            options.start_unix(server, path)?
        }
        (ServerAddress::Unix(_), _) => {
            let text = "a server on a Unix socket wants --listen unix:PATH".to_owned();
            return Err(Failure::Usage(text));
        }
        (ServerAddress::Uri(_), Some(ListenAddress::Unix(_))) => {
            let text = "--listen unix:PATH is for a server on a Unix socket, unix:PATH".to_owned();
            return Err(Failure::Usage(text));
        }
    };
    match proxy.address() {
        Address::Unix(path) => talk::tell(format_args!("proxy at unix:{}", path.display())),
        _ => talk::tell(format_args!("proxy at {}", proxy.uri())),
    }
    // Nothing is ever sent: the other end is dropped.
    let _ = ended.recv();
    let injected = proxy.injected();
    proxy.shutdown();
    talk::tell(summary(injected));
    Ok(())
}

fn faults(args: &ProxyArgs) -> Faults {
    let mut faults = Faults::new()
        .delay(args.delay.unwrap_or_default())
        .jitter(args.jitter.unwrap_or_default())
        .corrupt_per_mib(args.corrupt_per_mib.unwrap_or_default());
    if let Some(bytes) = args.split {
        faults = faults.split(bytes as usize);
    }
    if let Some(bytes) = args.rate {
        faults = faults.rate(bytes);
    }
    if let Some(bytes) = &args.stall_after {
        faults = faults.stall_after(bytes.clone());
    }
    if let Some(bytes) = &args.cut_after {
        faults = faults.cut_after(bytes.clone());
    }
    if let Some(bytes) = &args.half_close_after {
        faults = faults.half_close_after(bytes.clone());
    }
    if let Some(bytes) = &args.reset_after {
        faults = faults.reset_after(bytes.clone());
    }
    if let Some(bytes) = &args.corrupt_at {
        faults = faults.corrupt_at(bytes.clone());
    }
    faults
}

/// All that was done: `cuts 1, delays 4`.
fn summary(counts: FaultCounts) -> String {
    let parts: Vec<String> = [
        (counts.corruptions, "corrupted bytes"),
        (counts.cuts, "cuts"),
        (counts.delays, "delays"),
        (counts.half_closes, "half closes"),
        (counts.resets, "resets"),
        (counts.splits, "splits"),
        (counts.stalls, "stalls"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{what} {count}"))
    .collect();
    if parts.is_empty() { "nothing was done".to_owned() } else { parts.join(", ") }
}
