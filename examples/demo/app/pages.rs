//! The app's pages; minijinja escapes whatever is put into them.

use http::HeaderMap;
use minijinja::{Environment, Value, context};
use url::form_urlencoded;

use super::Visitor;

const TEMPLATES: [(&str, &str); 9] = [
    ("layout.html", include_str!("pages/layout.html")),
    ("home.html", include_str!("pages/home.html")),
    ("form.html", include_str!("pages/form.html")),
    ("slow.html", include_str!("pages/slow.html")),
    ("events.html", include_str!("pages/events.html")),
    ("websocket.html", include_str!("pages/websocket.html")),
    ("public.html", include_str!("pages/public.html")),
    ("article.html", include_str!("pages/article.html")),
    ("not_found.html", include_str!("pages/not_found.html")),
];

/// All of them, parsed.
pub(super) struct Pages(Environment<'static>);

impl Pages {
    pub(super) fn new() -> Self {
        let mut environment = Environment::new();
        for (name, source) in TEMPLATES {
            environment.add_template(name, source).expect("the templates are part of the program");
        }
        Self(environment)
    }

    /// Who you are, and every header that came.
    pub(super) fn home(&self, visitor: &Visitor, headers: &HeaderMap) -> String {
        let headers: Vec<Value> = headers
            .iter()
            .map(|(name, value)| {
                context! {
                    name => name.as_str(),
                    value => String::from_utf8_lossy(value.as_bytes()),
                    is_identity => is_identity(name.as_str()),
                }
            })
            .collect();
        self.render("home.html", visitor, context! { headers })
    }

    /// A form, with what was last sent by it.
    pub(super) fn form(&self, visitor: &Visitor, fields: &[(String, String)]) -> String {
        self.render("form.html", visitor, context! { fields => pairs(fields) })
    }

    /// The slow page before and after the place where its lines go.
    pub(super) fn slow(&self, visitor: &Visitor) -> (String, String) {
        const HERE: &str = "<!-- lines -->";
        let page = self.render("slow.html", visitor, context! {});
        let (before, after) = page.split_once(HERE).expect("slow.html marks where its lines go");
        (before.to_owned(), after.to_owned())
    }

    /// Listens to server-sent events.
    pub(super) fn events(&self, visitor: &Visitor) -> String {
        self.render("events.html", visitor, context! {})
    }

    /// Talks to the WebSocket.
    pub(super) fn websocket(&self, visitor: &Visitor) -> String {
        self.render("websocket.html", visitor, context! {})
    }

    /// Open to everybody.
    pub(super) fn public(&self, visitor: &Visitor, path: &str) -> String {
        self.render("public.html", visitor, context! { path })
    }

    /// A deep link, with its query shown as it came and as it reads.
    pub(super) fn article(&self, visitor: &Visitor, path: &str, query: Option<&str>) -> String {
        let fields: Vec<_> = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        self.render("article.html", visitor, context! { path, query, fields => pairs(&fields) })
    }

    /// Nothing is here.
    pub(super) fn not_found(&self, visitor: &Visitor, path: &str) -> String {
        self.render("not_found.html", visitor, context! { path })
    }

    fn render(&self, name: &str, visitor: &Visitor, page: Value) -> String {
        let Visitor { user, email, groups } = visitor;
        let visitor = context! { user => user.clone(), email => email.clone(), groups => groups.clone() };
        self.0
            .get_template(name)
            .and_then(|template| template.render(context! { visitor, ..page }))
            .expect("the tests render each template")
    }
}

/// Whether a header tells who the visitor is (as the `forwarded` preset names them).
fn is_identity(name: &str) -> bool {
    ["x-forwarded-user", "x-forwarded-email", "x-forwarded-preferred-username", "x-forwarded-groups"].contains(&name)
}

fn pairs(fields: &[(String, String)]) -> Vec<Value> {
    fields.iter().map(|(name, value)| context! { name, value }).collect()
}
