//! The folder in which programs keep what must outlive them: a hub's key and its secret for this user, the keys of hubs that were
//! confirmed, what let somebody in there, and the number by which a hub knows a publisher.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::secret::Secret;

/// The folder unless an option names one: systemd's for the service (`STATE_DIRECTORY`), `$XDG_STATE_HOME/streamflow`, or
/// `~/.local/state/streamflow`. `None`: this user has none.
pub(crate) fn default_dir() -> Option<PathBuf> {
    dir_from(|name| std::env::var_os(name))
}

fn dir_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: PathBuf| Some(path).filter(|path| path.is_absolute());
    // systemd gives several folders, with colons between them, where a unit names several.
    let of_service = || {
        let folders = variable("STATE_DIRECTORY")?;
        absolute(std::env::split_paths(&folders).next()?)
    };
    let of = |name: &str| variable(name).map(PathBuf::from).and_then(absolute);
    of_service().or_else(|| {
        let base = of("XDG_STATE_HOME").or_else(|| of("HOME").map(|home| home.join(".local/state")));
        base.or_else(|| of("LOCALAPPDATA")).map(|base| base.join("streamflow"))
    })
}

/// The text of a file; one that is not there is empty, and one that is longer is an error, as is one that cannot be read: what was kept
/// would be forgotten.
pub(crate) fn read_text(path: &Path, longest: u64) -> io::Result<String> {
    let read = fs::metadata(path).and_then(|about| match about.len() {
        length if length <= longest => fs::read(path),
        _ => Err(io::Error::other("it is too long")),
    });
    match read {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(String::new())
        }
        Err(error) => Err(error),
    }
}

/// The file with the secret by which a hub lets this user's programs in.
pub(crate) const LOCAL_SECRET: &str = "local-secret";

/// The secret that a hub of this user keeps in its folder, and by which it lets this user's programs in.
pub(crate) fn local_secret(folder: &Path) -> Option<Secret> {
    let path = folder.join(LOCAL_SECRET);
    let short = fs::metadata(&path).is_ok_and(|about| about.is_file() && about.len() <= Secret::LONGEST as u64);
    let text = short.then(|| fs::read_to_string(&path).ok())??;
    Secret::checked(text.trim()).ok()
}

/// Writes a file that this user alone may read, whole or not at all. `replace`: over one that is there already; otherwise the
/// first one stays, of several programs that start at once as well.
pub(crate) fn write_private(path: &Path, content: &str, replace: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_dir(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Programs in containers that share a folder all have the same number.
    let own = folder.join(format!("{name}.{}.{:016x}", std::process::id(), fastrand::u64(..)));
    let written = create_private(&own, content);
    let placed = written.and_then(|()| belongs_as(&own, path, folder)).and_then(|()| {
        if replace {
            return fs::rename(&own, path);
        }
        match fs::hard_link(&own, path) {
            // There are file systems without links.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => create_private(path, content),
            linked => linked,
        }
    });
    let _ = fs::remove_file(&own);
    match placed {
        Err(error) if !replace && error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            // So that a power cut does not lose what was said aloud. Where folders cannot be opened, nothing can be done.
            let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
            Ok(())
        }
    }
}

/// Who administers a machine may write for a hub that is another user's: what it cannot read then would be as good as gone.
#[cfg(unix)]
fn belongs_as(file: &Path, path: &Path, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let own = fs::metadata(file)?.uid();
    let of = fs::metadata(path).or_else(|_| fs::metadata(folder))?;
    // Others' folders, as one that all may write to, are no reason.
    if own == 0 && of.uid() != own { chown(file, Some(of.uid()), Some(of.gid())) } else { Ok(()) }
}

#[cfg(not(unix))]
fn belongs_as(_: &Path, _: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Writes a file that this user alone may read where there is none.
pub(crate) fn create_private(path: &Path, content: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(content.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // What is there in part would be taken for the whole.
        let _ = fs::remove_file(path);
    }
    written
}

/// Makes a folder for this user alone, where there is none.
fn create_dir(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_services_or_the_users() {
        let dir = |set: &[(&str, &str)]| {
            let found = dir_from(|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()));
            found.map(|path| path.display().to_string())
        };
        assert_eq!(dir(&[]), None);
        assert_eq!(dir(&[("HOME", "/home/a")]).as_deref(), Some("/home/a/.local/state/streamflow"));
        assert_eq!(dir(&[("HOME", "/h"), ("XDG_STATE_HOME", "/x")]).as_deref(), Some("/x/streamflow"));
        assert_eq!(
            dir(&[("HOME", "/h"), ("XDG_STATE_HOME", "relative")]).as_deref(),
            Some("/h/.local/state/streamflow")
        );
        let service = [("HOME", "/h"), ("STATE_DIRECTORY", "/var/lib/streamflow:/var/lib/other")];
        assert_eq!(dir(&service).as_deref(), Some("/var/lib/streamflow"));
    }

    #[test]
    fn a_secret_file_is_for_its_user_alone_and_the_first_one_stays() {
        let folder = std::env::temp_dir().join(format!("streamflow-state-{}", std::process::id()));
        let path = folder.join("inner/key");
        write_private(&path, "one", false).unwrap();
        write_private(&path, "two", false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        write_private(&path, "three", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
        fs::remove_dir_all(folder).unwrap();
    }
}
