//! Every word that a visitor reads.
//!
//! Plain sentences: what happened, then what helps. Nothing here names a library,
//! a host or a rule; the request id is what leads an operator to those.

/// The language of these words (BCP 47).
pub const LANGUAGE: &str = "en";

/// Heading and explanation of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalText {
    /// What happened, in a few words.
    pub heading: &'static str,
    /// What it means, in a sentence or two.
    pub explanation: &'static str,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $heading:literal, $explanation:literal;)*) => {
        $($(#[$doc])* pub const $name: RefusalText = RefusalText { heading: $heading, explanation: $explanation };)*

        /// All of them, so that tests and translators miss none.
        #[cfg(test)]
        pub(super) const REFUSALS: &[(&str, RefusalText)] = &[$((stringify!($name), $name)),*];
    };
}

refusals! {
    /// 401, in a frame or for a form.
    UNAUTHORIZED: "Please sign in",
        "You are not signed in, or your session has ended. This part of the page can be shown after you sign in.";

    /// 401, for programs: the `detail` of the problem.
    UNAUTHENTICATED: "Please sign in",
        "This needs a signed-in session, or an accepted bearer token.";

    /// 403: signed in, and no rule admits them.
    NOT_ADMITTED: "You do not have access",
        "You are signed in, but this account is not on the list of people who may enter. \
         If you have another account, try that one, or ask an administrator for access.";

    /// 403: signed in and admitted, but not by the route.
    NOT_THIS_PART: "You do not have access to this part",
        "You may use this app, but this account may not open this part of it. \
         If you have another account, try that one, or ask an administrator for access.";

    /// 403: signed in, and a `deny` rule or a block keeps them out.
    BLOCKED: "Your access has been blocked",
        "An administrator has closed access for this account. Please ask them if you think that is a mistake.";

    /// 403: a rule would admit the address, but the provider has not verified it.
    EMAIL_NOT_VERIFIED: "Your e-mail address is not verified",
        "Access depends on your e-mail address, and the account that you signed in with has not verified it. \
         Verify the address there, then sign in again.";

    /// 403: the session's provider does not count for this app.
    OTHER_PROVIDER: "This account does not work here",
        "You are signed in, but not in the way that this app asks for. Please sign in with another account.";

    /// 403: a form or a WebSocket that another site opened.
    FOREIGN_ORIGIN: "This request came from another site",
        "For your protection it was not carried out. Open the app itself and try again there.";

    /// 403: `/auth` from somebody who is no trusted proxy.
    NOT_A_TRUSTED_PROXY: "Not for visitors",
        "This address is for the web server in front of the app.";

    /// 400: the state of a sign-in is missing, foreign or used.
    SIGN_IN_LOST: "This sign-in could not be finished",
        "It was begun in another browser, it has been used already, or cookies are blocked. Please begin again.";

    /// 400: it took too long, more than once.
    SIGN_IN_EXPIRED: "This sign-in took too long",
        "It was left open until it expired. Please begin again.";

    /// 400: signing in led back to signing in.
    SIGN_IN_LOOP: "Signing in keeps starting over",
        "The browser does not seem to keep our cookie. Allow cookies for this site, \
         check that its address begins as the app's own does, and try again.";

    /// 403: the person said no at the provider (`access_denied`).
    SIGN_IN_DECLINED: "The sign-in was declined",
        "You, or the service that you sign in with, declined. You can try again, or use another account.";

    /// 400: the provider answered with another error.
    SIGN_IN_REFUSED: "The sign-in was not accepted",
        "The service that you sign in with reported an error. Please try again; if it happens again, \
         tell an administrator the request ID below.";

    /// 502: what the provider sent does not prove who they are.
    SIGN_IN_UNPROVEN: "The sign-in could not be verified",
        "The answer of the service that you sign in with did not pass our checks, so nobody was signed in. \
         Please try again; if it happens again, tell an administrator the request ID below.";

    /// 502: the provider cannot be reached.
    PROVIDER_UNREACHABLE: "Signing in is not possible right now",
        "The service that you sign in with cannot be reached. Please try again in a moment.";

    /// 504: the provider does not answer.
    PROVIDER_TIMED_OUT: "Signing in is not possible right now",
        "The service that you sign in with did not answer in time. Please try again in a moment.";

    /// 503: sessions cannot be read; nobody is signed out.
    STORE_UNREACHABLE: "Please try again in a moment",
        "We cannot check your session right now. You have not been signed out.";

    /// 502: the app cannot be reached.
    UPSTREAM_UNREACHABLE: "The app is not available",
        "It cannot be reached right now. Please try again in a moment.";

    /// 504: the app does not answer.
    UPSTREAM_TIMED_OUT: "The app did not answer in time",
        "It may be busy. Please try again in a moment.";

    /// 400: framing, target or headers that have more than one meaning.
    BAD_REQUEST: "This request could not be understood",
        "The address or the request is not valid. Check the address, or begin again from the app's start page.";

    /// 404, below our prefix.
    NOT_FOUND: "This page does not exist",
        "Check the address, or begin again from the app's start page.";

    /// 405
    METHOD_NOT_ALLOWED: "This page cannot be used like that",
        "Begin again from the app's start page.";

    /// 421: no app has this host.
    MISDIRECTED: "There is no app at this address",
        "Check the address. If it is right, its administrator has not set it up here yet.";

    /// 413
    BODY_TOO_LARGE: "This is too large",
        "What was sent is larger than the app accepts.";

    /// 414
    URI_TOO_LONG: "This address is too long",
        "Begin again from the app's start page.";

    /// 431
    HEADERS_TOO_LARGE: "The browser sent too much",
        "The headers of the request are larger than we accept. Deleting this site's cookies usually helps.";

    /// 429
    TOO_MANY_SIGN_INS: "Too many sign-ins",
        "Many sign-ins were begun from your network in a short time. Please wait a minute and try again.";

    /// 503: the process is on its way out.
    SHUTTING_DOWN: "Please try again in a moment",
        "This server is restarting.";

    /// 500: a fault of ours.
    INTERNAL: "Something went wrong",
        "That was our fault. Please try again; if it happens again, tell an administrator the request ID below.";
}

