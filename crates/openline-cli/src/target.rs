//! What the arguments of [`TargetArgs`] mean: a client, and where it connects to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openline::handshake::encode_basic_auth;
use openline::uri::Uri;
use openline::{Client, Connection, Reconnect};

use crate::args::{OnOff, TargetArgs};
use crate::failure::Outcome;
use crate::line::Line;
use crate::talk::Verbose;
use crate::tls;

#[derive(Clone, Debug)]
pub(crate) struct Target {
    client: Client,
    uri: String,
    unix_socket: Option<PathBuf>,
    pub(crate) verbose: Verbose,
}

impl Target {
    pub(crate) fn new(args: &TargetArgs) -> Outcome<Target> {
        let verbose = Verbose::new(args.verbose);
        let above_zero = |time: Duration| (!time.is_zero()).then_some(time);
        let mut client = Client::new()
            .subprotocols(&args.subprotocol)
            .max_redirects(args.max_redirects)
            .open_timeout(args.open_timeout)
            .ping_interval(above_zero(args.ping_interval))
            .ping_timeout(above_zero(args.ping_timeout))
            .close_timeout(args.close_timeout)
            .max_size((args.max_size > 0).then_some(args.max_size));
        client = request(client, args)?;
        client = network(client, args)?;
        if let Some(config) = tls::client(args)? {
            client = client.tls(config);
        }
        if args.compression == OnOff::Off {
            client = client.compression(None);
        }
        if let Some(journal) = verbose.journal() {
            client = client.journal(journal);
        }
        Ok(Target { client, uri: args.uri.clone(), unix_socket: args.unix_socket.clone(), verbose })
    }

    /// With another time for opening.
    pub(crate) fn open_within(mut self, timeout: Duration) -> Target {
        self.client = self.client.open_timeout(timeout);
        self
    }

    /// With other settings of the client.
    pub(crate) fn with(mut self, change: impl FnOnce(Client) -> Client) -> Target {
        self.client = change(self.client);
        self
    }

    /// As [`with`](Target::with), for settings that can be wrong.
    pub(crate) fn try_with(
        mut self,
        change: impl FnOnce(Client) -> openline::Result<Client>,
    ) -> openline::Result<Target> {
        self.client = change(self.client)?;
        Ok(self)
    }

    /// A connection to it, unless the line ends before there is one.
    pub(crate) fn connect(&self, line: &Arc<Line>) -> openline::Result<Connection> {
        let line = line.clone();
        let give_up = move || line.is_ending();
        match &self.unix_socket {
            None => self.client.connect_unless(&self.uri, &give_up),
            Some(path) => self.client.connect_unix_unless(path, &self.uri, &give_up),
        }
    }

    /// Connections to it, again and again.
    pub(crate) fn connections(&self) -> Reconnect {
        match &self.unix_socket {
            None => self.client.reconnect(&self.uri),
            Some(path) => self.client.reconnect_unix(path, &self.uri),
        }
    }
}

fn request(mut client: Client, args: &TargetArgs) -> Outcome<Client> {
    if let Some(origin) = &args.origin {
        client = client.origin(origin);
    }
    if let Some(text) = &args.user_agent {
        client = client.user_agent((!text.is_empty()).then_some(text.as_str()));
    }
    if let Some((name, password)) = &args.user {
        client = client.header("Authorization", &encode_basic_auth(name, password))?;
    }
    if !args.cookie.is_empty() {
        // RFC 6265 §5.4: the user agent MUST NOT attach more than one Cookie header field.
        client = client.header("Cookie", &args.cookie.join("; "))?;
    }
    for (name, value) in &args.header {
        client = client.header(name, value)?;
    }
    Ok(client)
}

fn network(mut client: Client, args: &TargetArgs) -> Outcome<Client> {
    if let Some(url) = &args.proxy {
        client = client.proxy(url)?;
    }
    if args.no_proxy {
        client = client.no_proxy();
    }
    if !args.resolve.is_empty() {
        let uri = Uri::parse(&args.uri).map_err(openline::Error::InvalidUri)?;
        let is_meant = |host: &str, port| host == uri.host() && port == uri.port();
        if let Some(found) = args.resolve.iter().find(|r| is_meant(&r.host, r.port)) {
            client = client.address(found.address.to_string(), found.port);
        }
    }
    Ok(client)
}
