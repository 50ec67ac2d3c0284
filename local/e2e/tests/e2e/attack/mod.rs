//! What somebody tries who means harm, through the gateway: to come in without a right, to find what is another's, to be
//! taken for something else, to hold more than their share. `SECURITY.md` names what stops each, and the test.

mod hoarding;
mod ids;
mod injection;
mod log_lines;
mod matrix;
mod partner;
mod scene;
mod smuggling;
mod tokens;
