//! What a server's certificate says of itself (RFC 5280).

use std::net::IpAddr;

use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::output;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) subject: String,
    pub(super) issuer: String,
    /// Of hosts, by which clients know it.
    pub(super) names: Vec<String>,
    not_before: String,
    not_after: String,
    /// Whole days that it is still valid; negative if it is not any more.
    days_left: i64,
}

impl Certificate {
    /// `None` for what is no certificate. What was verified is one; with `--insecure` nothing was.
    pub(super) fn parse(der: &[u8]) -> Option<Certificate> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let now = i64::try_from(output::now() / 1_000_000_000).unwrap_or(i64::MAX);
        let names = match certificate.subject_alternative_name() {
            Ok(Some(names)) => names.value.general_names.iter().filter_map(host).collect(),
            _ => Vec::new(),
        };
        Some(Certificate {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names,
            not_before: validity.not_before.to_datetime().date().to_string(),
            not_after: validity.not_after.to_datetime().date().to_string(),
            days_left: (validity.not_after.timestamp() - now).div_euclid(DAY),
        })
    }

    /// `2026-01-01 to 2026-04-01, 35 days left`.
    pub(super) fn validity(&self) -> String {
        let days = self.days_left;
        let left = match days {
            ..=-1 => format!("over for {} days", -days),
            1 => "1 day left".to_owned(),
            0.. => format!("{days} days left"),
        };
        format!("{} to {}, {left}", self.not_before, self.not_after)
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "subject": self.subject,
            "issuer": self.issuer,
            "names": self.names,
            "not_before": self.not_before,
            "not_after": self.not_after,
            "days_left": self.days_left,
        })
    }
}

/// The host that a name is for, if it is for one.
fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn a_certificate_tells_whose_it_is() {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names.clone()).unwrap();
        let certificate = Certificate::parse(made.cert.der()).unwrap();
        assert_eq!(certificate.names, names);
        assert!(certificate.subject.contains("CN="), "{certificate:?}");
        assert_eq!(certificate.subject, certificate.issuer);
        // rcgen's own dates.
        assert!(
            certificate.validity().starts_with("1975-01-01 to 4096-01-01, "),
            "{certificate:?}"
        );
        assert!(certificate.days_left > 700_000, "{certificate:?}");
        assert_eq!(Certificate::parse(b"no certificate"), None);
    }
}
