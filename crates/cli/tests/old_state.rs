//! The state of an older version, which the first command that keeps something brings up to date.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::run;

/// A process that is frozen while it writes has the database to itself: the upgrade waits for it as long as there is time, and
/// says so.
#[test]
fn an_upgrade_behind_a_frozen_writer_is_told_and_waits_until_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().to_str().unwrap();
    let keep = ["--simulate", "--state", state];
    assert_eq!(run(&[&["audit", "-o", "none"][..], &keep].concat()).code, 3);
    let frozen = rusqlite::Connection::open(directory.path().join("simulated/hostssl.db")).unwrap();
    let version: i64 = frozen.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    frozen.pragma_update(None, "user_version", version - 1).unwrap();
    frozen.execute_batch("BEGIN IMMEDIATE").unwrap();
    let commands: [(&[&str], i32); 3] =
        [(&["audit", "-o", "none"], 3), (&["plan"], 4), (&["watch", "--once", "-o", "none"], 1)];
    for (command, code) in commands {
        let done = run(&[command, &keep, &["--deadline", "3s"]].concat());
        assert_eq!(done.code, code, "{command:?}: {}", done.stderr);
        let note = "note: what is kept is of an older version, and another process is writing to it: waiting up to ";
        // The longest that the state waits is 30 s; the deadline leaves fewer.
        let told = done.stderr.split_once(note).is_some_and(|(_, seconds)| seconds.starts_with(['1', '2']));
        assert!(told, "{command:?}: {}", done.stderr);
        assert!(done.stderr.contains("another process"), "{command:?}: {}", done.stderr);
        // Hints in parentheses can be carried out as printed, too.
        let audit =
            format!("(run a command that saves its results, such as `hostssl audit --simulate demo --state {state}`");
        assert!(command != ["plan"] || done.stderr.contains(&audit), "{}", done.stderr);
    }
    // Without a deadline as well, from the moment on when it has waited for a while.
    let mut probe = common::hostssl();
    probe.args(["probe", "127.0.0.1:1", "-o", "none", "--state"]).arg(directory.path().join("simulated"));
    let mut probe = common::start(&mut probe);
    probe.wait_for_stderr(
        "note: what is kept is of an older version, and another process is writing to it: waiting up to 30 s",
    );
    probe.signal("KILL");
    probe.wait_for_signalled_end();
    frozen.execute_batch("ROLLBACK").unwrap();
    frozen.pragma_update(None, "user_version", version).unwrap();
    let done = run(&[&["audit", "-o", "none"][..], &keep].concat());
    assert!(done.code == 3 && !done.stderr.contains("note: what is kept"), "{}", done.stderr);
}
