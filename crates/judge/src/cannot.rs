//! What a stack cannot do, whatever is written around it. `docs/stacks.md` says the same, and a test compares the two.

/// A case that a program cannot get right.
pub struct Cannot {
    /// The program's name.
    pub program: &'static str,
    /// The cases.
    pub cases: &'static [&'static str],
    pub why: &'static str,
}

/// All of them.
pub const CANNOT: &[Cannot] = &[];

/// Why this program cannot get this case right, if it is known to be so.
pub fn cannot(program: &str, case: &str) -> Option<&'static str> {
    CANNOT
        .iter()
        .find(|cannot| cannot.program == program && cannot.cases.contains(&case))
        .map(|cannot| cannot.why)
}
