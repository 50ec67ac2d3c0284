//! Tables.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};

/// A table. Its columns name their units.
#[derive(Serialize)]
pub(crate) struct Table {
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A figure or a text.
#[derive(Clone)]
pub(crate) enum Cell {
    Text(String),
    Number { value: f64, digits: usize, unit: &'static str },
}

/// JSON gets the plain number.
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number { value, .. } => serializer.serialize_f64(*value),
        }
    }
}

impl Cell {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// A figure with this many decimal places; `None` is a dash.
    pub(crate) fn number(value: Option<f64>, digits: usize) -> Self {
        Self::of(value, digits, "")
    }

    /// A share from 0 to 1.
    pub(crate) fn percent(value: Option<f64>) -> Self {
        Self::of(value.map(|share| share * 100.0), 0, "%")
    }

    fn of(value: Option<f64>, digits: usize, unit: &'static str) -> Self {
        match value {
            Some(value) if value.is_finite() => Self::Number { value, digits, unit },
            _ => Self::Text("–".into()),
        }
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number { value, digits, unit } => format!("{}{unit}", grouped(*value, *digits)),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Number { .. })
    }
}

/// Formats a number with a comma between thousands.
pub(super) fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), String::new()), |(w, r)| (w, format!(".{r}")));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if index > 0 && left.is_multiple_of(3) && digit.is_ascii_digit() && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out + &rest
}

impl Table {
    pub(crate) fn new(title: &str, columns: &[&str]) -> Self {
        Self { title: title.to_owned(), columns: columns.iter().map(|c| (*c).to_owned()).collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    pub(super) fn to_text(&self) -> String {
        let shown: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(Cell::shown).collect()).collect();
        // A row with fewer cells, such as one that says why a run is broken, does not widen the columns.
        let width = |index: usize| {
            let cells = shown.iter().filter(|row| row.len() == self.columns.len()).filter_map(|row| row.get(index));
            cells.chain([&self.columns[index]]).map(|text| text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut text = format!("  {}\n", self.title);
        for row in std::iter::once(&self.columns).chain(&shown) {
            text.push_str("  ");
            for (index, cell) in row.iter().enumerate() {
                let width = widths[index];
                // Writing to a string cannot fail.
                let _ = if index == 0 { write!(text, "{cell:width$}") } else { write!(text, "  {cell:>width$}") };
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_a_comma() {
        for (value, digits, shown) in
            [(0.0, 0, "0"), (999.4, 0, "999"), (1234.5, 1, "1,234.5"), (-1234.0, 0, "-1,234"), (1e6, 0, "1,000,000")]
        {
            assert_eq!(grouped(value, digits), shown);
        }
        assert_eq!(grouped(-123.0, 0), "-123");
    }
}
