//! The members of a group, from the databases of users and groups.
//!
//! The files are read directly: getgrgid(3) returns the members that a group lists, but no call returns the users that
//! have it as their primary group. Other sources (`name_service`) are asked after a change of the files, and again
//! after a while.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::file_stamp::FileStamp;
use super::name_service::{self, Answer};
use crate::files;
use crate::model::group::{Doubt, Group, GroupId, Groups, Members, Permissions, Writer};
use crate::model::ids::UserId;
use crate::model::text;

/// No database of users or groups is larger; of a larger one nothing is known.
const MAX_BYTES: u64 = 64 << 20;

/// How long the answers of other sources hold: no event shows a change of a directory service.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// The same if a source did not answer.
const MAX_AGE_OF_DOUBT: Duration = Duration::from_secs(300);

const MAX_STORED: u64 = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Databases {
    pub passwd: PathBuf,
    pub group: PathBuf,
    /// nsswitch.conf(5), the list of sources.
    pub sources: PathBuf,
}

impl Default for Databases {
    fn default() -> Self {
        Self {
            passwd: PathBuf::from("/etc/passwd"),
            group: PathBuf::from("/etc/group"),
            sources: PathBuf::from("/etc/nsswitch.conf"),
        }
    }
}

impl Databases {
    pub fn files(&self) -> [&Path; 3] {
        [&self.passwd, &self.group, &self.sources]
    }
}

/// The groups of the last look, also of an earlier program: other sources take some milliseconds or the whole deadline.
#[derive(Debug)]
pub(crate) struct Accounts {
    file: Option<PathBuf>,
    known: Option<Known>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    wanted: BTreeSet<Writer>,
    stamps: [FileStamp; 3],
    at: SystemTime,
    groups: Groups,
}

impl Known {
    fn holds(&self, wanted: &BTreeSet<Writer>, stamps: [FileStamp; 3]) -> bool {
        let max_age = if self.groups.lack_answers() {
            MAX_AGE_OF_DOUBT
        } else {
            MAX_AGE
        };
        self.wanted == *wanted
            && self.stamps == stamps
            && self.at.elapsed().is_ok_and(|age| age < max_age)
    }
}

impl Accounts {
    /// Groups are kept in the file, if there is one.
    pub(crate) const fn new(file: Option<PathBuf>) -> Self {
        Self { file, known: None }
    }

