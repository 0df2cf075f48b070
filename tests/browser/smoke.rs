//! Each tool, proved on a page of the tests' own.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::stage::Stage;

/// The answer to a GET with these further lines of a request.
fn get(stage: &Stage, path: &str, lines: &str) -> String {
    let mut stream = TcpStream::connect(stage.address).unwrap();
    let host = stage.address;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_page_brings_its_files_and_allows_no_others() {
    let stage = Stage::start(&[]);
    for (path, kind) in
        [("/", "html"), ("/page.js", "javascript"), ("/style.css", "css"), ("/icon.svg", "svg+xml")]
    {
        let answer = get(&stage, path, "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("/{kind}")), "{path}: {head}");
        assert!(head.contains("cache-control: no-store"), "{path}: {head}");
        assert!(
            head.contains("content-security-policy: default-src 'none'; script-src 'self'"),
            "{path}: {head}"
        );
        assert!(!body.is_empty(), "{path}");
    }
    assert!(get(&stage, "/other", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn another_page_may_not_dial() {
    let stage = Stage::start(&[]);
    for foreign in ["http://example.com", "null", "http://127.0.0.1:1"] {
        let answer = get(&stage, "/live", &format!("Origin: {foreign}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403"), "{foreign}: {answer}");
    }
    let own = format!("Origin: http://{}\r\n", stage.address);
    assert!(get(&stage, "/", &own).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_taken_port_is_told_as_such() {
    let stage = Stage::start(&[]);
    let failure = Stage::refusal(&["--listen", &stage.address.to_string()]);
    assert_eq!(
        failure,
        format!("{} is taken: give another, or `--listen 127.0.0.1:0` for any that is free", stage.address)
    );
    assert!(Stage::refusal(&["--timeout", "soon"]).contains("--timeout"));
    assert!(Stage::refusal(&["--suspect-after", "soon"]).contains("--suspect-after"));
    assert!(Stage::refusal(&["--listen", "nowhere"]).starts_with("nowhere: "));
}
