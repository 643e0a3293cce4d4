//! The pages that Vestibule shows itself: sign-in, sign-out, and everything that went wrong.
//!
//! One typed context a page, one function that turns it into HTML. A page is a
//! heading, some sentences, the account in use and what the person can do next;
//! the pages differ in their words, so one template is enough for all of them.
//! Words stand in [`text`], the template and the assets beside this file, embedded.
//!
//! Nothing on a page runs: no script, no inline style, so that the policy in
//! [`security_headers`] can forbid both. Values are escaped by the engine
//! (`.html` = auto-escape), an undefined one is an error, and a template has a
//! budget of steps.
//!
//! Rejected: askama, which compiles templates in, because operators will be able
//! to replace ours.

use minijinja::{Environment, UndefinedBehavior, context, value::Serde};
use serde::Serialize;

mod action;
mod asset;
mod header;
mod problem;
mod samples;
pub mod text;

pub use action::Action;
pub use asset::Asset;
pub use header::{Framing, PAGE_CONTENT_TYPE, security_headers};
pub use problem::{PROBLEM_CONTENT_TYPE, Problem};

use action::own_url;
use asset::Assets;

/// How many steps of the template engine a page may take; the longest sample takes a hundredth of it.
const FUEL: u64 = 100_000;

/// Everything that is needed to show a page.
#[derive(Debug)]
pub struct Pages {
    environment: Environment<'static>,
    assets: Assets,
    prefix: String,
    home: String,
}

/// Something did not work out, or is not allowed (contract §5).
#[derive(Clone, Copy, Debug)]
pub struct RefusalPage<'a> {
    /// The app's name.
    pub app_name: &'a str,
    /// What happened, in a few words.
    pub heading: &'a str,
    /// What it means, in a sentence or two.
    pub explanation: &'a str,
    /// Who is signed in.
    pub account: Option<&'a str>,
    /// What the person can do; the first is the one we suggest.
    pub actions: &'a [Action],
    /// The same as in the log.
    pub request_id: &'a str,
}

/// The choice among several providers.
#[derive(Clone, Copy, Debug)]
pub struct SignInPage<'a> {
    /// The app's name.
    pub app_name: &'a str,
    /// Each provider's id and what people call it.
    pub providers: &'a [ProviderChoice<'a>],
    /// Where the person wants to go.
    pub return_to: &'a str,
}

/// A provider to choose.
#[derive(Clone, Copy, Debug)]
pub struct ProviderChoice<'a> {
    /// Its `id`.
    pub id: &'a str,
    /// Its `display_name`, or the id.
    pub name: &'a str,
}

/// Asks before signing out, because a GET must not.
#[derive(Clone, Copy, Debug)]
pub struct SignOutPage<'a> {
    /// The app's name.
    pub app_name: &'a str,
    /// Who is signed in.
    pub account: Option<&'a str>,
    /// Where the person goes afterwards (`rd`).
    pub return_to: Option<&'a str>,
}

/// Where people land after a sign-out.
#[derive(Clone, Copy, Debug)]
pub struct SignedOutPage<'a> {
    /// The app's name.
    pub app_name: &'a str,
}

/// For frames and for forms: they cannot be sent to the provider (contract §5).
#[derive(Clone, Copy, Debug)]
pub struct UnauthorizedPage<'a> {
    /// The app's name.
    pub app_name: &'a str,
    /// Where the whole window is to come back to.
    pub return_to: &'a str,
    /// The same as in the log.
    pub request_id: &'a str,
}

/// Asks before a live session gives way to a new sign-in.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmReplacePage<'a> {
    /// The app's name.
    pub app_name: &'a str,
    /// Who is signed in.
    pub account: &'a str,
    /// What goes on with the sign-in that was begun.
    pub sign_in: &'a Action,
    /// Where the person wanted to go.
    pub return_to: &'a str,
}

impl Pages {
    /// Pages whose links and assets lie below `prefix` (`server.prefix`), of an app that has the whole host.
    pub fn new(prefix: &str) -> Self {
        Self::below("", prefix)
    }

