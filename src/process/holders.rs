//! Who holds an address, as /proc shows it.

use std::collections::BTreeSet;
use std::fs;

/// The processes, as `PID (NAME)`, that listen on a TCP port; none where that cannot be seen.
pub(super) fn of_port(port: u16) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.iter().filter_map(|path| fs::read_to_string(path).ok());
    of_inodes(&tables.flat_map(|table| listening(&table, port)).collect())
}

/// The same for a Unix socket, named as it was bound: a path, or `@NAME`.
pub(super) fn of_unix(name: &str) -> Vec<String> {
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    of_inodes(&bound(&table, name))
}

/// The processes that have one of these sockets open.
fn of_inodes(inodes: &BTreeSet<String>) -> Vec<String> {
    if inodes.is_empty() {
        return Vec::new();
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let holds = |pid: &u32| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| {
            let target = target.to_string_lossy();
            let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            inode.is_some_and(|inode| inodes.contains(inode))
        })
    };
    let name = |pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    pids.filter(holds).map(|pid| format!("{pid} ({})", name(pid).trim().escape_debug())).collect()
}

/// The inodes of sockets that listen on a port, in a table as proc_pid_net(5) describes it.
fn listening(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, of) = fields.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(of, 16) == Ok(port) && *fields.get(3)? == LISTEN;
        is_it.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    };
    table.lines().filter_map(inode).collect()
}

/// The inodes of Unix sockets of this name, in a table as proc_pid_net(5) describes it.
fn bound(table: &str, name: &str) -> BTreeSet<String> {
    let inode = |line: &str| {
        // A name may contain spaces; those before it are fields' ends.
        let mut fields = line.splitn(7, ' ').skip(6);
        let (inode, bound) = fields.next()?.trim_start().split_once(' ')?;
        (bound == name).then(|| inode.to_owned())
    };
    table.lines().filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0
   1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0
";
        assert_eq!(listening(table, 8080), ["4711"]);
        assert_eq!(listening(table, 443), Vec::<String>::new());
    }

    #[test]
    fn the_table_of_unix_sockets_is_read() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01    4711 /run/a b.sock
0000000000000000: 00000003 00000000 00000000 0001 03 1234567
0000000000000000: 00000002 00000000 00010000 0001 01 1234568 @hidden
";
        assert_eq!(bound(table, "/run/a b.sock"), ["4711".to_owned()].into());
        assert_eq!(bound(table, "@hidden"), ["1234568".to_owned()].into());
        assert_eq!(bound(table, "/run/a"), BTreeSet::new());
    }
}
