//! Endpoints that the configuration names itself, in front of what discovery says.
//!
//! Two users: networks in which the browser and this process reach the provider
//! under different names, where one or two are overridden, and providers without
//! usable metadata, where all that are needed are named and none is fetched.

use url::Url;

use super::read::check_scheme;
use crate::config::{
    location,
    provider::{SigningAlgorithm, UserInfo},
    section::{Reading, Section},
};

/// Those that are set; the metadata has the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// `authorization_endpoint` (RFC 6749 §3.1)
    pub authorization: Option<Url>,
    /// `token_endpoint` (RFC 6749 §3.2)
    pub token: Option<Url>,
    /// `jwks_uri` (OpenID Connect Discovery §3)
    pub jwks: Option<Url>,
    /// `userinfo_endpoint` (OpenID Connect Core §5.3)
    pub userinfo: Option<Url>,
    /// `end_session_endpoint` (RP-Initiated Logout §2)
    pub end_session: Option<Url>,
}

impl Endpoints {
    /// Whether nobody has to be asked for the others: what is not set then does not exist.
    pub(super) fn are_enough(&self, id_token_alg: Option<SigningAlgorithm>, userinfo: UserInfo) -> bool {
        let keyed_by_secret = id_token_alg.is_some_and(SigningAlgorithm::is_symmetric);
        self.authorization.is_some()
            && self.token.is_some()
            && (self.jwks.is_some() || keyed_by_secret)
            && (self.userinfo.is_some() || userinfo != UserInfo::Always)
    }
}

pub(super) fn read(section: &Section<'_>, insecure_http: Reading<bool>) -> Reading<Endpoints> {
    let endpoint = |key| match section.optional(key, location::parse_endpoint)? {
        Some(url) => check_scheme(section, key, &url, url.place, insecure_http).map(|()| Some(url.value)),
        None => Ok(None),
    };
    let authorization = endpoint("authorization_endpoint");
    let token = endpoint("token_endpoint");
    let jwks = endpoint("jwks_uri");
    let userinfo = endpoint("userinfo_endpoint");
    let end_session = endpoint("end_session_endpoint");
    Ok(Endpoints {
        authorization: authorization?,
        token: token?,
        jwks: jwks?,
        userinfo: userinfo?,
        end_session: end_session?,
    })
}
