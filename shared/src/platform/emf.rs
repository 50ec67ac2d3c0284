//! CloudWatch's embedded metric format: log lines that CloudWatch reads as metrics. It needs no agent and no call, and
//! costs nothing where the log goes elsewhere.

use std::{io::Write, time::SystemTime};

use serde_json::{Value, json};

use super::aws::environment;

/// Writes a metric value. Never fails, since a lost metric must not fail a request.
pub(crate) fn write(name: &str, value: u64) {
    let _ = writeln!(std::io::stdout(), "{}", line(name, value));
}

fn line(name: &str, value: u64) -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    json!({
        "_aws": {
            "Timestamp": u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            "CloudWatchMetrics": [{
                "Namespace": namespace(),
                "Dimensions": [[]],
                "Metrics": [{"Name": name, "Unit": "Count"}],
            }],
        },
        (name): value,
    })
}

/// `METRICS_NAMESPACE`, which keeps the metrics of an account's stacks apart; `Boxoffice` unless set.
fn namespace() -> String {
    environment("METRICS_NAMESPACE").unwrap_or_else(|| "Boxoffice".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_value_of_the_metric_that_it_names() {
        let line = line("Booked", 3);
        let name = line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"].as_str().unwrap();
        assert_eq!(line[name], 3);
    }
}
