//! Two ends of a connection, without a network between them.

use std::os::unix::net::UnixStream;

use openline_proto::Uri;

use crate::client::Client;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::server;

/// Two ends of a connection, the client's and the server's, with the defaults of [`Client`].
///
/// They are connections as any others, over a socket pair of the kernel: there is no port, no file and nobody
/// else who could connect. Their handshake is a real one: compression is agreed on, and
/// [`request`](Connection::request) is what the client has sent.
///
/// # Errors
///
/// [`Error::System`] when there are no descriptors left.
///
/// ```
/// use openline::Connection;
///
/// fn greet(line: &Connection) -> openline::Result<()> { // what is to be tested
///     line.send("hello")
/// }
///
/// # fn main() -> openline::Result<()> {
/// let (client, server) = openline::testing::pair()?;
/// greet(&client)?;
/// assert_eq!(server.recv()?, "hello".into());
/// server.send(&vec![0; 100])?;
/// assert_eq!(client.recv()?.as_bytes().len(), 100);
/// # Ok(()) }
/// ```
pub fn pair() -> Result<(Connection, Connection)> {
    pair_of(&Client::new(), "ws://localhost/")
}

/// As [`pair`], with the settings of a client: what it offers, asks for and adds to its request, and limits
/// and times, which hold for both ends. The server agrees to the subprotocol that is offered first and to
/// compression, to no other extension. `uri` is what the request says.
///
/// # Errors
///
/// Those of [`Client::connect_over`], and [`Error::Argument`] for a `wss://` URI: there is no TLS.
///
/// ```
/// use openline::{Client, Error, testing};
/// # fn main() -> openline::Result<()> {
/// let settings = Client::new().subprotocols(["chat.v2", "chat.v1"]).max_size(1000);
/// let (client, server) = testing::pair_of(&settings, "ws://localhost/room?id=7")?;
/// assert_eq!(client.subprotocol(), Some("chat.v2"));
/// assert_eq!(server.request().path, "/room?id=7");
/// server.send(&vec![0; 1001])?;
/// assert!(matches!(client.recv(), Err(Error::Closed(_)))); // too large
/// # Ok(()) }
/// ```
pub fn pair_of(client: &Client, uri: &str) -> Result<(Connection, Connection)> {
    if Uri::parse(uri)?.is_secure() {
        return Err(Error::Argument("a pair has no TLS; use a ws:// URI".to_owned()));
    }
    let (ours, theirs) = UnixStream::pair()
        .map_err(|error| Error::System { action: "make a pair of sockets".to_owned(), error })?;
    std::thread::scope(|scope| {
        let opening = scope.spawn(move || server::open_for(client, theirs.into()));
        let client = client.connect_over(ours, uri);
        let server = opening.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((client?, server?))
    })
}
