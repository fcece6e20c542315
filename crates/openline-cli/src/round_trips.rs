//! Statistics of round trips, and a histogram of them.

use std::fmt::Write as _;
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct RoundTrips {
    times: Vec<Duration>,
    missed: u64,
}

impl RoundTrips {
    pub(crate) fn answered(&mut self, time: Duration) {
        self.times.push(time);
    }

    pub(crate) fn missed(&mut self) {
        self.missed += 1;
    }

    pub(crate) fn has_answers(&self) -> bool {
        !self.times.is_empty()
    }

    /// In the words of ping(8), and a histogram of the times if there are several.
    pub(crate) fn statistics(&self, elapsed: Duration) -> String {
        let answered = self.times.len() as u64;
        let sent = answered + self.missed;
        let loss = 100.0 * self.missed as f64 / sent.max(1) as f64;
        let elapsed = elapsed.as_secs_f64();
        let mut text =
            format!("{sent} pings, {answered} pongs, {loss:.0}% lost, in {elapsed:.1} s\n");
        let mut times: Vec<f64> = self.times.iter().map(|time| 1e3 * time.as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        let ([min, ..], Some(max)) = (&times[..], times.last()) else { return text };
        let count = times.len() as f64;
        let average = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - average).powi(2)).sum::<f64>() / count;
        let deviation = variance.sqrt();
        text.push_str("round trip min/avg/max/mdev = ");
        // Into a String, which takes everything.
        let _ = writeln!(text, "{min:.3}/{average:.3}/{max:.3}/{deviation:.3} ms");
        if times.len() > 1 {
            text.push('\n');
            text.push_str(&histogram(&times));
        }
        text
    }
}

/// Rows of equal width for sorted times in milliseconds; a few outliers share the last one.
fn histogram(times: &[f64]) -> String {
    let (min, max) = (times[0], times[times.len() - 1]);
    let typical = times[(times.len() - 1) * 95 / 100];
    let step = round_up((typical - min) / TYPICAL_ROWS);
    let first = (min / step).floor();
    let row_of = |time: f64| (((time / step).floor() - first) as usize).min(MAX_ROWS - 1);
    let mut rows = vec![0; row_of(max) + 1];
    for time in times {
        rows[row_of(*time)] += 1;
    }
    let decimals = (-step.log10()).ceil().clamp(0.0, 3.0) as usize;
    let width = format!("{max:.decimals$}").len();
    let most = rows.iter().copied().max().unwrap_or(1);
    let mut text = String::new();
    for (n, count) in rows.iter().enumerate() {
        let from = step * (first + n as f64);
        let is_open = n == MAX_ROWS - 1;
        let to = if is_open { max } else { from + step };
        let bar = " ".to_owned() + &"█".repeat((count * BAR).div_ceil(most));
        // Into a String, which takes everything.
        let _ = writeln!(
            text,
            "{from:>width$.decimals$} - {to:>width$.decimals$} ms {count:>6}{}",
            bar.trim_end()
        );
    }
    text
}

/// To the next of 1, 2, 5, 10 … microseconds, in milliseconds.
fn round_up(step: f64) -> f64 {
    let step = step.max(0.001);
    let magnitude = 10_f64.powf(step.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let fits = |factor: &f64| factor * magnitude >= step * 0.999_999;
    magnitude * factors.into_iter().find(fits).unwrap_or(10.0)
}

/// Rows of the histogram for all but the slowest twentieth.
const TYPICAL_ROWS: f64 = 8.0;
const MAX_ROWS: usize = 12;

/// Characters of the longest bar.
const BAR: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trips(millis: &[f64]) -> RoundTrips {
        let times = millis.iter().map(|time| Duration::from_secs_f64(time / 1e3)).collect();
        RoundTrips { times, missed: 0 }
    }

    #[test]
    fn statistics_are_those_of_ping() {
        let mut some = round_trips(&[1.0, 2.0, 3.0]);
        some.missed();
        let text = some.statistics(Duration::from_secs(4));
        let expected = "4 pings, 3 pongs, 25% lost, in 4.0 s\n\
                        round trip min/avg/max/mdev = 1.000/2.000/3.000/0.816 ms\n";
        assert!(text.starts_with(expected), "{text}");
        let none = RoundTrips::default().statistics(Duration::ZERO);
        assert_eq!(none, "0 pings, 0 pongs, 0% lost, in 0.0 s\n");
    }

    #[test]
    fn each_time_is_in_a_row_of_the_histogram() {
        for times in [
            vec![0.5, 0.5],
            vec![0.0, 0.0001, 10_000.0],
            (0..100).map(f64::from).collect(),
            (0..1000).map(|n| 0.1 + f64::from(n / 150) / 100.0).collect(),
        ] {
            let text = histogram(&times);
            let counts = text.lines().filter_map(|row| {
                row.split_whitespace().nth(4).and_then(|count| count.parse::<usize>().ok())
            });
            assert_eq!(counts.sum::<usize>(), times.len(), "{text}");
            assert!(text.lines().count() <= MAX_ROWS, "{text}");
        }
    }

    #[test]
    fn rows_are_as_wide_as_people_count() {
        for (step, rounded) in [(0.0, 0.001), (0.0011, 0.002), (0.3, 0.5), (0.5, 0.5), (7.0, 10.0)]
        {
            assert!((round_up(step) - rounded).abs() < 1e-9, "{step}");
        }
    }
}