    /// Returns the groups that decide who may write by these permissions, with their members beside this user. If there
    /// is none, as usual, the databases are not read; otherwise they are read once after each change.
    pub(crate) fn groups<'a>(
        &mut self,
        databases: &Databases,
        permissions: impl IntoIterator<Item = &'a Permissions>,
        user: &Me,
    ) -> Groups {
        let permissions = permissions.into_iter();
        let wanted: BTreeSet<Writer> = permissions.flat_map(Permissions::deciding).collect();
        if wanted.is_empty() {
            return Groups::of(user.id);
        }
        let stamps = databases.files().map(FileStamp::read);
        let stored = || files::read_private_json(self.file.as_ref()?, user.id.0, MAX_STORED);
        let known = self.known.take().or_else(stored);
        let known = known.filter(|known: &Known| known.holds(&wanted, stamps));
        let known = known.unwrap_or_else(|| {
            let new = Known {
                groups: groups(databases, &wanted, user, name_service::ask),
                wanted,
                stamps,
                at: SystemTime::now(),
            };
            if let Some(file) = &self.file
                && let Err(error) = files::write_private_json(file, &new)
            {
                tracing::debug!("{}: cannot keep groups: {error}", text::path(file));
            }
            new
        });
        self.known.insert(known).groups.clone()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Me {
    pub(crate) id: UserId,
    pub(crate) name: String,
}

fn groups(
    databases: &Databases,
    wanted: &BTreeSet<Writer>,
    user: &Me,
    ask: impl Fn(&[&str], &[GroupId]) -> Vec<Answer>,
) -> Groups {
    let ids = wanted.iter().filter_map(|writer| match writer {
        Writer::Group(id) => Some(*id),
        Writer::User(_) => None,
    });
    let ids: Vec<GroupId> = ids.collect();
    let tables = Tables::read(databases, &ids, ask);
    let is_named = |id: &UserId| wanted.contains(&Writer::User(*id));
    let named = tables.users.iter().filter(|(_, id)| is_named(id));
    Groups {
        by_id: ids
            .iter()
            .map(|id| (*id, tables.group(*id, user)))
            .collect(),
        names: named.map(|(name, id)| (*id, name.clone())).collect(),
        user: user.id,
    }
}

#[derive(Debug, Default)]
struct Tables {
    users: HashMap<String, UserId>,
    /// The users that have a group as their primary one.
    primary: HashMap<GroupId, Vec<String>>,
    /// The first name of each group, and the members that all its entries list.
    groups: HashMap<GroupId, (String, Vec<String>)>,
    /// The groups of a source that does not list all users.
    unlisted: BTreeMap<GroupId, String>,
    /// Why there may be other users or members.
    doubt: Option<Doubt>,
}

impl Tables {
    fn read(
        databases: &Databases,
        wanted: &[GroupId],
        ask: impl Fn(&[&str], &[GroupId]) -> Vec<Answer>,
    ) -> Self {
        let mut tables = Self::default();
        let sources = match contents(&databases.sources) {
            // The C library reads only the files then.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            sources => sources,
        };
        let files = || {
            Ok((
                contents(&databases.passwd)?,
                contents(&databases.group)?,
                sources?,
            ))
        };
        let Ok::<_, std::io::Error>((passwd, group, sources)) = files() else {
            tables.doubt = Some(Doubt::NoEntry);
            return tables;
        };
        tables.parse(&passwd, &group);
        // The answers do not matter if no group is left.
        if wanted.is_empty() {
            return tables;
        }
        let sources = name_service::sources(&sources);
        let answers = ask(&sources, wanted);
        for (source, answer) in sources.into_iter().zip(answers) {
            match answer {
                Answer::NotInUse => {}
                Answer::Entries(entries) => {
                    let added = tables.parse(&entries.passwd, &entries.group);
                    if !name_service::lists_users(source) {
                        let added = added.into_iter().map(|id| (id, source.to_owned()));
                        tables.unlisted.extend(added);
                    }
                }
                Answer::None => tables.doubt = Some(Doubt::NoAnswer(source.to_owned())),
            }
        }
        tables
    }

    /// Returns the groups that have an entry.
    fn parse(&mut self, passwd: &str, group: &str) -> BTreeSet<GroupId> {
        let mut found = BTreeSet::new();
        for fields in entries(passwd) {
            match fields.as_slice() {
                [name, ..] if takes_in_others(name) => self.doubt = Some(Doubt::NoEntry),
                [name, _, uid, gid, ..] => {
                    if let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse()) {
                        let name = (*name).to_owned();
                        let primary = self.primary.entry(GroupId(gid)).or_default();
                        primary.push(name.clone());
                        self.users.entry(name).or_insert(UserId(uid));
                    }
                }
                _ => {}
            }
        }
        for fields in entries(group) {
            match fields.as_slice() {
                [name, ..] if takes_in_others(name) => self.doubt = Some(Doubt::NoEntry),
                [name, _, gid, members] => {
                    if let Ok(gid) = gid.parse() {
                        found.insert(GroupId(gid));
                        let entry = self.groups.entry(GroupId(gid));
                        let new = || ((*name).to_owned(), Vec::new());
                        let (_, listed) = entry.or_insert_with(new);
                        let members = members.split(',').map(str::trim);
                        listed.extend(members.filter(|name| !name.is_empty()).map(str::to_owned));
                    }
                }
                _ => {}
            }
        }
        found
    }

    fn group(&self, id: GroupId, user: &Me) -> Group {
        let Some((name, listed)) = self.groups.get(&id) else {
            return Group {
                name: None,
                members: Members::Unknown(self.doubt.clone().unwrap_or(Doubt::NoEntry)),
            };
        };
        // A member that no source lists as a user is another one, unless it has the user's name.
        let is_other = |name: &&String| match self.users.get(*name) {
            Some(uid) => *uid != user.id && *uid != UserId(0),
            None => **name != user.name,
        };
        let primary = self.primary.get(&id).into_iter().flatten();
        let others: BTreeSet<&String> = listed.iter().chain(primary).filter(is_other).collect();
        // A directory service gives each user a group of the same name, or all of them one group.
        let unlisted = self.unlisted.get(&id).filter(|_| *name != user.name);
        let doubt = self.doubt.clone();
        let doubt = doubt.or_else(|| Some(Doubt::NotListed(unlisted?.clone())));
        Group {
            name: Some(name.clone()),
            members: match doubt {
                _ if !others.is_empty() => Members::Others(others.into_iter().cloned().collect()),
                Some(doubt) => Members::Unknown(doubt),
                None => Members::OnlyYou,
            },
        }
    }
}

fn entries(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split(':').collect())
}

/// Whether an entry stands for those of another source (`compat` in nsswitch.conf(5)).
fn takes_in_others(name: &str) -> bool {
    name.starts_with(['+', '-'])
}

/// The whole file, as text; an error if it is too large.
fn contents(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
