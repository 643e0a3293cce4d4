//! `[[app.route]]`: what holds for some paths instead of `[app.access]`.

use http::Method;

use super::{Policy, Scope, condition::read_conditions, contradiction, shadow::Earlier};
use crate::config::{
    Condition, Written,
    app::{OnAnonymous, answers},
    fault::{Fault, Place},
    path_pattern::{PathPattern, SegmentPattern},
    section::{Placed, Reading, Section, Wrong},
};

/// `[[app.route]]`
#[derive(Clone, Debug)]
pub struct Route {
    /// `path`
    pub path: PathPattern,
    /// `methods`; `None` = all. GET includes HEAD.
    pub methods: Option<Vec<Method>>,
    /// `access`
    pub access: RouteAccess,
    /// `on_anonymous`
    pub on_anonymous: OnAnonymous,
    /// Where.
    pub written: Written,
}

/// `access` of a route, as far as this version knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteAccess {
    /// `"public"`: everybody, and the session is not looked at.
    Public,
    /// `"optional"`: everybody; whom the app's policy admits is known to the upstream.
    Optional,
    /// A policy's name: that policy instead of the app's.
    Policy(Policy),
    /// A table: who meets its conditions, of those whom the app's policy admits.
    Narrowed(Narrowing),
}

/// `access = { allow = […], deny = […] }`; at least one condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Narrowing {
    /// Any of these must match; `None` = the app's policy is enough.
    pub allow: Option<Vec<Condition>>,
    /// None of these may.
    pub deny: Vec<Condition>,
}

impl Narrowing {
    /// All of its conditions.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.allow.iter().flatten().chain(&self.deny)
    }
}

impl Route {
    /// The conditions that only this route has.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let narrowing = match &self.access {
            RouteAccess::Narrowed(narrowing) => Some(narrowing),
            RouteAccess::Public | RouteAccess::Optional | RouteAccess::Policy(_) => None,
        };
        narrowing.into_iter().flat_map(Narrowing::conditions)
    }
}

/// All routes of an app, in their order.
pub(in crate::config) fn read_routes(app: &Section<'_>, scope: Scope<'_>) -> Reading<Vec<Placed<Route>>> {
    let mut earlier = Earlier::default();
    app.tables("route", "app.route", |section| read_route(section, scope, &mut earlier)).into_iter().collect()
}

fn read_route(section: &Section<'_>, scope: Scope<'_>, earlier: &mut Earlier<Place>) -> Reading<Placed<Route>> {
    let path = section.required("path", "\"/metrics\"", PathPattern::parse);
    let methods = section.list("methods", parse_method).and_then(|methods| match methods {
        Some(methods) if methods.is_empty() => Err(section.report().add(
            section
                .fault(&["methods"], "`methods` is empty, so the route could never match")
                .help("remove the key for all methods"),
        )),
        methods => Ok(methods),
    });
    let table = |section: &Section<'_>| read_narrowing(section, scope).map(RouteAccess::Narrowed);
    let access = section.word_or_table("access", "app.route.access", "\"public\"", parse_access, table);
    let on_anonymous = answers::read_on_anonymous(section);
    let (path, methods, access) = (path?, methods?, access?.value);
    if path.segments.is_empty() && access == RouteAccess::Public {
        section.report().warn(Some(path.place), "this route makes the whole app public");
    }
    let on_anonymous = on_anonymous?;
    if on_anonymous != OnAnonymous::Auto && matches!(access, RouteAccess::Public | RouteAccess::Optional) {
        return Err(section.report().add(
            section
                .fault(&["on_anonymous"], "`on_anonymous` means nothing on a route where everybody may pass")
                .help("remove it, or give the route another `access`"),
        ));
    }
    let methods = methods.map(|methods| methods.into_iter().map(|method| method.value).collect::<Vec<_>>());
    if let Some(first) = earlier.add(&path, methods.as_deref(), path.place) {
        let line = section.report().line(first);
        section
            .report()
            .warn(Some(path.place), format_args!("no request reaches this route: the one at {line} takes all of them"));
    }
    let written = section.report().written(section.place());
    Ok(Placed { value: Route { path: path.value, methods, access, on_anonymous, written }, place: path.place })
}

