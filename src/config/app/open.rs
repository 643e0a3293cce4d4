//! `open_to_public`: whether "whoever the provider signs in" may mean everybody there is.
//!
//! At some providers anybody can make an account in a minute. Together with
//! `policy = "anyone"` that is no protection, and hardly ever what was meant
//! (oauth2-proxy's `email_domains = ["*"]` before a public provider is its best known
//! slip). So it must be said.

use crate::{
    config::{
        Policy, Provider,
        fault::{Fault, Place, Report},
        section::Reading,
    },
    identity::ProviderId,
};

/// Issuers at which anybody can register. One whose accounts are made by an organisation is never here.
const PUBLIC_ISSUERS: [&str; 12] = [
    "https://accounts.google.com",
    // Microsoft's tenant of personal accounts.
    "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    "https://appleid.apple.com",
    "https://gitlab.com",
    "https://id.twitch.tv/oauth2",
    "https://www.facebook.com",
    "https://www.linkedin.com/oauth",
    "https://slack.com",
    "https://api.login.yahoo.com",
    "https://access.line.me",
    "https://kauth.kakao.com",
    "https://id.vk.com",
];

/// What an app says about who may enter, as far as it matters here.
pub(in crate::config) struct Openness {
    /// Where `policy` is, or the section that has it.
    pub(in crate::config) place: Place,
    pub(in crate::config) policy: Policy,
    pub(in crate::config) open_to_public: bool,
}

/// Refuses an app that everybody could enter without anybody having said so.
pub(in crate::config) fn check(
    report: &Report,
    openness: &Openness,
    own_providers: &[ProviderId],
    providers: &[Provider],
) -> Reading<()> {
    if openness.open_to_public || openness.policy != Policy::Anyone {
        return Ok(());
    }
    let is_public = |provider: &&Provider| {
        own_providers.contains(&provider.id) && PUBLIC_ISSUERS.contains(&provider.issuer.as_str().trim_end_matches('/'))
    };
    let Some(provider) = providers.iter().find(is_public) else { return Ok(()) };
    let title = format!("anybody can make an account at {}, and so enter this app", provider.issuer);
    Err(report.add(
        Fault::at(openness.place, title)
            .why("`policy = \"anyone\"` admits whoever the provider signs in, and this one signs in everybody")
            .help("name who may enter: policy = \"listed\" with `allow`; or write open_to_public = true below [[app]]"),
    ))
}
