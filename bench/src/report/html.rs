//! The report as one self-contained HTML page.

use std::fmt::Write as _;

use super::table::{Cell, Table};
use super::{Report, Section};

const HEAD: &str = r#"<!doctype html><html lang="en"><meta charset="utf-8"><title>Boxoffice: benchmark</title>
<meta name="viewport" content="width=device-width"><style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1c2430}
h1,h2,h3{line-height:1.2}h2{margin-top:2.5rem}table{border-collapse:collapse;font-size:13px;margin:.5rem 0 1.5rem}
th,td{padding:.25rem .6rem;border-bottom:1px solid #dde2e8;text-align:left}th{vertical-align:bottom}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}caption{text-align:left;font-weight:600;padding:.3rem 0}
.scroll{overflow-x:auto}.reached{color:#15803d}.MISSED,.no{color:#c2410c;font-weight:600}
svg{max-width:100%;height:auto;font-size:12px}svg text{fill:#1c2430}svg .group{font-weight:600;font-size:13px}
.grid{stroke:#dde2e8}</style>"#;

/// Renders the page.
pub(super) fn page(report: &Report) -> String {
    let mut page = format!("{HEAD}<h1>Boxoffice: benchmark</h1><p>{}", escaped(&report.machine.to_string()));
    // Writing to a string cannot fail, here and below.
    let _ = write!(page, "; it took {:.0} s.</p>", report.took_s);
    if report.quick {
        page.push_str("<p class=no>A quick run: it shows that the benchmark works; its figures mean little.</p>");
    }
    page.push_str("<h2>Targets</h2><div class=scroll><table><tr><th>What<th class=n>Figure<th>Target<th></tr>");
    for target in &report.targets {
        let _ = write!(
            page,
            "<tr><td>{}<td class=n>{}<td>{}<td class=\"{}\">{}</tr>",
            escaped(&target.what),
            target.found(),
            target.wanted(),
            target.verdict(),
            target.verdict()
        );
    }
    page.push_str("</table></div>");
    report.sections.iter().for_each(|section| add(&mut page, section));
    page
}

fn add(page: &mut String, section: &Section) {
    let _ = write!(page, "<h2 id={}>{}</h2>", section.id, escaped(section.title));
    for note in &section.notes {
        let _ = write!(page, "<p>{}</p>", escaped(note));
    }
    section.bars.iter().for_each(|bars| page.push_str(&bars.svg()));
    section.lines.iter().for_each(|lines| page.push_str(&lines.svg()));
    section.tables.iter().for_each(|table| page.push_str(&html_of(table)));
}

fn html_of(table: &Table) -> String {
    let mut html = format!("<div class=scroll><table><caption>{}</caption><tr>", escaped(&table.title));
    for (index, column) in table.columns.iter().enumerate() {
        let class = if index == 0 { "" } else { " class=n" };
        let _ = write!(html, "<th{class}>{}", escaped(column));
    }
    for row in &table.rows {
        html.push_str("<tr>");
        row.iter().for_each(|cell| html.push_str(&cell_of(cell)));
    }
    html + "</table></div>"
}

fn cell_of(cell: &Cell) -> String {
    let class = if cell.is_number() { " class=n" } else { "" };
    format!("<td{class}>{}", escaped(&cell.shown()))
}

/// Escapes text for HTML and SVG, also in attributes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
