//! Another branch is checked out behind a share: very much changes at once.

use std::process::Command;

use super::session::{Session, Tree, number};
use super::share::Share;
use super::share::skip::skip;

const FILES: usize = 5_000;

/// Runs git without what the user's own configuration says; `false` where it is missing.
fn git(share: &Share, words: &[&str]) -> bool {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false"]);
    git.args(["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"]).args(words);
    match git.current_dir(share.behind("")).output() {
        Ok(output) => assert!(output.status.success(), "{words:?}: {output:?}"),
        Err(error) => {
            skip(&format!("needs git: {error}"));
            return false;
        }
    }
    true
}

#[test]
fn a_checkout_of_five_thousand_files_is_one_change_set() {
    let Some(share) = Share::mount() else { return };
    if !git(&share, &["init", "-q", "-b", "main"]) {
        return;
    }
    let commit = |text: &str| {
        (0..FILES).for_each(|n| share.write(&format!("{}/{}/file{n}", n % 7, n % 60), text));
        git(&share, &["add", "-A"]);
        git(&share, &["commit", "-q", "-m", text]);
    };
    share.write("end", "");
    commit("one");
    git(&share, &["checkout", "-q", "-b", "topic"]);
    commit("two");
    let elsewhere = Tree::new(&[]);
    let mut command = elsewhere.stakeout();
    // Longer than git rests, however busy the machine is.
    command.args(["-v", "--interval", "50ms", "--debounce", "3s", "--max-wait", "10m", "-w"]);
    command.arg(share.path());
    let script = "echo count''s $STAKEOUT_CHANGED_COUNT; exec sleep 1000";
    command.args(["--", "sh", "-c", script]);
    let mut session = Session::start(command);
    session.wait_until_settled();
    git(&share, &["checkout", "-q", "main"]);
    let line = session.wait_for("counts");
    assert_eq!(number(&line, "counts "), FILES as i32, "{line}");
    share.write("end", "end");
    assert_eq!(session.wait_for("counts"), "counts 1");
    session.terminate();
    assert_eq!(session.seen("settled in"), 2, "{}", session.output());
}
