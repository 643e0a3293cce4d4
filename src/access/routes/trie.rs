//! Patterns as a trie of path segments.
//!
//! A path is matched against all routes in one walk over its segments, so that a
//! thousand routes cost what ten do. The walk visits the literal child, the `*` child
//! and the `/**` of each node it reaches, and never more segments than a pattern has.
//!
//! A pattern is itself put through the readings of a path. `/a%20b/**` is found by a
//! server that decodes at `/a b/…`, so its leaves stand at both places, each with the
//! [`Readers`] it is for.
//!
//! Visitors look keys up and the configuration alone puts them in, so nobody can
//! fill a bucket: a fast hash is enough.
//!
//! Rejected: globset (1,010 instructions a match with 10 routes, 2,774 with 1,000), matchit
//! (ranks by how specific a pattern is, not by place; refuses overlapping patterns).

use std::collections::HashMap;

use foldhash::fast::RandomState;
use http::Uri;

use crate::{
    config::access::{PathPattern, SegmentPattern},
    request::{Readers, Reading, Target},
};

/// Where a walk over segments can stand.
#[derive(Debug, Default)]
pub(super) struct Node {
    literals: HashMap<Box<[u8]>, Node, RandomState>,
    any: Option<Box<Node>>,
    here: Vec<Leaf>,
    here_and_below: Vec<Leaf>,
}

/// A route whose pattern ends at a node, in the reading of some.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    /// Its place in the file.
    pub(super) route: usize,
    /// To whom the pattern stands there.
    readers: Readers,
    /// The least reach that takes it there.
    reach: Reach,
}

impl Leaf {
    /// Whether the pattern stands there for everyone who has this reading.
    pub(super) fn matches(self, reading: Reading<'_>) -> bool {
        self.readers.includes(reading.readers)
    }

    /// Whether it does for anyone who has it.
    pub(super) fn touches(self, reading: Reading<'_>) -> bool {
        self.matches(reading) || self.reach == Reach::SameShape && self.readers.meets(reading.readers)
    }
}

/// How far a pattern is taken into the readings that servers have of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Where it has the segments that it was written with. `/%2F/**` does not close `/**`, although some servers see
    /// nothing between the slashes.
    SameShape,
    /// For a route that opens: wherever somebody reads it. All of them must find it, so that a place more never opens
    /// anything by itself.
    EveryReading,
}

/// A segment as it is put in.
#[derive(Clone, Copy)]
enum Key<'a> {
    Literal(&'a [u8]),
    Any,
}

impl Node {
    /// Puts a pattern in wherever somebody reads it. Routes come in the order of the file.
    pub(super) fn insert_all(&mut self, route: usize, pattern: &PathPattern, reach: Reach) {
        let keys: Vec<Key<'_>> = pattern.segments.iter().map(key).collect();
        let path: String = pattern.segments.iter().flat_map(|segment| ["/", text(segment)]).collect();
        let target = path.parse::<Uri>().ok().and_then(|uri| Target::parse(&uri).ok());
        let Some(target) = target.filter(|target| target.path() == path) else {
            // `/**` alone has no text. A request for what is no normal path is refused before any route is asked.
            let leaf = Leaf { route, readers: Readers::ALL, reach: Reach::SameShape };
            return self.insert(&keys, pattern.and_below, leaf);
        };
        for reading in target.readings() {
            let sent = reading.readers.includes(Readers::AS_SENT);
            let found =
                if sent { Some((keys.clone(), Reach::SameShape)) } else { read_again(&pattern.segments, reading) };
            let Some((mut found, needed)) = found.filter(|(_, needed)| *needed <= reach) else { continue };
            // An escaped slash at the end merges with the one of `/**`.
            found.pop_if(|last| pattern.and_below && matches!(last, Key::Literal(b"")));
            let readers = if sent { reading.readers.and(Readers::RESPELLED) } else { reading.readers };
            self.insert(&found, pattern.and_below, Leaf { route, readers, reach: needed });
        }
    }

    fn insert(&mut self, keys: &[Key<'_>], and_below: bool, leaf: Leaf) {
        let mut node = self;
        for key in keys {
            node = match *key {
                Key::Any => node.any.get_or_insert_default(),
                Key::Literal(literal) => node.literals.entry(literal.into()).or_default(),
            };
        }
        if and_below { node.here_and_below.push(leaf) } else { node.here.push(leaf) }
    }

    /// Hands over the leaves at each place that a path reaches, those of a place in the order of the file; returns how
    /// many nodes that took.
    pub(super) fn walk<'p>(
        &self,
        mut segments: impl Iterator<Item = &'p [u8]> + Clone,
        found: &mut impl FnMut(&[Leaf]),
    ) -> usize {
        if !self.here_and_below.is_empty() {
            found(&self.here_and_below);
        }
        let Some(segment) = segments.next() else {
            found(&self.here);
            return 1;
        };
        let mut visited = 1;
        if let Some(any) = self.any.as_deref().filter(|_| !segment.is_empty()) {
            visited += any.walk(segments.clone(), found);
        }
        if let Some(literal) = self.literals.get(segment) {
            visited += literal.walk(segments, found);
        }
        visited
    }
}

/// Where a pattern stands for those who read it so, and how far that is taking it; `None` where it is none of theirs.
fn read_again<'r>(written: &[SegmentPattern], reading: Reading<'r>) -> Option<(Vec<Key<'r>>, Reach)> {
    // What a decoder would take for the end of the path is no path of this pattern's.
    if reading.path.iter().any(|byte| b"?#".contains(byte)) {
        return None;
    }
    let segments: Vec<&[u8]> = reading.segments().collect();
    let same = |(segment, written): (&&[u8], &SegmentPattern)| match written {
        SegmentPattern::Any => *segment == ANY,
        SegmentPattern::Literal(literal) => segment.is_empty() == literal.is_empty(),
    };
    if segments.len() == written.len() && segments.iter().zip(written).all(same) {
        let keys = written.iter().zip(segments).map(|(written, segment)| match written {
            SegmentPattern::Any => Key::Any,
            SegmentPattern::Literal(_) => Key::Literal(segment),
        });
        return Some((keys.collect(), Reach::SameShape));
    }
    // Which of them is the wildcard cannot be told where an escape stands for another.
    let wildcards = segments.iter().filter(|segment| **segment == ANY).count();
    let is_told = wildcards == written.iter().filter(|segment| **segment == SegmentPattern::Any).count();
    let key = |segment: &'r [u8]| if segment == ANY { Key::Any } else { Key::Literal(segment) };
    is_told.then(|| (segments.into_iter().map(key).collect(), Reach::EveryReading))
}

const ANY: &[u8] = b"*";

fn text(segment: &SegmentPattern) -> &str {
    match segment {
        SegmentPattern::Literal(text) => text,
        SegmentPattern::Any => "*",
    }
}

fn key(segment: &SegmentPattern) -> Key<'_> {
    match segment {
        SegmentPattern::Literal(text) => Key::Literal(text.as_bytes()),
        SegmentPattern::Any => Key::Any,
    }
}
