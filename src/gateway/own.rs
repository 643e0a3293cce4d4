//! Our own endpoints, below the prefix (contract section 4).

use std::{sync::Arc, time::Duration};

use http::{Method, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Limited};
use serde_json::json;
use tokio::time::timeout;
use url::form_urlencoded;

use super::{App, Body, Visit, Worker, answer, guest, initiator::Initiator, refusal::Refusal};
use crate::{
    identity::ProviderId,
    login::{self, Asks, Begin, Finished, Initiative, Live, Redirect, ReturnTarget},
    pages::{Action, ConfirmReplacePage, Framing, ProviderChoice, SignInPage, SignOutPage, SignedOutPage, text},
    relying_party::Prompt,
    request::{self, Audience, Client},
};

/// The largest form that is read; those of our own pages are much smaller.
const MAX_FORM: usize = 16 * 1024;

/// How long a form may take to arrive: as long as a head.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest `login_hint` that is passed on; what is longer is none.
const MAX_LOGIN_HINT: usize = 1024;

/// A request to one of our own endpoints, with what is known of it.
struct OwnRequest<'a> {
    worker: &'a Worker,
    app: &'a App,
    audience: Audience,
    client: &'a Client<'a>,
    head: &'a Parts,
    query: Option<&'a str>,
    /// The live session that the browser brought.
    live: Option<Live>,
}

/// A sign-in that somebody asks for.
struct Wanted {
    provider: Option<ProviderId>,
    target: ReturnTarget,
    login_hint: Option<String>,
}

impl Wanted {
    /// As a link of ours says it.
    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("rd", self.target.as_str());
        if let Some(provider) = &self.provider {
            query.append_pair("provider", provider.as_str());
        }
        if let Some(login_hint) = &self.login_hint {
            query.append_pair("login_hint", login_hint);
        }
        query.finish()
    }
}

/// Answers a request below the prefix; whatever is not ours is nobody's.
pub(super) async fn answer(
    worker: &Worker,
    app: &Arc<App>,
    visit: &mut Visit<'_>,
    client: &Client<'_>,
    endpoint: &str,
    head: &Parts,
    body: request::Body,
) -> Result<Response<Body>, Refusal> {
    if let Some(asset) = endpoint.strip_prefix("/static/") {
        return answer::asset(&app.pages, &head.method, asset);
    }
    // A sign-in that began elsewhere is that app's from here on: its page, its counters, its way back.
    let begun_at = || worker.apps.named(&app.login.begun_at(head.uri.query(), &head.headers)?);
    let app = if endpoint == "/callback" { begun_at().unwrap_or(app) } else { app };
    visit.trace.app = Some(Arc::clone(app));
    // A store that is down must not keep anybody from being told so; each endpoint that needs the session says so itself.
    visit.trace.guest = match endpoint {
        "/start" | "/callback" | "/sign_in" | "/sign_out" | "/userinfo" => {
            guest::find(worker, app, &head.headers, visit.trace.started).await?
        }
        _ => None,
    };
    let session = visit.trace.guest.as_ref().map(|guest| Arc::clone(guest.session()));
    let live = app.login.cookies.session_secret(&head.headers).zip(session);
    let request = OwnRequest { worker, app, audience: visit.audience, client, head, query: head.uri.query(), live };
    let get = matches!(head.method, Method::GET | Method::HEAD);
    let post = head.method == Method::POST;
    match endpoint {
        "/start" if get => request.start().await,
        "/start" if post => request.start_asked(body).await,
        "/callback" if get => request.callback().await,
        "/sign_in" if get => Ok(request.sign_in()),
        "/sign_out" if get => Ok(request.sign_out_page()),
        "/sign_out" if post => request.sign_out(body).await,
        "/signed_out" if get => Ok(request.signed_out()),
        "/userinfo" if get => request.userinfo(),
        "/jwks.json" if get => Ok(answer::key_set(app.assertion_keys.clone())),
        "/start" | "/sign_out" => Err(Refusal::MethodNotAllowed("GET, HEAD, POST")),
        "/callback" | "/sign_in" | "/signed_out" | "/userinfo" | "/jwks.json" => {
            Err(Refusal::MethodNotAllowed("GET, HEAD"))
        }
        _ => Err(Refusal::NoSuchEndpoint),
    }
}

