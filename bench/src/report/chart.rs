//! Charts in SVG.

use std::fmt::Write as _;

use serde::Serialize;

use super::html::escaped;
use super::table::grouped;

const COLOURS: [&str; 8] = ["#9aa4b1", "#0b6bcb", "#c2410c", "#d98e04", "#7c3aed", "#15803d", "#be185d", "#0f766e"];
const WIDTH: f64 = 860.0;
const LABEL: f64 = 300.0;
const BAR_HEIGHT: f64 = 20.0;

/// A label and a figure; `None` if the run is broken.
pub(crate) type Bar = (String, Option<f64>);

/// Groups of horizontal bars.
#[derive(Serialize)]
pub(crate) struct Bars {
    title: String,
    unit: &'static str,
    groups: Vec<(String, Vec<Bar>)>,
}

impl Bars {
    pub(crate) fn new(title: &str, unit: &'static str) -> Self {
        Self { title: title.to_owned(), unit, groups: Vec::new() }
    }

    pub(crate) fn group(&mut self, label: &str, bars: &[Bar]) {
        self.groups.push((label.to_owned(), bars.to_vec()));
    }

    pub(super) fn svg(&self) -> String {
        let figures = self.groups.iter().flat_map(|(_, bars)| bars).filter_map(|(_, figure)| *figure);
        let most = figures.fold(f64::MIN_POSITIVE, f64::max);
        let rows: usize = self.groups.iter().map(|(_, bars)| bars.len()).sum();
        let height = rows as f64 * BAR_HEIGHT + self.groups.len() as f64 * 34.0 + 10.0;
        let mut svg = opening(height, &self.title);
        let mut y = 0.0;
        for (label, bars) in &self.groups {
            y += 24.0;
            // Writing to a string cannot fail.
            let _ = write!(svg, r#"<text x="0" y="{y}" class="group">{}, {}</text>"#, escaped(label), self.unit);
            y += 8.0;
            for (index, (name, figure)) in bars.iter().enumerate() {
                bar(&mut svg, y, name, *figure, most, COLOURS[index % COLOURS.len()]);
                y += BAR_HEIGHT;
            }
            y += 2.0;
        }
        svg + "</svg>"
    }
}

fn bar(svg: &mut String, y: f64, name: &str, figure: Option<f64>, most: f64, colour: &str) {
    let length = figure.unwrap_or_default() / most * (WIDTH - LABEL - 90.0);
    let text = figure.map_or("broken".to_owned(), |figure| grouped(figure, if most < 20.0 { 2 } else { 0 }));
    let (middle, end) = (y + BAR_HEIGHT * 0.68, LABEL + length);
    let _ = write!(
        svg,
        r#"<text x="{:.1}" y="{middle:.1}" text-anchor="end">{}</text><rect x="{LABEL}" y="{:.1}" width="{length:.1}"
 height="{:.1}" fill="{colour}"/><text x="{:.1}" y="{middle:.1}">{text}</text>"#,
        LABEL - 8.0,
        escaped(name),
        y + 2.0,
        BAR_HEIGHT - 4.0,
        end + 6.0
    );
}

/// Lines over a common axis.
#[derive(Serialize)]
pub(crate) struct Lines {
    title: String,
    x: &'static str,
    y: &'static str,
    series: Vec<(String, Vec<(f64, f64)>)>,
}

impl Lines {
    pub(crate) fn new(title: &str, x: &'static str, y: &'static str) -> Self {
        Self { title: title.to_owned(), x, y, series: Vec::new() }
    }

    pub(crate) fn series(&mut self, name: &str, points: Vec<(f64, f64)>) {
        self.series.push((name.to_owned(), points));
    }

    pub(super) fn svg(&self) -> String {
        let (left, top, width, height) = (80.0, 20.0, WIDTH - 100.0, 240.0);
        let points = || self.series.iter().flat_map(|(_, points)| points);
        let most_y = points().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max) * 1.05;
        let (least_x, most_x) = points().fold((f64::MAX, f64::MIN), |(a, b), (x, _)| (a.min(*x), b.max(*x)));
        let span = (most_x - least_x).max(f64::MIN_POSITIVE);
        let place = |(x, y): &(f64, f64)| (left + (x - least_x) / span * width, top + height - y / most_y * height);
        let mut svg = opening(height + 70.0 + 18.0 * self.series.len() as f64, &self.title);
        for step in 0..=4 {
            let share = f64::from(step) / 4.0;
            let (x, y) = (left + share * width, top + height - share * height);
            // Writing to a string cannot fail.
            let _ = write!(
                svg,
                r#"<path d="M{left} {y}h{width}" class="grid"/><text x="{}" y="{}" text-anchor="end">{}</text>
<text x="{x}" y="{}" text-anchor="middle">{}</text>"#,
                left - 6.0,
                y + 4.0,
                grouped(share * most_y, if most_y < 20.0 { 1 } else { 0 }),
                top + height + 18.0,
                grouped(least_x + share * span, if span < 10.0 { 1 } else { 0 })
            );
        }
        let _ = write!(
            svg,
            r#"<text x="{left}" y="12">{}</text><text x="{}" y="{}" text-anchor="end">{}</text>"#,
            escaped(self.y),
            left + width,
            top + height + 36.0,
            escaped(self.x)
        );
        for (index, (name, points)) in self.series.iter().enumerate() {
            let colour = COLOURS[(index + 1) % COLOURS.len()];
            let path: Vec<String> = points.iter().map(place).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let y = top + height + 52.0 + 18.0 * index as f64;
            let _ = write!(
                svg,
                r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/><rect x="{left}" y="{}" width="14"
 height="4" fill="{colour}"/><text x="{}" y="{y}">{}</text>"#,
                path.join(" "),
                y - 6.0,
                left + 20.0,
                escaped(name)
            );
        }
        svg + "</svg>"
    }
}

fn opening(height: f64, title: &str) -> String {
    let title = escaped(title);
    format!(
        r#"<h3>{title}</h3><svg viewBox="0 0 {WIDTH} {height:.0}" role="img" aria-label="{title}" xmlns="http://www.w3.org/2000/svg">"#
    )
}
