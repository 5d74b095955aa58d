//! Looks at the host that ask for something else than components: what sessions need, and single files.

use std::collections::BTreeMap;

use super::facts::{Fact, NotUnderstood, parse};
use super::program::Program;
use super::target::Target;

/// The program that looks for what sessions need.
#[must_use]
pub fn tools(target: &Target) -> String {
    let mut program = Program::probing(target);
    program.call(&["tell_tools"]);
    program.finish()
}

/// The program that looks at these files.
#[must_use]
pub fn files(target: &Target, files: &[String]) -> String {
    let mut program = Program::probing(target);
    for (number, file) in files.iter().enumerate() {
        program.call(&["probe", FILES, &number.to_string(), "", "edit", file]);
    }
    program.finish()
}

/// What the program of [`files`] said of them.
///
/// # Errors
/// A line is not understood, or one is missing.
pub fn parse_files(text: &str, files: &[String]) -> Result<BTreeMap<String, Fact>, NotUnderstood> {
    let facts = parse(text, &[])?;
    let fact = |(number, file): (usize, &String)| {
        let fact = facts.steps.get(&(FILES.to_owned(), number));
        let fact = fact.ok_or_else(|| NotUnderstood { what: format!("nothing on {file}") })?;
        Ok((file.clone(), fact.fact.clone()))
    };
    files.iter().enumerate().map(fact).collect()
}

/// Stands where a component's name does: no component has it.
const FILES: &str = "-files";
