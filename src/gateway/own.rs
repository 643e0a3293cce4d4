//! Our own endpoints, below the prefix (contract section 4).

use std::{num::NonZeroU32, net::IpAddr, sync::Arc};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{Method, Response, StatusCode, header::{ORIGIN}, request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;

use super::{App, Body, Visit, Worker, answer, find_session, refusal::Refusal};
use crate::{
    identity::ProviderId,
    login::{Begin, Finished, Initiative, Live, ReturnTarget},
    pages::{ConfirmReplace, SignInChoice, SignInPage, SignOutPage, SignedOutPage},
    relying_party::Prompt,
    request::{Audience, Client, Target},
    
};

/// The largest form that our own pages send.
const MAX_FORM: usize = 16 * 1024;

/// How many sign-ins one client may begin (`server.limits.sign_ins_per_client`).
pub struct SignIns(Option<DefaultKeyedRateLimiter<IpAddr>>);

impl SignIns {
    /// So many a minute; `None` = any number.
    pub fn new(per_minute: Option<NonZeroU32>) -> Self {
        Self(per_minute.map(|n| RateLimiter::keyed(Quota::per_minute(n))))
    }

    /// Counts one more.
    pub(super) fn check(&self, client: IpAddr) -> Result<(), Refusal> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(&network(client)).map_err(|_| Refusal::TooManySignIns)
    }

    /// Forgets clients that have not come back.
    pub fn tidy(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
        }
    }
}

/// One client: an IPv4 address, or the /64 that one IPv6 subscriber has.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    }
}

/// A request to one of our own endpoints, with what is known of it.
struct OwnRequest<'a> {
    worker: &'a Worker,
    app: &'a App,
    audience: Audience,
    client: &'a Client<'a>,
    head: &'a request::Parts,
    query: Option<&'a str>,
    /// The live session that the browser brought.
    live: Option<Live>,
}

/// Answers a request below the prefix; whatever is not ours is nobody's.
pub(super) async fn answer(
    worker: &Worker,
    app: &App,
    visit: &mut Visit,
    client: &Client<'_>,
    target: &Target,
    endpoint: &str,
    head: request::Parts,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    if let Some(asset) = endpoint.strip_prefix("/static/") {
        return answer::asset(&head.method, asset);
    }
    // A store that is down must not keep anybody from being told so; each endpoint that needs the session says so itself.
    let live = match endpoint {
        "/start" | "/callback" | "/sign_in" | "/sign_out" | "/userinfo" => find_session(&worker.apps, app, &head.headers).await?,
        _ => None,
    };
    visit.trace.session = live.as_ref().map(|(_, session)| Arc::clone(session));
    let request =
        OwnRequest { worker, app, audience: visit.audience, client, head: &head, query: target.query(), live };
    let get = matches!(head.method, Method::GET | Method::HEAD);
    let post = head.method == Method::POST;
    match endpoint {
        "/start" if get => request.start().await,
        "/start" if post => request.start_asked(body).await,
        "/callback" if get => request.callback().await,
        "/sign_in" if get => request.sign_in(),
        "/sign_out" if get => request.sign_out_page(),
        "/sign_out" if post => request.sign_out(body).await,
        "/signed_out" if get => Ok(request.signed_out()),
        "/userinfo" if get => request.userinfo(),
        "/start" | "/sign_out" => Err(Refusal::MethodNotAllowed("GET, HEAD, POST")),
        "/callback" | "/sign_in" | "/signed_out" | "/userinfo" => Err(Refusal::MethodNotAllowed("GET, HEAD")),
        _ => Err(Refusal::NoSuchEndpoint),
    }
}

