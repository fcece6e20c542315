//! The options of every command that connects, seen by `openline connect`.

use openline::http::Request;
use openline::rustls::pki_types::pem::PemObject;
use openline::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use openline::rustls::server::WebPkiClientVerifier;
use openline::rustls::{RootCertStore, ServerConfig};
use openline::testing::EchoServer;

use crate::running::{Identity, run, temporary};

/// The request of a connect with these arguments.
#[track_caller]
fn request(args: &[&str]) -> Request {
    let server = EchoServer::options().subprotocols(["v1"]).start().unwrap();
    run(&[&["connect", server.uri()], args].concat(), "").printed("");
    server.take_requests().remove(0)
}

#[test]
fn the_request_has_what_was_given() {
    let request = request(&[
        "-H",
        "X-Trace: 1:2",
        "--header",
        "X-Empty:",
        "-p",
        "v2",
        "-p",
        "v1",
        "--origin",
        "https://example.com",
        "-u",
        "ann:sec:ret",
        "-b",
        "a=1",
        "-b",
        "b=2",
        "-A",
        "probe/1",
    ]);
    let header = |name| request.headers.get(name);
    assert_eq!(header("X-Trace"), Some("1:2"));
    assert_eq!(header("X-Empty"), Some(""));
    assert_eq!(header("Sec-WebSocket-Protocol"), Some("v2, v1"));
    assert_eq!(header("Origin"), Some("https://example.com"));
    assert_eq!(header("Authorization"), Some("Basic YW5uOnNlYzpyZXQ="));
    assert_eq!(header("Cookie"), Some("a=1; b=2"));
    assert_eq!(header("User-Agent"), Some("probe/1"));
    assert!(header("Sec-WebSocket-Extensions").is_some());
}

#[test]
fn the_request_lacks_what_is_off() {
    let request = request(&["--compression", "off", "-A", ""]);
    assert_eq!(request.headers.get("Sec-WebSocket-Extensions"), None);
    assert_eq!(request.headers.get("User-Agent"), None);
}

#[test]
fn what_cannot_be_a_header_is_refused() {
    let refused = |args: &[&str], text| {
        run(&[&["connect", "ws://localhost/"], args].concat(), "").failed(2, text);
    };
    refused(&["-H", "no colon"], "give 'Name: value'");
    refused(&["-H", "X Y: z"], "X Y");
    refused(&["-u", "ann"], "give name:password");
    refused(&["--ping-interval", "soon"], "not a number of seconds");
    refused(&["--open-timeout", "0"], "has to be more than 0");
    refused(&["--cert", "cert.pem"], "--key");
    refused(&["--proxy", "ftp://localhost"], "ftp");
}

#[test]
fn an_address_stands_for_a_name() {
    let server = EchoServer::start().unwrap();
    let port = server.address().to_string().rsplit(':').next().unwrap().to_owned();
    let uri = format!("ws://staging.invalid:{port}/");
    let resolve = format!("Staging.invalid:{port}:127.0.0.1");
    run(&["connect", "--resolve", "other:1:::1", "--resolve", &resolve, &uri], "hi")
        .printed("hi\n");
    let host = server.take_requests()[0].headers.get("Host").map(str::to_owned);
    assert_eq!(host, Some(format!("staging.invalid:{port}")));
}

#[test]
fn a_proxy_is_used_unless_it_is_not_wanted() {
    let server = EchoServer::start().unwrap();
    let proxy = "http://127.0.0.1:1";
    run(&["connect", "-x", proxy, server.uri()], "")
        .failed(2, "cannot connect to proxy 127.0.0.1:1");
    let direct = |args: &[&str]| {
        let mut command = crate::running::openline(&[&["connect", server.uri()], args].concat());
        command.env("ws_proxy", proxy).output().unwrap().status.code()
    };
    assert_eq!(direct(&[]), Some(2));
    assert_eq!(direct(&["--no-proxy"]), Some(0));
}

#[test]
fn a_unix_socket_is_connected_to() {
    let path = temporary("options.sock");
    let _server = EchoServer::options().start_unix(&path).unwrap();
    let args = ["connect", "--unix-socket", path.to_str().unwrap(), "ws://localhost/"];
    run(&args, "hi\n").printed("hi\n");
}

#[test]
fn tls_trusts_whom_it_is_told_to() {
    let identity = Identity::new("options");
    let server = EchoServer::options().tls(identity.server.clone()).start().unwrap();
    let (uri, cert) = (server.uri(), identity.cert.to_str().unwrap());
    let key = identity.key.to_str().unwrap();
    run(&["connect", uri], "").failed(2, "certificate");
    run(&["connect", "--ca-file", cert, uri], "hi\n").printed("hi\n");
    run(&["connect", "-k", uri], "hi\n").printed("hi\n");
    let finished = run(&["connect", "-k", "-v", "-w", "%{time_tls}", uri], "");
    assert!(finished.stderr.contains("* TLSv1_3, "), "{finished:?}");
    assert_ne!(finished.stdout, "0.000000");
    run(&["connect", "--ca-file", "/nowhere.pem", uri], "").failed(2, "cannot use /nowhere.pem");
    run(&["connect", "--ca-file", key, uri], "").failed(2, "has no certificate in PEM");
    run(&["connect", "-k", "--cert", cert, "--key", cert, uri], "").failed(2, "no private key");
}

#[test]
fn a_certificate_of_ones_own_is_shown() {
    let (server, client) = (Identity::new("mutual-server"), Identity::new("mutual-client"));
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from_pem_file(&client.cert).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder(trusted.into()).build().unwrap();
    let chain = vec![CertificateDer::from_pem_file(&server.cert).unwrap()];
    let config = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&server.key).unwrap())
        .unwrap();
    let echo = EchoServer::options().tls(config.into()).start().unwrap();
    let (cert, key) = (client.cert.to_str().unwrap(), client.key.to_str().unwrap());
    let trust = ["connect", "--ca-file", server.cert.to_str().unwrap(), echo.uri()];
    run(&[&trust[..], &["--cert", cert, "--key", key]].concat(), "hi\n").printed("hi\n");
    run(&trust, "hi\n").failed(2, "CertificateRequired");
}
