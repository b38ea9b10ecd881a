//! The key that pictures are sealed with: in a file, on standard input, or in the environment. It is never an option, for everybody
//! on this machine sees the options of all programs.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

use super::settings;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::wire::seal::SealKey;

/// The variable that holds the key itself.
const VARIABLE: &str = "STREAMFLOW_KEY";

/// The key in a file, as it stands in a link.
///
/// # Errors
/// It cannot be read, or is none.
#[cfg(feature = "hub")]
pub(super) fn of_file(file: &Path) -> Result<Secret> {
    let text = read(Some(file), false, None)?;
    let text = text.as_ref().map_or("", |text| text.expose().trim());
    Ok(text.strip_prefix("key=").unwrap_or(text).into())
}

/// The key, if there is one: that of the file, or else that of the link, or else that of the environment. `taken`: something else comes
/// on standard input.
///
/// # Errors
/// It cannot be read, or is none.
#[cfg(any(feature = "send", feature = "view"))]
pub(super) fn key(file: Option<&Path>, link: Option<Secret>, taken: bool) -> Result<Option<Secret>> {
    if let (None, Some(key)) = (file, &link) {
        SealKey::parse(key.expose()).map_err(|why| Error::Usage(format!("the key of the link: {why}")))?;
        return Ok(link);
    }
    read(file, taken, settings::variable(VARIABLE).map(|(_, key)| key))
}

fn read(file: Option<&Path>, taken: bool, variable: Option<OsString>) -> Result<Option<Secret>> {
    let (text, place) = match (file, variable.filter(|value| !value.is_empty())) {
        (None, None) => return Ok(None),
        (None, Some(value)) => {
            let text = value.into_string().map_err(|_| Error::Usage(format!("{VARIABLE} is no text")))?;
            (text, VARIABLE.to_owned())
        }
        (Some(file), _) if file == Path::new("-") => {
            if taken {
                return Err(Error::Usage("the pictures and the key cannot both come on standard input".into()));
            }
            (all(stdin().lock(), "standard input")?, "standard input".to_owned())
        }
        (Some(file), _) => {
            let name = file.display().to_string();
            let opened = File::open(file).map_err(|error| Error::Usage(format!("--key-file {name}: {error}")))?;
            (all(opened, &name)?, format!("--key-file {name}"))
        }
    };
    SealKey::parse(&text).map_err(|why| Error::Usage(format!("{place}: {why}")))?;
    Ok(Some(Secret::from(text)))
}

/// A whole file, which is a key only if it is short.
fn all(from: impl Read, name: &str) -> Result<String> {
    let mut text = String::new();
    let most = Secret::LONGEST as u64;
    let wrong = |why: &str| Error::Usage(format!("{name} holds no key: {why}"));
    from.take(most + 1).read_to_string(&mut text).map_err(|error| wrong(&error.to_string()))?;
    if text.len() as u64 > most {
        return Err(wrong("it is too long"));
    }
    Ok(text)
}

#[cfg(all(test, any(feature = "send", feature = "view")))]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_a_file_before_the_environment_and_a_bad_one_is_told_with_its_place() {
        let folder = std::env::temp_dir().join(format!("streamflow-keys-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("key");
        std::fs::write(&file, "correct horse battery\n").unwrap();
        let key = |file, variable: &str| read(file, false, Some(variable.into()));
        let linked = |file| super::key(file, Some("a passphrase of a link".into()), false).unwrap();
        assert_eq!(linked(None), Some("a passphrase of a link".into()));
        assert_eq!(linked(Some(&*file)), Some("correct horse battery\n".into()));
        assert!(super::key(None, Some("short".into()), false).is_err());
        assert_eq!(key(None, "").unwrap(), None);
        assert!(key(None, "another passphrase").unwrap().is_some());
        assert_eq!(key(Some(&file), "another passphrase").unwrap(), Some("correct horse battery\n".into()));
        assert!(key(None, "short").unwrap_err().to_string().contains("STREAMFLOW_KEY: a passphrase of 5"));
        let none = folder.join("none");
        assert!(key(Some(&none), "").unwrap_err().to_string().contains("--key-file"));
        std::fs::write(&file, "long ".repeat(1000)).unwrap();
        let told = key(Some(&file), "").unwrap_err();
        assert!(told.to_string().contains("too long") && told.exit_code() == 2, "{told}");
        assert!(read(Some(Path::new("-")), true, None).unwrap_err().to_string().contains("both"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
