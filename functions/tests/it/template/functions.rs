//! What the template says of the functions, held to what they are.

use std::{fs, path::Path};

use serde_json::Value;

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

fn template() -> Value {
    serde_saphyr::from_str(&text("template.yaml")).unwrap()
}

/// A message that is sent on as often as a hold is extended is no loop: ours has a bound of its own.
#[test]
fn only_the_function_that_sends_its_own_messages_on_may_loop() {
    let template = template();
    for (name, resource) in template["Resources"].as_object().unwrap() {
        let expected = if name == "ExpireHolds" { &Value::from("Allow") } else { &Value::Null };
        assert_eq!(&resource["Properties"]["RecursiveLoop"], expected, "{name}");
    }
}
