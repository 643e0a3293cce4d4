//! `proxy`: the way out, where there is no straight one.

use url::Url;

use crate::{
    config::section::{Reading, Section, Wrong},
    secret::Secret,
};

/// `proxy`
#[derive(Debug)]
pub enum OutboundProxy {
    /// As `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say, for https outside this machine.
    OfTheEnvironment,
    /// Every call goes through this one: `http://` or `https://`, perhaps with `user:password@`.
    Through(Secret<String>),
}

pub(super) fn read(section: &Section<'_>) -> Reading<OutboundProxy> {
    let proxy = section.optional("proxy", parse)?;
    Ok(proxy.map_or(OutboundProxy::OfTheEnvironment, |url| OutboundProxy::Through(url.value)))
}

fn parse(text: &str) -> Result<Secret<String>, Wrong> {
    let wrong = || {
        Wrong::new("must be the URL of a proxy, without a path")
            .help("write, for example, \"http://proxy.example:3128\"")
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if plain && matches!(url.scheme(), "http" | "https") && !text.chars().any(char::is_whitespace) {
        Ok(Secret::new(text.to_owned()))
    } else {
        Err(wrong())
    }
}
