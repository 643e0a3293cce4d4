//! `[[app.route]]` compiled into a trie of path segments.
//!
//! A path is matched against all routes in one walk over its segments, so that a
//! thousand routes cost what ten do; what comes out is the lowest place in the file,
//! since the first match wins. The walk visits the literal child, the `*` child and
//! the `/**` of each node it reaches.
//!
//! A pattern is itself put through the readings of a path. `/a%20b/**` is found by a
//! server that decodes at `/a b/…`, so its leaves stand at both places, each with the
//! [`Readers`] it is for; a route opens a path only where every reading of the path
//! meets a leaf of that route for everyone who reads it so.
//!
//! Rejected: globset (1,010 instructions a match with 10 routes, 2,774 with 1,000), matchit
//! (ranks by how specific a pattern is, not by place; refuses overlapping patterns).

use std::collections::HashMap;

use http::{Method, Uri};

use crate::{
    config::{
        Route,
        access::{PathPattern, RouteAccess, SegmentPattern},
    },
    request::{Readers, Reading, Target},
};

/// The routes of one app.
#[derive(Debug, Default)]
pub(super) struct Routes {
    root: Node,
    methods: Vec<Methods>,
}

/// Which methods a route is for.
#[derive(Debug)]
enum Methods {
    All,
    These(Vec<Method>),
}

impl Methods {
    fn include(&self, method: &Method) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(method) || (method == Method::HEAD && these.contains(&Method::GET)),
        }
    }
}

/// Where a walk over segments can stand.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<[u8]>, Node>,
    any: Option<Box<Node>>,
    here: Vec<Leaf>,
    here_and_below: Vec<Leaf>,
}

/// A route whose pattern ends at a node, in the reading of some.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    route: usize,
    readers: Readers,
}

impl Routes {
    pub(super) fn compile(routes: &[Route]) -> Self {
        let mut compiled = Self::default();
        for (place, route) in routes.iter().enumerate() {
            match route.access {
                RouteAccess::Public => compiled.root.insert_all(place, &route.path),
            }
            compiled.methods.push(route.methods.clone().map_or(Methods::All, Methods::These));
        }
        compiled
    }

    /// Whether any of them is for some methods only.
    pub(super) fn name_methods(&self) -> bool {
        self.methods.iter().any(|methods| matches!(methods, Methods::These(_)))
    }

    /// The first route that opens a target: one that matches all of its readings.
    pub(super) fn first_open(&self, method: &Method, target: &Target) -> Option<usize> {
        if self.methods.is_empty() {
            return None;
        }
        let for_method = |route: &usize| self.methods[*route].include(method);
        if target.is_plain() {
            let mut first = None;
            for reading in target.readings() {
                self.each_match(reading, &mut |route| {
                    if first.is_none_or(|known| route < known) && for_method(&route) {
                        first = Some(route);
                    }
                });
            }
            return first;
        }
        let mut in_common: Option<Vec<usize>> = None;
        for reading in target.readings() {
            let mut these = Vec::new();
            self.each_match(reading, &mut |route| these.push(route));
            these.sort_unstable();
            if let Some(common) = &in_common {
                these.retain(|route| common.binary_search(route).is_ok());
            }
            if these.is_empty() {
                return None;
            }
            in_common = Some(these);
        }
        in_common?.into_iter().find(for_method)
    }

    fn each_match(&self, reading: Reading<'_>, found: &mut impl FnMut(usize)) {
        self.root.walk(reading.segments(), &mut |leaf: Leaf| {
            if leaf.readers.includes(reading.readers) {
                found(leaf.route);
            }
        });
    }
}

impl Node {
    /// Puts a pattern in wherever somebody reads it.
    fn insert_all(&mut self, route: usize, pattern: &PathPattern) {
        let text: String = pattern.segments.iter().flat_map(|segment| ["/", segment_text(segment)]).collect();
        let wildcards = |segments: &[&[u8]]| segments.iter().filter(|s| **s == ANY).count();
        let written: Vec<&[u8]> = text.split('/').skip(1).map(str::as_bytes).collect();
        let target = text.parse::<Uri>().ok().and_then(|uri| Target::parse(&uri).ok());
        let Some(target) = target.filter(|t| t.path() == text) else {
            // `/**` alone has no text. A pattern that is no normal path meets no target.
            return self.insert(&written, pattern.and_below, Leaf { route, readers: Readers::ALL });
        };
        for reading in target.readings() {
            let mut segments: Vec<&[u8]> = reading.segments().collect();
            // An escaped slash at the end merges with the one of `/**`.
            segments.pop_if(|last| pattern.and_below && last.is_empty());
            let sent = reading.readers.includes(Readers::AS_SENT);
            // A literal that turns into a wildcard or a query in some reading is none of this pattern's there.
            let changed = wildcards(&segments) != wildcards(&written) || reading.path.iter().any(|b| b"?#".contains(b));
            if sent || !changed {
                let readers = if sent { reading.readers.and(Readers::RESPELLED) } else { reading.readers };
                self.insert(&segments, pattern.and_below, Leaf { route, readers });
            }
        }
    }

    fn insert(&mut self, segments: &[&[u8]], and_below: bool, leaf: Leaf) {
        let mut node = self;
        for &segment in segments {
            node = match segment {
                ANY => node.any.get_or_insert_default(),
                literal => node.literals.entry(literal.into()).or_default(),
            };
        }
        if and_below { node.here_and_below.push(leaf) } else { node.here.push(leaf) }
    }

    /// Hands over every leaf that a path reaches. As deep as the patterns are, not the path.
    fn walk<'p>(&self, mut segments: impl Iterator<Item = &'p [u8]> + Clone, found: &mut impl FnMut(Leaf)) {
        self.here_and_below.iter().copied().for_each(&mut *found);
        let Some(segment) = segments.next() else {
            return self.here.iter().copied().for_each(found);
        };
        if let Some(any) = self.any.as_deref().filter(|_| !segment.is_empty()) {
            any.walk(segments.clone(), found);
        }
        if let Some(literal) = self.literals.get(segment) {
            literal.walk(segments, found);
        }
    }
}

const ANY: &[u8] = b"*";

fn segment_text(segment: &SegmentPattern) -> &str {
    match segment {
        SegmentPattern::Literal(text) => text,
        SegmentPattern::Any => "*",
    }
}

#[cfg(test)]
mod tests;
