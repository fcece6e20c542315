use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use openline::testing::EchoServer;
use openline::{Address, Client, Error, Message, Server};

use crate::peer::LONG;

#[test]
fn subprotocol_headers_and_credentials() {
    let server = EchoServer::options()
        .subprotocols(["v2", "v1"])
        .basic_auth("user", "pass:word")
        .start()
        .unwrap();
    let uri = server.uri().replace("ws://", "ws://user:pass%3Aword@");
    let client = Client::new().subprotocols(["v1", "v2"]).header("X-A", "1").unwrap();
    let line = client.connect(&uri).unwrap();
    assert_eq!(line.subprotocol(), Some("v2"));
    let requests = server.take_requests();
    assert_eq!(requests.last().unwrap().headers.get("x-a"), Some("1"));
    let refused = openline::connect(server.uri());
    assert!(matches!(refused, Err(Error::Handshake(error)) if error.to_string().ends_with("401")));
}

#[test]
fn what_is_not_a_handshake_gets_an_http_answer() {
    let server = EchoServer::start().unwrap();
    let Address::Tcp(address) = server.address() else { panic!() };
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
}

#[test]
fn shutdown_closes_with_1001_and_ends_within_close_timeout() {
    let server = Server::bind("127.0.0.1:0").unwrap().close_timeout(Duration::from_millis(200));
    let server = server
        .serve(|connection| {
            // A handler that looks at nothing: the end shows in the next call.
            while connection.recv_timeout(Duration::from_secs(60)).is_ok() {}
        })
        .unwrap();
    let uri = format!("ws://{}/", server.address());
    let lines: Vec<_> = (0..5).map(|_| openline::connect(&uri).unwrap()).collect();
    let silent = TcpStream::connect(server.address().to_string()).unwrap();
    while server.connections().len() < 5 {
        std::thread::yield_now();
    }
    let start = Instant::now();
    server.shutdown();
    assert!(start.elapsed() < Duration::from_secs(5));
    for line in lines {
        let Err(Error::Closed(closed)) = line.recv() else { panic!("not closed") };
        assert_eq!(u16::from(closed.received().unwrap().code()), 1001);
    }
    drop(silent);
    assert!(openline::connect(&uri).is_err());
}

#[test]
fn a_handler_that_panics_harms_nobody_else() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let server = server
        .serve(|connection| {
            let message = connection.recv().unwrap();
            assert_ne!(message, Message::from("panic"), "as the test wants it");
            connection.send(&message).unwrap();
        })
        .unwrap();
    let uri = format!("ws://{}/", server.address());
    let (bad, good) = (openline::connect(&uri).unwrap(), openline::connect(&uri).unwrap());
    bad.send("panic").unwrap();
    assert!(matches!(bad.recv_timeout(LONG), Err(Error::Closed(_))));
    good.send("fine").unwrap();
    assert_eq!(good.recv_timeout(LONG).unwrap(), "fine".into());
}

#[test]
fn a_connection_is_shared_by_a_receiver_two_senders_and_a_closer() {
    let server = EchoServer::start().unwrap();
    let line = openline::connect(server.uri()).unwrap();
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let mut received = 0;
            loop {
                match line.recv() {
                    Ok(_) => received += 1,
                    Err(Error::Closed(closed)) => return (received, closed.is_ok()),
                    Err(error) => panic!("{error}"),
                }
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    match line.send("hello") {
                        Ok(()) => {}
                        Err(Error::Closed(_)) => return,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        std::thread::sleep(Duration::from_millis(200));
        line.close(1000, "").unwrap();
        let (received, ok) = receiver.join().unwrap();
        assert!(received > 0);
        assert!(ok);
    });
}

#[test]
fn a_client_that_breaks_a_limit_is_let_go_at_once() {
    let server = Server::bind("127.0.0.1:0").unwrap().max_size(4);
    let server = server.serve(|connection| assert!(connection.recv().is_err())).unwrap();
    let line = openline::connect(&format!("ws://{}/", server.address())).unwrap();
    let start = Instant::now();
    line.send("too big").unwrap();
    let Err(Error::Closed(closed)) = line.recv() else { panic!("not closed") };
    assert_eq!(
        closed.received().unwrap().reason(),
        "message of 7 bytes exceeds max_size of 4 bytes"
    );
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_unix_socket_is_removed_with_its_server_whether_it_served_or_not() {
    let path = std::env::temp_dir().join(format!("openline-unserved-{}.sock", std::process::id()));
    for _ in 0..2 {
        drop(Server::bind_unix(&path).unwrap());
    }
    let server = Server::bind_unix(&path).unwrap();
    let text = Server::bind_unix(&path).unwrap_err().to_string();
    assert!(text.starts_with(&format!("cannot listen on {}: ", path.display())), "{text}");
    server.serve(drop).unwrap().shutdown();
    assert!(!path.exists());
}
