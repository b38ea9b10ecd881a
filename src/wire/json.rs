//! Which JSON from outside may be passed on to others.

/// How deep arrays and objects may lie in each other. Parsers in other people's programs recurse, and some end with their
/// program when that goes on for too long; what people send is three or four deep.
pub const MAX_DEPTH: usize = 32;

/// Whether this is one JSON text that nests [`MAX_DEPTH`] deep at most, so that it may be put into other JSON as it is.
/// Neither the text's depth nor its length costs stack.
#[must_use]
pub fn may_pass(text: &str) -> bool {
    nests_within(text, MAX_DEPTH) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Whether arrays and objects lie so deep in each other at most, by counting brackets outside of strings. For text that is no JSON
/// the answer means nothing, and the parser says the rest.
pub(super) fn nests_within(text: &str, most: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > most {
                    return false;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// The text with `null` for `NaN` and infinities, which Python's `json` writes and JSON does not have; `None`: there are none.
#[must_use]
pub fn without_nan(text: &[u8]) -> Option<Vec<u8>> {
    const NONE: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let (mut out, mut kept, mut at, mut in_string) = (Vec::new(), 0, 0, false);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'N' | b'-' | b'I' if !in_string => {
                if let Some(word) = NONE.iter().find(|word| text[at..].starts_with(word)) {
                    out.extend_from_slice(&text[kept..at]);
                    out.extend_from_slice(b"null");
                    kept = at + word.len();
                    at = kept - 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    (kept > 0).then(|| {
        out.extend_from_slice(&text[kept..]);
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_a_usual_depth_passes_and_deeper_does_not() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(may_pass(&nested(MAX_DEPTH)));
        assert!(!may_pass(&nested(MAX_DEPTH + 1)));
        assert!(!may_pass(&nested(32_000)));
        assert!(!may_pass(&"[".repeat(65_536)));
        let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert!(may_pass(&objects(MAX_DEPTH)));
        assert!(!may_pass(&objects(MAX_DEPTH + 1)));
    }

    #[test]
    fn brackets_in_strings_do_not_count_and_siblings_are_no_depth() {
        let text = format!(r#"{{"text":"{}\" {}"}}"#, "[".repeat(100), "{".repeat(100));
        assert!(may_pass(&text));
        assert!(may_pass(&format!("[{}[]]", "[],".repeat(1000))));
        assert!(may_pass(r#"{"path":"C:\\"}"#));
    }

    #[test]
    fn numbers_that_json_does_not_have_become_null_outside_of_strings() {
        let text = br#"{"NaN":[NaN,-Infinity,Infinity,-1],"a":"NaN \" Infinity"}"#;
        let expected = br#"{"NaN":[null,null,null,-1],"a":"NaN \" Infinity"}"#;
        assert_eq!(without_nan(text), Some(expected.to_vec()));
        assert_eq!(without_nan(expected), None);
        assert_eq!(without_nan(b"\"\\"), None);
    }

    #[test]
    fn what_is_no_json_does_not_pass() {
        for text in ["", "{", "{}}", "[1,]", "\"", "nul", r#"{"a":"\"#] {
            assert!(!may_pass(text), "{text}");
        }
    }
}
