//! The line that is written into pictures: the time at which each was taken, and names.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

use crate::error::{Error, Result};
use crate::jpeg::Corner;
use crate::names::StreamKey;
use crate::text::Untrusted;
use crate::time::Micros;

/// A line that is written into each picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamp {
    /// What it says. `%F %T.%3f` and the other conversions of strftime become the time at which the picture was taken, in local
    /// time; `{name}`, `{room}` and `{host}` the stream's name and room and this machine's name; `%%`, `{{` and `}}` are the
    /// characters themselves. 128 characters at most. Letters beyond Latin-1 are shown as `?`.
    pub text: String,
    /// Where it stands.
    pub corner: Corner,
    /// How high its letters are, in percent of the picture's height: 1 to 25. A line that would be wider than the picture has
    /// smaller ones.
    pub percent: f32,
}

impl Default for Stamp {
    fn default() -> Self {
        Self { text: "%F %T.%3f".into(), corner: Corner::default(), percent: 4.0 }
    }
}

impl Stamp {
    /// The line that it makes for this stream.
    pub(super) fn line(&self, stream: &StreamKey) -> Result<Line> {
        if !(1.0..=25.0).contains(&self.percent) {
            return Err(Error::Usage("the letters of a stamp are 1 to 25 percent of the picture's height".into()));
        }
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        Line::new(&self.text, stream, &host, TimeZone::system())
    }
}

/// The most characters of the text, as it is given and as it is written.
const MOST: usize = 128;

/// A text with its names, that lacks only the time.
#[derive(Debug)]
pub(super) struct Line {
    format: String,
    zone: TimeZone,
    written: String,
}

impl Line {
    /// The line of this text, for this stream of the machine `host`, in this time zone.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn new(text: &str, stream: &StreamKey, host: &str, zone: TimeZone) -> Result<Self> {
        let wrong = |why: String| Error::Usage(format!("the stamp '{}': {why}", Untrusted(text)));
        if text.chars().count() > MOST {
            return Err(wrong(format!("more than {MOST} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(wrong("it must be one line, without control characters".into()));
        }
        let format = filled(text, stream, host).map_err(wrong)?;
        let mut line = Self { format, zone, written: String::new() };
        line.write(Duration::ZERO)
            .map_err(|why| wrong(format!("{why}; write %F %T.%3f and the like, as for strftime")))?;
        Ok(line)
    }

    /// What is written into a picture that was taken at `captured`, where this machine's clock says `now` and its calendar `today`.
    pub(super) fn at(&mut self, captured: Micros, now: Micros, today: SystemTime) -> &str {
        let today = today.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let taken =
            if captured > now { today + captured.since(now) } else { today.saturating_sub(now.since(captured)) };
        if let Err(why) = self.write(taken) {
            log::debug!("the stamp: {why}");
        }
        &self.written
    }

    fn write(&mut self, since_1970: Duration) -> std::result::Result<(), jiff::Error> {
        self.written.clear();
        let micros = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
        let time = Timestamp::from_microsecond(micros)?.to_zoned(self.zone.clone());
        BrokenDownTime::from(&time).format(&self.format, &mut self.written)?;
        if let Some((end, _)) = self.written.char_indices().nth(MOST) {
            self.written.truncate(end);
        }
        Ok(())
    }
}

/// The text with its names in it, where strftime finds no conversion in them.
fn filled(text: &str, stream: &StreamKey, host: &str) -> std::result::Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        if let Some(doubled) = ["{{", "}}"].into_iter().find(|doubled| found.starts_with(doubled)) {
            out.push_str(&doubled[..1]);
            rest = &found[2..];
            continue;
        }
        let (name, behind) = found
            .strip_prefix('{')
            .and_then(|found| found.split_once('}'))
            .ok_or("a brace without its other one; write {{ or }} for the character")?;
        let value = match name {
            "name" => &stream.name,
            "room" => &stream.room,
            "host" => host,
            _ => return Err(format!("there is no {{{}}}; write {{name}}, {{room}} or {{host}}", Untrusted(name))),
        };
        out.push_str(&value.replace('%', "%%"));
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Line> {
        Line::new(text, &StreamKey::new("lab", "door"), "desk%F", TimeZone::fixed(jiff::tz::offset(2)))
    }

    fn at(text: &str, micros: u64) -> String {
        let now = Micros(50_000_000);
        // The picture was taken 1.5 s ago.
        let today = SystemTime::UNIX_EPOCH + Duration::from_micros(micros + 1_500_000);
        line(text).unwrap().at(now - Duration::from_millis(1500), now, today).to_string()
    }

    #[test]
    fn the_time_is_that_at_which_the_picture_was_taken_in_local_time_to_the_millisecond() {
        let noon = 1_800_000_000_123_456;
        assert_eq!(at("%F %T.%3f", noon), "2027-01-15 10:00:00.123");
        assert_eq!(at("%d.%m.%y %H:%M:%S.%6f %z", noon), "15.01.27 10:00:00.123456 +0200");
        let now = Micros(1);
        let today = SystemTime::UNIX_EPOCH + Duration::from_secs(10);
        assert_eq!(
            line("%s").unwrap().at(now + Duration::from_secs(2), now, today),
            "12",
            "a clock that is a little ahead"
        );
    }

    #[test]
    fn names_stand_in_it_as_they_are() {
        assert_eq!(at("{room}/{name} {host} {{x}} 100%%", 0), "lab/door desk%F {x} 100%");
    }

    #[test]
    fn what_is_wrong_with_a_text_is_said_with_what_is_right() {
        for (text, hint) in [
            ("{nome}", "write {name}, {room} or {host}"),
            ("{name", "a brace without its other one"),
            ("name}", "a brace without its other one"),
            ("%F %!", "as for strftime"),
            ("%", "as for strftime"),
            ("two\nlines", "one line"),
            (&"x".repeat(129), "more than 128 characters"),
        ] {
            let error = line(text).unwrap_err();
            assert!(error.to_string().contains(hint) && matches!(error, Error::Usage(_)), "{text}: {error}");
        }
        assert!(at(&"%c".repeat(60), 0).chars().count() <= MOST, "it is bounded");
    }

    #[test]
    fn a_time_that_no_calendar_has_is_no_fault() {
        let mut line = line("%F").unwrap();
        line.at(Micros(u64::MAX), Micros(0), SystemTime::UNIX_EPOCH);
        line.at(Micros(0), Micros(u64::MAX), SystemTime::UNIX_EPOCH);
    }
}
