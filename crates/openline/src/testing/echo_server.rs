//! The server for tests of clients: it echoes, and little more.

use std::path::Path;
use std::sync::{Arc, Mutex};

use openline_proto::Message;
use openline_proto::handshake::parse_basic_auth;
use openline_proto::http::{Request, Response};
use rustls::ServerConfig;

use crate::address::Address;
use crate::connection::Connection;
use crate::error::Result;
use crate::server::{RunningServer, Server};

/// An echo server in threads of its own, on a free port of the loopback interface. It ends when it is
/// dropped.
///
/// ```
/// use openline::testing::EchoServer;
/// # fn main() -> openline::Result<()> {
/// let server = EchoServer::options().welcome(["hello"]).close_after(1, 4000, "bye").start()?;
/// let line = openline::connect(server.uri())?;
/// assert_eq!(line.recv()?, "hello".into());
/// line.send("echo")?;
/// assert_eq!(line.recv()?, "echo".into());
/// let Err(openline::Error::Closed(closed)) = line.recv() else { panic!("not closed") };
/// assert_eq!(closed.to_string(), "received 4000 (private use) bye; then sent 4000 (private use) bye");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct EchoServer {
    server: RunningServer,
    uri: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// What an [`EchoServer`] does beside echoing.
///
/// ```
/// use openline::testing::EchoServer;
/// # fn main() -> openline::Result<()> {
/// let server = EchoServer::options().welcome(["hello"]).start()?;
/// assert_eq!(openline::connect(server.uri())?.recv()?, "hello".into());
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct EchoOptions {
    subprotocols: Vec<String>,
    basic_auth: Option<(String, String)>,
    tls: Option<Arc<ServerConfig>>,
    welcome: Vec<Message>,
    close_after: Option<CloseAfter>,
}

#[derive(Debug)]
struct CloseAfter {
    echoes: usize,
    code: u16,
    reason: String,
}

impl EchoServer {
    /// Starts one that only echoes.
    ///
    /// # Errors
    ///
    /// As [`Server::bind`].
    ///
    /// ```
    /// use openline::testing::EchoServer;
    /// # fn main() -> openline::Result<()> {
    /// let server = EchoServer::start()?;
    /// assert!(openline::connect(server.uri()).is_ok());
    /// # Ok(()) }
    /// ```
    pub fn start() -> Result<EchoServer> {
        EchoServer::options().start()
    }

    /// Settings for more than that.
    ///
    /// ```
    /// use openline::testing::EchoServer;
    /// # fn main() -> openline::Result<()> {
    /// let server = EchoServer::options().close_after(0, 1001, "").start()?;
    /// let line = openline::connect(server.uri())?;
    /// assert_eq!(line.iter().count(), 0); // 1001 is an end as it should be
    /// # Ok(()) }
    /// ```
    pub fn options() -> EchoOptions {
        EchoOptions::default()
    }

    /// The URI to connect to. For a Unix socket what the request says: the path is the address.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// assert_eq!(server.uri(), format!("ws://{}/", server.address()));
    /// # Ok(()) }
    /// ```
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Where it listens.
    ///
    /// ```
    /// use openline::Address;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// assert!(matches!(server.address(), Address::Tcp(address) if address.ip().is_loopback()));
    /// # Ok(()) }
    /// ```
    pub fn address(&self) -> &Address {
        self.server.address()
    }

    /// The number of connections that are open.
    ///
    /// ```
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// line.send("hello")?;
    /// line.recv()?;
    /// assert_eq!(server.connections(), 1);
    /// # Ok(()) }
    /// ```
    pub fn connections(&self) -> usize {
        self.server.connections().len()
    }