fn parse_access(word: &str) -> Result<RouteAccess, Wrong> {
    match word {
        "public" => Ok(RouteAccess::Public),
        "optional" => Ok(RouteAccess::Optional),
        "anyone" => Ok(RouteAccess::Policy(Policy::Anyone)),
        "listed" => Ok(RouteAccess::Policy(Policy::Listed)),
        "invited" => Err(not_yet(word, "it knows no invitations yet")),
        "admins" => Err(not_yet(word, "it knows no administrators yet")),
        _ => Err(Wrong::new("must be \"public\", \"optional\", \"anyone\", \"listed\" or a table")
            .help("a table narrows: { allow = [{ group = \"ops\" }], deny = [] }")),
    }
}

fn not_yet(word: &str, why: &str) -> Wrong {
    Wrong::new(format_args!("= \"{word}\" is not in this version"))
        .why(why)
        .help("write a table: { allow = [{ group = \"…\" }] }, or remove the route: the app's policy holds then")
}

fn read_narrowing(section: &Section<'_>, scope: Scope<'_>) -> Reading<Narrowing> {
    let is_stated = section.place_of("allow").is_some();
    let allow = read_conditions(section, "allow", scope);
    let deny = read_conditions(section, "deny", scope);
    let (allow, deny) = (allow?, deny?);
    contradiction::check(section, &allow, &deny)?;
    if is_stated && allow.is_empty() {
        return Err(section.report().add(
            section
                .fault(&["allow"], "`allow` lists nobody, so nobody could pass")
                .help("remove `allow` if the app's policy is enough here"),
        ));
    }
    // Of what comes with a later version, that is all there is to say.
    let is_later = ["acr", "max_auth_age"].iter().any(|key| section.place_of(key).is_some());
    if allow.is_empty() && deny.is_empty() && !is_later {
        return Err(section.report().add(
            Fault::at(section.place(), "this table asks for nothing beyond the app's policy")
                .absence(section.place(), &["allow", "deny"])
                .help("write, for example: access = { allow = [{ group = \"ops\" }] }"),
        ));
    }
    Ok(Narrowing { allow: is_stated.then_some(allow), deny })
}

/// Warns of a route that asks for more than the app does, at one path to which many servers answer under another, too.
pub(super) fn warn_of_trailing_slash(app: &Section<'_>, route: &Placed<Route>, all: &[Placed<Route>]) {
    let mut slashed = route.path.segments.clone();
    if route.path.and_below || slashed.last().is_some_and(|last| *last == SegmentPattern::Literal(String::new())) {
        return;
    }
    let covers = |other: &PathPattern| other.and_below && route.path.segments.starts_with(&other.segments);
    slashed.push(SegmentPattern::Literal(String::new()));
    if !all.iter().any(|other| other.path.segments == slashed || covers(&other.path)) {
        app.report().warn(
            Some(route.place),
            format_args!(
                "this route does not narrow `{0}/`, and many servers answer that like `{0}`: `{0}/**` means both",
                route.path
            ),
        );
    }
}

fn parse_method(text: &str) -> Result<Method, Wrong> {
    match Method::from_bytes(text.as_bytes()) {
        Ok(_) if text.bytes().any(|byte| byte.is_ascii_lowercase()) => Err(Wrong::new("must be in upper case")
            .why("methods are case-sensitive (RFC 9110 §9.1)")
            .help(format!("write \"{}\"", text.to_ascii_uppercase()))),
        Ok(method) => Ok(method),
        Err(_) => {
            Err(Wrong::new("must hold one method in each string").help("write, for example, [\"GET\", \"POST\"]"))
        }
    }
}
