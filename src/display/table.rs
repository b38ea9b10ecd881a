//! The keys of the window: what each does, and how it is said. Handling, the card that `H` shows and the table in
//! `docs/viewing.md` all come from here.

use minifb::Key;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Save,
    Statistics,
    Rotate,
    Mirror,
    Sound,
    FullScreen,
    Help,
    /// One stream of several, counted from 0.
    One(usize),
    All,
    /// Back by one step: from these keys, out of the full screen, from one stream to all, and then out of the program.
    Back,
    Quit,
}

/// A row of the table.
pub(super) struct Row {
    /// What is printed on the keys.
    pub(super) caps: &'static str,
    pub(super) says: &'static str,
    /// It is of use in a window of several streams alone.
    pub(super) several: bool,
    keys: &'static [(Key, Command)],
}

/// The digits choose one of several streams.
const DIGITS: [(Key, Command); 9] = [
    (Key::Key1, Command::One(0)),
    (Key::Key2, Command::One(1)),
    (Key::Key3, Command::One(2)),
    (Key::Key4, Command::One(3)),
    (Key::Key5, Command::One(4)),
    (Key::Key6, Command::One(5)),
    (Key::Key7, Command::One(6)),
    (Key::Key8, Command::One(7)),
    (Key::Key9, Command::One(8)),
];

/// All of them, in the order in which they are shown.
pub(super) const ROWS: [Row; 11] = [
    row("S", "save, exactly as received", &[(Key::S, Command::Save)]),
    row("T", "statistics: line, all, off", &[(Key::T, Command::Statistics)]),
    row("R", "rotate, clockwise", &[(Key::R, Command::Rotate)]),
    row("M", "mirror", &[(Key::M, Command::Mirror)]),
    row("A", "sound on, off", &[(Key::A, Command::Sound)]),
    row("F", "full screen, double click", &[(Key::F, Command::FullScreen)]),
    Row { several: true, ..row("1 - 9", "one stream, or a click", &DIGITS) },
    Row { several: true, ..row("0", "all streams", &[(Key::Key0, Command::All)]) },
    // A question mark is on another key on each keyboard: it comes as a letter, and as this key from there on.
    row("H ?", "these keys", &[(Key::H, Command::Help), (Key::Slash, Command::Help)]),
    row("Esc", "one step back, then quit", &[(Key::Escape, Command::Back)]),
    row("Q", "quit", &[(Key::Q, Command::Quit)]),
];

const fn row(caps: &'static str, says: &'static str, keys: &'static [(Key, Command)]) -> Row {
    Row { caps, says, several: false, keys }
}

/// What a key does, where it does anything.
pub(super) fn command(key: Key) -> Option<Command> {
    ROWS.iter().flat_map(|row| row.keys).find(|(other, _)| *other == key).map(|(_, command)| *command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_once_in_the_table_and_every_cap_has_its_key() {
        let keys: Vec<Key> = ROWS.iter().flat_map(|row| row.keys).map(|(key, _)| *key).collect();
        for (n, key) in keys.iter().enumerate() {
            assert!(!keys[..n].contains(key), "{key:?} twice");
            assert!(command(*key).is_some());
        }
        assert_eq!(command(Key::Key7), Some(Command::One(6)));
        for row in ROWS {
            let first = row.caps.chars().next().unwrap();
            assert!(row.keys.iter().any(|(key, _)| format!("{key:?}").contains(first)), "{}", row.caps);
        }
    }

    #[test]
    fn the_documentation_has_the_keys_of_the_table() {
        let page = include_str!("../../docs/viewing.md");
        for Row { caps, says, .. } in ROWS {
            let row = format!("| `{caps}` | {says} |");
            assert!(page.contains(&row), "docs/viewing.md lacks {row}");
        }
        assert_eq!(page.matches("\n| `").count(), ROWS.len(), "docs/viewing.md has keys that there are not");
    }
}
