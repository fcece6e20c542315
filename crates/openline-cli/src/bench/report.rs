//! What a benchmark says at its end.

use std::time::Duration;

use serde_json::json;

use super::load::Measured;
use crate::args::BenchArgs;
use crate::failure::{Failure, Outcome};

#[derive(Debug)]
pub(super) struct Report<'a> {
    args: &'a BenchArgs,
    measured: &'a Measured,
    elapsed: Duration,
}

impl<'a> Report<'a> {
    pub(super) fn new(args: &'a BenchArgs, measured: &'a Measured, elapsed: Duration) -> Self {
        Report { args, measured, elapsed }
    }

    /// What was measured: `ws://localhost:8765: 4 connections, 64 bytes, closed loop, 5.0 s`.
    pub(super) fn title(&self) -> String {
        let BenchArgs { target, connections, size, rate, .. } = self.args;
        let way = match rate {
            None => "closed loop".to_owned(),
            Some(rate) => format!("{rate} messages/s"),
        };
        let connections = counted((*connections).into());
        let seconds = self.elapsed.as_secs_f64();
        format!("{}: {connections}, {size} bytes, {way}, {seconds:.1} s", target.uri)
    }

    pub(super) fn text(&self) -> String {
        let quantiles: Vec<String> = QUANTILES
            .iter()
            .map(|(name, quantile)| format!("{name} {:.3}", self.latency(*quantile)))
            .collect();
        let mut text = format!(
            "{}\n\
             answered    {} of {} messages\n\
             rate        {:.1} messages/s, {:.2} MB/s each way\n\
             latency     {}, max {:.3} ms\n",
            self.title(),
            self.measured.latency.len(),
            self.measured.sent,
            self.rate(),
            self.rate() * self.args.size as f64 / 1e6,
            quantiles.join(", "),
            self.latency(1.0),
        );
        if self.measured.lost > 0 {
            text += &format!("lost        {}\n", counted(self.measured.lost));
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let BenchArgs { target, connections, size, rate, .. } = self.args;
        let latency = &self.measured.latency;
        let mut times: serde_json::Map<_, _> = QUANTILES
            .iter()
            .map(|(name, quantile)| {
                (name.replace('.', "_"), latency.value_at_quantile(*quantile).into())
            })
            .collect();
        times.insert("min".into(), latency.min().into());
        times.insert("mean".into(), latency.mean().into());
        times.insert("max".into(), latency.max().into());
        let report = json!({
            "uri": target.uri,
            "connections": connections,
            "size": size,
            "rate": rate,
            "seconds": self.elapsed.as_secs_f64(),
            "sent": self.measured.sent,
            "answered": latency.len(),
            "lost_connections": self.measured.lost,
            "messages_per_second": self.rate(),
            "latency_ns": times,
        });
        format!("{report}\n")
    }

    pub(super) fn outcome(&self) -> Outcome<()> {
        let Measured { lost, loss, latency, .. } = self.measured;
        if let Some(error) = loss {
            return Err(Failure::Unmet(format!("lost {}: {error}", counted(*lost))));
        }
        match latency.is_empty() {
            true => Err(Failure::Unmet("no message was answered".to_owned())),
            false => Ok(()),
        }
    }

    fn rate(&self) -> f64 {
        self.measured.latency.len() as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// In milliseconds.
    fn latency(&self, quantile: f64) -> f64 {
        self.measured.latency.value_at_quantile(quantile) as f64 / 1e6
    }
}

fn counted(connections: u64) -> String {
    format!("{connections} connection{}", if connections == 1 { "" } else { "s" })
}

const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];