impl OwnRequest<'_> {
    /// `/start`: from top-level navigations only, and never over a live session without asking.
    async fn start(&self) -> Result<Response<Body>, Refusal> {
        if self.audience != Audience::Navigation {
            return Err(Refusal::Anonymous);
        }
        let wanted = self.wanted(|name| self.parameter(name))?;
        if let Some((_, session)) = &self.live {
            let mut sign_in = Action::post(text::USE_ANOTHER_ACCOUNT, &self.app.login.endpoint("/start"))
                .with_field("rd", wanted.target.as_str());
            if let Some(provider) = &wanted.provider {
                sign_in = sign_in.with_field("provider", provider.as_str());
            }
            if let Some(login_hint) = &wanted.login_hint {
                sign_in = sign_in.with_field("login_hint", login_hint);
            }
            let html = self.app.pages.confirm_replace(&ConfirmReplacePage {
                app_name: &self.app.config.name,
                account: session.visitor().account_label(),
                sign_in: &sign_in,
                return_to: wanted.target.as_str(),
            });
            return Ok(answer::page(StatusCode::OK, html, Framing::Denied, &self.app.login.provider_origins()));
        }
        self.begin(wanted, None).await
    }

    /// `POST /start`: the visitor said yes on a page of ours, and another account is asked for. Or another site sent
    /// them with a form (OpenID Connect Core §4): then no cookie of ours has come along, so they come once more by a GET.
    async fn start_asked(&self, body: request::Body) -> Result<Response<Body>, Refusal> {
        let form = form(body).await?;
        let is_of_another_site = field(&form, "iss").is_some();
        if !is_of_another_site {
            self.same_origin_only()?;
        }
        let wanted = self.wanted(|name| field(&form, name).map(str::to_owned))?;
        if is_of_another_site {
            let location = format!("{}?{}", self.app.login.endpoint("/start"), wanted.query());
            return Ok(answer::redirect(self.after_form(), Redirect { location, cookies: Vec::new() }));
        }
        // Whom somebody has named need not be chosen among accounts, and some providers refuse to be asked for both.
        let prompt = if wanted.login_hint.is_some() { Prompt::Login } else { Prompt::SelectAccount };
        self.begin(wanted, Some(prompt)).await
    }

    /// The sign-in that a link of ours asks for, or somebody else (OpenID Connect Core §4). They name the provider by
    /// its issuer, and a page of this app: what is on another one's origin is that app's to begin.
    fn wanted(&self, said: impl Fn(&str) -> Option<String>) -> Result<Wanted, Refusal> {
        let named = said("provider").filter(|provider| !provider.is_empty()).map(ProviderId::new);
        let login = &self.app.login;
        let (provider, target) = if let Some(issuer) = said("iss") {
            let provider = login.provider_of(&issuer, named.as_ref()).ok_or(login::Error::UnknownProvider)?;
            let target = said("target_link_uri").map(|target| self.target(Some(&target)));
            let target = target.filter(|target| target.is_here(&login.origins));
            (Some(provider.clone()), target.unwrap_or_else(|| ReturnTarget::root(&login.origins)))
        } else {
            (named, self.target(said("rd").as_deref()))
        };
        let login_hint = said("login_hint").filter(|hint| (1..=MAX_LOGIN_HINT).contains(&hint.len()));
        Ok(Wanted { provider, target, login_hint })
    }

    async fn begin(&self, wanted: Wanted, prompt: Option<Prompt>) -> Result<Response<Body>, Refusal> {
        let Wanted { provider, target, login_hint } = wanted;
        if provider.is_none() && self.app.login.parties.len() > 1 {
            return Ok(answer::sign_in_redirect(self.app, &target));
        }
        self.worker.apps.sign_ins.check(self.client, &self.head.headers)?;
        let begin = Begin {
            provider: provider.as_ref(),
            target,
            asks: Asks { prompt, login_hint: login_hint.as_deref() },
            initiative: Initiative::Visitor,
            headers: &self.head.headers,
        };
        Ok(answer::redirect(self.after_form(), self.app.login.start(begin).await?))
    }

    async fn callback(&self) -> Result<Response<Body>, Refusal> {
        match self.app.login.finish(self.query, &self.head.headers, self.live.as_ref()).await? {
            Finished::Redirect(redirect) => Ok(answer::redirect(StatusCode::FOUND, redirect)),
            Finished::SignedOut => Ok(self.signed_out()),
        }
    }

    fn sign_in(&self) -> Response<Body> {
        let providers = self.app.login.parties.iter().map(|party| party.relying_party.provider());
        let providers: Vec<_> = providers
            .map(|provider| ProviderChoice { id: provider.id.as_str(), name: &provider.display_name })
            .collect();
        let target = self.return_target();
        let page = SignInPage { app_name: &self.app.config.name, providers: &providers, return_to: target.as_str() };
        answer::page(StatusCode::OK, self.app.pages.sign_in(&page), Framing::Denied, &[])
    }

    fn sign_out_page(&self) -> Response<Body> {
        let destination = self.app.login.destination(self.parameter("rd").as_deref());
        let page = SignOutPage {
            app_name: &self.app.config.name,
            account: self.live.as_ref().map(|(_, session)| session.visitor().account_label()),
            return_to: destination.asked(),
        };
        let html = self.app.pages.sign_out(&page);
        answer::page(StatusCode::OK, html, Framing::Denied, &self.app.login.sign_out_origins(&destination))
    }

    async fn sign_out(&self, body: request::Body) -> Result<Response<Body>, Refusal> {
        self.same_origin_only()?;
        let form = form(body).await?;
        let asked = field(&form, "rd").map(str::to_owned).or_else(|| self.parameter("rd"));
        let destination = self.app.login.destination(asked.as_deref());
        let redirect = self.app.login.leave(self.live.as_ref(), &destination).await?;
        Ok(answer::redirect(self.after_form(), redirect))
    }

    /// After a form the browser goes on with a GET (RFC 9110 §15.4.4).
    fn after_form(&self) -> StatusCode {
        if self.head.method == Method::POST { StatusCode::SEE_OTHER } else { StatusCode::FOUND }
    }

    fn signed_out(&self) -> Response<Body> {
        let target = self.parameter("state").and_then(|state| self.app.login.after_sign_out(&state));
        let return_to = target.as_ref().map(ReturnTarget::as_str);
        let page = SignedOutPage { app_name: &self.app.config.name, return_to };
        answer::page(StatusCode::OK, self.app.pages.signed_out(&page), Framing::Denied, &[])
    }

    fn userinfo(&self) -> Result<Response<Body>, Refusal> {
        let (_, session) = self.live.as_ref().ok_or(Refusal::Anonymous)?;
        let visitor = session.visitor();
        if !self.app.login.knows(&visitor.provider) {
            return Err(Refusal::Anonymous);
        }
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
        Ok(answer::json(&document))
    }

    /// A page of another site must not press our buttons (threats 6, 9).
    fn same_origin_only(&self) -> Result<(), Refusal> {
        match Initiator::of(&self.head.headers, &self.app.login.origins.own) {
            // No browser leaves everything out on a POST, and other clients carry nobody's cookies unasked.
            Initiator::Own | Initiator::Unsaid => Ok(()),
            Initiator::Sibling | Initiator::Foreign | Initiator::Visitor => Err(Refusal::ForeignForm),
        }
    }

    fn return_target(&self) -> ReturnTarget {
        self.target(self.parameter("rd").as_deref())
    }

    fn target(&self, asked: Option<&str>) -> ReturnTarget {
        let origins = &self.app.login.origins;
        asked.map_or_else(|| ReturnTarget::root(origins), |asked| ReturnTarget::parse(asked, origins))
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let query = self.query?.as_bytes();
        form_urlencoded::parse(query).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
    }
}

