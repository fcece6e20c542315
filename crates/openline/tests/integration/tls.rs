use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use openline::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use openline::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use openline::testing::EchoServer;
use openline::{Cause, Client, Error, Message};

use crate::peer::{LONG, accept};

struct Pki {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

fn pki(name: &str) -> Pki {
    let mut ca_params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca_params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca = ca_params.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca_params, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();

    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(ca.der().to_vec())).unwrap();
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate.der().to_vec())], key)
        .unwrap();
    Pki { server: Arc::new(server), client: Arc::new(client) }
}

#[test]
fn messages_of_every_size_both_ways() {
    let pki = pki("localhost");
    let server = EchoServer::options().tls(pki.server).start().unwrap();
    let line = Client::new().tls(pki.client).max_size(None).connect(server.uri()).unwrap();
    for len in [0, 1, 125, 126, 16_384, 65_536, 300_000, 5_000_000] {
        let payload: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        line.send_timeout(&payload, LONG).unwrap();
        assert!(line.recv_timeout(LONG).unwrap() == Message::Binary(payload), "{len}");
    }
    line.ping(None, LONG).unwrap();
    line.close(1000, "").unwrap();
    assert!(line.how_closed().unwrap().is_ok());
}

#[test]
fn sending_and_receiving_at_once() {
    let pki = pki("localhost");
    let server = EchoServer::options().tls(pki.server).start().unwrap();
    let line = Client::new().tls(pki.client).connect(server.uri()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..2000_u32 {
                line.send(&n.to_be_bytes().repeat(1 + n as usize)).unwrap();
            }
        });
        for n in 0..2000_u32 {
            let expected = n.to_be_bytes().repeat(1 + n as usize);
            assert!(line.recv_timeout(LONG).unwrap() == Message::Binary(expected), "{n}");
        }
    });
}

#[test]
fn idle_connections_are_served() {
    let pki = pki("localhost");
    let server = openline::Server::bind("127.0.0.1:0").unwrap().tls(pki.server);
    let server = server
        .serve(|connection| {
            // The client does nothing, and answers all the same.
            for _ in 0..3 {
                connection.ping(None, LONG).unwrap();
                thread::sleep(Duration::from_millis(150));
            }
            connection.send("answered").unwrap();
            // The close comes while the client does nothing.
        })
        .unwrap();
    let openline::Address::Tcp(address) = server.address() else { panic!() };
    let uri = format!("wss://localhost:{}/", address.port());
    let line = Client::new().tls(pki.client).connect(&uri).unwrap();
    assert!(line.wait_closed(LONG).unwrap());
    assert_eq!(line.recv().unwrap(), "answered".into());
    assert!(line.how_closed().unwrap().is_ok());
}

#[test]
fn certificates_that_do_not_fit_are_refused_with_the_reason() {
    let wrong_name = pki("elsewhere.example");
    let server = EchoServer::options().tls(wrong_name.server).start().unwrap();
    let outcome = Client::new().tls(wrong_name.client.clone()).connect(server.uri());
    let Err(Error::Tls(error)) = outcome else { panic!("{outcome:?}") };
    assert!(error.is_verification());
    assert!(
        error.to_string().starts_with("TLS with localhost: certificate verify failed"),
        "{error}"
    );

    let client = Client::new().tls(wrong_name.client).server_hostname("elsewhere.example");
    client.connect(server.uri()).unwrap();

    let other = pki("localhost");
    let unknown = Client::new().tls(other.client).connect(server.uri());
    assert!(matches!(unknown, Err(Error::Tls(error)) if error.is_verification()));
}

#[test]
fn a_server_without_tls_is_an_error_and_not_a_hang() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let thread = thread::spawn(move || {
        for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b""] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 100];
            stream.read_exact(&mut hello).unwrap();
            stream.write_all(answer).unwrap();
        }
    });
    for _ in 0..2 {
        let outcome = Client::new().tls(pki("localhost").client).connect(&uri);
        assert!(matches!(outcome, Err(Error::Tls(_))), "{outcome:?}");
    }
    thread.join().unwrap();
}

#[test]
fn truncation_is_an_error() {
    let pki = pki("localhost");
    let server = openline::Server::bind("127.0.0.1:0").unwrap().tls(pki.server);
    let server = server.serve(|connection| connection.send("cut").unwrap()).unwrap();
    let openline::Address::Tcp(address) = server.address() else { panic!() };
    let uri = format!("wss://localhost:{}/", address.port());
    let line = Client::new().tls(pki.client).connect(&uri).unwrap();
    assert_eq!(line.recv().unwrap(), "cut".into());
    assert!(matches!(line.recv(), Err(Error::Closed(_))));
}

#[test]
fn an_end_without_the_goodbye_of_tls_and_an_abort_have_their_causes() {
    let pki = pki("localhost");
    for aborts in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
        let config = pki.server.clone();
        let peer = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut session = openline::rustls::ServerConnection::new(config).unwrap();
            let mut tls = openline::rustls::Stream::new(&mut session, &mut stream);
            accept(&mut tls, b"");
            stream // without a close_notify
        });
        let line = Client::new().tls(pki.client.clone()).connect(&uri).unwrap();
        let stream = peer.join().unwrap();
        let receiver = line.clone();
        let thread = thread::spawn(move || receiver.recv());
        if aborts {
            line.abort();
        } else {
            stream.shutdown(std::net::Shutdown::Both).unwrap();
        }
        let Err(Error::Closed(closed)) = thread.join().unwrap() else { panic!("not closed") };
        match closed.cause() {
            Cause::Aborted => assert!(aborts),
            Cause::TlsEof(_) => assert!(!aborts),
            cause => panic!("{cause:?}"),
        }
    }
}

/// RFC 8446 §4.6.3: either side may change its keys at any time, and ask the other to do so.
#[test]
fn keys_are_changed_in_the_middle() {
    let pki = pki("localhost");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let server = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let session = openline::rustls::ServerConnection::new(pki.server).unwrap();
        let mut stream = openline::rustls::StreamOwned::new(session, socket);
        crate::peer::accept(&mut stream, b"");
        for n in 0..100 {
            stream.write_all(&[b"\x82\x7e\x03\xe8", &[n; 1000][..]].concat()).unwrap();
            stream.conn.refresh_traffic_keys().unwrap();
            // Within a message, too.
            stream.write_all(b"\x01\x01a").unwrap();
            stream.conn.refresh_traffic_keys().unwrap();
            stream.write_all(b"\x80\x01b").unwrap();
            stream.flush().unwrap();
            let mut frame = [0; 6 + 5];
            stream.read_exact(&mut frame).unwrap();
            assert_eq!(frame[..2], [0x81, 0x85]);
        }
    });
    let line = Client::new().tls(pki.client).ping_interval(None).connect(&uri).unwrap();
    for n in 0..100 {
        assert!(line.recv_timeout(LONG).unwrap() == Message::Binary(vec![n; 1000]));
        assert_eq!(line.recv_timeout(LONG).unwrap(), "ab".into());
        line.send("reply").unwrap();
    }
    server.join().unwrap();
}