impl OwnRequest<'_> {
    /// `/start`: from top-level navigations only, and never over a live session without asking.
    async fn start(&self) -> Result<Response<Body>, Refusal> {
        if self.audience != Audience::Navigation {
            return Err(Refusal::Anonymous);
        }
        let (provider, target) = (self.parameter("provider"), self.return_target());
        if let Some((_, session)) = &self.live {
            let page = ConfirmReplace {
                app_name: &self.app.config.name,
                account: session.visitor().account_label(),
                action: &self.path("/start"),
                rd: target.as_str(),
                provider: provider.as_deref(),
                go_back: target.as_str(),
            };
            return Ok(answer::page(StatusCode::OK, self.worker.apps.pages.confirm_replace(&page), None));
        }
        if provider.is_none() && self.app.login.parties.len() > 1 {
            return Ok(answer::redirect(&answer::sign_in_url(self.app, &target), Vec::new()));
        }
        self.begin(provider, target, None).await
    }

    /// `POST /start`: the visitor said yes on a page of ours; another account is asked for.
    async fn start_asked(&self, body: Incoming) -> Result<Response<Body>, Refusal> {
        self.same_origin_only()?;
        let form = form(body).await?;
        let field = |name| form.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        let target = ReturnTarget::parse(field("rd").as_deref().unwrap_or("/"), &self.app.login.origins);
        let provider = field("provider").filter(|provider| !provider.is_empty());
        if provider.is_none() && self.app.login.parties.len() > 1 {
            return Ok(answer::redirect(&answer::sign_in_url(self.app, &target), Vec::new()));
        }
        self.begin(provider, target, Some(Prompt::SelectAccount)).await
    }

    async fn begin(
        &self,
        provider: Option<String>,
        target: ReturnTarget,
        prompt: Option<Prompt>,
    ) -> Result<Response<Body>, Refusal> {
        self.worker.apps.sign_ins.check(self.client.address())?;
        let provider = provider.map(ProviderId::new);
        let begin =
            Begin { provider: provider.as_ref(), target, prompt, initiative: Initiative::Visitor, headers: &self.head.headers };
        let redirect = self.app.login.start(begin).await?;
        Ok(answer::redirect(&redirect.location, redirect.cookies))
    }

    async fn callback(&self) -> Result<Response<Body>, Refusal> {
        match self.app.login.finish(self.query, &self.head.headers, self.live.as_ref()).await? {
            Finished::Redirect(redirect) => Ok(answer::redirect(&redirect.location, redirect.cookies)),
            Finished::SignedOut => Ok(self.signed_out()),
        }
    }

    fn sign_in(&self) -> Result<Response<Body>, Refusal> {
        let target = self.return_target();
        let choices: Vec<_> = self
            .app
            .login
            .parties
            .iter()
            .map(|party| {
                let provider = party.relying_party.provider();
                SignInChoice {
                    label: provider.display_name.clone(),
                    href: format!(
                        "{}?{}",
                        self.path("/start"),
                        answer::query(&[("provider", provider.id.as_str()), ("rd", target.as_str())])
                    ),
                }
            })
            .collect();
        let account = self.live.as_ref().map(|(_, session)| session.visitor().account_label());
        let page = SignInPage { app_name: &self.app.config.name, choices: &choices, account };
        Ok(answer::page(StatusCode::OK, self.worker.apps.pages.sign_in(&page), None))
    }

    fn sign_out_page(&self) -> Result<Response<Body>, Refusal> {
        let target = self.parameter("rd");
        let page = SignOutPage {
            app_name: &self.app.config.name,
            account: self.live.as_ref().map(|(_, session)| session.visitor().account_label()),
            action: &self.path("/sign_out"),
            rd: target.as_deref(),
        };
        // The form leads on to the provider, and browsers hold redirects to `form-action` too.
        let onward = self.live.as_ref().and_then(|(_, session)| self.app.login.end_session_origin(session));
        Ok(answer::page(StatusCode::OK, self.worker.apps.pages.sign_out(&page), onward.as_deref()))
    }

    async fn sign_out(&self, body: Incoming) -> Result<Response<Body>, Refusal> {
        self.same_origin_only()?;
        let form = form(body).await?;
        let asked = form.iter().find(|(name, _)| name == "rd").map(|(_, value)| value.clone()).or_else(|| self.parameter("rd"));
        let target = asked.map(|asked| ReturnTarget::parse(&asked, &self.app.login.origins));
        let redirect = self.app.login.leave(self.live.as_ref(), target.as_ref()).await?;
        let mut response = answer::redirect(&redirect.location, redirect.cookies);
        // The browser's next request is a GET, whatever this one was (RFC 9110 §15.4.4).
        *response.status_mut() = StatusCode::SEE_OTHER;
        Ok(response)
    }

    fn signed_out(&self) -> Response<Body> {
        let page = SignedOutPage { app_name: &self.app.config.name, sign_in: &format!("{}/", self.app.login.origins.own) };
        answer::page(StatusCode::OK, self.worker.apps.pages.signed_out(&page), None)
    }

    fn userinfo(&self) -> Result<Response<Body>, Refusal> {
        let (_, session) = self.live.as_ref().ok_or(Refusal::Anonymous)?;
        let visitor = session.visitor();
        let document = json!({
            "provider": visitor.provider,
            "iss": visitor.issuer,
            "sub": visitor.subject,
            "user": visitor.user,
            "email": visitor.trusted_email(),
            "name": visitor.name,
            "preferred_username": visitor.preferred_username,
            "groups": visitor.groups,
        });
        Ok(answer::json(StatusCode::OK, "application/json", document.to_string()))
    }

    /// A page of another site must not press our buttons (threats 6, 9).
    fn same_origin_only(&self) -> Result<(), Refusal> {
        let header = |name: &str| self.head.headers.get(name).map(http::HeaderValue::as_bytes);
        let ours = match (header("sec-fetch-site"), header(ORIGIN.as_str())) {
            (Some(site), _) => site == b"same-origin",
            (None, Some(origin)) => origin == self.app.login.origins.own.as_bytes(),
            // No browser leaves out both on a POST, and other clients carry nobody's cookies unasked.
            (None, None) => true,
        };
        if ours { Ok(()) } else { Err(Refusal::ForeignForm) }
    }

    fn return_target(&self) -> ReturnTarget {
        let asked = self.parameter("rd").unwrap_or_else(|| "/".to_owned());
        ReturnTarget::parse(&asked, &self.app.login.origins)
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let query = self.query?.as_bytes();
        url::form_urlencoded::parse(query).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
    }

    fn path(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.worker.apps.prefix)
    }
}

/// The fields of a form that one of our pages sent.
async fn form(body: Incoming) -> Result<Vec<(String, String)>, Refusal> {
    let bytes = Limited::new(body, MAX_FORM).collect().await.map_err(|_| Refusal::Form)?.to_bytes();
    Ok(url::form_urlencoded::parse(&bytes).into_owned().collect())
}
