//! How long a target may be, and how many fields a head may have.
//!
//! hyper keeps the limit in bytes while it parses, exactly and before there is a
//! request; so it answers 431 bare. These two it cannot keep for us, or only at a
//! cost: it takes targets up to 64 KiB (RFC 9110 §4.1 asks for 8,000 bytes at least),
//! and with another number of fields than its own 100 it parses on the heap. Both are
//! known without a look at the fields, and whoever is refused gets a page that says so.

use http::request::Parts;
use thiserror::Error;

use crate::config::Limits;

/// What a head may be at most.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    target: usize,
    fields: usize,
}

/// Why a head is too large: what it has, and what it may have. Whoever runs Vestibule reads here which key to raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeadTooLarge {
    /// RFC 9110 §15.5.15
    #[error("the request's target is {0} bytes long, and server.limits.uri_bytes is {1}")]
    Target(usize, usize),
    /// RFC 6585 §5
    #[error("the request has {0} header fields, and server.limits.header_count is {1}")]
    Fields(usize, usize),
}

impl HeadLimits {
    /// As they were configured.
    pub const fn new(limits: &Limits) -> Self {
        Self { target: limits.uri_bytes, fields: limits.header_count }
    }

    /// Checks a head. Of a target that names its host only the path and the query count.
    pub fn check(self, head: &Parts) -> Result<(), HeadTooLarge> {
        let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target > self.target {
            return Err(HeadTooLarge::Target(target, self.target));
        }
        let fields = head.headers.len();
        if fields > self.fields { Err(HeadTooLarge::Fields(fields, self.fields)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_target_and_a_number_of_fields_are_taken_up_to_their_limit() {
        let limits = HeadLimits { target: 10, fields: 3 };
        for (target, fields, refused) in [
            ("/234567890", 3, None),
            ("/", 0, None),
            ("*", 1, None),
            ("/2345678901", 0, Some(HeadTooLarge::Target(11, 10))),
            ("/2345?7890a", 0, Some(HeadTooLarge::Target(11, 10))),
            ("http://wiki.example.com/2345?78", 0, None),
            ("http://wiki.example.com/2345?7890", 4, Some(HeadTooLarge::Fields(4, 3))),
            ("/", 4, Some(HeadTooLarge::Fields(4, 3))),
        ] {
            let request = (0..fields).fold(Request::builder().uri(target), |request, _| request.header("x", ""));
            let head = request.body(()).expect("a request").into_parts().0;
            assert_eq!(limits.check(&head).err(), refused, "{target} with {fields}");
        }
    }
}
