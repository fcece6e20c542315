//! The parts of the core, each by itself: `make bench-parts`. Beside some stands what else could have been taken.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use openline_proto::extension::deflate::PerMessageDeflate;
use openline_proto::extension::{self, Compress, Decoding, Encoding, Extension};
use openline_proto::{
    Ends, FrameHeader, Inbound, Kind, Limits, MaskKey, Opcode, Outbound, Part, Role, Rsv,
    handshake, mask,
};

const SIZES: [usize; 4] = [14, 64, 1024, 65_536];
const KEY: [u8; 4] = [0x12, 0x80, 0xff, 0x07];

criterion_group! {
    name = parts;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = masking, parsing, encoding, validating, compressing, echoing
}
criterion_main!(parts);

fn masking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask");
    for size in SIZES {
        let payload = vec![b'x'; size];
        let mut out = vec![0; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("copy", size), |bencher| {
            bencher.iter(|| mask::copy(MaskKey::new(KEY), black_box(&payload), &mut out));
        });
        group.bench_function(BenchmarkId::new("in place", size), |bencher| {
            bencher.iter(|| mask::apply(MaskKey::new(KEY), black_box(&mut out)));
        });
        group.bench_function(BenchmarkId::new("memcpy, for comparison", size), |bencher| {
            bencher.iter(|| out.copy_from_slice(black_box(&payload)));
        });
    }
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for size in SIZES {
        let mut frame = server_frame(size);
        group.throughput(Throughput::Bytes(size as u64));
        let mut inbound = Inbound::new(Role::Client, Limits::default());
        if size < 65_536 {
            group.bench_function(BenchmarkId::new("receive_whole", size), |bencher| {
                bencher.iter(|| inbound.receive_whole(black_box(&mut frame)).is_some());
            });
        }
        group.bench_function(BenchmarkId::new("receive", size), |bencher| {
            bencher
                .iter(|| inbound.receive(black_box(&mut frame)).map(|received| received.consumed));
        });
    }
}

fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for size in SIZES {
        let payload = vec![b'x'; size];
        let mut outbound = Outbound::new(Role::Client);
        let mut out = Vec::with_capacity(size + 14);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("client frame", size), |bencher| {
            bencher.iter(|| {
                out.clear();
                encode(&mut outbound, black_box(&payload), &mut out);
            });
        });
    }
}

fn validating(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("utf-8");
    for (name, text) in [("ascii", "x".repeat(1024)), ("mixed", "añ日😀".repeat(102))] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("simdutf8", name), |bencher| {
            bencher.iter(|| simdutf8::basic::from_utf8(black_box(text.as_bytes())).is_ok());
        });
        group.bench_function(BenchmarkId::new("std, for comparison", name), |bencher| {
            bencher.iter(|| str::from_utf8(black_box(text.as_bytes())).is_ok());
        });
    }
}

/// Two hundred different messages, each with what came before as its context.
fn compressing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("deflate");
    let texts: Vec<String> = (0..200).map(json).collect();
    group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
    let encoding = || Encoding::new(&agreed()).expect("an extension was agreed on");
    let decoding =
        || Decoding::new(&agreed(), Limits::default()).expect("an extension was agreed on");
    group.bench_function("compress JSON, 200 times 1 KiB", |bencher| {
        bencher.iter_batched_ref(
            || (encoding(), Vec::with_capacity(2048)),
            |(encoding, frame)| {
                for text in &texts {
                    frame.clear();
                    compress(encoding, text, frame);
                }
            },
            BatchSize::SmallInput,
        );
    });
    let mut compressor = encoding();
    let frames: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| {
            let mut frame = Vec::new();
            compress(&mut compressor, text, &mut frame);
            frame
        })
        .collect();
    group.bench_function("decompress JSON, 200 times 1 KiB", |bencher| {
        bencher.iter_batched_ref(
            || (decoding(), Vec::with_capacity(2048)),
            |(decoding, message)| {
                for frame in &frames {
                    message.clear();
                    let decoded =
                        decoding.data(Kind::Text, Rsv::RSV1, frame, Ends::Message, message);
                    decoded.expect("what was compressed can be decompressed");
                }
            },
            BatchSize::SmallInput,
        );
    });
}

