//! `docs/stacks.md` agrees with the recipes, and with what the judge knows.

use std::fs;
use std::path::Path;

use liveness_judge::{ANY_TRAFFIC, CANNOT, CLIENT_CASES, PONG_ONLY};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn each_cell_that_a_stack_cannot_fill_is_in_the_page_with_its_reason() {
    let page = read("docs/stacks.md");
    let mut rows =
        page.lines().filter(|line| line.starts_with("| `recipe_") && line.matches('|').count() == 4).count();
    for cannot in CANNOT {
        let cases = cannot.cases.iter().map(|case| format!("`{case}`")).collect::<Vec<_>>().join(", ");
        let row = format!("| `{}` | {cases} | {} |", cannot.program, cannot.why);
        assert!(page.contains(&row), "docs/stacks.md has no line\n{row}");
        rows -= 1;
    }
    assert_eq!(rows, 0, "docs/stacks.md has cells that the judge does not know");
}

#[test]
fn each_cell_that_a_stack_cannot_fill_is_a_case() {
    for cannot in CANNOT {
        for name in cannot.cases {
            let served = [ANY_TRAFFIC, PONG_ONLY]
                .iter()
                .any(|group| group.cases.iter().any(|case| case.name == *name));
            assert!(served || CLIENT_CASES.iter().any(|case| case.name == *name), "{name}");
        }
    }
}

#[test]
fn each_recipe_is_in_the_page_in_its_manifest_and_among_what_is_judged() {
    let (page, manifest, judged) =
        (read("docs/stacks.md"), read("crates/recipes/Cargo.toml"), read(".ci/recipes"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes/src/bin");
    let mut recipes = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.trim_end_matches(".rs");
        assert!(page.contains(&format!("[`{name}`]")), "docs/stacks.md has no {name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "the manifest has no {name}");
        let feature = name.trim_start_matches("recipe_");
        assert!(
            judged.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == feature),
            ".ci/recipes does not judge {name}"
        );
        recipes += 1;
    }
    assert_eq!(manifest.matches("[[bin]]").count(), recipes);
}

/// The heartbeat begins after the opening handshake, so before it a dead peer is never found.
#[test]
fn each_recipe_has_a_deadline_for_the_handshake_or_says_whose_it_is() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes/src/bin")).unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read_to_string(&path).unwrap();
        let deadlines = ["HANDSHAKE_TIMEOUT", "http1()", "the head of a request"];
        assert!(deadlines.iter().any(|deadline| source.contains(deadline)), "{}", path.display());
    }
}

/// Lines of `mod glue` that are neither blank, nor comments, nor `use`.
fn glue(recipe: &str) -> usize {
    let source = read(&format!("crates/recipes/src/bin/{recipe}.rs"));
    let glue =
        source.split("mod glue {\n").nth(1).and_then(|rest| rest.split("\n}\n").next()).unwrap_or_default();
    let mut in_use = false;
    let counts = |line: &&str| {
        let begins = in_use || line.starts_with("use ") || line.starts_with("pub use ");
        in_use = begins && !line.ends_with(';');
        !begins && !line.is_empty() && !line.starts_with("//")
    };
    glue.lines().map(str::trim).filter(counts).count()
}

#[test]
fn the_lines_of_glue_are_as_many_as_the_page_says() {
    let page = read("docs/stacks.md");
    let mut rows = 0;
    for line in page.lines().filter(|line| line.contains("| [`recipe_")) {
        let recipe = line.split("[`").nth(1).unwrap().split('`').next().unwrap();
        let said: usize = line.split(" | ").nth(3).unwrap().parse().unwrap();
        assert_eq!(glue(recipe), said, "{recipe}");
        rows += 1;
    }
    assert_eq!(rows, 14);
}

#[test]
fn the_versions_of_the_stacks_are_those_of_the_recipes() {
    let (page, manifest) = (read("docs/stacks.md"), read("crates/recipes/Cargo.toml"));
    let stacks = manifest.split("# The stacks.\n").nth(1).unwrap().split("\n\n").next().unwrap();
    assert!(stacks.lines().count() > 10);
    for line in stacks.lines() {
        let (name, rest) = line.split_once(" = ").unwrap();
        let version = rest.split("version = \"").nth(1).unwrap().split('"').next().unwrap();
        let name = if name == "tokio-tungstenite-0-29" { "tokio-tungstenite" } else { name };
        assert!(page.contains(&format!("{name} {version}")), "docs/stacks.md does not name {name} {version}");
    }
}
