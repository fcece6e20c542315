//! Compression, and extensions of the user's own, with this crate at both ends.

use std::sync::Arc;
use std::time::Duration;

use openline::extension::deflate::{ClientWindow, PerMessageDeflate};
use openline::extension::{Coding, CodingError, Extension, Frame, FrameCoding, Parameter};
use openline::handshake::HandshakeError;
use openline::{
    Client, CloseCode, Compress, Connection, Deadline, Error, Kind, Message, Outgoing,
    RunningServer, Server,
};

fn echo(server: Server) -> RunningServer {
    let serve = |connection: Connection| {
        while let Ok(message) = connection.recv() {
            if connection.send(&message).is_err() {
                return;
            }
        }
    };
    server.serve(serve).unwrap()
}

fn server() -> Server {
    Server::bind("127.0.0.1:0").unwrap().max_size(None)
}

fn connect(client: &Client, server: &RunningServer) -> Connection {
    client.connect(&format!("ws://{}/", server.address())).unwrap()
}

/// Text that compresses, of a length.
fn text(len: usize) -> String {
    let mut text = String::with_capacity(len + 30);
    for n in 0_usize.. {
        if text.len() >= len {
            break;
        }
        text.push_str(&format!("{{\"id\": {}}}, ", n * n));
    }
    text.truncate(len);
    text
}

#[test]
fn messages_of_every_size_come_back() {
    let deflates = [
        PerMessageDeflate::server(),
        PerMessageDeflate::server()
            .server_no_context_takeover(true)
            .client_no_context_takeover(true),
        PerMessageDeflate::server().server_max_window_bits(Some(15)).unwrap(),
        PerMessageDeflate::server().client_max_window_bits(ClientWindow::AtMost(9)).unwrap(),
    ];
    for deflate in deflates {
        let server = echo(server().compression(deflate));
        let line = connect(&Client::new().max_size(None), &server);
        assert_eq!(line.extensions().len(), 1);
        for compress in [Compress::Auto, Compress::Always, Compress::Never] {
            for len in [0, 1, 31, 32, 1_000, 70_000, 200_000, 3_000_000] {
                let message = Message::Text(text(len));
                line.send(Outgoing::from(&message).compress(compress)).unwrap();
                assert!(line.recv().unwrap() == message, "{compress:?} {len}");
            }
        }
        let many: Vec<Message> = (0..100).map(|n| Message::Text(text(n * 40))).collect();
        let (sent, outcome) = line.send_many(&many, Deadline::NEVER);
        assert!(outcome.is_ok() && sent == many.len());
        for message in &many {
            assert_eq!(line.recv().unwrap(), *message);
        }
        line.close(1000, "").unwrap();
    }
}

#[test]
fn fragments_are_compressed_and_read_one_by_one() {
    let server = server()
        .serve(|connection| {
            // The fragments come as they were sent, and go back so.
            let mut fragments = connection.recv_streaming().unwrap();
            let mut back = connection.send_fragments(Kind::Text);
            while let Some(fragment) = fragments.next_timeout(Duration::from_secs(10)).unwrap() {
                back.send(fragment.as_bytes(), Deadline::NEVER).unwrap();
            }
            back.finish(b"", Deadline::NEVER).unwrap();
            let _ = connection.recv();
        })
        .unwrap();
    let line = connect(&Client::new(), &server);
    let parts = [text(10), String::new(), text(5_000), text(1)];
    let mut message = line.send_fragments(Kind::Text);
    for part in &parts {
        message.send(part.as_bytes(), Deadline::NEVER).unwrap();
    }
    message.finish(b"", Deadline::NEVER).unwrap();
    let fragments: Vec<Message> = line.recv_streaming().unwrap().map(|f| f.unwrap()).collect();
    let back: Vec<&str> = fragments.iter().filter_map(Message::as_text).collect();
    let mut expected: Vec<&str> = parts.iter().map(String::as_str).collect();
    expected.extend(["", ""]);
    assert_eq!(back, expected);
}

#[test]
fn a_server_refuses_a_bomb() {
    let server = Server::bind("127.0.0.1:0")
        .unwrap()
        .max_size(100_000)
        .serve(|connection| drop(connection.recv()))
        .unwrap();
    let line = connect(&Client::new(), &server);
    line.send(Outgoing::from(&vec![0; 100_001])).unwrap();
    let Err(Error::Closed(closed)) = line.recv() else { panic!("the limit was not kept") };
    assert_eq!(closed.received().map(|close| close.code()), Some(CloseCode::MESSAGE_TOO_BIG));
}

