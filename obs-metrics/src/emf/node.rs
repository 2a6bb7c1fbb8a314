//! A JSON tree that keeps what the validator looks at: members that occur twice, and whether a
//! number is an integer.

use std::fmt;
use std::iter::repeat_n;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

#[derive(Debug)]
pub(super) enum Node {
    Null,
    Bool,
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// A number beyond the range of a double.
    Huge,
    String(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads one JSON text, with numbers of any size.
    pub(super) fn parse(text: &str) -> Result<Node, serde_json::Error> {
        match serde_json::from_str::<Node>(text) {
            // `1e400` is JSON, but serde_json ends there, and the rest would go unchecked.
            Err(error) if error.to_string().starts_with("number out of range") => {
                let Some(mark) = unused_character(text) else { return Err(error) };
                let mut node: Node = serde_json::from_str(&without_huge_numbers(text, &mark))?;
                node.put_back_huge_numbers(&mark);
                Ok(node)
            }
            parsed => parsed,
        }
    }

    fn put_back_huge_numbers(&mut self, mark: &str) {
        match self {
            Node::String(text) if text == mark => *self = Node::Huge,
            Node::Array(items) => {
                items.iter_mut().for_each(|node| node.put_back_huge_numbers(mark))
            }
            Node::Object(members) => {
                members.iter_mut().for_each(|(_, node)| node.put_back_huge_numbers(mark));
            }
            _ => {}
        }
    }

    /// The first member of this name; `None` too where this is not an object.
    pub(super) fn member(&self, name: &str) -> Option<&Node> {
        match self {
            Node::Object(members) => {
                members.iter().find(|(key, _)| key == name).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of a metric is a double")]
    pub(super) fn as_f64(&self) -> Option<f64> {
        match self {
            Node::Unsigned(n) => Some(*n as f64),
            Node::Signed(n) => Some(*n as f64),
            Node::Float(n) => Some(*n),
            Node::Huge => Some(f64::INFINITY),
            _ => None,
        }
    }

    /// What it is, with its article, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool => "a boolean",
            Node::Unsigned(_) | Node::Signed(_) | Node::Float(_) | Node::Huge => "a number",
            Node::String(_) => "a string",
            Node::Array(_) => "an array",
            Node::Object(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// One of the noncharacters of three bytes that `text` has neither as it is nor escaped. As a string it
/// stands for a number that no double holds while the text is parsed: with its quotes it has as many
/// bytes as the shortest such number.
fn unused_character(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    ('\u{fdd0}'..='\u{fdef}')
        .find(|&c| !text.contains(c) && !text.contains(&format!("\\u{:04x}", u32::from(c))))
        .map(String::from)
}

/// `text` with a string in place of each number that no double holds; everything else stays where it
/// is, for the columns of errors.
fn without_huge_numbers(text: &str, mark: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut in_string) = (text, false);
    while let Some(c) = rest.chars().next() {
        let number = |c: char| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
        let length = match c {
            '"' => {
                in_string = !in_string;
                1
            }
            '\\' if in_string => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            '-' | '0'..='9' if !in_string => rest.find(|c| !number(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let is_huge = token.len() >= mark.len() + 2 && token.parse().is_ok_and(f64::is_infinite);
        // A number in the place of a key is still to be refused.
        if is_huge && !after.trim_ascii_start().starts_with(':') {
            out.push('"');
            out.push_str(mark);
            out.push('"');
            out.extend(repeat_n(' ', token.len() - mark.len() - 2));
        } else {
            out.push_str(token);
        }
        rest = after;
    }
    out
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Bool)
    }

    fn visit_u64<E>(self, n: u64) -> Result<Node, E> {
        Ok(Node::Unsigned(n))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Node, E> {
        Ok(Node::Signed(n))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Node, E> {
        Ok(Node::Float(n))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }
}
