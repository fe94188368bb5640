//! What can be asked, and what is answered.

use serde::{Deserialize, Serialize};

use super::Status;

/// Something that is asked of a running stakeout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What.
    pub ask: Ask,
    /// Of which service; of all, or the only one, if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
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

impl From<Ask> for Request {
    fn from(ask: Ask) -> Self {
        Self { ask, service: None }
    }
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
        let request = Request::from(Ask::BuildOutput);
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(text, r#"{"ask":"build_output"}"#);
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
        let of_one: Request = serde_json::from_str(r#"{"ask":"restart","service":"web"}"#).unwrap();
        assert_eq!(of_one, Request { ask: Ask::Restart, service: Some("web".into()) });
        assert!(serde_json::from_str::<Request>(r#"{"ask":"money"}"#).is_err());
    }
}
