//! The template's settings of the functions.

use std::{fs, path::Path};

use serde_json::Value;

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

fn template() -> Value {
    serde_saphyr::from_str(&text("template.yaml")).unwrap()
}

/// ExpireHolds sends a message again each time its hold was extended. Lambda would stop that as a loop; it has its own
/// bound.
#[test]
fn only_expire_holds_may_loop() {
    let template = template();
    for (name, resource) in template["Resources"].as_object().unwrap() {
        let expected = if name == "ExpireHolds" { &Value::from("Allow") } else { &Value::Null };
        assert_eq!(&resource["Properties"]["RecursiveLoop"], expected, "{name}");
    }
}
