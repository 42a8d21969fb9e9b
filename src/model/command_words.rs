//! A command as words. In the configuration it is a list, or a string with spaces between the words.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct CommandWords(pub Vec<String>);

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a command: a string or a list of strings"
)]
enum Written {
    Line(String),
    List(Vec<String>),
}

impl From<Written> for CommandWords {
    fn from(written: Written) -> Self {
        Self(match written {
            Written::Line(line) => line.split_whitespace().map(str::to_owned).collect(),
            Written::List(words) => words,
        })
    }
}
