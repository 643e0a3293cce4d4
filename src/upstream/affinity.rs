//! Connections that belong to one visitor.
//!
//! NTLM and Negotiate sign in a connection, not a request (RFC 4559 §5 and §6): what
//! comes over it afterwards is that person's, whoever sends it. So a connection to the
//! upstream over which either was spoken is kept for the visitor's own connection, by
//! which the browser knows where it is signed in, and closes with it. HTTP/2 has no
//! such thing, and is left alone.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::{
    HeaderMap, HeaderName, Response, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};

use super::pool::Pool;

/// What a visitor's connection owns; nothing, for nearly all of them.
#[derive(Debug, Default)]
pub struct Affinity(OnceLock<Mutex<Vec<Owned>>>);

#[derive(Debug)]
struct Owned {
    /// The pool that everybody else draws from: it tells the upstreams apart.
    shared: Arc<Pool>,
    own: Arc<Pool>,
}

impl Affinity {
    /// The pool for a request with this head.
    pub(super) fn choose<'p>(&self, shared: &'p Arc<Pool>, headers: &HeaderMap) -> Choice<'p> {
        let own = match self.0.get() {
            None => None,
            Some(owned) => find(&owned.lock().unwrap_or_else(PoisonError::into_inner), shared),
        };
        match own {
            Some(own) => Choice::Own(own),
            None if signs_in_a_connection(headers, &AUTHORIZATION) => Choice::Own(self.own(shared)),
            None => Choice::Shared(shared),
        }
    }

    /// Where the connection belongs over which this answer came, if that is not the pool it is from.
    pub(super) fn claim<B>(&self, shared: &Arc<Pool>, response: &Response<B>) -> Option<Arc<Pool>> {
        (response.status() == StatusCode::UNAUTHORIZED && signs_in_a_connection(response.headers(), &WWW_AUTHENTICATE))
            .then(|| self.own(shared))
    }

    fn own(&self, shared: &Arc<Pool>) -> Arc<Pool> {
        let mut owned = self.0.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        find(&owned, shared).unwrap_or_else(|| {
            let own = Arc::default();
            owned.push(Owned { shared: Arc::clone(shared), own: Arc::clone(&own) });
            own
        })
    }
}

fn find(owned: &[Owned], shared: &Arc<Pool>) -> Option<Arc<Pool>> {
    owned.iter().find(|owned| Arc::ptr_eq(&owned.shared, shared)).map(|owned| Arc::clone(&owned.own))
}

/// Which pool serves a request.
pub(super) enum Choice<'p> {
    Shared(&'p Arc<Pool>),
    Own(Arc<Pool>),
}

impl Choice<'_> {
    pub(super) fn pool(&self) -> &Arc<Pool> {
        match self {
            Self::Shared(pool) => pool,
            Self::Own(pool) => pool,
        }
    }
}

/// Whether a field names a scheme that outlives the request. A server may offer several, in one line or more.
fn signs_in_a_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    let is_such = |word: &[u8]| word.eq_ignore_ascii_case(b"ntlm") || word.eq_ignore_ascii_case(b"negotiate");
    headers.get_all(name).iter().any(|value| {
        let offers = value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        offers.into_iter().any(|offer| offer.split(|&byte| byte == b' ').next().is_some_and(is_such))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn ntlm_and_negotiate_are_found_in_any_spelling_and_nothing_else() {
        for (value, expected) in [
            ("NTLM", true),
            ("NTLM TlRMTVNTUAAB", true),
            ("negotiate YIIB", true),
            ("Basic realm=\"ntlm\", Negotiate", true),
            ("Basic realm=\"x\"", false),
            ("Bearer negotiate", false),
            ("Negotiated", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]);
            assert_eq!(signs_in_a_connection(&headers, &AUTHORIZATION), expected, "{value:?}");
        }
    }

    #[test]
    fn a_visitor_owns_one_pool_an_upstream_and_only_once_it_is_needed() {
        let (affinity, wiki, notes) = (Affinity::default(), Arc::default(), Arc::default());
        let plain = HeaderMap::new();
        assert!(matches!(affinity.choose(&wiki, &plain), Choice::Shared(_)));
        assert!(affinity.0.get().is_none(), "nothing is kept for an ordinary visitor");
        let signing_in = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("NTLM x"))]);
        let Choice::Own(own) = affinity.choose(&wiki, &signing_in) else { panic!("it is the visitor's own") };
        let again = affinity.choose(&wiki, &plain);
        assert!(Arc::ptr_eq(again.pool(), &own), "from then on, whatever is asked");
        assert!(matches!(affinity.choose(&notes, &plain), Choice::Shared(_)), "of that upstream only");
    }
}
