//! A user to run the program as: ids and groups, looked up before the fork.
//!
//! From /etc/passwd and /etc/group alone, as docker and gosu do in a container: other sources of
//! users (nss(5)) are libraries that would have to be loaded.

use std::fs;

/// What a program runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
    /// Its other groups.
    pub groups: Vec<u32>,
    /// Its home directory, if it has an entry.
    pub home: Option<String>,
}

/// A line of /etc/passwd (passwd(5)).
struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl User {
    /// The user that `NAME`, `NAME:GROUP`, `UID` or `UID:GID` names here.
    ///
    /// # Errors
    /// A sentence that says what is not known.
    pub fn look_up(text: &str) -> Result<Self, String> {
        // An image may have neither file; ids need none.
        let read = |path| fs::read(path).map(|text| String::from_utf8_lossy(&text).into_owned());
        let passwd = read("/etc/passwd").unwrap_or_default();
        let group = read("/etc/group").unwrap_or_default();
        Self::find(text, &passwd, &group)
    }

    fn find(text: &str, passwd: &str, group: &str) -> Result<Self, String> {
        let (user, wanted_group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let entries: Vec<Entry<'_>> = passwd.lines().filter_map(Entry::parse).collect();
        let uid: Option<u32> = user.parse().ok();
        let entry = entries
            .iter()
            .find(|entry| entry.name == user)
            .or_else(|| entries.iter().find(|entry| Some(entry.uid) == uid));
        let uid = entry.map(|entry| entry.uid).or(uid).ok_or_else(|| {
            format!("there is no user `{user}` in /etc/passwd; write a name or UID:GID")
        })?;
        let home = entry.map(|entry| entry.home.to_owned());
        if let Some(name) = wanted_group {
            let gid = find_group(name, group).ok_or_else(|| {
                format!("there is no group `{name}` in /etc/group; write a name or a number")
            })?;
            return Ok(Self { uid, gid, groups: Vec::new(), home });
        }
        let entry = entry.ok_or_else(|| {
            format!("no user with the id {user} in /etc/passwd tells its group; write {user}:GID")
        })?;
        let groups = group.lines().filter_map(|line| member_group(line, entry.name));
        Ok(Self { uid, gid: entry.gid, groups: groups.collect(), home })
    }
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
        Some(Self { name, uid: uid.parse().ok()?, gid: gid.parse().ok()?, home })
    }
}

fn find_group(wanted: &str, group: &str) -> Option<u32> {
    let mut lines = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let named = lines.find(|fields| fields[0] == wanted);
    named.and_then(|fields| fields.get(2)?.parse().ok()).or_else(|| wanted.parse().ok())
}

/// The id of the group that a line of /etc/group describes, if this user is a member.
fn member_group(line: &str, user: &str) -> Option<u32> {
    let fields: Vec<&str> = line.split(':').collect();
    let [_, _, gid, members] = fields[..] else { return None };
    members.split(',').any(|member| member == user).then(|| gid.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\n\
        app:x:1000:1001:,,,:/home/app:/bin/sh\n42:x:7:8::/odd:/bin/sh\n";
    const GROUP: &str = "root:x:0:\napp:x:1001:\ndocker:x:998:other,app\naudio:x:29:app\nx:y\n";

    fn find(text: &str) -> Result<User, String> {
        User::find(text, PASSWD, GROUP)
    }

    fn user(uid: u32, gid: u32, groups: &[u32], home: Option<&str>) -> User {
        User { uid, gid, groups: groups.to_vec(), home: home.map(str::to_owned) }
    }

    #[test]
    fn users_are_found_by_name_and_id() {
        let app = user(1000, 1001, &[998, 29], Some("/home/app"));
        assert_eq!(find("app"), Ok(app.clone()));
        assert_eq!(find("1000"), Ok(app));
        assert_eq!(find("app:docker"), Ok(user(1000, 998, &[], Some("/home/app"))));
        assert_eq!(find("app:5"), Ok(user(1000, 5, &[], Some("/home/app"))));
        assert_eq!(find("1234:5678"), Ok(user(1234, 5678, &[], None)));
        assert_eq!(find("42"), Ok(user(7, 8, &[], Some("/odd"))));
    }

    #[test]
    fn what_is_not_known_is_said() {
        assert!(find("nobody-here").unwrap_err().contains("no user `nobody-here`"));
        assert!(find("1234").unwrap_err().contains("write 1234:GID"));
        assert!(find("app:nogroup").unwrap_err().contains("no group `nogroup`"));
        assert!(find("").is_err() && find("-1").is_err() && find("app:").is_err());
    }
}