fn compress(encoding: &mut Encoding, text: &str, frame: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let encoded = encoding.data(Kind::Text, Part::Whole, bytes, Compress::default(), frame);
    encoded.expect("deflate refuses no text");
}

/// About 1 KiB, of which much is the same in each.
fn json(number: u32) -> String {
    let entry = |n: u32| {
        format!("{{\"id\": {}, \"price\": {}}}, ", number * 40 + n, (number + n) * 31 % 9973)
    };
    (0..40).map(entry).collect()
}

/// A message of 14 bytes, 100,000 times: the client sends, the server echoes, the client receives; no socket.
fn echoing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("100,000 echoes in memory");
    group.sample_size(10);
    group.bench_function("openline-proto", |bencher| bencher.iter(|| echo_all(100_000)));
    group.bench_function("tungstenite, for comparison", |bencher| {
        bencher.iter(|| tungstenite_echo_all(100_000));
    });
}

fn echo_all(count: usize) -> usize {
    let payload = b"hello, echo 14";
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let mut client = Outbound::new(Role::Client);
    for _ in 0..count {
        encode(&mut client, payload, &mut to_server);
    }
    let (mut inbound, mut outbound) =
        (Inbound::new(Role::Server, Limits::default()), Outbound::new(Role::Server));
    let mut unread = &mut to_server[..];
    while let Some((message, len)) = inbound.receive_whole(unread) {
        encode(&mut outbound, message.as_bytes(), &mut to_client);
        unread = &mut unread[len..];
    }
    let mut inbound = Inbound::new(Role::Client, Limits::default());
    let (mut unread, mut received) = (&mut to_client[..], 0);
    while let Some((message, len)) = inbound.receive_whole(unread) {
        received += black_box(message).as_bytes().len();
        unread = &mut unread[len..];
    }
    assert_eq!(received, count * payload.len());
    received
}

fn tungstenite_echo_all(count: usize) -> usize {
    use tungstenite::protocol::{Message, Role, WebSocket};

    let text = tungstenite::Utf8Bytes::from_static("hello, echo 14");
    let mut client = WebSocket::from_raw_socket(Memory::default(), Role::Client, None);
    for _ in 0..count {
        client.write(Message::Text(text.clone())).expect("memory takes all");
    }
    client.flush().expect("memory takes all");
    let input = std::mem::take(&mut client.get_mut().output);
    let mut server = WebSocket::from_raw_socket(Memory::new(input), Role::Server, None);
    for _ in 0..count {
        let message = server.read().expect("the client has sent it");
        server.write(message).expect("memory takes all");
    }
    server.flush().expect("memory takes all");
    *client.get_mut() = Memory::new(std::mem::take(&mut server.get_mut().output));
    (0..count).map(|_| client.read().expect("the server has sent it").len()).sum()
}

/// A stream that reads from one buffer and writes to another.
#[derive(Default)]
struct Memory {
    input: std::io::Cursor<Vec<u8>>,
    output: Vec<u8>,
}

impl Memory {
    fn new(input: Vec<u8>) -> Memory {
        Memory { input: std::io::Cursor::new(input), output: Vec::new() }
    }
}

impl std::io::Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.input.read(buffer)
    }
}

impl std::io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn encode(outbound: &mut Outbound, payload: &[u8], out: &mut Vec<u8>) {
    let header = outbound.data_header(Kind::Text, Part::Whole, payload.len(), MaskKey::new(KEY));
    out.extend_from_slice(header.encode().as_ref());
    let start = out.len();
    match header.mask {
        None => out.extend_from_slice(payload),
        Some(key) => {
            out.resize(start + payload.len(), 0);
            mask::copy(key, payload, &mut out[start..]);
        }
    }
}

fn server_frame(size: usize) -> Vec<u8> {
    let header = FrameHeader {
        fin: true,
        rsv: Rsv::NONE,
        opcode: Opcode::Text,
        mask: None,
        payload_len: size as u64,
    };
    [header.encode().as_ref(), &vec![b'x'; size]].concat()
}

fn agreed() -> Vec<extension::Agreed> {
    let deflate: [std::sync::Arc<dyn Extension>; 1] =
        [std::sync::Arc::new(PerMessageDeflate::client())];
    let answer = handshake::parse_extensions("permessage-deflate").expect("a name");
    extension::accept(&deflate, &answer).expect("what was offered")
}
