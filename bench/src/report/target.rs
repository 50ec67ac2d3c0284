//! Targets.

use std::fmt;

use serde::Serialize;

use super::table::grouped;

/// A figure and its bound.
#[derive(Serialize)]
pub(crate) struct Target {
    pub(super) what: String,
    pub(super) bound: f64,
    /// Whether the bound is a minimum. Otherwise it is a maximum.
    at_least: bool,
    /// `None` if a run that it needs is broken or was not made.
    pub(super) figure: Option<f64>,
    pub(super) reached: Option<bool>,
    pub(super) unit: &'static str,
}

impl Target {
    /// A ratio that should be at least `bound`.
    pub(crate) fn at_least(what: &str, bound: f64, figure: Option<f64>) -> Self {
        let reached = figure.map(|figure| figure >= bound);
        Self { what: what.to_owned(), bound, at_least: true, figure, reached, unit: "times" }
    }

    /// A figure that should be at most `bound`.
    pub(crate) fn at_most(what: &str, bound: f64, unit: &'static str, figure: Option<f64>) -> Self {
        let reached = figure.map(|figure| figure <= bound);
        Self { what: what.to_owned(), bound, at_least: false, figure, reached, unit }
    }

    /// A share from 0 to 1 that should be at least `bound`.
    pub(crate) fn share_at_least(what: &str, bound: f64, figure: Option<f64>) -> Self {
        Self { unit: "of all", ..Self::at_least(what, bound, figure) }
    }

    /// A share from 0 to 1 that should be at most `bound`.
    pub(crate) fn share_at_most(what: &str, bound: f64, figure: Option<f64>) -> Self {
        Self::at_most(what, bound, "of all", figure)
    }

    pub(super) fn wanted(&self) -> String {
        let bound = grouped(self.bound, if self.bound.fract() == 0.0 { 0 } else { 2 });
        format!("{} {bound} {}", if self.at_least { "at least" } else { "at most" }, self.unit)
    }

    pub(super) fn found(&self) -> String {
        self.figure.map_or("no figure".into(), |figure| grouped(figure, 2))
    }

    pub(super) fn verdict(&self) -> &'static str {
        match self.reached {
            Some(true) => "reached",
            Some(false) => "MISSED",
            None => "no figure",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:9}  {:>9}  ({}): {}", self.verdict(), self.found(), self.wanted(), self.what)
    }
}