    /// The same for an app that lies below a path of its host.
    pub fn below(app_path: &str, prefix: &str) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment
            .add_template("page.html", include_str!("pages/templates/page.html"))
            .expect("the embedded template is valid, as every sample shows");
        Self { environment, assets: Assets::new(), prefix: format!("{app_path}{prefix}"), home: format!("{app_path}/") }
    }

    /// What `/static/NAME` answers.
    pub fn asset(&self, name: &str) -> Option<Asset> {
        self.assets.get(name)
    }

    /// What went wrong, and what to do about it.
    pub fn refusal(&self, page: &RefusalPage<'_>) -> String {
        self.render(&View {
            heading: page.heading,
            explanation: page.explanation,
            account: page.account,
            actions: page.actions,
            request_id: Some(page.request_id),
            ..View::of(page.app_name)
        })
    }

    /// A button for each provider.
    pub fn sign_in(&self, page: &SignInPage<'_>) -> String {
        let actions: Vec<_> = page
            .providers
            .iter()
            .map(|provider| {
                let start = own_url(&self.prefix, "start", &[("provider", provider.id), ("rd", page.return_to)]);
                Action::link(text::sign_in_with(provider.name), &start)
            })
            .collect();
        self.render(&View {
            heading: &text::sign_in_to(page.app_name),
            explanation: text::CHOOSE_A_PROVIDER,
            actions: &actions,
            emphasis: Emphasis::Equal,
            ..View::of(page.app_name)
        })
    }

    /// A button that signs out.
    pub fn sign_out(&self, page: &SignOutPage<'_>) -> String {
        let mut sign_out = Action::post(text::SIGN_OUT, &own_url(&self.prefix, "sign_out", &[]));
        if let Some(return_to) = page.return_to {
            sign_out = sign_out.with_field("rd", return_to);
        }
        self.render(&View {
            heading: &text::sign_out_of(page.app_name),
            explanation: text::SIGN_OUT_ENDS_THE_SESSION,
            account: page.account,
            actions: &[sign_out, Action::link(text::STAY_SIGNED_IN, &self.home)],
            ..View::of(page.app_name)
        })
    }

    /// It worked.
    pub fn signed_out(&self, page: &SignedOutPage<'_>) -> String {
        let sign_in = own_url(&self.prefix, "start", &[("rd", &self.home)]);
        self.render(&View {
            heading: text::SIGNED_OUT,
            explanation: text::CLOSE_THE_BROWSER,
            actions: &[Action::link(text::SIGN_IN_AGAIN, &sign_in)],
            ..View::of(page.app_name)
        })
    }

    /// A link that leaves the frame and signs in.
    pub fn unauthorized(&self, page: &UnauthorizedPage<'_>) -> String {
        let sign_in = own_url(&self.prefix, "start", &[("rd", page.return_to)]);
        self.render(&View {
            heading: text::UNAUTHORIZED.heading,
            explanation: text::UNAUTHORIZED.explanation,
            actions: &[Action::link(text::SIGN_IN, &sign_in).in_whole_window()],
            request_id: Some(page.request_id),
            ..View::of(page.app_name)
        })
    }

    /// A choice between the session that lives and the sign-in that was begun.
    pub fn confirm_replace(&self, page: &ConfirmReplacePage<'_>) -> String {
        self.render(&View {
            heading: text::ALREADY_SIGNED_IN,
            explanation: text::SIGNING_IN_REPLACES,
            account: Some(page.account),
            actions: &[Action::link(text::CONTINUE, page.return_to), page.sign_in.clone()],
            ..View::of(page.app_name)
        })
    }

    fn render(&self, view: &View<'_>) -> String {
        let page = context! {
            view => Serde(view),
            language => text::LANGUAGE,
            account_label => text::SIGNED_IN_AS,
            request_id_label => text::REQUEST_ID,
            stylesheet => own_url(&self.prefix, "static", &[]) + "/" + self.assets.stylesheet(),
            icon => own_url(&self.prefix, "static", &[]) + "/" + self.assets.icon(),
        };
        let rendered = self.environment.get_template("page.html").and_then(|template| template.render(page));
        rendered.unwrap_or_else(|error| {
            // Reached by a context beyond the fuel only. A person is owed an answer all the same.
            tracing::error!(%error, "a page could not be rendered");
            text::UNRENDERABLE.to_owned()
        })
    }
}

/// Whether one of the actions is the one that we suggest.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Emphasis {
    First,
    Equal,
}

/// What the template sees.
#[derive(Serialize)]
struct View<'a> {
    app_name: &'a str,
    heading: &'a str,
    explanation: &'a str,
    account: Option<&'a str>,
    actions: &'a [Action],
    emphasis: Emphasis,
    request_id: Option<&'a str>,
}

impl<'a> View<'a> {
    fn of(app_name: &'a str) -> Self {
        Self {
            app_name,
            heading: "",
            explanation: "",
            account: None,
            actions: &[],
            emphasis: Emphasis::First,
            request_id: None,
        }
    }
}

#[cfg(test)]
mod tests;
