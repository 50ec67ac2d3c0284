//! Rebuilds when a migration file is added: the macro that embeds them does not notice new files.

#[allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
fn main() {
    println!("cargo::rerun-if-changed=.");
}
