//! The mount table: what is mounted where, as the kernel lists it.

use std::collections::BTreeMap;
use std::fs;

use crate::scan::MountId;

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mounted {
    pub(super) point: String,
    pub(super) kind: String,
}

/// What is mounted in this mount namespace, as far as it can be seen.
pub(super) fn mount_table() -> BTreeMap<MountId, Mounted> {
    parse(&fs::read("/proc/self/mountinfo").unwrap_or_default())
}

/// See proc_pid_mountinfo(5): `36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 - ext3 /dev/root rw`.
fn parse(table: &[u8]) -> BTreeMap<MountId, Mounted> {
    let line = |line: &str| {
        let (place, what) = line.split_once(" - ")?;
        let mut place = place.split(' ');
        let id = MountId(place.next()?.parse().ok()?);
        let point = unescape(place.nth(3)?);
        let kind = unescape(what.split(' ').next()?);
        Some((id, Mounted { point, kind }))
    };
    String::from_utf8_lossy(table).lines().filter_map(line).collect()
}

/// Spaces and the like are written as three octal digits.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.get(..3);
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain += &part[3..];
            }
            None => {
                plain.push('\\');
                plain += part;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_any_kind_are_understood() {
        let table = b"22 1 254:1 / / rw,relatime shared:1 master:2 - ext4 /dev/vda1 rw\n\
            not a line\n\
            47 22 0:41 / /mnt/my\\040share rw - fuse.my\\134fs h:/a rw,user_id=0\n";
        let mounted = |point: &str, kind: &str| Mounted { point: point.into(), kind: kind.into() };
        let table = parse(table).into_iter().collect::<Vec<_>>();
        let expected = [
            (MountId(22), mounted("/", "ext4")),
            (MountId(47), mounted("/mnt/my share", "fuse.my\\fs")),
        ];
        assert_eq!(table, expected);
    }
}
