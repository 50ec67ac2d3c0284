//! A new migration file is a reason to build again; the macro that embeds them sees only those that it knew.

#[allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
fn main() {
    println!("cargo::rerun-if-changed=.");
}
