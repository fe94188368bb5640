//! stakeout under a second kernel: user-mode Linux, a plain process whose root is this machine's
//! over hostfs. What is edited here makes no event there, as in a virtual machine that shows a
//! directory of its host. Needs root and Debian's user-mode-linux; for NFS its server as well, and
//! for virtiofs the crate virtiofsd.

mod kernel;
#[path = "../scan/skip.rs"]
mod skip;

use std::fs;
use std::thread;
use std::time::Duration;

use kernel::Kernel;

/// What stakeout runs there.
const PROGRAM: &str = "stakeout -v -- sh -c 'echo shows $(cat a); exec sleep 1000'";

#[test]
fn on_a_directory_of_the_host_no_option_is_needed() {
    let Some(mut kernel) = Kernel::boot(&[], &[("a", "one"), ("src/b", "one")]) else { return };
    kernel.start("tree", PROGRAM);
    edit_from_the_host(&mut kernel);
}

/// What Docker Desktop mounts directories of its host by.
#[test]
fn on_virtiofs_that_the_host_edits_no_option_is_needed() {
    let files = [("a", "one"), ("src/b", "one")];
    let Some(mut kernel) = Kernel::boot_with_virtiofs(&files) else { return };
    kernel.start("/run/virtiofs", PROGRAM);
    edit_from_the_host(&mut kernel);
}

fn edit_from_the_host(kernel: &mut Kernel) {
    kernel.wait_for("is on a share, where edits made on the other side make no events: looking");
    kernel.wait_for("shows one");
    kernel.write("tree/a", "two");
    kernel.wait_for("modified a");
    kernel.wait_for("shows two");
    // Of the same size, and by renaming, as an editor does.
    kernel.write("tree/a~", "six");
    fs::rename(kernel.path("tree/a~"), kernel.path("tree/a")).unwrap();
    kernel.wait_for("shows six");
    kernel.write("tree/new/deep/c", "one");
    kernel.wait_for("created new/deep/c");
}

/// An export of a tmpfs, mounted beside it by the same kernel, and edited beneath. What the client
/// knows it may believe for an hour, and no delegation is taken back when a file is edited, so that
/// nothing is found but by asking the server.
#[test]
fn on_nfs_that_the_server_edits_no_option_is_needed() {
    let needs = ["rpc.nfsd", "rpc.mountd", "rpcbind", "exportfs", "mount.nfs", "modprobe"];
    let Some(mut kernel) = Kernel::boot(&needs, &[("a", "one"), ("src/b", "one")]) else { return };
    kernel.run("echo 0 > /proc/sys/fs/leases-enable");
    kernel.mount_nfs("vers=4.2,actimeo=3600");
    kernel.run("cp -r tree/. /run/nfs-backing");
    kernel.start("/run/nfs", PROGRAM);
    kernel.wait_for("is on a share, where edits made on the other side make no events: looking");
    kernel.wait_for("shows one");
    kernel.wait_for("all files were read once");
    // What was read of late is read again once the granule of its times, two seconds, has passed.
    thread::sleep(Duration::from_secs(6));
    kernel.run("echo two > /run/nfs-backing/a");
    kernel.wait_for("modified a");
    kernel.wait_for("shows two");
    kernel.run("echo six > /run/nfs-backing/a");
    kernel.wait_for("shows six");
    kernel.run("echo new > /run/nfs-backing/src/new");
    kernel.wait_for("created src/new");
}

#[test]
fn the_doctor_says_what_it_is_on() {
    let Some(mut kernel) = Kernel::boot(&[], &[("a", "one")]) else { return };
    kernel.start("tree", "stakeout doctor");
    kernel.wait_for("hostfs");
    kernel.wait_for("ok    share     . (hostfs) is on a share");
}
