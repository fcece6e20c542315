//! `openline echo`: a server to try things with, and a page to try it from.

use std::sync::Arc;
use std::sync::mpsc;

use openline::http::{Request, Response};
use openline::rustls::ServerConfig;
use openline::rustls::crypto::ring;
use openline::{Address, Connection, Server};

use crate::args::{EchoArgs, ListenAddress};
use crate::failure::Outcome;
use crate::{interrupt, talk, tls};

pub(crate) fn run(args: &EchoArgs) -> Outcome<()> {
    let (end, ended) = mpsc::channel::<()>();
    interrupt::on_signal(move |_| drop(end))?;
    let mut server = match &args.address {
        ListenAddress::Tcp(address) => Server::bind(address.as_str())?,
        ListenAddress::Unix(path) => Server::bind_unix(path)?,
    };
    server = server.max_size((args.max_size > 0).then_some(args.max_size)).on_request(page);
    let secure = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => {
            let identity = (tls::certificates(cert)?, tls::private_key(key)?);
            let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(tls::fail)?
                .with_no_client_auth()
                .with_single_cert(identity.0, identity.1)
                .map_err(tls::fail)?;
            server = server.tls(Arc::new(config));
            "s"
        }
        _ => "",
    };
    let server = server.serve(|connection| echo(&connection))?;
    match server.address() {
        Address::Unix(path) => talk::tell(format_args!("echoing at unix:{}", path.display())),
        address => {
            talk::tell(format_args!("echoing at ws{secure}://{address}/"));
            talk::tell(format_args!("in a browser: http{secure}://{address}/"));
        }
    }
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

/// The page, for a request that is not for a WebSocket.
fn page(request: &Request) -> Option<Response> {
    let path = request.path.split('?').next();
    if request.method != "GET" || path != Some("/") || request.headers.get("Upgrade").is_some() {
        return None;
    }
    let mut response = Response::new(200, "OK");
    for (name, value) in PAGE_HEADERS {
        response.headers.append(name, value).ok()?;
    }
    response.body = PAGE.as_bytes().to_vec();
    Some(response)
}

const PAGE: &str = include_str!("page.html");

const PAGE_HEADERS: [(&str, &str); 2] =
    [("Content-Type", "text/html; charset=utf-8"), ("Connection", "close")];