/// Adds a byte to data frames, unless told to fail.
#[derive(Debug)]
struct Sealed;

impl Extension for Sealed {
    fn name(&self) -> &str {
        "x-sealed"
    }

    fn offer(&self) -> Vec<Parameter> {
        vec![("seal".to_owned(), Some("7".to_owned()))]
    }

    fn accept(&self, answer: &[Parameter]) -> Result<Coding, HandshakeError> {
        assert_eq!(answer, self.offer());
        Ok(Coding::Frames(Arc::new(Sealed)))
    }

    fn answer(&self, offer: &[Parameter]) -> Result<(Vec<Parameter>, Coding), HandshakeError> {
        Ok((offer.to_vec(), Coding::Frames(Arc::new(Sealed))))
    }
}

impl FrameCoding for Sealed {
    fn encode(&self, frame: &mut Frame) -> Result<(), CodingError> {
        if frame.payload == b"not this" {
            return Err(CodingError::new(CloseCode::POLICY_VIOLATION, "", "refused"));
        }
        frame.payload.push(7);
        Ok(())
    }

    fn decode(&self, frame: &mut Frame, _: Option<usize>) -> Result<(), CodingError> {
        match frame.payload.pop() {
            Some(7) => Ok(()),
            found => {
                let text = format!("seal {found:?}, expected 7");
                Err(CodingError::new(CloseCode::POLICY_VIOLATION, "seal is broken", text))
            }
        }
    }
}

#[test]
fn extensions_of_ones_own_stand_beside_compression() {
    let server = echo(server().extension(Arc::new(Sealed)));
    let orders: [Vec<Arc<dyn Extension>>; 3] = [
        vec![Arc::new(Sealed)],
        vec![Arc::new(Sealed), Arc::new(PerMessageDeflate::client())],
        vec![Arc::new(PerMessageDeflate::client()), Arc::new(Sealed)],
    ];
    for order in orders {
        let client = order.into_iter().fold(Client::new(), Client::extension).max_size(None);
        let line = connect(&client, &server);
        assert_eq!(line.extensions().len(), 2);
        for len in [0, 10, 1_000, 300_000] {
            line.send(&text(len)).unwrap();
            assert_eq!(line.recv().unwrap(), text(len).into());
        }
        assert!(line.ping(None, Duration::from_secs(10)).is_ok());
        // What an extension refuses is not sent, and nothing else is lost.
        let outcome = line.send(Outgoing::from("not this").compress(Compress::Never));
        let Err(Error::Other(error)) = outcome else { panic!("{outcome:?}") };
        let error = error.downcast::<CodingError>().unwrap();
        assert_eq!(error.cause().to_string(), "refused");
        line.send("this").unwrap();
        assert_eq!(line.recv().unwrap(), "this".into());
        line.close(1000, "").unwrap();
    }
}

#[test]
fn what_an_extension_cannot_decode_closes_the_connection_with_its_code() {
    #[derive(Debug)]
    struct Unsealed;
    impl Extension for Unsealed {
        fn name(&self) -> &str {
            "x-sealed"
        }
        fn offer(&self) -> Vec<Parameter> {
            Vec::new()
        }
        fn accept(&self, _: &[Parameter]) -> Result<Coding, HandshakeError> {
            Ok(Coding::Frames(Arc::new(Unsealed)))
        }
    }
    impl FrameCoding for Unsealed {
        fn encode(&self, _: &mut Frame) -> Result<(), CodingError> {
            Ok(())
        }
        fn decode(&self, frame: &mut Frame, _: Option<usize>) -> Result<(), CodingError> {
            frame.payload.pop();
            Ok(())
        }
    }
    let server = echo(server().extension(Arc::new(Sealed)));
    let line = connect(&Client::new().compression(None).extension(Arc::new(Unsealed)), &server);
    line.send("no seal").unwrap();
    let Err(Error::Closed(closed)) = line.recv() else { panic!("nobody looked at the seal") };
    let received = closed.received().map(ToString::to_string);
    assert_eq!(received.as_deref(), Some("1008 (policy violation) seal is broken"));
}
