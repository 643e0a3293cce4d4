//! Connections that belong to one visitor.
//!
//! NTLM and Negotiate sign in a connection, not a request (RFC 4559 §5 and §6): what
//! comes over it afterwards is that person's, whoever sends it. So a connection to the
//! upstream over which either was spoken is kept for the visitor's own connection, by
//! which the browser knows where it is signed in, and closes with it. HTTP/2 has no
//! such thing, and is left alone.
//!
//! A visitor's connection need not be one person's: a proxy before us shares its own,
//! and somebody may sign out and another in. So what is kept is kept for one session,
//! and where nobody can be told apart, for one request only.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::{
    HeaderMap, HeaderName, Response, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};

use super::pool::Pool;

/// What a visitor's connection owns; nothing, for nearly all of them.
#[derive(Debug, Default)]
pub struct Affinity(OnceLock<Mutex<Vec<Owned>>>);

/// For whom a request is, as far as connections are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person<'a> {
    /// Whose session has this id.
    SignedIn(&'a [u8; 32]),
    /// Whoever is at the other end of the visitor's connection.
    AtTheOtherEnd,
    /// One of many behind a proxy of ours.
    Unknown,
}

/// A request's share in its visitor's connection.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// What that connection owns.
    pub affinity: &'a Affinity,
    /// Who asks.
    pub person: Person<'a>,
}

#[derive(Debug)]
struct Owned {
    /// The session that it is for; `None` for whoever is at the other end.
    session: Option<[u8; 32]>,
    /// The pool that everybody else draws from: it tells the upstreams apart.
    shared: Arc<Pool>,
    own: Arc<Pool>,
}

impl Claim<'_> {
    /// Nobody's: for requests whose connection ends with them.
    pub(super) fn none(affinity: &Affinity) -> Claim<'_> {
        Claim { affinity, person: Person::Unknown }
    }

    /// The pool for a request with this head.
    pub(super) fn choose<'p>(&self, shared: &'p Arc<Pool>, headers: &HeaderMap) -> Choice<'p> {
        let own = match self.affinity.0.get() {
            None => None,
            Some(owned) => self.find(&owned.lock().unwrap_or_else(PoisonError::into_inner), shared),
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
        let session = match self.person {
            Person::SignedIn(id) => Some(*id),
            Person::AtTheOtherEnd => None,
            // Nobody finds it again, so what comes back to it is closed.
            Person::Unknown => return Arc::default(),
        };
        let mut owned = self.affinity.0.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        self.find(&owned, shared).unwrap_or_else(|| {
            let own = Arc::default();
            owned.push(Owned { session, shared: Arc::clone(shared), own: Arc::clone(&own) });
            own
        })
    }

    fn find(&self, owned: &[Owned], shared: &Arc<Pool>) -> Option<Arc<Pool>> {
        let mine = |owned: &Owned| match (self.person, &owned.session) {
            (Person::SignedIn(id), Some(session)) => id == session,
            (Person::AtTheOtherEnd, None) => true,
            _ => false,
        };
        let found = owned.iter().find(|owned| Arc::ptr_eq(&owned.shared, shared) && mine(owned));
        found.map(|owned| Arc::clone(&owned.own))
    }
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
        let claim = |person| Claim { affinity: &affinity, person };
        let ada = claim(Person::SignedIn(&[1; 32]));
        assert!(matches!(ada.choose(&wiki, &plain), Choice::Shared(_)));
        assert!(affinity.0.get().is_none(), "nothing is kept for an ordinary visitor");
        let signing_in = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("NTLM x"))]);
        let Choice::Own(own) = ada.choose(&wiki, &signing_in) else { panic!("it is the visitor's own") };
        let again = ada.choose(&wiki, &plain);
        assert!(Arc::ptr_eq(again.pool(), &own), "from then on, whatever is asked");
        assert!(matches!(ada.choose(&notes, &plain), Choice::Shared(_)), "of that upstream only");
    }

    #[test]
    fn one_visitors_connection_is_not_always_one_persons() {
        let (affinity, wiki) = (Affinity::default(), Arc::default());
        let (plain, signing_in) =
            (HeaderMap::new(), HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Negotiate x"))]));
        let people = [Person::SignedIn(&[1; 32]), Person::SignedIn(&[2; 32]), Person::AtTheOtherEnd, Person::Unknown];
        let mut pools: Vec<Arc<Pool>> = Vec::new();
        for person in people {
            let claim = Claim { affinity: &affinity, person };
            assert!(matches!(claim.choose(&wiki, &plain), Choice::Shared(_)), "{person:?} gets nobody else's");
            let Choice::Own(own) = claim.choose(&wiki, &signing_in) else { panic!("{person:?} has none") };
            assert!(pools.iter().all(|pool| !Arc::ptr_eq(pool, &own)), "{person:?}");
            let again = claim.choose(&wiki, &plain);
            assert_eq!(Arc::ptr_eq(again.pool(), &own), person != Person::Unknown, "{person:?}");
            pools.push(own);
        }
    }
}