fn field<'f>(form: &'f [(String, String)], name: &str) -> Option<&'f str> {
    form.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// The fields of a form.
async fn form<B>(body: B) -> Result<Vec<(String, String)>, Refusal>
where
    B: http_body::Body<Error: std::error::Error + Send + Sync + 'static>,
{
    let read = timeout(FORM_TIMEOUT, Limited::new(body, MAX_FORM).collect()).await;
    let bytes = read.map_err(|_| Refusal::SlowForm)?.map_err(|_| Refusal::Form)?.to_bytes();
    Ok(form_urlencoded::parse(&bytes).into_owned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn threat_116_a_form_that_does_not_arrive_is_not_waited_for() {
        let silent = http_body_util::StreamBody::new(futures_util::stream::pending::<
            Result<http_body::Frame<bytes::Bytes>, std::io::Error>,
        >());
        assert!(matches!(form(silent).await, Err(Refusal::SlowForm)));
        let sent = http_body_util::Full::<bytes::Bytes>::from("rd=%2Fa&x=");
        let fields = form(sent).await.expect("a form");
        assert_eq!((field(&fields, "rd"), field(&fields, "x"), field(&fields, "y")), (Some("/a"), Some(""), None));
        let large = http_body_util::Full::<bytes::Bytes>::from(vec![b'a'; MAX_FORM + 1]);
        assert!(matches!(form(large).await, Err(Refusal::Form)));
    }
}