    /// The handshake requests since the last call, the refused ones included.
    ///
    /// ```
    /// use openline::Client;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// Client::new().user_agent(Some("probe/1.0")).connect(server.uri())?;
    /// let requests = server.take_requests();
    /// assert_eq!(requests[0].headers.get("User-Agent"), Some("probe/1.0"));
    /// assert!(server.take_requests().is_empty());
    /// # Ok(()) }
    /// ```
    pub fn take_requests(&self) -> Vec<Request> {
        let mut requests = self.requests.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        std::mem::take(&mut requests)
    }

    /// Closes the connections with 1001 and ends.
    ///
    /// ```
    /// use openline::Error;
    /// # fn main() -> openline::Result<()> {
    /// # let server = openline::testing::EchoServer::start()?;
    /// # let line = openline::connect(server.uri())?;
    /// server.shutdown();
    /// assert!(matches!(line.recv(), Err(Error::Closed(closed)) if closed.is_ok()));
    /// # Ok(()) }
    /// ```
    pub fn shutdown(self) {
        self.server.shutdown();
    }
}

impl EchoOptions {
    /// The subprotocols that are spoken.
    ///
    /// ```
    /// use openline::{Client, testing::EchoServer};
    /// # fn main() -> openline::Result<()> {
    /// let server = EchoServer::options().subprotocols(["chat"]).start()?;
    /// let line = Client::new().subprotocols(["chat"]).connect(server.uri())?;
    /// assert_eq!(line.subprotocol(), Some("chat"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn subprotocols<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> EchoOptions {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Answers 401 to requests without this name and password.
    ///
    /// ```
    /// use openline::testing::EchoServer;
    /// # fn main() -> openline::Result<()> {
    /// let server = EchoServer::options().basic_auth("ann", "secret").start()?;
    /// assert!(openline::connect(server.uri()).is_err());
    /// assert!(openline::connect(&server.uri().replace("ws://", "ws://ann:secret@")).is_ok());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn basic_auth(mut self, user: &str, password: &str) -> EchoOptions {
        self.basic_auth = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// Serves `wss://localhost` with this certificate and key.
    ///
    /// ```
    /// use openline::{Client, rustls, testing::EchoServer};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rcgen::CertifiedKey { cert, signing_key } =
    ///     rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der())?;
    /// let config = rustls::ServerConfig::builder()
    ///     .with_no_client_auth()
    ///     .with_single_cert(vec![cert.der().clone()], key)?;
    /// let server = EchoServer::options().tls(config.into()).start()?;
    /// assert!(server.uri().starts_with("wss://localhost:"));
    /// # let mut roots = rustls::RootCertStore::empty();
    /// # roots.add(cert.der().clone())?;
    /// # let client = rustls::ClientConfig::builder()
    /// #     .with_root_certificates(roots)
    /// #     .with_no_client_auth();
    /// # assert!(Client::new().tls(client.into()).connect(server.uri()).is_ok());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn tls(mut self, config: Arc<ServerConfig>) -> EchoOptions {
        self.tls = Some(config);
        self
    }

    /// Messages that each client is sent first.
    ///
    /// ```
    /// use openline::testing::EchoServer;
    /// # fn main() -> openline::Result<()> {
    /// let server = EchoServer::options().welcome(["hello", "again"]).start()?;
    /// let line = openline::connect(server.uri())?;
    /// assert_eq!((line.recv()?, line.recv()?), ("hello".into(), "again".into()));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn welcome<M: Into<Message>>(
        mut self,
        messages: impl IntoIterator<Item = M>,
    ) -> EchoOptions {
        self.welcome = messages.into_iter().map(Into::into).collect();
        self
    }

    /// Closes after that many echoes; 0 is right after the welcome.
    ///
    /// ```
    /// use openline::testing::EchoServer;
    /// # fn main() -> openline::Result<()> {
    /// let server = EchoServer::options().close_after(1, 1000, "enough").start()?;
    /// let line = openline::connect(server.uri())?;
    /// line.send("once")?;
    /// assert_eq!(line.iter().count(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn close_after(mut self, echoes: usize, code: u16, reason: &str) -> EchoOptions {
        self.close_after = Some(CloseAfter { echoes, code, reason: reason.to_owned() });
        self
    }

    /// Starts it on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// As [`Server::bind`].
    ///
    /// ```
    /// use openline::testing::EchoServer;
    /// # fn main() -> openline::Result<()> {
    /// let server = EchoServer::options().start()?;
    /// assert!(server.uri().starts_with("ws://127.0.0.1:"));
    /// # Ok(()) }
    /// ```
    pub fn start(self) -> Result<EchoServer> {
        self.start_at("127.0.0.1", 0)
    }

    /// Starts it at an address.
    ///
    /// # Errors
    ///
    /// As [`Server::bind`].
    ///
    /// ```
    /// use openline::testing::EchoServer;
    /// # fn main() -> openline::Result<()> {
    /// let server = EchoServer::options().start_at("localhost", 0)?;
    /// assert!(openline::connect(server.uri()).is_ok());
    /// # Ok(()) }
    /// ```
    pub fn start_at(self, host: &str, port: u16) -> Result<EchoServer> {
        self.run(Server::bind((host, port))?)
    }

    /// Starts it on a Unix socket.
    ///
    /// # Errors
    ///
    /// As [`Server::bind_unix`].
    ///
    /// ```
    /// use openline::{Client, testing::EchoServer};
    /// # fn main() -> openline::Result<()> {
    /// # let name = format!("openline-echo-{}.sock", std::process::id());
    /// # let path = std::env::temp_dir().join(name);
    /// let server = EchoServer::options().start_unix(&path)?;
    /// let line = Client::new().connect_unix(&path, server.uri())?;
    /// assert_eq!(line.remote_address(), server.address());
    /// # Ok(()) }
    /// ```
    pub fn start_unix(self, path: impl AsRef<Path>) -> Result<EchoServer> {
        self.run(Server::bind_unix(path)?)
    }

    fn run(self, server: Server) -> Result<EchoServer> {
        let EchoOptions { subprotocols, basic_auth, tls, welcome, close_after } = self;
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let uri = match (server.address(), &tls) {
            (Address::Tcp(address), None) => format!("{scheme}://{address}/"),
            // A certificate is for a name.
            (Address::Tcp(address), Some(_)) => format!("{scheme}://localhost:{}/", address.port()),
            (Address::Unix(_), _) => format!("{scheme}://localhost/"),
        };
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let mut server =
            server.subprotocols(subprotocols).max_size(None).on_request(move |request| {
                seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(request.clone());
                let wanted = basic_auth.as_ref()?;
                let given = request.headers.get("Authorization").and_then(parse_basic_auth);
                (given.as_ref() != Some(wanted)).then(unauthorized)
            });
        if let Some(config) = tls {
            server = server.tls(config);
        }
        let server = server.serve(move |connection| {
            // It ends when the client closes, or breaks the line: neither is an error of the server.
            let _ = echo(&connection, &welcome, close_after.as_ref());
        })?;
        Ok(EchoServer { server, uri, requests })
    }
}

fn echo(
    connection: &Connection,
    welcome: &[Message],
    close_after: Option<&CloseAfter>,
) -> Result<()> {
    for message in welcome {
        connection.send(message)?;
    }
    let mut echoes = 0;
    loop {
        if let Some(CloseAfter { code, reason, .. }) = close_after.filter(|c| c.echoes == echoes) {
            return connection.close(*code, reason);
        }
        connection.send(&connection.recv()?)?;
        echoes += 1;
    }
}

fn unauthorized() -> Response {
    let mut response = Response::new(401, "Unauthorized");
    response
        .headers
        .append("WWW-Authenticate", "Basic realm=\"echo\", charset=\"UTF-8\"")
        .expect("bug: the header is a legal one");
    response.body = b"Wrong or missing credentials.\n".to_vec();
    response
}
