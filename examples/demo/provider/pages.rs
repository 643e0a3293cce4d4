//! The provider's few pages; minijinja escapes whatever is put into them.

use minijinja::{Environment, Value, context};

use super::people::{PEOPLE, Person};

/// One button for each person; who is signed in here and who is hinted at is marked.
pub(super) fn sign_in(action: &str, client_id: &str, current: Option<&Person>, login_hint: Option<&str>) -> String {
    let people: Vec<Value> = PEOPLE
        .iter()
        .map(|person| {
            context! {
                username => person.username,
                name => person.name(),
                email => person.email,
                remark => person.remark,
                is_current => current == Some(*person),
                is_hinted => login_hint.is_some_and(|hint| hint == person.username || hint == person.email),
            }
        })
        .collect();
    render(include_str!("pages/sign_in.html"), context! { action, client_id, people })
}

/// Asks before it ends a session that nobody has named.
pub(super) fn confirm_sign_out<'a>(
    action: &str,
    person: &Person,
    carried: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let carried: Vec<Value> = carried.map(|(name, value)| context! { name, value }).collect();
    render(include_str!("pages/confirm_sign_out.html"), context! { action, name => person.name(), carried })
}

/// Where nobody asked to be sent on.
pub(super) fn signed_out() -> String {
    notice("Signed out", "Your session at the development provider has ended.")
}

/// A request that a developer will want to mend.
pub(super) fn refused(reason: &str) -> String {
    notice("The development provider refuses this request", reason)
}

fn notice(title: &str, text: &str) -> String {
    render(include_str!("pages/notice.html"), context! { title, text })
}

fn render(page: &'static str, context: Value) -> String {
    let mut environment = Environment::new();
    environment
        .add_template("layout.html", include_str!("pages/layout.html"))
        .and_then(|()| environment.add_template("page.html", page))
        .and_then(|()| environment.get_template("page.html")?.render(context))
        .expect("the templates are part of the program, and the tests render each")
}
