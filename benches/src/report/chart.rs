//! Charts as SVG: bars, and latency by percentile. Both axes of the latter are logarithmic (that of percentiles in what is left above
//! them), so that the tail, which is what matters, has as much room as the rest.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use super::rows::micros;
use crate::peers::Peer;

/// One bar.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) name: &'static str,
    pub(super) value: f64,
}

/// One line.
#[derive(Debug)]
pub(super) struct Curve<'a> {
    pub(super) name: &'static str,
    pub(super) latency: &'a Histogram<u64>,
}

const COLORS: [&str; 7] = [
    "#888", "#c9a227", "#0b6e4f", "#3465a4", "#73a942", "#a40000", "#75507b",
];

fn color(name: &str) -> &'static str {
    let place = Peer::ALL.iter().position(|peer| peer.name() == name);
    COLORS[place.unwrap_or(0)]
}

/// Horizontal bars with their values.
pub(super) fn bars(title: &str, bars: &[Bar]) -> String {
    let largest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    if largest <= 0.0 {
        return String::new();
    }
    let height = 30 + 22 * bars.len();
    let mut svg = open(title, 420, height);
    for (row, bar) in bars.iter().enumerate() {
        let (y, width) = (30 + 22 * row, bar.value / largest * 260.0);
        let (text, fill) = (y + 12, color(bar.name));
        let value = if bar.value < 100.0 {
            format!("{:.1}", bar.value)
        } else {
            format!("{:.0}", bar.value)
        };
        let end = 75.0 + width;
        writeln!(
            svg,
            "<text x=\"0\" y=\"{text}\">{}</text><rect x=\"70\" y=\"{y}\" width=\"{width:.1}\" height=\"16\" fill=\"{fill}\"/>\
             <text x=\"{end:.1}\" y=\"{text}\">{value}</text>",
            bar.name
        )
        .expect("a string takes all");
    }
    svg + "</svg>\n"
}

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 50.0;
const TOP: f64 = 30.0;
/// The axis ends at 99.99 %.
const NINES: f64 = 4.0;

/// Latency by percentile, a line for each peer.
pub(super) fn percentiles(title: &str, curves: &[Curve<'_>]) -> String {
    let curves = curves.iter().filter(|curve| !curve.latency.is_empty());
    let curves: Vec<&Curve<'_>> = curves.collect();
    let least = curves
        .iter()
        .map(|curve| micros(curve.latency, 0.1))
        .fold(f64::MAX, f64::min);
    let most = curves
        .iter()
        .map(|curve| micros(curve.latency, 0.9999))
        .fold(0.0, f64::max);
    if curves.is_empty() {
        return String::new();
    }
    let decades = (
        least.max(1.0).log10().floor(),
        most.max(10.0).log10().ceil(),
    );
    let y = |micros: f64| {
        let share = (micros.max(1.0).log10() - decades.0) / (decades.1 - decades.0);
        TOP + HEIGHT * (1.0 - share.clamp(0.0, 1.0))
    };
    let mut svg = open(title, 660, 370);
    grid(&mut svg, decades, y);
    for (place, curve) in curves.iter().enumerate() {
        let points: String = (0..=80)
            .map(|step| {
                let nines = NINES * f64::from(step) / 80.0;
                let micros = micros(curve.latency, 1.0 - 10f64.powf(-nines));
                format!("{:.1},{:.1} ", x(nines), y(micros))
            })
            .collect();
        let (stroke, line) = (color(curve.name), 40 + 18 * place);
        writeln!(
            svg,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"2\"/>\
             <text x=\"590\" y=\"{line}\" fill=\"{stroke}\">{}</text>",
            curve.name
        )
        .expect("a string takes all");
    }
    svg + "</svg>\n"
}

fn x(nines: f64) -> f64 {
    LEFT + WIDTH * nines / NINES
}

fn grid(svg: &mut String, decades: (f64, f64), y: impl Fn(f64) -> f64) {
    let (bottom, right) = (TOP + HEIGHT, LEFT + WIDTH);
    for (nines, name) in [
        (0.301, "50"),
        (1.0, "90"),
        (2.0, "99"),
        (3.0, "99.9"),
        (4.0, "99.99 %"),
    ] {
        let (x, text) = (x(nines), bottom + 16.0);
        writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{text}\" text-anchor=\"middle\">{name}</text>"
        )
        .expect("a string takes all");
    }
    let mut decade = decades.0;
    while decade <= decades.1 {
        let micros = 10f64.powf(decade);
        let (y, millis) = (y(micros), micros / 1e3);
        writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"45\" y=\"{y:.1}\" text-anchor=\"end\">{millis}</text>"
        )
        .expect("a string takes all");
        decade += 1.0;
    }
}

fn open(title: &str, width: usize, height: usize) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n\
         <text x=\"0\" y=\"16\" font-weight=\"bold\">{title}</text>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_chart() {
        let bar = |name, value| Bar { name, value };
        let svg = bars("rps", &[bar("mesh", 50.0), bar("envoy", 200.0)]);
        assert!(svg.contains("width=\"65.0\"") && svg.contains("width=\"260.0\""));
        assert!(bars("rps", &[]).is_empty());
    }

    #[test]
    fn a_slower_peer_is_higher_up() {
        let latency = |nanos| {
            let mut latency = Histogram::<u64>::new(3).unwrap();
            latency.record(nanos).unwrap();
            latency
        };
        let (fast, slow) = (latency(100_000), latency(9_000_000));
        let svg = percentiles(
            "p",
            &[
                Curve {
                    name: "mesh",
                    latency: &fast,
                },
                Curve {
                    name: "envoy",
                    latency: &slow,
                },
            ],
        );
        let height = |line: &str| {
            let point = line.split_once("points=\"50.0,").unwrap().1;
            point.split_once(' ').unwrap().0.parse::<f64>().unwrap()
        };
        let lines: Vec<&str> = svg
            .lines()
            .filter(|line| line.contains("polyline"))
            .collect();
        assert!(height(lines[1]) < height(lines[0]), "{svg}");
    }
}
