//! Words from outside, as they may be shown: in a terminal, a log, a window, a message.

#[cfg(feature = "codec")]
#[cfg_attr(not(feature = "send"), allow(dead_code, reason = "a viewer writes nothing into pictures"))]
pub(crate) mod letters;

use std::fmt::{self, Display, Write};

/// What a peer, a camera or a device said. Shown, it is one line without anything that acts instead of being read:
/// control characters of both sets, what turns the direction of writing around, what is invisible. They come as
/// `\u{9b}`; so does nothing else, so that what was shown once can be shown again. At most 200 characters are shown, or
/// as many as the format's precision says (`{:.40}`); what is cut ends with `…`.
///
/// ```
/// # use streamflow::internal::text::Untrusted;
/// assert_eq!(Untrusted("door \x1b[2J\n").to_string(), "door \\u{1b}[2J\\n");
/// assert_eq!(format!("{:.4}", Untrusted("doorbell")), "doo…");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Untrusted<T>(pub T);

/// The most characters that are shown where the format does not say.
const MOST: usize = 200;

impl<T: Display> Display for Untrusted<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = out.precision().unwrap_or(MOST);
        let mut escaping = Escaping { out, left, held: None, cut: false };
        let written = write!(escaping, "{}", self.0);
        match (escaping.cut, escaping.held) {
            (true, _) => escaping.out.write_char('…'),
            (false, Some(last)) => written.and_then(|()| escaping.out.write_str(&last)),
            (false, None) => written,
        }
    }
}

struct Escaping<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    /// Characters that may still be written.
    left: usize,
    /// What fills the last place: written when nothing follows, else its place is for the `…`.
    held: Option<String>,
    cut: bool,
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, c) in text.char_indices() {
            let width = if acts(c) { c.escape_default().count() } else { 1 };
            if width < self.left {
                self.left -= width;
                if width > 1 {
                    self.out.write_str(&text[plain..at])?;
                    write!(self.out, "{}", c.escape_default())?;
                    plain = at + c.len_utf8();
                }
                continue;
            }
            self.out.write_str(&text[plain..at])?;
            if width == self.left && self.held.is_none() {
                self.held = Some(if width > 1 { c.escape_default().collect() } else { c.into() });
                (self.left, plain) = (0, at + c.len_utf8());
                continue;
            }
            self.cut = true;
            // It ends the formatting of what may be endless.
            return Err(fmt::Error);
        }
        self.out.write_str(&text[plain..])
    }
}

/// Whether a character does something else than being read: Unicode's `Cc`, `Zl` and `Zp`, and what has the properties
/// `Bidi_Control` or `Default_Ignorable_Code_Point` (Unicode 16, `PropList` and `DerivedCoreProperties`).
#[must_use]
pub fn acts(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_in_a_terminal_is_shown_and_does_nothing() {
        let shown = |text: &str| Untrusted(text).to_string();
        assert_eq!(shown("\x1b]0;title\x07\x1b[2J"), r"\u{1b}]0;title\u{7}\u{1b}[2J");
        assert_eq!(shown("\u{9b}31mred\u{7f}"), r"\u{9b}31mred\u{7f}", "the second set of controls as well");
        assert_eq!(shown("one\r\nerror: forged\u{2028}\u{2029}"), r"one\r\nerror: forged\u{2028}\u{2029}");
        assert_eq!(shown("gpj.\u{202e}exe \u{2066}\u{200f}\u{61c}"), r"gpj.\u{202e}exe \u{2066}\u{200f}\u{61c}");
        assert_eq!(shown("a\u{200b}b\u{feff}c\u{3164}\u{e0041}"), r"a\u{200b}b\u{feff}c\u{3164}\u{e0041}");
        assert_eq!(shown("Straße, 門, שער, باب 3 °C"), "Straße, 門, שער, باب 3 °C", "what is read stays");
    }

    #[test]
    fn what_was_shown_once_can_be_shown_again() {
        let once = Untrusted("a\x1b\u{9b}\n\\u{41}").to_string();
        assert_eq!(Untrusted(&once).to_string(), once);
    }

    #[test]
    fn it_is_as_long_as_it_may_be_and_no_longer() {
        assert_eq!(format!("{:.5}", Untrusted("12345")), "12345");
        assert_eq!(format!("{:.5}", Untrusted("123456")), "1234…");
        assert_eq!(format!("{:.3}", Untrusted("12\n")), "12…", "an escape is whole or not at all");
        assert_eq!(format!("{:.4}", Untrusted("12\n")), r"12\n");
        assert_eq!(format!("{:.4}", Untrusted(format_args!("{}{}", "123", 45))), "123…");
        assert_eq!(format!("{:.0}", Untrusted("")), "");
        assert_eq!(Untrusted("\u{1d173}".repeat(1000)).to_string().chars().count(), 200 / 9 * 9 + 1);
    }

    #[test]
    fn an_error_of_what_is_shown_is_passed_on() {
        struct Fails;
        impl Display for Fails {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Err(fmt::Error)
            }
        }
        assert!(write!(String::new(), "{}", Untrusted(Fails)).is_err());
    }
}
