//! `openline echo`: a server to try things with.

use std::sync::mpsc;

use openline::{Connection, Server};

use crate::args::EchoArgs;
use crate::failure::Outcome;
use crate::{interrupt, talk};

pub(crate) fn run(args: &EchoArgs) -> Outcome<()> {
    let (end, ended) = mpsc::channel::<()>();
    interrupt::on_signal(move |_| drop(end))?;
    let server = Server::bind(args.address.as_str())?.serve(|connection| echo(&connection))?;
    talk::tell(format_args!("echoing at ws://{}/", server.address()));
    // Nothing is ever sent: the other end is dropped.
    let _ = ended.recv();
    server.shutdown();
    Ok(())
}

fn echo(connection: &Connection) {
    for message in connection {
        let Ok(message) = message else { return };
        if connection.send(&message).is_err() {
            return;
        }
    }
}
