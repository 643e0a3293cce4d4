//! Routes that no request reaches, because an earlier one takes all of theirs.
//!
//! The first match wins, so the order of routes is part of what they say; it is
//! easily lost when a file grows. What each kind of route admits does not matter
//! here. The patterns so far are a tree by segments: with 10,000 routes, comparing
//! each with each would take seconds.

use std::collections::BTreeMap;

use http::Method;

use crate::config::path_pattern::{PathPattern, SegmentPattern};

/// The routes of an app that were read so far.
pub(super) struct Earlier<P> {
    root: Node<P>,
}

impl<P> Default for Earlier<P> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

/// What begins with the segments on the way here.
struct Node<P> {
    literals: BTreeMap<String, Node<P>>,
    any: Option<Box<Node<P>>>,
    /// Patterns that end here.
    exact: Vec<Taken<P>>,
    /// Patterns that end here in `/**`.
    and_below: Vec<Taken<P>>,
}

impl<P> Default for Node<P> {
    fn default() -> Self {
        Self { literals: BTreeMap::new(), any: None, exact: Vec::new(), and_below: Vec::new() }
    }
}

/// The methods that a route takes (`None` = all), and where the route is.
struct Taken<P> {
    methods: Option<Vec<Method>>,
    place: P,
}

impl<P: Copy> Earlier<P> {
    /// Adds a route; gives the place of an earlier one that takes every request of it.
    pub(super) fn add(&mut self, path: &PathPattern, methods: Option<&[Method]>, place: P) -> Option<P> {
        let shadow = self.root.covering(&path.segments, path.and_below, methods);
        let mut node = &mut self.root;
        for segment in &path.segments {
            node = match segment {
                SegmentPattern::Literal(literal) => node.literals.entry(literal.clone()).or_default(),
                SegmentPattern::Any => node.any.get_or_insert_default(),
            };
        }
        let taken = Taken { methods: methods.map(<[_]>::to_vec), place };
        if path.and_below { &mut node.and_below } else { &mut node.exact }.push(taken);
        shadow
    }
}

impl<P: Copy> Node<P> {
    /// A pattern from here on that covers the rest of another.
    fn covering(&self, rest: &[SegmentPattern], and_below: bool, methods: Option<&[Method]>) -> Option<P> {
        let takes_all = |taken: &&Taken<P>| takes_all(taken.methods.as_deref(), methods);
        if let Some(taken) = self.and_below.iter().find(takes_all) {
            return Some(taken.place);
        }
        let Some((segment, rest)) = rest.split_first() else {
            let ends = if and_below { &[] } else { self.exact.as_slice() };
            return ends.iter().find(takes_all).map(|taken| taken.place);
        };
        let any = self.any.as_deref();
        let (literal, any) = match segment {
            // `*` is a segment that is not empty.
            SegmentPattern::Literal(literal) => (self.literals.get(literal), any.filter(|_| !literal.is_empty())),
            SegmentPattern::Any => (None, any),
        };
        literal.into_iter().chain(any).find_map(|node| node.covering(rest, and_below, methods))
    }
}

/// Whether methods include others; GET includes HEAD.
fn takes_all(methods: Option<&[Method]>, others: Option<&[Method]>) -> bool {
    let Some(methods) = methods else { return true };
    let takes = |other: &Method| methods.contains(other) || *other == Method::HEAD && methods.contains(&Method::GET);
    others.is_some_and(|others| others.iter().all(takes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the routes is covered by which earlier one.
    fn shadows(routes: &[(&str, &[&str])]) -> Vec<(usize, usize)> {
        let mut earlier = Earlier::default();
        let add = |(index, (path, methods)): (usize, &(&str, &[&str]))| {
            let path = PathPattern::parse(path).unwrap_or_else(|wrong| panic!("{path}: {wrong:?}"));
            let methods: Vec<_> = methods.iter().map(|method| method.parse().expect("a method")).collect();
            let methods = (!methods.is_empty()).then_some(methods);
            earlier.add(&path, methods.as_deref(), index).map(|first| (index, first))
        };
        routes.iter().enumerate().filter_map(add).collect()
    }

    #[test]
    fn a_route_is_shadowed_by_an_earlier_one_that_takes_all_of_its_requests() {
        for (first, second, expected) in [
            ("/a", "/a", true),
            ("/**", "/a", true),
            ("/**", "/", true),
            ("/**", "/**", true),
            ("/api/**", "/api", true),
            ("/api/**", "/api/", true),
            ("/api/**", "/api/v1/**", true),
            ("/api/**", "/api/*/users", true),
            ("/*/users", "/api/users", true),
            ("/*/users", "/*/users", true),
            ("/*/**", "/api/**", true),
            ("/*/**", "/*", true),
            ("/a/b", "/a", false),
            ("/a", "/a/", false),
            ("/a", "/A", false),
            ("/a", "/a/**", false),
            ("/api/v1/**", "/api/**", false),
            ("/api/users", "/*/users", false),
            ("/*", "/", false),
            ("/*", "/a/b", false),
            ("/*", "/**", false),
            ("/%2F", "/", false),
        ] {
            let found = shadows(&[(first, &[]), (second, &[])]);
            assert_eq!(!found.is_empty(), expected, "{first} before {second}");
        }
    }

    #[test]
    fn methods_count_and_get_includes_head() {
        let all: &[&str] = &[];
        for (first, second, expected) in [
            (all, all, true),
            (all, &["POST"], true),
            (&["GET"], &["GET"], true),
            (&["GET"], &["HEAD"], true),
            (&["GET", "POST"], &["POST"], true),
            (&["HEAD"], &["GET"], false),
            (&["GET"], all, false),
            (&["GET"], &["GET", "POST"], false),
        ] {
            let found = shadows(&[("/a", first), ("/a", second)]);
            assert_eq!(!found.is_empty(), expected, "{first:?} before {second:?}");
        }
    }

    #[test]
    fn the_earlier_one_is_named() {
        let routes: [(&str, &[&str]); 4] = [("/a/**", &["POST"]), ("/*/b", &[]), ("/a/c", &[]), ("/a/b", &["POST"])];
        assert_eq!(shadows(&routes), [(3, 0)]);
    }
}
