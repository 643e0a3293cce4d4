//! Apps that are told apart by their paths, and what is ours on their hosts.

use super::{APP, PROVIDER, app, table, whole, with};

/// The faults of keys of two apps.
fn two_apps(first: &str, second: &str) -> String {
    let second = format!("\nid = \"second\"{second}");
    whole(&format!(
        "{}{}{}",
        table("app", first, &APP),
        table("app", &second, &APP),
        table("provider", "\n", &PROVIDER)
    ))
}

#[test]
fn faults_of_the_path_of_a_public_url() {
    for path in ["/wiki//x", "//wiki", "/a/../b", "/a/.", "/%77iki", "/wiki;x", "/caf\u{e9}", "/a*", "/wiki//"] {
        let faults = app(&format!("\npublic_url = \"https://example.com{path}\"\n"));
        assert!(faults.contains("`public_url` has a path that could be spelled otherwise"), "{path}: {faults}");
    }
    insta::assert_snapshot!(app(r#"
public_url = "https://example.com/team%20wiki/"
"#), @r#"
    error: `public_url` has a path that could be spelled otherwise
     --> vestibule.toml:2:14
      |
    2 | public_url = "https://example.com/team%20wiki/"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: the path says which app a request is for, and no two readers may differ about that
      = help: write segments of plain letters, digits and -._~ with one slash between them

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_apps_on_one_host() {
    insta::assert_snapshot!(two_apps(r#"
public_url = "https://example.com/wiki"
"#, r#"
public_url = "https://example.com:8443/Wiki/"
hosts = ["notes.example.com"]
"#), @r#"
    error: the path `example.com/wiki` is given twice
     --> vestibule.toml:9:14
      |
    2 | public_url = "https://example.com/wiki"
      |              -------------------------- it is given here as well
    ...
    9 | public_url = "https://example.com:8443/Wiki/"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(two_apps(r#"
public_url = "https://example.com/wiki"
hosts = ["*.review.example.com"]
"#, r#"
public_url = "https://notes.example.com/wiki"
hosts = ["*.review.example.com"]
"#), @r#"
    error: the path `*.review.example.com/wiki` is given twice
      --> vestibule.toml:11:10
       |
     3 | hosts = ["*.review.example.com"]
       |          ---------------------- it is given here as well
    ...
    11 | hosts = ["*.review.example.com"]
       |          ^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(two_apps(r#"
public_url = "https://example.com"
"#, r#"
public_url = "https://example.com/_vestibule/wiki"
"#), @r#"
    error: the path of `public_url` hides the own endpoints of the app `wiki`
     --> vestibule.toml:9:14
      |
    2 | public_url = "https://example.com"
      |              --------------------- this app is on the same host
    ...
    9 | public_url = "https://example.com/_vestibule/wiki"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: nobody could sign in there any more

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(two_apps(r#"
public_url = "https://example.com/wiki/oauth2"
"#, r#"
public_url = "https://example.com/wiki"
callback_path = "/oauth2/callback"
"#), @r#"
    error: the path of `public_url` hides the `callback_path` of the app `second`
     --> vestibule.toml:2:14
      |
    2 | public_url = "https://example.com/wiki/oauth2"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ...
    9 | public_url = "https://example.com/wiki"
      |              -------------------------- this app is on the same host
      |
      = note: nobody could sign in there any more

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_the_way_back_and_of_the_health_path() {
    insta::assert_snapshot!(app(r#"
callback_path = "oauth2/callback"
"#), @r#"
    error: `callback_path` must begin with one slash, not end with one, and hold plain letters, digits and -._~ only
     --> vestibule.toml:2:17
      |
    2 | callback_path = "oauth2/callback"
      |                 ^^^^^^^^^^^^^^^^^
      |
      = note: whatever another reader could take for another path would be a way around our endpoints
      = help: write, for example, "/oauth2/callback"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
callback_path = "/_vestibule/oauth2/callback"
"#), @r#"
    error: `callback_path` lies below the prefix of our own endpoints, `/_vestibule`
     --> vestibule.toml:2:17
      |
    2 | callback_path = "/_vestibule/oauth2/callback"
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: leave it out: the provider then leads back to `callback` below the prefix

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[server]
health_path = "/"
"#), @r#"
    error: `health_path` must begin with one slash, not end with one, and hold plain letters, digits and -._~ only
     --> vestibule.toml:2:15
      |
    2 | health_path = "/"
      |               ^^^
      |
      = note: whatever another reader could take for another path would be a way around our endpoints
      = help: write, for example, "/healthz"

    the configuration has 1 fault
    "#);
}
