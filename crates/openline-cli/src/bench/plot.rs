//! The latency as a picture: by percentile, and how often there was which.
//!
//! An SVG of its own: it has no script and loads nothing, and is light or dark as its reader wants it.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::failure::{Failure, Outcome};

#[derive(Debug)]
pub(super) struct Plot {
    path: PathBuf,
    file: File,
}

impl Plot {
    /// Makes the file, so that nobody waits for a benchmark in vain.
    pub(super) fn create(path: &Path) -> Outcome<Plot> {
        let file = File::create(path).map_err(write_to(path))?;
        Ok(Plot { path: path.to_owned(), file })
    }

    /// Draws latencies, in nanoseconds, below a title; there has to be one at least.
    pub(super) fn write(mut self, title: &str, latency: &Histogram<u64>) -> Outcome<()> {
        let fail = |error: Box<dyn Error>| io::Error::other(error.to_string());
        let svg = draw(title, latency).map_err(|error| write_to(&self.path)(fail(error)))?;
        self.file.write_all(svg.as_bytes()).map_err(write_to(&self.path))
    }
}

fn write_to(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    Failure::system(format!("write to {}", path.display()))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw(title: &str, latency: &Histogram<u64>) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&PAPER)?;
        let root = root.titled(title, (FONT, 17, &INK).into_text_style(&root))?;
        let (upper, lower) = root.split_vertically(SIZE.1 / 2);
        let unit = Unit::for_times(latency);
        draw_percentiles(&upper, latency, unit)?;
        draw_histogram(&lower, latency, unit)?;
        root.present()?;
    }
    // Attributes have less weight than any rule of a style sheet.
    let style = STYLE.replace('\n', "");
    match svg.find("<svg").and_then(|start| svg[start..].find('>').map(|end| start + end + 1)) {
        Some(end) => svg.insert_str(end, &style),
        None => return Err("bug: no SVG was drawn".into()),
    }
    Ok(svg)
}

/// As many steps to the right as there are nines: half of the picture is for the slowest percent.
fn draw_percentiles(
    area: &Area<'_>,
    latency: &Histogram<u64>,
    unit: Unit,
) -> Result<(), Box<dyn Error>> {
    let nines = (latency.len() as f64).log10().clamp(1.0, MOST_NINES);
    let at = |nines: f64| latency.value_at_quantile(1.0 - 10_f64.powf(-nines)) as f64 / unit.size();
    let steps = STEPS_PER_NINE * nines;
    let points = (0..=steps as u32).map(|step| f64::from(step) / STEPS_PER_NINE);
    let points: Vec<(f64, f64)> = points.map(|nines| (nines, at(nines))).collect();
    let highest = points.iter().map(|point| point.1).fold(0.0, f64::max);

    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .margin_right(RIGHT)
        .x_label_area_size(LABELS.0)
        .y_label_area_size(LABELS.1)
        .build_cartesian_2d(0.0..nines, 0.0..(1.1 * highest))?;
    chart
        .configure_mesh()
        .x_labels(nines as usize + 2)
        .x_desc("percentile of the messages")
        .y_desc(format!("latency, {}", unit.name()))
        .x_label_formatter(&|nines| percentile(*nines))
        .y_label_formatter(&number)
        .label_style((FONT, 13, &INK))
        .axis_desc_style((FONT, 14, &INK))
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(PAPER)
        .draw()?;
    chart.draw_series(LineSeries::new(points, ACCENT.stroke_width(2)))?;
    Ok(())
}

/// Bars of equal width; the few slowest are off the picture, and the label says how many.
fn draw_histogram(
    area: &Area<'_>,
    latency: &Histogram<u64>,
    unit: Unit,
) -> Result<(), Box<dyn Error>> {
    let first = latency.min();
    let last = latency.value_at_quantile(SHOWN).max(first + BARS);
    let width = (last - first).div_ceil(BARS);
    let total = latency.len() as f64;
    let mut shares = vec![0.0; BARS as usize];
    let mut beyond = 0;
    for value in latency.iter_recorded() {
        let bar = (value.value_iterated_to().saturating_sub(first) / width) as usize;
        match shares.get_mut(bar) {
            Some(share) => *share += 100.0 * value.count_since_last_iteration() as f64 / total,
            None => beyond += value.count_since_last_iteration(),
        }
    }
    let place = |bar: usize| (first + bar as u64 * width) as f64 / unit.size();
    let highest = shares.iter().copied().fold(0.0, f64::max);
    let mut label = format!("latency, {}", unit.name());
    if beyond > 0 {
        let percent = 100.0 * beyond as f64 / total;
        label += &format!(" ({percent:.2} % of the messages took longer)");
    }

    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .margin_right(RIGHT)
        .x_label_area_size(LABELS.0)
        .y_label_area_size(LABELS.1)
        .build_cartesian_2d(place(0)..place(shares.len()), 0.0..(1.1 * highest))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .x_desc(label)
        .y_desc("share of the messages, %")
        .label_style((FONT, 13, &INK))
        .axis_desc_style((FONT, 14, &INK))
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(PAPER)
        .draw()?;
    let bars = shares.iter().enumerate().filter(|(_, share)| **share > 0.0);
    chart.draw_series(bars.map(|(bar, share)| {
        Rectangle::new([(place(bar), 0.0), (place(bar + 1), *share)], ACCENT.filled())
    }))?;
    Ok(())
}

