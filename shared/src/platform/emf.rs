//! CloudWatch's embedded metric format: a line of the log that CloudWatch reads as a metric. No agent, no call, no cost where the
//! log goes elsewhere.

use std::{io::Write, time::SystemTime};

use serde_json::{Value, json};

use super::aws::environment;

/// Writes a metric's value. Never fails: a metric is not worth a request.
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

/// `METRICS_NAMESPACE`, so that the stacks of one account do not count together; `Boxoffice` unless set.
fn namespace() -> String {
    environment("METRICS_NAMESPACE").unwrap_or_else(|| "Boxoffice".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_value_that_its_metric_names() {
        let line = line("Booked", 3);
        let name = line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"].as_str().unwrap();
        assert_eq!(line[name], 3);
    }
}
