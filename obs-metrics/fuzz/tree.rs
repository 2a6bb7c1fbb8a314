//! A JSON tree that keeps members that occur twice and numbers as they were written, for the mutator
//! and for finding what a pointer names.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// `null`, a boolean or a number, as it is written.
    Literal(String),
    String(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Every node that a JSON pointer names: with members that occur twice there may be several.
    pub(crate) fn at<'t>(&'t self, pointer: &str) -> Vec<&'t Tree> {
        let mut found = vec![self];
        // Before the first slash of a pointer there is nothing.
        for step in pointer.split('/').skip(1) {
            let key = step.replace("~1", "/").replace("~0", "~");
            found = found.into_iter().flat_map(|node| node.children(&key)).collect();
        }
        found
    }

    fn children(&self, key: &str) -> Vec<&Tree> {
        match self {
            Tree::Object(members) => {
                members.iter().filter(|(name, _)| name == key).map(|(_, node)| node).collect()
            }
            Tree::Array(items) => {
                key.parse().ok().and_then(|n: usize| items.get(n)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Tree {
    /// As JSON; a literal may be anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let string = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Tree::Literal(text) => f.write_str(text),
            Tree::String(text) => f.write_str(&string(text)),
            Tree::Array(items) => {
                f.write_str("[")?;
                for (n, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if n > 0 { "," } else { "" })?;
                }
                f.write_str("]")
            }
            Tree::Object(members) => {
                f.write_str("{")?;
                for (n, (key, member)) in members.iter().enumerate() {
                    write!(f, "{}{}:{member}", if n > 0 { "," } else { "" }, string(key))?;
                }
                f.write_str("}")
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Literal("null".into()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Literal(value.to_string()))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Tree, E> {
        Ok(Tree::Literal(n.to_string()))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Tree, E> {
        Ok(Tree::Literal(n.to_string()))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Tree, E> {
        Ok(Tree::Literal(format!("{n:?}")))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}