/// `99.9 %` for 3 nines; nothing between.
fn percentile(nines: f64) -> String {
    match nines.round() as usize {
        _ if nines.fract() != 0.0 => String::new(),
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        more => format!("99.{} %", "9".repeat(more - 2)),
    }
}

/// `0.25`, `20`: not more digits than there are.
fn number(value: &f64) -> String {
    ((value * 1e3).round() / 1e3).to_string()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Microseconds,
    Milliseconds,
    Seconds,
}

impl Unit {
    /// The one in which most times are numbers that people read.
    fn for_times(latency: &Histogram<u64>) -> Unit {
        match latency.value_at_quantile(SHOWN) {
            ..1_000_000 => Unit::Microseconds,
            1_000_000..1_000_000_000 => Unit::Milliseconds,
            _ => Unit::Seconds,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Unit::Microseconds => "µs",
            Unit::Milliseconds => "ms",
            Unit::Seconds => "s",
        }
    }

    /// In nanoseconds.
    fn size(self) -> f64 {
        match self {
            Unit::Microseconds => 1e3,
            Unit::Milliseconds => 1e6,
            Unit::Seconds => 1e9,
        }
    }
}

/// In pixels.
const SIZE: (u32, u32) = (800, 720);
const MARGIN: u32 = 14;
/// Half of the last label is there.
const RIGHT: u32 = 40;
/// Of the labels below, and of those at the left.
const LABELS: (u32, u32) = (46, 72);
const FONT: &str = "sans-serif";

const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
const INK: RGBColor = RGBColor(0x1b, 0x27, 0x33);
const GRID: RGBColor = RGBColor(0xd5, 0xda, 0xde);
const ACCENT: RGBColor = RGBColor(0xd6, 0x49, 0x2a);

/// The same colours for the dark.
const STYLE: &str = r##"
<style>
@media (prefers-color-scheme: dark) {
[fill="#FFFFFF"]{fill:#14191e}[stroke="#FFFFFF"]{stroke:#14191e}
[fill="#1B2733"]{fill:#e4e8eb}[stroke="#1B2733"]{stroke:#e4e8eb}
[fill="#D5DADE"]{fill:#39424a}[stroke="#D5DADE"]{stroke:#39424a}
[fill="#D6492A"]{fill:#ff7b5c}[stroke="#D6492A"]{stroke:#ff7b5c}
}
</style>"##;

/// Of the histogram.
const BARS: u64 = 60;
/// The quantile up to which it goes.
const SHOWN: f64 = 0.99;

const STEPS_PER_NINE: f64 = 50.0;
/// What is rarer is chance.
const MOST_NINES: f64 = 5.0;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn histogram(nanoseconds: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        nanoseconds.into_iter().for_each(|time| histogram.record(time).unwrap());
        histogram
    }

    #[test]
    fn axes_have_names_units_and_percentiles() {
        let svg = draw("ws://localhost/", &histogram((1..=10_000).map(|n| n * 1000))).unwrap();
        for text in [
            "ws://localhost/",
            "latency, ms",
            "99.99 %",
            "share of the messages, %",
            "took longer)",
        ] {
            assert!(svg.contains(text), "no {text} in {svg}");
        }
        for colour in [PAPER, INK, GRID, ACCENT] {
            let RGBColor(red, green, blue) = colour;
            let text = format!("\"#{red:02X}{green:02X}{blue:02X}\"");
            assert!(svg.matches(&text).count() > 2, "{text} is used, and has another for the dark");
        }
        assert!(!svg.contains("<script") && !svg.contains("href"), "{svg}");
    }

    #[test]
    fn any_times_can_be_drawn() {
        for times in [
            vec![1],
            vec![0],
            vec![5; 1000],
            vec![1, u64::MAX / 2],
            (0..100).map(|n| n * 1_000_000_000).collect(),
        ] {
            draw("title", &histogram(times.clone()))
                .unwrap_or_else(|error| panic!("{error}: {times:?}"));
        }
    }

    #[test]
    fn units_are_for_people() {
        for (time, unit) in [(5_000, "µs"), (5_000_000, "ms"), (5_000_000_000, "s")] {
            assert_eq!(Unit::for_times(&histogram([time])).name(), unit);
        }
        assert_eq!(
            [0.0, 0.5, 1.0, 2.0, 3.0, 5.0].map(percentile),
            ["0 %", "", "90 %", "99 %", "99.9 %", "99.999 %"]
        );
    }
}
