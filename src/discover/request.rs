use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::environment::Environment;
use crate::model::interest::Interest;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub ssh: Ssh,
    /// Further places, as globs.
    pub extra_paths: Vec<String>,
    /// Globs of paths to ignore; `*` matches slashes too.
    pub ignored_paths: Vec<String>,
    /// The file that keeps the answers of `ssh -G`, if they are to be kept.
    pub cache: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// A path, or a name that is looked up in `$PATH`.
    pub program: PathBuf,
    /// The argument of `-F`: a file that ssh reads instead of the user's and the system's, or "none".
    pub config: Option<PathBuf>,
}

impl Ssh {
    pub fn file(&self, environment: &Environment) -> Option<PathBuf> {
        if !self.is_name() {
            return self.program.exists().then(|| self.program.clone());
        }
        self.files_in_path(environment).into_iter().find(|file| {
            file.metadata()
                .is_ok_and(|stat| stat.is_file() && stat.permissions().mode() & 0o111 != 0)
        })
    }

    /// Returns the files to watch for a change of the program: its file, or the places where it would be found.
    pub fn interests(&self, environment: &Environment) -> Vec<Interest> {
        let files = match self.file(environment) {
            Some(file) => vec![file],
            None if self.is_name() => {
                let mut files = self.files_in_path(environment);
                files.retain(|file| file.is_absolute());
                files
            }
            None => vec![self.program.clone()],
        };
        files
            .into_iter()
            .filter_map(|file| std::path::absolute(file).ok())
            .map(|path| Interest::File {
                path,
                reading: false,
            })
            .collect()
    }

    /// Returns the argument of `-F`, absolute so that it does not depend on the current directory.
    pub fn config_file(&self) -> Option<PathBuf> {
        let config = self.config.as_deref()?;
        Some(if config.as_os_str().eq_ignore_ascii_case("none") {
            config.to_path_buf()
        } else {
            std::path::absolute(config).unwrap_or_else(|_| config.to_path_buf())
        })
    }

    fn is_name(&self) -> bool {
        self.program.components().count() == 1 && !self.program.is_absolute()
    }

    fn files_in_path(&self, environment: &Environment) -> Vec<PathBuf> {
        // As execvp(3) does without PATH, with which the program is started.
        let path = environment.known.variable("PATH");
        std::env::split_paths(path.unwrap_or(OsStr::new("/bin:/usr/bin")))
            .map(|directory| directory.join(&self.program))
            .collect()
    }
}
