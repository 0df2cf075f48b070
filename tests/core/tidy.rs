//! The house rules that a compiler does not know.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The floor of a module of `src`: a module uses only its own floor and those below.
fn floor(module: &str) -> usize {
    match module {
        "time" | "event" | "payload" | "text_heartbeat" | "limiter" | "rtt" | "sleep" => 0,
        "config" => 1,
        "dialect" | "lease" | "liveness" | "observer" | "presence" | "reconnect" | "state" => 2,
        "arbitrary" | "fleet" | "serde" | "session" | "sim" | "strategy" | "traced" | "transcript" => 3,
        "driver" => 4,
        other => panic!("src/{other} has no floor: give it one here"),
    }
}

#[test]
fn no_module_uses_a_floor_above_its_own() {
    let src = root().join("src");
    for path in sources(&src) {
        let inside = path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        let module = inside.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        if module == "lib" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.trim_start().starts_with("use crate::")) {
            let used = line.trim_start().trim_start_matches("use crate::");
            let used = used.split([':', ';', '{']).next().unwrap();
            assert!(floor(used) <= floor(&module), "src/{inside} climbs: {line}");
        }
    }
}

#[test]
fn no_file_of_src_is_longer_than_a_few_screens() {
    for path in sources(&root().join("src")) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines: split it by noun", path.display());
    }
}

#[test]
fn every_fuzz_target_is_listed_and_every_listed_one_is_there() {
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    let listed: Vec<_> = manifest.lines().filter(|line| line.starts_with("path = \"fuzz_targets/")).collect();
    let present = sources(&root().join("fuzz/fuzz_targets"));
    assert!(!present.is_empty());
    assert_eq!(listed.len(), present.len());
    for target in present {
        let name = target.file_name().unwrap().to_string_lossy().into_owned();
        assert!(listed.iter().any(|line| line.contains(&name)), "{name} is not in fuzz/Cargo.toml");
    }
}

#[test]
fn every_recipe_is_on_the_page_of_stacks() {
    let page = fs::read_to_string(root().join("docs/stacks.md")).unwrap();
    let recipes = sources(&root().join("crates/recipes/src/bin"));
    assert!(recipes.len() >= 7);
    for recipe in recipes {
        let name = recipe.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(page.contains(&format!("`{name}`")), "{name} is not on docs/stacks.md");
    }
}

#[test]
fn every_package_is_in_the_table_of_the_architecture() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let packages = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().file_name());
    let packages: Vec<_> = packages.map(|name| name.into_string().unwrap()).collect();
    assert!(packages.len() > 10);
    for package in packages {
        assert!(page.contains(&format!("\n| `{package}` | ")), "{package} is not in ARCHITECTURE.md");
    }
}

/// The versions that a reader is told to take are those in the manifest.
#[test]
fn the_versions_of_the_readme_and_of_the_crates_page_are_those_of_the_manifest() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let version = |key: &str| {
        let line = manifest.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        line.split('"').find(|part| part.starts_with(|sign: char| sign.is_ascii_digit())).unwrap().to_owned()
    };
    for library in ["axum", "tokio-tungstenite", "tungstenite"] {
        let named = format!("{library} {}", version(library));
        assert!(readme.contains(&format!("| {named} | `{library}`")), "README.md has no line of {named}");
        assert!(lib.contains(&named), "src/lib.rs does not name {named}");
    }
    assert!(readme.contains(&format!("Rust {} or later", version("rust-version"))));
}

/// Links and headings inside code do not count.
fn without_code(page: &str) -> String {
    let mut code = false;
    let lines = page.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Where a heading can be linked to: `## After a sleep` is `after-a-sleep`.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    words.chars().filter(|sign| sign.is_alphanumeric() || "-_".contains(*sign)).collect()
}

/// The file and the anchor that a relative link names, either of them perhaps empty.
fn links(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let plain = |sign: u8| b"./-_#".contains(&sign) || sign.is_ascii_alphanumeric();
    let relative = targets.filter(move |target| !target.is_empty() && target.bytes().all(plain));
    relative.map(|target| target.split_once('#').unwrap_or((target, "")))
}

#[test]
fn every_link_of_a_page_leads_to_a_file_and_to_a_heading_in_it() {
    let mut pages = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
        .map(|name| root().join(name))
        .to_vec();
    pages.extend(fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let mut found = 0;
    for page in pages.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = without_code(&fs::read_to_string(page).unwrap());
        for (file, heading) in links(&text) {
            let target = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            assert!(target.exists(), "{} leads to {file}, which is not there", page.display());
            if !heading.is_empty() {
                let headings = without_code(&fs::read_to_string(&target).unwrap());
                let there =
                    headings.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
                assert!(there, "{} leads to #{heading}, which {} has not", page.display(), target.display());
            }
            found += 1;
        }
    }
    assert!(found > 30, "{found}");
}

#[test]
fn links_and_the_headings_that_they_lead_to_are_read_as_a_page_shows_them() {
    let page = "[a](docs/a.md), [b](b.md#after-a-sleep)\n```js\nf[0](x)\n```\n![c](c.svg \"title\") [d](https://d.org/) [e](#f)";
    let found: Vec<_> =
        links(&without_code(page)).map(|(file, heading)| format!("{file} {heading}")).collect();
    assert_eq!(found, ["docs/a.md ", "b.md after-a-sleep", "c.svg ", " f"]);
    assert_eq!(anchor("## A chat: `cargo chat`"), "a-chat-cargo-chat");
}

#[test]
fn every_dependency_is_optional() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let dependencies = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    for line in dependencies.lines().filter(|line| line.contains('=')) {
        assert!(line.contains("optional = true"), "a default build would need {line}");
    }
}

#[test]
fn the_pages_half_is_built_with_the_rust_that_is_promised_and_its_script_knows_every_action() {
    let manifest = fs::read_to_string(root().join("crates/web/Cargo.toml")).unwrap();
    assert!(manifest.contains("rust-version.workspace = true"));

    // `Some(Action::Dial) => 1,` there, "dial" in place 1 here.
    let exports = fs::read_to_string(root().join("crates/web/src/exports.rs")).unwrap();
    let numbered = exports.lines().filter_map(|line| {
        let (action, number) = line.trim().strip_prefix("Some(Action::")?.split_once(") => ")?;
        let number: usize = number.trim_end_matches(',').parse().ok()?;
        Some((number, action.trim_end_matches("(_)").to_lowercase()))
    });
    let numbered: Vec<_> = numbered.collect();
    assert!(numbered.len() > 10);
    let script = fs::read_to_string(root().join("crates/web/liveness.js")).unwrap();
    let list = script.split("const ACTIONS = [null, ").nth(1).unwrap().split("];").next().unwrap();
    let list: Vec<_> = list.split(", ").map(|name| name.trim_matches('"').to_owned()).collect();
    let expected: Vec<_> = list.into_iter().enumerate().map(|(index, name)| (index + 1, name)).collect();
    assert_eq!(numbered, expected);
}
