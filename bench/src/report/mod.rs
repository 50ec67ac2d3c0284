//! The results: tables, charts and targets, as text, JSON and HTML.

mod chart;
mod html;
mod machine;
mod table;
mod target;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

pub(crate) use chart::{Bars, Lines};
pub(crate) use machine::Machine;
pub(crate) use table::{Cell, Table};
pub(crate) use target::Target;

/// The results of a run.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: Machine,
    /// Whether the run was `--quick`: then the figures mean little.
    quick: bool,
    took_s: f64,
    targets: Vec<Target>,
    sections: Vec<Section>,
}

/// The results of a scenario.
#[derive(Serialize)]
pub(crate) struct Section {
    id: &'static str,
    title: &'static str,
    notes: Vec<String>,
    tables: Vec<Table>,
    bars: Vec<Bars>,
    lines: Vec<Lines>,
}

impl Section {
    pub(crate) fn new(id: &'static str, title: &'static str) -> Self {
        Self { id, title, notes: Vec::new(), tables: Vec::new(), bars: Vec::new(), lines: Vec::new() }
    }

    pub(crate) fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    pub(crate) fn table(&mut self, table: Table) {
        self.tables.push(table);
    }

    pub(crate) fn bars(&mut self, bars: Bars) {
        self.bars.push(bars);
    }

    pub(crate) fn lines(&mut self, lines: Lines) {
        self.lines.push(lines);
    }
}

impl Report {
    pub(crate) fn new(machine: Machine, quick: bool) -> Self {
        Self { machine, quick, took_s: 0.0, targets: Vec::new(), sections: Vec::new() }
    }

    pub(crate) fn add(&mut self, section: Section) {
        self.sections.push(section);
    }

    pub(crate) fn target(&mut self, target: Target) {
        self.targets.push(target);
    }

    pub(crate) fn ended(&mut self, took: Duration) {
        self.took_s = took.as_secs_f64();
    }

    /// The targets and tables as text.
    pub(crate) fn summary(&self) -> String {
        let mut text = format!("\n{}\n", self.machine);
        for section in &self.sections {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\n{}", section.title);
            for note in &section.notes {
                let _ = writeln!(text, "  {note}");
            }
            for table in &section.tables {
                let _ = write!(text, "\n{}", table.to_text());
            }
        }
        let _ = writeln!(text, "\nTargets");
        for target in &self.targets {
            let _ = writeln!(text, "  {target}");
        }
        if self.quick {
            text.push_str("\n--quick: this shows that the benchmark works; its figures mean little.\n");
        }
        text
    }

    /// Writes `report.html` and `report.json` into `directory`, which it creates if needed.
    pub(crate) fn write(&self, directory: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join("report.json"), serde_json::to_string_pretty(self)? + "\n")?;
        std::fs::write(directory.join("report.html"), html::page(self))
    }
}
