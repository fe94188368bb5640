//! A program: everything `execve(2)` needs, prepared before the fork, after which a process with
//! threads must not allocate.

use std::ffi::{CString, NulError, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::User;

/// Where a program's standard input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// From stakeout's own.
    Inherit,
    /// From /dev/null.
    Null,
}

/// Where a program is started; entered anew each time, since it may have been deleted and made
/// again.
#[derive(Clone, Debug)]
pub(super) enum Directory {
    /// Our own. Where it cannot be entered, the one that we hold is as good as any.
    Own(Option<CString>),
    /// One that was chosen, and has to be there.
    Chosen(CString),
}

/// A command with its arguments, environment and input.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    /// The files to try, in order.
    pub(super) candidates: Vec<CString>,
    pub(super) directory: Directory,
    pub(super) user: Option<User>,
    pub(super) stdin: Stdin,
    name: OsString,
}

/// Where `execvp(3)` looks when there is no PATH.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

impl Program {
    /// The program, in our own working directory, that `command` (not empty) names, looked for in
    /// the `PATH` of `environment` unless it contains a slash.
    ///
    /// # Errors
    /// When an argument or a variable contains a NUL byte.
    pub fn new(
        command: &[OsString],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        stdin: Stdin,
    ) -> Result<Self, NulError> {
        let name = command.first().cloned().unwrap_or_default();
        let mut path = OsString::from(DEFAULT_PATH);
        let mut variables = Vec::new();
        for (key, value) in environment {
            if key == "PATH" {
                path.clone_from(&value);
            }
            let mut variable = key.into_vec();
            variable.push(b'=');
            variable.extend(value.into_vec());
            variables.push(CString::new(variable)?);
        }
        let arguments = command.iter().map(|argument| CString::new(argument.as_bytes()));
        Ok(Self {
            arguments: arguments.collect::<Result<_, _>>()?,
            environment: variables,
            candidates: candidates(&name, &path)
                .into_iter()
                .map(CString::new)
                .collect::<Result<_, _>>()?,
            directory: Directory::Own(
                std::env::current_dir()
                    .ok()
                    .and_then(|path| CString::new(path.into_os_string().into_vec()).ok()),
            ),
            user: None,
            stdin,
            name,
        })
    }

    /// The same in another working directory.
    ///
    /// # Errors
    /// When the path contains a NUL byte.
    pub fn in_directory(mut self, directory: &Path) -> Result<Self, NulError> {
        self.directory = Directory::Chosen(CString::new(directory.as_os_str().as_bytes())?);
        Ok(self)
    }

    /// The same with another standard input.
    pub fn reading(self, stdin: Stdin) -> Self {
        Self { stdin, ..self }
    }

    /// The same as another user.
    pub fn as_user(self, user: User) -> Self {
        Self { user: Some(user), ..self }
    }

    /// The same with these variables besides, or in the place of others of their name.
    ///
    /// # Errors
    /// When one contains a NUL byte.
    pub fn with(&self, variables: &[(&str, OsString)]) -> Result<Self, NulError> {
        let mut program = self.clone();
        for (key, value) in variables {
            let mut variable = format!("{key}=").into_bytes();
            program.environment.retain(|old| !old.as_bytes().starts_with(&variable));
            variable.extend(value.as_bytes());
            program.environment.push(CString::new(variable)?);
        }
        Ok(program)
    }

    /// The user that it runs as, if that is another than ours.
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// Where its standard input comes from.
    pub fn stdin(&self) -> Stdin {
        self.stdin
    }

    /// The command's name, as typed.
    pub fn name(&self) -> &OsStr {
        &self.name
    }
}

/// The files that a command's name may mean, as execvp(3) has it: an empty element of the path
/// is the working directory.
fn candidates(name: &OsStr, path: &OsStr) -> Vec<Vec<u8>> {
    let name = name.as_bytes();
    if name.contains(&b'/') || name.is_empty() {
        return vec![name.to_vec()];
    }
    let directories = path.as_bytes().split(|&byte| byte == b':');
    let files = directories.map(|directory| match directory {
        [] => name.to_vec(),
        directory => [directory, b"/", name].concat(),
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates_of(name: &str, path: &str) -> Vec<String> {
        let found = candidates(OsStr::new(name), OsStr::new(path));
        found.into_iter().map(|file| String::from_utf8(file).unwrap()).collect()
    }

    #[test]
    fn a_name_is_looked_for_in_the_path_and_a_path_is_not() {
        assert_eq!(candidates_of("go", "/usr/bin:/bin"), ["/usr/bin/go", "/bin/go"]);
        assert_eq!(candidates_of("go", "/bin:"), ["/bin/go", "go"]);
        assert_eq!(candidates_of("./app", "/bin"), ["./app"]);
    }

    #[test]
    fn the_path_of_the_given_environment_counts() {
        let environment = [(OsString::from("PATH"), OsString::from("/opt"))];
        let program = Program::new(&["x".into()], environment, Stdin::Null).unwrap();
        assert_eq!(program.candidates, [CString::new("/opt/x").unwrap()]);
    }
}
