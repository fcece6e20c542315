//! Clients on their way into a server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use openline::http::Response;
use openline::{Client, Connection, Error, Server};

use crate::peer::LONG;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn connect(server: &openline::RunningServer) -> TcpStream {
    let stream = TcpStream::connect(server.address().to_string()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// All that comes until the end.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hold(connection: Connection) {
    let _ = connection.recv();
}

fn echo(connection: Connection) {
    while let Ok(message) = connection.recv() {
        let _ = connection.send(&message);
    }
}

#[test]
fn a_client_that_dribbles_has_no_more_time() {
    let server = Server::bind("127.0.0.1:0").unwrap().open_timeout(Duration::from_millis(200));
    let server = server.serve(echo).unwrap();
    let mut stream = connect(&server);
    let start = Instant::now();
    for byte in REQUEST.iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
        assert!(start.elapsed() < LONG);
    }
}

#[test]
fn limits_are_answered_with_503() {
    let server = Server::bind("127.0.0.1:0").unwrap().max_connections(2).serve(hold).unwrap();
    let uri = format!("ws://{}/", server.address());
    let lines = [(); 2].map(|()| openline::connect(&uri).unwrap());
    let mut third = connect(&server);
    third.write_all(REQUEST).unwrap();
    let answer = rest(third);
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("as many connections"),
        "{answer}"
    );
    drop(lines);
    let start = Instant::now();
    while openline::connect(&uri).is_err() {
        assert!(start.elapsed() < LONG);
    }

    let server = Server::bind("127.0.0.1:0").unwrap().max_handshakes(2).serve(hold).unwrap();
    let silent = [(); 2].map(|()| connect(&server));
    let answer = rest(connect(&server));
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("on their way"), "{answer}");
    drop(silent);

    let server = Server::bind("127.0.0.1:0").unwrap().max_per_address(2).serve(hold).unwrap();
    let uri = format!("ws://{}/", server.address());
    let (silent, open) = (connect(&server), openline::connect(&uri).unwrap());
    let answer = rest(connect(&server));
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("this address"), "{answer}");
    drop((silent, open));
    let start = Instant::now();
    while openline::connect(&uri).is_err() {
        assert!(start.elapsed() < LONG, "the seats were not left");
    }
}

#[test]
fn a_silent_client_over_tls_is_cut_and_a_good_one_served() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = openline::rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der());
    let config = openline::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.unwrap())
        .unwrap();
    let mut roots = openline::rustls::RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let trust = openline::rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = Server::bind("127.0.0.1:0").unwrap().tls(config.into());
    let server = server.open_timeout(Duration::from_millis(500)).serve(echo).unwrap();
    let silent = connect(&server);
    let mut plain = connect(&server);
    plain.write_all(REQUEST).unwrap();
    let client = Client::new().tls(trust.into()).server_hostname("localhost");
    let line = client.connect(&format!("wss://{}/", server.address())).unwrap();
    line.send("served").unwrap();
    assert_eq!(line.recv_timeout(LONG).unwrap(), "served".into());
    let connections = server.connections();
    assert!(connections[0].timings().tls.is_some_and(|time| !time.is_zero()));
    assert!(!rest(plain).contains("HTTP")); // an alert of TLS
    assert_eq!(rest(silent), "");
}

#[test]
fn origins_subprotocols_and_hooks() {
    let server = Server::bind("127.0.0.1:0")
        .unwrap()
        .origins(|origin| origin == Some("https://example.com"))
        .select_subprotocol(|request, offered| {
            (request.path != "/none").then(|| offered.last().cloned()).flatten()
        })
        .on_request(|request| {
            (request.path == "/health").then(|| {
                let mut response = Response::new(200, "OK");
                response.body = b"well\n".to_vec();
                response
            })
        })
        .server_header(Some("test/1"))
        .serve(hold)
        .unwrap();
    let uri = format!("ws://{}", server.address());
    let client = || Client::new().origin("https://example.com").subprotocols(["a", "b"]);
    let line = client().connect(&format!("{uri}/")).unwrap();
    assert_eq!(line.subprotocol(), Some("b"));
    assert_eq!(client().connect(&format!("{uri}/none")).unwrap().subprotocol(), None);
    for client in [Client::new(), Client::new().origin("https://example.org")] {
        let Err(Error::Handshake(error)) = client.connect(&uri) else { panic!("connected") };
        assert!(error.to_string().ends_with("403"), "{error}");
    }
    let mut health = connect(&server);
    health.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let answer = rest(health);
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nwell\n"),
        "{answer}"
    );
    assert!(answer.contains("\r\nServer: test/1\r\n") && answer.contains("\r\nDate: "), "{answer}");
}

#[test]
fn a_subprotocol_that_was_not_offered_is_our_fault() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let server = server.select_subprotocol(|_, _| Some("x".to_owned())).serve(hold).unwrap();
    let outcome = openline::connect(&format!("ws://{}/", server.address()));
    let Err(Error::Handshake(error)) = outcome else { panic!("connected") };
    assert!(error.to_string().ends_with("500"), "{error}");
}

#[test]
fn sockets_that_listen_already() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::from_listener(listener).serve(echo).unwrap();
    assert!(openline::connect(&format!("ws://{address}/")).is_ok());
    server.shutdown();

    let path = std::env::temp_dir().join(format!("openline-given-{}.sock", std::process::id()));
    let server = Server::from_listener(UnixListener::bind(&path).unwrap()).serve(echo).unwrap();
    let line = Client::new().connect_unix(&path, "ws://localhost/").unwrap();
    line.send("served").unwrap();
    assert_eq!(line.recv_timeout(LONG).unwrap(), "served".into());
    server.shutdown();
    assert!(path.exists()); // it was not made here
    std::fs::remove_file(&path).unwrap();
}
