//! The letters of what visitors write: those that others can see, and names made of them.

/// A text on one line, as it is shown, with at most so many letters. `None` if nothing can be seen of it.
pub fn one_line(words: &str, longest: usize) -> Option<String> {
    let seen: String = words.chars().filter(|letter| letter.is_whitespace() || is_seen(*letter)).collect();
    let spaced = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = spaced.chars().take(longest).collect();
    let line = line.trim();
    (!is_blank(line)).then(|| line.to_owned())
}

/// Refuses characters that have no shape, or that reorder the text around them.
pub fn is_seen(letter: char) -> bool {
    let formats = matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !letter.is_control() && !formats
}

/// Nothing of it can be seen.
pub fn is_blank(words: &str) -> bool {
    without_joiners(words).trim().is_empty()
}

/// A reader cannot tell these two names apart.
pub fn alike(one: &str, other: &str) -> bool {
    let seen = |name: &str| without_joiners(name).to_lowercase();
    seen(one) == seen(other)
}

/// Joiners and variation selectors only shape the letters around them, such as those of a family or a red heart.
fn without_joiners(words: &str) -> String {
    words.replace(
        |letter| matches!(letter, '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'),
        "",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_reader_sees_of_it() {
        let name = |words| one_line(words, 8);
        assert_eq!(name("  Ada \t\n Lovelace "), Some("Ada Love".to_owned()));
        assert_eq!(name("Ada \u{200b} B."), Some("Ada B.".to_owned()));
        assert_eq!(name("\u{202e}Ada\u{7}"), Some("Ada".to_owned()));
        assert_eq!(name("\u{2764}\u{fe0f}"), Some("\u{2764}\u{fe0f}".to_owned()));
        for nothing in ["", " \u{a0}", "\u{200d}", "\u{3164}", "\u{2800} \u{115f}", "\u{fe0f}"] {
            assert_eq!(name(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn names_that_look_the_same_are_the_same() {
        for other in ["aDA", "A\u{200d}da", "Ada\u{fe0f}"] {
            assert!(alike("Ada", other), "{other:?}");
        }
        assert!(!alike("Ada", "Ada 2"));
        assert!(alike("ΑΣ", "ας"));
    }
}
