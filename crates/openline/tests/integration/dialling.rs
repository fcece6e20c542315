use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use openline::handshake::HandshakeError;
use openline::testing::EchoServer;
use openline::{Client, Error};

use crate::peer::read_head;

#[test]
fn a_name_is_resolved_and_every_address_tried() {
    let server = EchoServer::start().unwrap();
    let uri = server.uri().replace("127.0.0.1", "localhost");
    let line = openline::connect(&uri).unwrap();
    line.send("found").unwrap();
    assert_eq!(line.recv().unwrap(), "found".into());
}

#[test]
fn nothing_listens() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let Err(Error::Connect(error)) = openline::connect(&format!("ws://127.0.0.1:{port}/")) else {
        panic!("connected")
    };
    assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
    let expected = format!("cannot connect to 127.0.0.1:{port}: Connection refused (os error 111)");
    assert_eq!(error.to_string(), expected);
    let Err(Error::Connect(error)) = openline::connect("ws://no-such-host.invalid/") else {
        panic!("connected")
    };
    assert!(error.is_resolution());
}

#[test]
fn unix_sockets() {
    let path = std::env::temp_dir().join(format!("openline-{}.sock", std::process::id()));
    let missing = Client::new().connect_unix(&path, "ws://localhost/");
    let Err(Error::Connect(error)) = missing else { panic!("connected") };
    assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::NotFound);

    let server = EchoServer::options().start_unix(&path).unwrap();
    let line = Client::new().connect_unix(&path, "ws://localhost/feed").unwrap();
    line.send("over a path").unwrap();
    assert_eq!(line.recv().unwrap(), "over a path".into());
    assert_eq!(line.remote_address().to_string(), path.display().to_string());
    assert_eq!(line.request().path, "/feed");
    line.close(1000, "").unwrap();
    server.shutdown();
    assert!(!path.exists());
}

/// A server that says this and then nothing, or ends.
fn scripted(response: &'static [u8], ends: bool, step: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        for byte in response {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(step);
        }
        if !ends {
            // Until the client has left.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    uri
}

#[test]
fn a_refusal_comes_with_status_headers_and_body() {
    let response = b"HTTP/1.1 403 Forbidden\r\nX-Why: quota\r\nContent-Length: 5\r\n\r\nnever";
    let uri = scripted(response, false, Duration::ZERO);
    let Err(Error::Handshake(HandshakeError::InvalidStatus(response))) = openline::connect(&uri)
    else {
        panic!("not refused")
    };
    assert_eq!(response.status_code, 403);
    assert_eq!(response.headers.get("x-why"), Some("quota"));
    assert_eq!(response.body, b"never");
}

#[test]
fn an_end_in_the_handshake_is_an_error_with_its_cause() {
    let uri = scripted(b"HTTP/1.1 101 Swi", true, Duration::ZERO);
    let Err(Error::Handshake(error)) = openline::connect(&uri) else { panic!("connected") };
    assert_eq!(error.to_string(), "did not receive a valid HTTP response");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn open_timeout_is_one_deadline_over_a_dribbled_handshake() {
    let response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n";
    for uri in
        [scripted(response, false, Duration::from_millis(50)), scripted(b"", false, Duration::ZERO)]
    {
        let start = Instant::now();
        let outcome = Client::new().open_timeout(Duration::from_millis(300)).connect(&uri);
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
        assert!(start.elapsed() >= Duration::from_millis(300));
        assert!(start.elapsed() < Duration::from_secs(3));
    }
}

#[test]
fn bad_arguments_are_refused_before_anything_is_opened() {
    assert!(matches!(openline::connect("http://localhost/"), Err(Error::InvalidUri(_))));
    assert!(matches!(openline::connect("ws://localhost/#x"), Err(Error::InvalidUri(_))));
    assert!(Client::new().header("X", "a\r\nInjected: b").is_err());
    let client = Client::new().subprotocols(["a b"]);
    assert!(matches!(client.connect("ws://localhost:1/"), Err(Error::Handshake(_))));
    let client = Client::new().max_queue(0);
    assert!(matches!(client.connect("ws://localhost:1/"), Err(Error::Argument(_))));
    let client = Client::new().max_queue(4).resume_queue(5);
    assert!(matches!(client.connect("ws://localhost:1/"), Err(Error::Argument(_))));
}

#[test]
fn giving_up_leaves_at_once() {
    let uri = scripted(b"", false, Duration::ZERO).replace("127.0.0.1", "localhost");
    let outcome = Client::new().connect_unless(&uri, &|| true);
    // Asked during resolution at the latest, unless everything was there at once.
    let given_up = Client::new().open_timeout(Duration::from_millis(100));
    drop(given_up);
    assert!(
        matches!(outcome, Err(Error::Interrupted { .. } | Error::Timeout { .. })),
        "{outcome:?}"
    );
}
