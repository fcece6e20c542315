//! What was agreed on when a connection was opened.

use std::fmt::Write as _;
use std::time::Duration;

use openline::Connection;
use openline::transport::TlsDetails;
use serde_json::{Value, json};

use super::certificate::Certificate;
use crate::talk;

#[derive(Debug)]
pub(super) struct Facts {
    connection: Connection,
    tls: Option<Tls>,
}

#[derive(Debug)]
struct Tls {
    details: TlsDetails,
    certificate: Option<Certificate>,
}

impl Facts {
    pub(super) fn of(connection: &Connection) -> Facts {
        let details = connection.transport().and_then(|transport| transport.tls());
        let tls = details.map(|details| {
            let certificate = details.peer_certificates.first();
            let certificate = certificate.and_then(|der| Certificate::parse(der));
            Tls { details, certificate }
        });
        Facts { connection: connection.clone(), tls }
    }

    pub(super) fn text(&self) -> String {
        let response = self.connection.response();
        let none = || "none".to_owned();
        let extensions = response.headers.get("Sec-WebSocket-Extensions");
        let mut rows = vec![
            ("address", self.connection.remote_address().to_string()),
            ("opened in", talk::took(&self.connection)),
            ("status", format!("HTTP/1.1 {} {}", response.status_code, response.reason_phrase)),
            ("server", response.headers.get("Server").map_or_else(none, str::to_owned)),
            ("subprotocol", self.connection.subprotocol().map_or_else(none, str::to_owned)),
            ("extensions", extensions.map_or_else(none, str::to_owned)),
        ];
        if let Some(tls) = &self.tls {
            rows.extend(tls.rows());
        }
        let mut text = String::new();
        for (name, value) in rows {
            // Into a String, which takes everything.
            let _ = writeln!(text, "{name:<12} {}", printable(&value));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let response = self.connection.response();
        let timings = self.connection.timings();
        json!({
            "address": self.connection.remote_address().to_string(),
            "status": response.status_code,
            "server": response.headers.get("Server"),
            "subprotocol": self.connection.subprotocol(),
            "extensions": response.headers.get("Sec-WebSocket-Extensions"),
            "timings_ns": {
                "dns": nanoseconds(timings.dns),
                "tcp": nanoseconds(timings.tcp),
                "proxy": nanoseconds(timings.proxy),
                "tls": nanoseconds(timings.tls),
                "http": nanoseconds(timings.http),
            },
            "tls": self.tls.as_ref().map(Tls::json),
        })
    }
}

impl Tls {
    fn version(&self) -> Option<String> {
        self.details.version.map(|version| format!("{version:?}"))
    }

    fn suite(&self) -> Option<String> {
        self.details.cipher_suite.map(|suite| format!("{suite:?}"))
    }

    fn alpn(&self) -> Option<String> {
        let name = self.details.alpn_protocol.as_deref();
        name.map(|name| String::from_utf8_lossy(name).into_owned())
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let parts = [self.version(), self.suite()].into_iter().flatten();
        let mut rows = vec![("tls", parts.collect::<Vec<_>>().join(", "))];
        rows.push(("alpn", self.alpn().unwrap_or_else(|| "none".to_owned())));
        if let Some(certificate) = &self.certificate {
            rows.push(("certificate", certificate.subject.clone()));
            if !certificate.names.is_empty() {
                rows.push(("names", certificate.names.join(", ")));
            }
            rows.push(("issuer", certificate.issuer.clone()));
            rows.push(("valid", certificate.validity()));
        }
        rows
    }

    fn json(&self) -> Value {
        json!({
            "version": self.version(),
            "cipher_suite": self.suite(),
            "alpn": self.alpn(),
            "certificate": self.certificate.as_ref().map(Certificate::json),
        })
    }
}

pub(super) fn nanoseconds(time: Option<Duration>) -> Option<u64> {
    time.map(|time| time.as_nanos().try_into().unwrap_or(u64::MAX))
}

/// What comes from the network does not command the terminal.
pub(super) fn printable(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}
