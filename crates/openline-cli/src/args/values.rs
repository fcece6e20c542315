//! Values of arguments that are more than a text or a number.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// `--resolve HOST:PORT:ADDRESS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolve {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) address: IpAddr,
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if number > MAX_SECONDS {
        return Err(format!("more than {MAX_SECONDS} seconds"));
    }
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

pub(super) fn seconds_above_zero(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        Duration::ZERO => Err("has to be more than 0".to_owned()),
        duration => Ok(duration),
    }
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=1e9).contains(&rate) => Ok(rate),
        Ok(_) => Err("has to be from 0.001 to 1000000000".to_owned()),
        Err(_) => Err("not a number".to_owned()),
    }
}

/// A factor; 0 is for no pauses.
pub(super) fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        _ if text == "max" => Ok(0.0),
        Ok(speed) if speed == 0.0 || (0.001..=1e6).contains(&speed) => Ok(speed),
        Ok(_) => Err("has to be 0, or from 0.001 to 1000000".to_owned()),
        Err(_) => Err("not a number".to_owned()),
    }
}

/// `50ms`, `1.5s`, or a number of seconds.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1e3),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 1.0),
    };
    let give = |_| "give a time such as 50ms, 1.5s or 0.05".to_owned();
    let number: f64 = number.trim_end().parse().map_err(give)?;
    seconds(&(number / unit).to_string())
}

/// A number of bytes, or `FIRST-LAST`, of which each connection takes one.
pub(super) fn offset(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number =
        |text: &str| text.parse().map_err(|_| "give a number of bytes, or FIRST-LAST".to_owned());
    match (number(first)?, number(last)?) {
        (first, last) if first > last => Err(format!("{first} is after the last, {last}")),
        (first, last) => Ok(first..=last),
    }
}

pub(super) fn per_mib(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(count) if (0.0..=1_048_576.0).contains(&count) => Ok(count),
        Ok(_) => Err("has to be from 0 to 1048576".to_owned()),
        Err(_) => Err("not a number".to_owned()),
    }
}

pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("has no colon: give 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

pub(super) fn user(text: &str) -> Result<(String, String), String> {
    let (name, password) = text.split_once(':').ok_or("has no colon: give name:password")?;
    Ok((name.to_owned(), password.to_owned()))
}

pub(super) fn resolve(text: &str) -> Result<Resolve, String> {
    let give = || "give HOST:PORT:ADDRESS, such as example.com:443:127.0.0.1".to_owned();
    // The host may be an IPv6 address in brackets, and so may the address.
    let name_end = if text.starts_with('[') { text.find("]:").ok_or_else(give)? + 1 } else { 0 };
    let colon = name_end + text[name_end..].find(':').ok_or_else(give)?;
    let (host, rest) = (&text[..colon], &text[colon + 1..]);
    let (port, address) = rest.split_once(':').ok_or_else(give)?;
    let port = port.parse().map_err(|_| give())?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse().map_err(|_| give())?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    Ok(Resolve { host, port, address })
}

/// Some thirty years: what clocks can count without fail.
const MAX_SECONDS: f64 = 1e9;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn an_address_for_a_host_and_port() {
        let resolved = resolve("Example.com:443:127.0.0.1").unwrap();
        assert_eq!((resolved.host.as_str(), resolved.port), ("example.com", 443));
        let resolved = resolve("[::1]:80:[::2]").unwrap();
        assert_eq!((resolved.host.as_str(), resolved.address), ("::1", "::2".parse().unwrap()));
        for text in ["", "example.com", "example.com:443", "[::1", "a:b:c", "a:1:b"] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, millis) in [("50ms", 50), ("0.05", 50), ("2s", 2000), ("1.5 s", 1500)] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "ms", "s", "1m", "-1ms", "inf"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn offsets_are_numbers_or_ranges() {
        assert_eq!((offset("5"), offset("5-9")), (Ok(5..=5), Ok(5..=9)));
        for text in ["", "-", "5-", "-5", "9-5", "a"] {
            assert!(offset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_speed_is_a_factor_or_none() {
        assert_eq!((speed("2.5"), speed("0"), speed("max")), (Ok(2.5), Ok(0.0), Ok(0.0)));
        for text in ["", "-1", "NaN", "1e9", "fast"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "-1", "inf", "1e10", "NaN", "1s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert!(seconds_above_zero("0").is_err());
    }
}