/// Of an action.
pub const SIGN_IN: &str = "Sign in";
/// Of an action.
pub const SIGN_IN_AGAIN: &str = "Sign in again";
/// Of an action.
pub const USE_ANOTHER_ACCOUNT: &str = "Use another account";
/// Of an action.
pub const TRY_AGAIN: &str = "Try again";
/// Of an action.
pub const GO_TO_START: &str = "Go to the start page";
/// Of an action.
pub const SIGN_OUT: &str = "Sign out";

pub(super) const STAY_SIGNED_IN: &str = "Stay signed in";
pub(super) const CONTINUE: &str = "Continue with this account";
pub(super) const SIGNED_IN_AS: &str = "Signed in as";
pub(super) const REQUEST_ID: &str = "Request ID:";
pub(super) const CHOOSE_A_PROVIDER: &str = "How would you like to sign in?";
pub(super) const SIGN_OUT_ENDS_THE_SESSION: &str =
    "This ends your session in this browser and, where your sign-in service supports it, there as well.";
pub(super) const SIGNED_OUT: &str = "You are signed out";
pub(super) const CLOSE_THE_BROWSER: &str =
    "Your session here has ended. On a shared computer, also close all windows of the browser.";
pub(super) const ALREADY_SIGNED_IN: &str = "You are already signed in";
pub(super) const SIGNING_IN_REPLACES: &str = "Signing in again replaces your session in this browser.";

/// What stands for a page that cannot be rendered.
pub(super) const UNRENDERABLE: &str = "<!doctype html><html lang=\"en\"><title>Something went wrong</title>\
     <p>Something went wrong. Please try again.</p></html>";

pub(super) fn sign_in_to(app_name: &str) -> String {
    format!("Sign in to {app_name}")
}

pub(super) fn sign_in_with(provider: &str) -> String {
    format!("Sign in with {provider}")
}

pub(super) fn sign_out_of(app_name: &str) -> String {
    format!("Sign out of {app_name}?")
}
