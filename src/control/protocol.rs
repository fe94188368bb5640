//! What can be asked, and what is answered.

use serde::{Deserialize, Serialize};

use super::Status;

/// What can be asked of a running stakeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// How it is.
    Status,
    /// To restart the program.
    Restart,
    /// To do what a change leads to.
    Build,
    /// To let changes wait.
    Pause,
    /// To go on, with those that waited.
    Resume,
    /// To stop the program, and end.
    Stop,
    /// The last lines of the last build.
    BuildOutput,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is being done.
    Done,
    /// How it is.
    Status(Box<Status>),
    /// The last lines of the last build.
    BuildOutput(Vec<String>),
    /// It cannot be done, for this reason.
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_short_object() {
        let text = serde_json::to_string(&Request::BuildOutput).unwrap();
        assert_eq!(text, r#"{"ask":"build_output"}"#);
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), Request::BuildOutput);
        assert!(serde_json::from_str::<Request>(r#"{"ask":"money"}"#).is_err());
    }
}
