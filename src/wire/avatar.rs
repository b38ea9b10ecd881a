//! The picture of somebody who shows none: initials on a colour, as an SVG that needs no address of its own.

use data_encoding::BASE64;

/// The initials of a name: of its first and its last word.
fn initials(name: &str) -> String {
    let mut words = name.split(|c: char| !c.is_alphanumeric()).filter_map(|word| word.chars().next());
    let first = words.next();
    first.into_iter().chain(words.next_back()).flat_map(char::to_uppercase).collect()
}

/// The colour of a name, as a hue in degrees: the same one wherever it is shown.
fn hue(name: &str) -> u32 {
    // FNV-1a: few names have the same one, and anybody can work it out.
    name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)) % 360
}

/// The SVG: a coloured square, and what stands on it.
fn svg(text: &str, hue: u32) -> String {
    // Letters and digits alone are in it, which need no escape.
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 96 96'><rect width='96' height='96' fill='hsl({hue},45%,38%)'/>\
         <text x='48' y='49' font-family='system-ui,sans-serif' font-size='38' font-weight='600' fill='#fff' text-anchor='middle' \
         dominant-baseline='central'>{text}</text></svg>"
    )
}

/// The avatar of somebody of this name.
#[must_use]
pub fn picture(name: &str) -> String {
    svg(&initials(name), hue(name))
}

/// The same as a `data:` URL.
#[must_use]
pub fn url(name: &str) -> String {
    format!("data:image/svg+xml;base64,{}", BASE64.encode(picture(name).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_avatar_has_initials_and_no_markup_of_the_name() {
        for (name, letters) in [
            ("Ann Lee", "AL"),
            ("ann", "A"),
            ("Ann Maria van der Lee", "AL"),
            ("  élan vital ", "ÉV"),
            ("<script>&amp;", "SA"),
            ("'\"<>&", ""),
            ("User_7", "U7"),
            ("", ""),
        ] {
            assert_eq!(initials(name), letters, "{name}");
            let drawn = picture(name);
            assert_eq!(drawn.matches('<').count(), 5, "{name}: {drawn}");
            assert!(!drawn.contains('&'));
        }
        assert_eq!(hue("ann"), hue("ann"));
        assert_ne!(hue("ann"), hue("bob"));
        assert!(url("ann").starts_with("data:image/svg+xml;base64,PHN2Zy"));
    }
}
